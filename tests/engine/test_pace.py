"""Between two waves: windows, pauses, the budget and the canary, on the cluster in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from practice import TOP, Notes, climb_of, crew_of, heights, insecure, planned, run

from galvan.app.change import BY_ID
from galvan.edges.fake import Fake
from galvan.edges.policy import window
from galvan.edges.runs import climb
from galvan.edges.state import DurationBook, StateDirectory
from galvan.engine.climb import Climb, with_watch
from galvan.engine.document import to_document
from galvan.engine.estimate import estimates, kind, needed, passes
from galvan.engine.pace import Pace, canary_first, check_pause
from galvan.engine.plan import Plan
from galvan.model import BadInput, Budget, Stage, Unsafe

SATURDAY = (window("Sat 22:00-04:00 UTC"),)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def climber(fake: Fake, made: Plan, notes: Notes, **more: Any) -> Climb:
    crew = replace(crew_of(fake, notes), cluster=fake.cluster)
    pace = Pace(made, crew, seconds=[10.0] * len(made.waves), poll=0.001, patience=0.002, soak=0.01)
    for name, value in more.items():
        setattr(pace, name, value)
    return replace(climb_of(fake, made, notes=notes, window=0.02), crew=crew, pace=pace)


async def driven(worker: Climb) -> dict[str, Any]:
    worker.loop = asyncio.get_running_loop()
    orders = {"pause": worker.pace.pause if worker.pace else ""}
    return await asyncio.to_thread(climb, with_watch(to_document(worker.plan), BY_ID) | {"orders": orders}, worker)


def ground(**policy: Any) -> tuple[Fake, Plan]:
    fake = insecure(**policy)
    return fake, run(planned(fake))


def first(made: Plan, stage: Stage) -> int:
    return next(number for number, wave in enumerate(made.waves) if wave.stage is stage)


# estimates -------------------------------------------------------------------------------------------------------
def test_an_estimate_is_measured_where_it_was_measured() -> None:
    _, made = ground()
    said = estimates(made.waves, {"first_restart": [30.0, 90.0, 40.0]}, 45.0)
    for wave, estimate in zip(made.waves, said, strict=True):
        if wave.stage is Stage.FIRST_RESTART:
            assert (estimate.seconds, estimate.measured) == (40.0, True)
        else:
            assert not estimate.measured
            assert (estimate.seconds > 30) == wave.restarts
    undrained = estimates(made.waves, {}, 0.0)
    assert max(e.seconds for e in undrained) < max(e.seconds for e in estimates(made.waves, {}, 45.0))


def test_both_passes_belong_together() -> None:
    _, made = ground()
    seconds, start = [10.0] * len(made.waves), first(made, Stage.FIRST_RESTART)
    together = passes(made.waves)
    assert {made.waves[n].stage for n in together} == {Stage.FIRST_RESTART, Stage.STAGE_STRICT, Stage.SECOND_RESTART}
    assert needed(0, made.waves, seconds) == 10.0
    assert needed(start, made.waves, seconds) == 10.0 * len(together) == 90.0
    assert needed(start + 1, made.waves, seconds) == 0.0
    assert needed(start, made.waves, seconds, behind=start + 1) == 0.0
    assert needed(0, made.waves, seconds, behind=1) == 0.0


def test_what_waves_took_is_noted_once_each_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path))
    fake, made = ground()
    book = DurationBook(StateDirectory("shop"))
    for _ in range(2):
        worker = replace(climber(fake, made, Notes()), took=lambda wave, seconds: book.note(kind(wave), seconds))
        assert run(driven(worker))["status"] == "done"
    took = book.took()
    assert {name: len(seconds) for name, seconds in took.items()}["first_restart"] == 3
    assert sum(map(len, took.values())) == len(made.waves), "waves with nothing left to do say nothing about time"
    for second in range(20):
        book.note("refuse", float(second))
    assert book.took()["refuse"] == [float(second) for second in range(11, 20)]


# windows ---------------------------------------------------------------------------------------------------------
def test_a_window_that_closes_stops_before_the_first_pass() -> None:
    fake, made = ground()
    ended = run(driven(climber(fake, made, Notes(), windows=SATURDAY, now=lambda: at("2026-11-22T03:58:40"))))
    assert (ended["status"], ended["waves_done"]) == ("waiting", first(made, Stage.FIRST_RESTART))
    assert "must not be cut in two" in ended["why"]
    assert not fake.witness.restarts


def test_a_window_that_closes_between_the_passes_does_not_stop_there() -> None:
    fake, made = ground()
    clock = {"now": at("2026-11-22T03:50:00")}
    notes = Notes()
    fake.events[_restart(fake, made)] = lambda fake: clock.update(now=at("2026-11-22T04:30:00"))
    ended = run(driven(climber(fake, made, notes, windows=SATURDAY, now=lambda: clock["now"])))
    assert (ended["status"], ended["waves_done"]) == ("waiting", passes(made.waves).stop)
    assert all(count == 2 for count in fake.witness.restarts.values())
    assert any("it is over; the run goes on" in text for _, text in notes.said)


def _restart(fake: Fake, made: Plan) -> int:
    """The number of the first action in the wave of the first restart, out of a trial."""
    import copy

    trial = copy.deepcopy(fake)
    run(driven(climber(trial, made, Notes())))
    return next(done.number for done in trial.log if done.wave.startswith("first-restart"))


def test_inside_of_a_window_it_is_done() -> None:
    fake, made = ground()
    ended = run(driven(climber(fake, made, Notes(), windows=SATURDAY, now=lambda: at("2026-11-21T23:00:00"))))
    assert ended["status"] == "done"
    assert run(heights(fake)) == TOP


# pauses ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("place", "waves"), [("prepare", 3), ("prepare@db3", 2), ("first-restart", 6), ("second-restart", 12)]
)
def test_a_pause_and_then_on_to_the_end(place: str, waves: int) -> None:
    fake, made = ground()
    names = [wave.id for wave in made.waves]
    ended = run(driven(climber(fake, made, Notes(), pause=place)))
    assert ended["status"] == "paused"
    last = names[ended["waves_done"] - 1]
    assert last == place or last.startswith(f"{place}@")
    assert ("take both ways now" in ended["why"]) == (place == "first-restart")
    assert run(driven(climber(fake, made, Notes(), pause=place)))["status"] == "done"
    assert run(heights(fake)) == TOP
    assert set(fake.witness.restarts.values()) == {2}


def test_a_pause_after_each_wave_does_each_once() -> None:
    fake, made = ground()
    statuses = [run(driven(climber(fake, made, Notes(), pause="each")))["status"] for _ in made.waves]
    assert statuses == ["paused"] * (len(made.waves) - 1) + ["done"]
    assert run(heights(fake)) == TOP


def test_a_place_that_the_plan_never_comes_by() -> None:
    _, made = ground()
    with pytest.raises(BadInput, match="no stage or wave 'lunch' to pause after; it has prepare, first-restart"):
        check_pause(made, "lunch")
    check_pause(made, "")


# the budget ------------------------------------------------------------------------------------------------------
class Hurting(Fake):
    """From the time that `since` says, each look finds that `victim` was paused for another second."""

    victim = "db1"
    since: Callable[[Fake], bool] = staticmethod(lambda fake: False)

    async def read(self, host: Any, facts: Any) -> Any:
        if host.name == self.victim and self.since(self):
            self.group.server(self.victim).paused_ns += 10**9
        return await super().read(host, facts)


def hurting(fake: Fake, victim: str, since: Callable[[Fake], bool]) -> Fake:
    fake.__class__ = Hurting
    fake.victim, fake.since = victim, since  # type: ignore[attr-defined]
    return fake


def test_a_spent_budget_stops_at_the_end_of_a_wave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvan.engine.pace.SHORTEST", 0.0)
    fake, made = ground(budget=Budget(flow_control=0.2))
    hurting(fake, "db1", lambda fake: fake.count > 8)
    ended = run(driven(climber(fake, made, Notes())))
    assert ended["status"] == "waiting"
    assert "the error budget is spent: flow control paused db1" in ended["why"]
    assert 0 < ended["waves_done"] < len(made.waves)
    hurting(fake, "db1", lambda fake: False)
    assert run(driven(climber(fake, made, Notes())))["status"] == "done"


def test_a_budget_that_comes_back_only_holds_the_run_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvan.engine.pace.SHORTEST", 0.0)
    fake, made = ground(budget=Budget(flow_control=0.2))
    fake.events[8] = lambda fake: setattr(fake.group.server("db1"), "paused_ns", 5 * 10**9)
    notes = Notes()
    ended = run(driven(climber(fake, made, notes, patience=5.0)))
    assert ended["status"] == "done"
    assert sum("waiting for it to come back" in text for _, text in notes.said) == 1


def test_what_cannot_be_measured_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvan.engine.pace.SHORTEST", 0.0)
    fake, made = ground(budget=Budget(p99_ms=50))
    notes = Notes()
    assert run(driven(climber(fake, made, notes)))["status"] == "done"
    assert sum("the p99 of statements is not measured" in text for _, text in notes.said) == 1


# the canary ------------------------------------------------------------------------------------------------------
def test_the_canary_goes_first_and_the_writer_never() -> None:
    _, made = ground()
    stage = first(made, Stage.FIRST_RESTART)
    order = [wave.host for wave in made.waves[stage : stage + 3]]
    sung = canary_first(made, order[1])
    assert [w.host for w in sung.waves[stage : stage + 3]] == [order[1], order[0], order[2]]
    assert sorted(w.id for w in sung.waves) == sorted(w.id for w in made.waves)
    with pytest.raises(Unsafe, match="takes the writes and goes last"):
        canary_first(made, order[2])
    with pytest.raises(BadInput, match="app1 does not restart"):
        canary_first(made, "app1")


def sung(fake: Fake, made: Plan, notes: Notes, **more: Any) -> tuple[dict[str, Any], Plan]:
    canary = made.waves[first(made, Stage.FIRST_RESTART)].host
    plan = canary_first(made, canary)
    return run(driven(climber(fake, plan, notes, canary=canary, **more))), plan


def test_a_canary_that_is_well_goes_on() -> None:
    fake, made = ground()
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    ended, _ = sung(fake, made, Notes(), ask=yes)
    assert ended["status"] == "done"
    assert len(asked) == 1
    assert run(heights(fake)) == TOP


def test_approved_nobody_is_asked() -> None:
    fake, made = ground()
    ended, _ = sung(fake, made, Notes(), approved=True, ask=lambda question: pytest.fail("asked"))
    assert ended["status"] == "done"


def test_where_nobody_can_be_asked_it_pauses_and_resume_goes_on() -> None:
    fake, made = ground()
    ended, plan = sung(fake, made, Notes())
    assert (ended["status"], sum(fake.witness.restarts.values())) == ("paused", 1)
    assert sung(fake, plan, Notes())[0]["status"] == "done"
    assert set(fake.witness.restarts.values()) == {2}


def test_a_no_puts_the_canary_back() -> None:
    fake, made = ground()
    ended, plan = sung(fake, made, Notes(), ask=lambda question: False)
    host = plan.waves[first(plan, Stage.FIRST_RESTART)].host
    assert ended["status"] == "refused"
    assert f"the canary {host} was put back: the operator said no. No other host was restarted" in ended["why"]
    assert fake.witness.restarts == {host: 2}
    assert fake.group.server(host).variables["ssl_cert"] == ""
    assert fake.witness.broken == ()


def test_a_canary_that_spends_the_budget_is_put_back() -> None:
    fake, made = ground(budget=Budget(flow_control=0.2))
    host = made.waves[first(made, Stage.FIRST_RESTART)].host
    other = next(name for name in ("db1", "db2", "db3") if name != host)

    hurting(fake, other, lambda fake: bool(fake.witness.restarts))
    ended, _ = sung(fake, made, Notes(), approved=True, soak=0.05)
    assert ended["status"] == "refused"
    assert f"was put back: flow control paused {other}" in ended["why"]
    assert fake.witness.restarts == {host: 2}


def test_a_canary_that_was_put_back_by_a_process_that_died_stays_back() -> None:
    fake, made = ground()
    _, plan = sung(fake, made, Notes(), ask=lambda question: False)
    number = first(plan, Stage.FIRST_RESTART)
    again = run(climber(fake, plan, Notes(), canary=plan.waves[number].host).pace.after(number))  # type: ignore[union-attr]
    assert again["status"] == "refused"
