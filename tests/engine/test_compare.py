"""Data compared while it changes: equal, different, or nobody can tell, and never the one for the other."""

from __future__ import annotations

import pytest

from galvan.cluster.tables import Table
from galvan.engine.compare import Compared, conclude, round_of, sort_out
from galvan.model import Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("first", "db2", "db3", "again", "verdict"),
    [
        ("1", "1", "1", "1", PASS),
        ("1", "1", "2", "2", PASS),  # written to between the looks
        ("1", "2", "1", "1", FAIL),
        ("1", "3", "2", "2", None),  # written to, and db2 is at a state that the first did not show
        ("1", None, "1", "1", UNKNOWN),
        (None, "1", "1", "1", UNKNOWN),
        ("1", "1", "1", None, UNKNOWN),
    ],
)
def test_a_round(
    first: str | None, db2: str | None, db3: str | None, again: str | None, verdict: Verdict | None
) -> None:
    said = round_of("s.t", {"s.t": first}, {"db2": {"s.t": db2}, "db3": {"s.t": db3}}, {"s.t": again})
    assert (said and said.verdict) == verdict
    if verdict is FAIL:
        assert said
        assert said.seen == "differs on db2"


def told(verdict: Verdict) -> Compared:
    return Compared("s.t", verdict, verdict.value)


@pytest.mark.parametrize(
    ("rounds", "verdict"),
    [
        ([told(PASS)], PASS),
        ([told(FAIL)], None),
        ([told(FAIL), told(FAIL)], FAIL),
        ([told(FAIL), told(PASS)], PASS),
        ([None, None, None], None),
        ([None, None, None, None], UNKNOWN),
        ([None, told(FAIL), None, told(FAIL)], FAIL),
        ([told(UNKNOWN)], UNKNOWN),
    ],
)
def test_rounds(rounds: list[Compared | None], verdict: Verdict | None) -> None:
    said = conclude("s.t", rounds)
    assert (said and said.verdict) == verdict


def test_what_is_not_compared_is_named() -> None:
    small, large = Table("s", "small", "InnoDB", 10), Table("s", "large", "InnoDB", 5_000_000)
    aria, lost = Table("s", "aria", "Aria", 10), Table("s", "lost", "InnoDB", 10)
    found, said = sort_out({"db1": [small, large, aria, lost], "db2": [small, large, aria]}, 1_000_000)
    assert found == (small,)
    assert {c.table: (c.verdict, c.seen) for c in said} == {
        "s.aria": (UNKNOWN, "not compared: its engine is Aria, which is not replicated"),
        "s.large": (UNKNOWN, "not compared: 5 MB, and the limit is 1 MB"),
        "s.lost": (FAIL, "not there on db2"),
    }
