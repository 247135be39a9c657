"""May a run begin: maintenance windows by the clock on the wall, and the backup that somebody vouches for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from galvan.edges.policy import window
from galvan.engine.permit import left, opens, outside, vouched
from galvan.model import Backup


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SATURDAY = (window("Sat 22:00-04:00 UTC"),)


@pytest.mark.parametrize(
    ("now", "rest"),
    [
        ("2026-11-21T21:59:59", None),
        ("2026-11-21T22:00:00", 6 * 3600.0),
        ("2026-11-22T03:00:00", 3600.0),
        ("2026-11-22T04:00:00", None),
        ("2026-11-22T22:30:00", None),
    ],
)
def test_a_window_over_midnight(now: str, rest: float | None) -> None:
    assert left(SATURDAY, at(now)) == rest


def test_windows_that_follow_one_another_are_one() -> None:
    both = (window("Sat 22:00-24:00 UTC"), window("Sun 00:00-02:00 UTC"))
    assert left(both, at("2026-11-21T23:00:00")) == 3 * 3600.0
    assert left((window("daily 00:00-24:00 UTC"),), at("2026-11-21T23:00:00")) is not None


def test_the_zone_counts() -> None:
    berlin = (window("Sat 22:00-04:00 Europe/Berlin"),)
    assert left(berlin, at("2026-11-21T21:00:00")) == 6 * 3600.0
    assert left(berlin, at("2026-11-22T03:00:00")) is None


def test_the_night_in_which_the_clocks_change() -> None:
    """In Berlin 2026-03-29 has no 02:30, and 2026-10-25 has it twice."""
    berlin = (window("Sat 22:00-04:00 Europe/Berlin"),)
    assert left(berlin, at("2026-03-28T21:00:00")) == 5 * 3600.0
    assert left(berlin, at("2026-10-24T20:00:00")) == 7 * 3600.0


def test_when_it_opens_again() -> None:
    assert opens(SATURDAY, at("2026-11-24T12:00:00")) == at("2026-11-28T22:00:00")
    assert opens(SATURDAY, at("2026-11-28T23:00:00")) == at("2026-12-05T22:00:00")


def test_a_refusal_names_the_window_and_its_next_opening() -> None:
    assert outside((), at("2026-11-24T12:00:00")) == ""
    assert outside(SATURDAY, at("2026-11-21T23:00:00"), 600.0) == ""
    why = outside(SATURDAY, at("2026-11-24T12:00:00"))
    assert "outside of the maintenance window (Sat 22:00-04:00 UTC), which opens 2026-11-28 22:00 UTC" in why
    why = outside(SATURDAY, at("2026-11-22T03:55:00"), 600.0)
    assert "takes about 10 minutes and must not be cut in two" in why
    assert "closes in 5" in why


NOW = at("2026-11-24T12:00:00")


def test_a_backup_is_only_asked_for_where_the_policy_does() -> None:
    assert vouched(None, "", "", NOW) == ("nobody attests a backup that was restored", "")
    why = vouched(Backup(7), "", "", NOW)[1]
    assert "nobody attests" in why
    assert "--attest-backup" in why


@pytest.mark.parametrize(
    ("backup", "given", "refused"),
    [
        (Backup(7, "2026-11-20", "Ann"), ("", ""), ""),
        (Backup(7, "2026-11-10", "Ann"), ("", ""), "14 days ago; the policy asks for one of the last 7"),
        (Backup(7, "2026-11-10", "Ann"), ("Bob", "2026-11-23"), ""),
        (Backup(7), ("Bob", "2026-11-23"), ""),
        (Backup(7), ("Bob", "2026-12-23"), "yet to come"),
    ],
)
def test_how_old_it_may_be(backup: Backup, given: tuple[str, str], refused: str) -> None:
    said, why = vouched(backup, *given, NOW)
    assert refused in why
    assert bool(refused) == bool(why)
    assert (given[0] or backup.by) in said
