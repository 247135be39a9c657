"""What a run costs, out of counters: growth over time, also over a restart of the server."""

from __future__ import annotations

import pytest
from practice import insecure, run

from galvan.engine.budget import Load, crossed, flow_control, measure, p99_ms, unmeasured
from galvan.model import Budget

INF = float("inf")


def load(at: float, paused: float = 0.0, uptime: float = 1000.0, histogram: dict[float, int] | None = None) -> Load:
    return Load(at, uptime, int(paused * 1e9), histogram)


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        (load(0, 5), load(10, 7), 0.2),
        (load(0, 5), load(10, 5), 0.0),
        (load(0, 5, 1000), load(10, 2, 4), 0.5),
        (load(0, 5, 1000), load(10, 6, 8), 0.75),
    ],
    ids=["grown", "calm", "restarted", "restarted-and-worse"],
)
def test_flow_control(before: Load, now: Load, share: float) -> None:
    assert flow_control(before, now) == pytest.approx(share)


def test_the_quantile_lies_within_its_bucket() -> None:
    before = load(0, histogram={0.001: 1000, 0.01: 500, 0.1: 0})
    assert p99_ms(before, load(10, histogram={0.001: 1100, 0.01: 500, 0.1: 0})) == pytest.approx(0.99)
    assert p99_ms(before, load(10, histogram={0.001: 1090, 0.01: 500, 0.1: 10})) == pytest.approx(91.0)
    assert p99_ms(before, load(10, histogram={0.001: 1000, 0.01: 500, INF: 10})) == pytest.approx(10.0)


def test_what_was_not_counted_is_not_fast() -> None:
    assert p99_ms(load(0), load(10)) is None
    quiet = load(0, histogram={0.001: 7})
    assert p99_ms(quiet, load(10, histogram={0.001: 7})) is None
    assert p99_ms(quiet, load(10, uptime=3, histogram={0.001: 2})) == pytest.approx(0.99)
    assert "not measured on db1" in unmeasured(Budget(p99_ms=5), {"db1": load(0)}, {"db1": load(10)})
    assert unmeasured(Budget(flow_control=0.2), {"db1": load(0)}, {"db1": load(10)}) == ""


def test_each_limit_has_its_sentence() -> None:
    before, now = {"db1": load(0, histogram={0.1: 0})}, {"db1": load(10, 4, histogram={0.1: 100})}
    assert [*crossed(Budget(0.2, 50), before, now)] == [
        "flow control paused db1 for 40% of the time, and the budget is 20%",
        "the p99 of statements on db1 is about 99 ms, and the budget is 50 ms",
    ]
    assert [*crossed(Budget(0.5, 100), before, now)] == []
    assert [*crossed(Budget(), before, now)] == []


def test_a_member_that_is_away_is_left_out() -> None:
    fake = insecure()
    fake.group.server("db1").paused_ns, fake.group.server("db1").histogram = 7, {"0.1": 3, "TOO LONG": 1}
    fake.die("db3")
    seen = run(measure(fake.cluster, fake))
    assert set(seen) == {"db1", "db2"}
    assert (seen["db1"].paused_ns, seen["db1"].histogram) == (7, {0.1: 3, INF: 1})
    assert seen["db2"].histogram is None
