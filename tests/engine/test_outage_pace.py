"""What may hold a run up stays out of the middle of an outage; and an outage on paper."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from practice import TOP, Notes, climb_of, copy_of, heights, insecure, order_in, planned, run, undo_of
from test_pace import SATURDAY, at, climber, driven, hurting
from test_plan_on_paper import typed

from galvan.edges.fake import Fake
from galvan.engine.estimate import estimates, needed, outage, passes
from galvan.engine.pace import canary_first, check_pause
from galvan.engine.plan import Plan
from galvan.model import BadInput, Budget, Stage
from galvan.report.commands import commands

BOTH = {Stage.STOP_CLEAR, Stage.START_STRICT}


def ground(**policy: Any) -> tuple[Fake, Plan]:
    fake = insecure(route="rebootstrap", **policy)
    fake.group.outage = True
    return fake, run(planned(copy_of(fake), outage=True))


async def begun(fake: Fake, made: Plan, waves: int) -> None:
    """As far as a killed run came."""
    worker = climb_of(fake, made)
    await worker._lock()
    for number, wave in enumerate(made.waves[:waves]):
        await worker._carry_out(number, wave)


def test_an_outage_belongs_together_up_and_back() -> None:
    fake, made = ground()
    for plan in (made, undo_of(made, order_in(fake))):
        dark = outage(plan.waves)
        assert passes(plan.waves) == dark
        assert len(dark) == 6
        assert {plan.waves[number].stage for number in dark} == BOTH
        seconds = [10.0] * len(plan.waves)
        assert needed(dark.start, plan.waves, seconds) == 60.0
        assert needed(dark.start + 3, plan.waves, seconds) == 0.0


def test_two_halves_are_estimated_as_one_restart() -> None:
    _, made = ground()
    said = [e.seconds - 0.7 * len(w.steps) for w, e in zip(made.waves, estimates(made.waves, {}, 45.0), strict=True)]
    dark = outage(made.waves)
    _, rolling = insecure(), run(planned(insecure()))
    whole = next(
        e.seconds - 0.7 * len(w.steps)
        for w, e in zip(rolling.waves, estimates(rolling.waves, {}, 45.0), strict=True)
        if w.restarts
    )
    assert said[dark.start] + said[dark.stop - 1] == pytest.approx(whole)


def test_nothing_goes_first_as_a_canary() -> None:
    _, made = ground()
    with pytest.raises(BadInput, match="stops every member before the first one starts again"):
        canary_first(made, "db2")


def test_it_pauses_before_and_after_but_not_within() -> None:
    fake, made = ground()
    for place in ("stop-clear", "stop-clear@db3", "start-strict@db1"):
        with pytest.raises(BadInput, match=f"no stage or wave '{place}' to pause after"):
            check_pause(made, place)
    for place in ("each", "prepare", "start-strict"):
        check_pause(made, place)
    dark, ended = outage(made.waves), []
    for _ in made.waves:
        ended.append(run(driven(climber(fake, made, Notes(), pause="each")))["waves_done"])
    assert set(ended) == {*range(1, len(made.waves) + 1)} - {number + 1 for number in dark[:-1]}
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_a_window_has_to_hold_all_of_it() -> None:
    """60 s are wanted by the outage; what has begun goes on to its end."""
    fake, made = ground()
    dark = outage(made.waves)
    ended = run(driven(climber(fake, made, Notes(), windows=SATURDAY, now=lambda: at("2026-11-22T03:59:20"))))
    assert (ended["status"], ended["waves_done"]) == ("waiting", dark.start)
    clock = {"now": at("2026-11-22T03:50:00")}
    fake.events[fake.count + 12] = lambda fake: clock.update(now=at("2026-11-22T04:30:00"))
    ended = run(driven(climber(fake, made, Notes(), windows=SATURDAY, now=lambda: clock["now"])))
    assert (ended["status"], ended["waves_done"]) == ("waiting", dark.stop), ended
    assert set(fake.witness.restarts.values()) == {1}


@pytest.mark.parametrize("within", [1, 3, 4])
def test_whoever_is_down_does_not_wait_for_a_window(within: int) -> None:
    fake, made = ground()
    dark = outage(made.waves)
    run(begun(fake, made, dark.start + within))
    shut = {"windows": SATURDAY, "now": lambda: datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()}
    ended = run(driven(climber(fake, made, Notes(), behind=dark.start + within, **shut)))
    assert ended["waves_done"] == dark.stop
    assert all(fake.group.server(host).up for host in ("db1", "db2", "db3"))


def test_an_outage_that_was_put_back_waits_for_the_next_window() -> None:
    fake, made = ground()
    dark = outage(made.waves)
    run(begun(fake, made, dark.start))
    shut = {"windows": SATURDAY, "now": lambda: datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()}
    ended = run(driven(climber(fake, made, Notes(), behind=dark.start + 2, **shut)))
    assert (ended["status"], ended["waves_done"]) == ("waiting", dark.start)
    assert not fake.witness.restarts


def test_a_spent_budget_does_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvan.engine.pace.SHORTEST", 0.0)
    fake, made = ground(budget=Budget(flow_control=0.2))
    dark = outage(made.waves)
    hurting(fake, "db1", lambda fake: any(not fake.group.server(host).up for host in ("db2", "db3")))
    ended = run(driven(climber(fake, made, Notes())))
    assert ended["status"] == "done" or ended["waves_done"] >= dark.stop, ended
    assert all(fake.group.server(host).up for host in ("db1", "db2", "db3"))


# on paper --------------------------------------------------------------------------------------------------------
def test_its_commands_stop_all_bootstrap_one_and_start_the_rest() -> None:
    _, made = ground()
    text = typed(made)
    assert [line for line in text.splitlines() if line.startswith(("systemctl st", "galera_new"))] == [
        *["systemctl stop mariadb"] * 3,
        "galera_new_cluster mariadb",
        *["systemctl start mariadb"] * 2,
    ]
    assert text.count("set server galera/db2 state drain") == text.count("set server galera/db2 state ready") == 1
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_last_to_stop_is_not_drained_on_paper() -> None:
    _, made = ground()
    last = made.waves[outage(made.waves).start + 2].host
    doors = {wave.host: [("lb1", "galera", wave.host)] for wave in made.waves}
    ssh = {wave.host: wave.host for wave in made.waves}
    text = "\n".join(commands(made.waves, ssh, doors, "/state/authorities", (), 1095, "shop"))
    drained = [host for host in ("db1", "db2", "db3") if f"set server galera/{host} state drain" in text]
    assert sorted([*drained, last]) == ["db1", "db2", "db3"]
