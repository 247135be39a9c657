"""Apply: carry one wave out, all or nothing. The end of every wave is a safe place to stop.

`remember` writes down on the host what a wave is about to change, so that any operator can undo it later; `carry_out`
works on fresh facts and is harmless when done twice, which is what lets a killed run go on. A wave that fails is put
back; if even that fails the error says both, and the host is left for a person.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from galvan.cluster.order import OUTAGE, Wave
from galvan.engine.deadman import guarded, may_guard, settled
from galvan.engine.gates import (
    SERVES,
    Crew,
    caught_up,
    gate,
    heartbeat,
    is_down,
    look,
    look_ahead,
    roomy,
    service,
    synced,
)
from galvan.engine.timers import hasten, relax
from galvan.model import (
    GalvanError,
    Host,
    HostFacts,
    How,
    NotHealed,
    Restart,
    State,
    Step,
    Unreachable,
    Unreadable,
    Unsafe,
    remaining,
)


def named(crew: Crew, name: str) -> Host:
    return next(host for host in crew.cluster.hosts if host.name == name)


async def carry_out(wave: Wave, crew: Crew, later: Sequence[Step] = ()) -> bool:
    """False where all was as wanted already. Raises Unsafe (nothing was changed), or NotHealed / Unreachable (what was begun was put back, or the text says not).

    `later`: what the same plan wants of this host after this wave; a run that goes on may find it there already.
    """
    host = named(crew, wave.host)
    asked = wave.restarts or any(isinstance(action, Restart) for step in later for action in step.do)
    seen, ahead = await together(
        look(crew, host, [*(heartbeat(host) if asked else ()), *(step.read for step in wave.steps)]),
        look_ahead(crew) if wave.restarts else _nothing(),
    )
    gone, fresh = False, True
    if asked and service(host, seen) != SERVES:  # a server on its way is waited for first
        gone, fresh = wave.restarts and await is_down(host, crew), False
        if not wave.restarts:
            await _revive(host, crew, later)
    if any(step.deadman for step in wave.steps):
        await settled(host, crew, wave.id)
        fresh = False
    todo = await todo_of(wave, host, crew, later, seen if fresh else None)
    if not todo:
        if wave.restarts:
            await caught_up(host, crew)
            await crew.choreography.welcome(host, crew.remote)
        crew.say(wave.id, "already as wanted")
        return False
    restarts = any(isinstance(action, Restart) for step in todo for action in step.do)
    if restarts:
        now = await gate(host, crew, gone, ahead if fresh else None)
        roomy(now.of(host.name), [item for step in todo for item in step.want.items()])
    begun: list[Step] = []
    try:
        await act(wave, host, todo, begun, crew)
        if restarts:
            await _restart(wave, host, todo, begun, crew, gone)
        await together(confirm(wave, host, todo, crew), _welcome(host, crew) if restarts else _nothing())
    except Unsafe:
        await _revert(wave, host, begun, crew)
        raise
    except GalvanError as why:
        raise await _put_back(wave, host, begun, crew, why) from why
    crew.say(wave.id, "done")
    return True


async def still_there(wave: Wave, crew: Crew) -> bool:
    """Is everything that this wave wanted as it wanted it?"""
    facts = await look(crew, named(crew, wave.host), [step.read for step in wave.steps])
    return not any(remaining(step, facts[step.read]) for step in wave.steps)


async def todo_of(
    wave: Wave, host: Host, crew: Crew, later: Sequence[Step], known: HostFacts | None = None
) -> list[Step]:
    """The steps with something left. Drift since the plan is refused: a third value is somebody else's work. `known`: a
    look at what the steps read that is fresh enough."""
    facts = known or await look(crew, host, [step.read for step in wave.steps])
    todo = []
    for step in wave.steps:
        try:
            seen = facts[step.read]
        except Unreadable as why:
            if isinstance(why, Unreachable) or not (wave.restart or await _stopped_since(host, crew, later)):
                raise
            if wave.restart:
                todo.append(step)  # its server is down: a killed restart, or one that never came back
            continue
        if (left := remaining(step, seen)) and not _passed(step, seen, left, later):
            _refuse_drift(step, seen, left)
            todo.append(step)
    return todo


async def _stopped_since(host: Host, crew: Crew, later: Sequence[Step]) -> bool:
    """Its server is down, and its file is the one that a stop of the same plan puts there: so this wave is behind us."""
    stops = [s for s in later if s.stage in OUTAGE and not any(isinstance(a, Restart) for a in s.do)]
    facts = await look(crew, host, [step.read for step in stops]) if stops else None
    return facts is not None and not any(remaining(step, facts[step.read]) for step in stops)


def _passed(step: Step, seen: State, left: State, later: Sequence[Step]) -> bool:
    """One file is written in several stages: what a later one put there says that this one is behind us."""
    wanted = [(key, value) for other in later if other.read.id == step.read.id for key, value in other.want.items()]
    return all((key, seen.get(key)) in wanted for key in left)


def _refuse_drift(step: Step, seen: State, left: State) -> None:
    """A step of several actions may have been left half-way, so only one that is done at a stroke can tell."""
    if len(step.do) > 1 or any(isinstance(action, Restart) for action in step.do):
        return
    for key in left:
        if key in step.before and seen.get(key) != step.before[key]:
            raise Unsafe(
                f"{step.host}: {key} is {seen.get(key)!r}; the plan saw {step.before[key]!r}. Somebody changed it since: plan again"
            )


async def _revive(host: Host, crew: Crew, later: Sequence[Step]) -> None:
    """A run that goes on from its first wave may find a member down which a later wave of its own had stopped: what lies
    there now is safe to start with at every height, so it is started before anything is asked of it. Not so where an
    outage is what stopped it: its stages say who starts when."""
    restart = next((action for step in later for action in step.do if isinstance(action, Restart)), None)
    if restart and restart.how is How.RESTART and await is_down(host, crew):
        await gate(host, crew, gone=True)
        await crew.remote.act(host, restart, "revive")
        await synced(host, crew)
        await crew.choreography.welcome(host, crew.remote)


async def act(wave: Wave, host: Host, todo: Sequence[Step], begun: list[Step], crew: Crew) -> None:
    """Everything but the restarts, which the wave makes once, at its end."""
    for step in todo:
        actions = [action for action in step.do if not isinstance(action, Restart)]
        if step.deadman:
            await may_guard(host, crew)
        if actions:
            begun.append(step)
            crew.say(wave.id, step.title)
        if step.deadman:
            await guarded(step, step.deadman, host, crew, wave.id)
            continue
        for action in actions:
            await crew.remote.act(host, action, wave.id)


async def _restart(wave: Wave, host: Host, todo: Sequence[Step], begun: list[Step], crew: Crew, gone: bool) -> None:
    restart = next(action for step in todo for action in step.do if isinstance(action, Restart))
    told, *_ = await together(
        crew.preflight(host),
        _nothing() if gone else crew.choreography.farewell(host, crew.remote, lambda text: crew.say(wave.id, text)),
        hasten(host, crew.cluster, crew.remote) if crew.quick_rejoin else _nothing(),
    )
    if told:
        await crew.choreography.welcome(host, crew.remote)
        raise NotHealed(f"{host.name} was not restarted: " + "; ".join(told))
    begun += [step for step in todo if step not in begun]
    crew.say(wave.id, f"restart {restart.unit}")
    await crew.remote.act(host, restart, wave.id)
    await synced(host, crew)


async def _welcome(host: Host, crew: Crew) -> None:
    await together(
        crew.choreography.welcome(host, crew.remote),
        relax(crew.cluster, crew.remote) if crew.quick_rejoin else _nothing(),
    )


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Side by side, where one waits for a balancer and another for members. All have ended when an error rises, so
    that nothing is still at work on a host while it is put back."""
    answers = await asyncio.gather(*work, return_exceptions=True)
    for said in answers:
        if isinstance(said, BaseException):
            raise said
    return answers


async def _nothing() -> None:
    """Where there is nothing to wait for."""


async def confirm(wave: Wave, host: Host, todo: Sequence[Step], crew: Crew) -> None:
    facts = await look(crew, host, [step.read for step in todo])
    for step in todo:
        if step.patience and remaining(step, facts[step.read]):
            facts = await _finished(wave, host, step, todo, crew)
        if left := remaining(step, facts[step.read]):
            seen = {key: facts[step.read].get(key) for key in left}
            raise NotHealed(f"{host.name}: {step.title} ran, and {dict(seen)} is still not {dict(left)}")


async def _finished(wave: Wave, host: Host, step: Step, todo: Sequence[Step], crew: Crew) -> HostFacts:
    """Waits for what the host goes on with by itself, as long as it gets on; then the last look."""
    said, moved = "", time.monotonic()
    while True:
        facts = await look(crew, host, [each.read for each in todo])
        seen, now = str(facts[step.read].get(step.progress)), time.monotonic()
        if seen != said:
            said, moved = seen, now
            crew.say(wave.id, f"{step.title}: {seen}")
        if not remaining(step, facts[step.read]) or now - moved > step.patience:
            return facts
        await asyncio.sleep(max(1.0, crew.poll))


async def _put_back(wave: Wave, host: Host, begun: Sequence[Step], crew: Crew, why: GalvanError) -> GalvanError:
    """The error to raise: what failed, and what became of the host."""
    if not begun:
        return why
    try:
        await _revert(wave, host, begun, crew)
    except GalvanError as worse:
        return NotHealed(f"{why}. Putting {host.name} back failed too, it was left alone: {worse}")
    return NotHealed(f"{why}. {host.name} was put back as it was; no other host was touched")


async def _revert(wave: Wave, host: Host, begun: Sequence[Step], crew: Crew) -> None:
    """Undo in reverse. A restart is undone only where the server is not as it was before."""
    if not begun:
        return
    crew.say(wave.id, "putting it back")
    restart: Restart | None = None
    for step in reversed(begun):
        for action in step.undo:
            if isinstance(action, Restart):
                restart = action
            else:
                await crew.remote.act(host, action, wave.id)
    if restart is None:
        return
    step = next(s for s in begun if any(isinstance(a, Restart) for a in s.do))
    facts = await look(crew, host, [step.read])
    try:
        untouched = all(facts[step.read].get(key) == value for key, value in step.before.items())
    except Unreachable:
        raise
    except Unreadable:
        untouched = False
    if not untouched:
        await crew.remote.act(host, restart, wave.id)
        await synced(host, crew)
    await crew.choreography.welcome(host, crew.remote)


async def restart_only(wave: Wave, host: Host, crew: Crew) -> None:
    """A restart for its own sake (`galvan node restart`), through the same gates."""
    gone = await is_down(host, crew)
    await gate(host, crew, gone)
    await _restart(wave, host, wave.steps, [], crew, gone)
    await _welcome(host, crew)
