"""Killed at every boundary of every action, and gone on from there: up, and on the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from practice import TOP, carry, climb_of, copy_of, dies, heights, insecure, order_in, planned, run, undo_of

from galvan.edges.fake import Channel, Fake, Machine
from galvan.engine.plan import Plan
from galvan.model import Restart

DATABASES = ("db1", "db2", "db3")
WHEN = ("before", "middle", "after")


@dataclass(frozen=True)
class Road:
    """A carrying out that went well, with a copy of the world before each of its waves."""

    made: Plan
    instead: str
    stops: tuple[Fake, ...]
    end: Fake

    @property
    def actions(self) -> range:
        return range(self.stops[0].count + 1, self.end.count + 1)


async def _stops(fake: Fake, made: Plan, instead: str) -> list[Fake]:
    climb = climb_of(fake, made, instead)
    stops = [copy_of(fake)]
    await climb._lock()
    for number, wave in enumerate(made.waves):
        stops.append(copy_of(fake))
        await climb._remember(number, wave)
        await climb._carry_out(number, wave)
    stops.append(copy_of(fake))
    await climb._release("done")
    return stops


@pytest.fixture(scope="module")
def start() -> Fake:
    return insecure()


@pytest.fixture(scope="module")
def up(start: Fake) -> Road:
    fake = copy_of(start)
    made = run(planned(fake))
    return Road(made, "-", tuple(run(_stops(fake, made, "-"))), fake)


@pytest.fixture(scope="module")
def back(up: Road) -> Road:
    fake = copy_of(up.end)
    made = undo_of(up.made, order_in(fake))
    fake.run, fake.count = "undo-run-1", 0
    fake.witness.restarts.clear()
    return Road(made, "run-1", tuple(run(_stops(fake, made, "run-1"))), fake)


def killed(road: Road, action: int, when: str) -> Fake:
    """The world as the killed climber left it. It had come to the wave in question without a fault."""
    number = max(n for n, stop in enumerate(road.stops) if stop.count < action)
    fake = copy_of(road.stops[number])
    fake.crash_at, fake.crash_when = action, when
    assert dies(_from(fake, road, number))
    fake.crash_at = 0
    return fake


async def _from(fake: Fake, road: Road, stop: int) -> None:
    climb = climb_of(fake, road.made, road.instead)
    if stop == 0:
        await climb._lock()
    for number, wave in enumerate(road.made.waves):
        if number >= stop - 1:
            await climb._remember(number, wave)
            await climb._carry_out(number, wave)
    await climb._release("done")


def restarts_are_due(fake: Fake, road: Road, action: int, when: str) -> bool:
    """Two a host; one more is allowed where the climber was killed between stop and start."""
    done = next(done for done in reversed(road.end.log) if done.number == action)
    hit = done.host if when == "middle" and isinstance(done.action, Restart) else ""
    return all(n == 2 or (host == hit and n == 3) for host, n in fake.witness.restarts.items())


def nobody_is_shut_out(fake: Fake) -> bool:
    return not any(door.drained for doors in fake.clients.doors.values() for door in doors)


def worlds(road: Road) -> Iterator[tuple[int, str, Fake]]:
    """Every state in which a killed climber leaves the world, once each: `after` an action is mostly `before` the next."""
    seen = set()
    for action in road.actions:
        for when in WHEN:
            fake = killed(road, action, when)
            if (state := _state(fake)) not in seen:
                seen.add(state)
                yield action, when, fake


def _state(fake: Fake) -> str:
    def written(machine: Machine) -> list[tuple[str, str]]:
        dated = ("/var/lib/galvan/", ".pem")
        return sorted(
            (p, "" if p.startswith(dated[0]) or p.endswith(dated[1]) else f.content) for p, f in machine.files.items()
        )

    servers = {name: fake.group.server(name) for name in DATABASES}
    return repr((
        {name: (written(machine), sorted(map(str, machine.kept))) for name, machine in fake.machines.items()},
        {name: (s.up, s.state, s.lag, s.variables, s.provider) for name, s in servers.items()},
        sorted(fake.group.primary), fake.clients.doors, sorted((s.member, s.tls) for s in fake.clients.sessions), fake.accounts(),
    ))  # fmt: skip


def test_up_killed_anywhere_and_gone_on(up: Road) -> None:
    many = 0
    for action, when, fake in worlds(up):
        run(carry(fake, up.made))
        told = f"killed {when} action {action}: {fake.log[-3:]}"
        assert run(heights(fake)) == TOP, told
        assert fake.witness.broken == (), told
        assert not fake.witness.refused_logins, told
        assert restarts_are_due(fake, up, action, when), told
        assert nobody_is_shut_out(fake), told
        many += 1
    assert many > len(up.actions)


def test_back_killed_anywhere_and_gone_on(back: Road, start: Fake) -> None:
    many = 0
    for action, when, fake in worlds(back):
        run(carry(fake, back.made, instead="run-1"))
        told = f"killed {when} action {action}: {fake.log[-3:]}"
        assert fake.files() == start.files(), told
        assert fake.running() == start.running(), told
        assert fake.accounts() == start.accounts(), told
        assert nobody_is_shut_out(fake), told
        assert fake.witness.broken == (), told
        assert restarts_are_due(fake, back, action, when), told
        many += 1
    assert many > len(back.actions)


def test_killed_in_the_middle_of_a_restart_the_others_serve(up: Road) -> None:
    down = Counter[str]()
    for action in up.actions:
        fake = killed(up, action, "middle")
        gone = [host for host in DATABASES if not fake.group.server(host).up]
        assert len(gone) <= 1
        assert len(fake.group.primary) == 3 - len(gone)
        down.update(gone)
    assert down == dict.fromkeys(DATABASES, 2)


def test_killed_half_way_up_and_taken_all_the_way_back(up: Road, start: Fake) -> None:
    """`rollback` of a killed run: it undoes the waves that the hosts remember, and no other."""
    for number, wave in enumerate(up.made.waves):
        fake = killed(up, up.stops[number + 2].count, WHEN[number % 3])
        begun = Plan(up.made.cluster, "", up.made.tips, up.made.to, up.made.waves[: number + 1])
        fake.run = "undo-run-1"
        run(carry(fake, undo_of(begun, order_in(fake)), instead="run-1"))
        assert fake.files() == start.files(), wave.id
        assert fake.running() == start.running(), wave.id
        assert fake.witness.broken == (), wave.id
        assert {fake.group.server(host).channel for host in DATABASES} == {Channel.PLAIN}


def test_every_stop_of_a_climb_is_one_from_which_a_new_plan_ends_enforced(up: Road) -> None:
    for number, stop in enumerate(up.stops):
        fake = copy_of(stop)
        for machine in fake.machines.values():
            machine.files.pop("/var/lib/galvan/lock/owner", None)
        fake.run = "run-2"
        run(carry(fake, run(planned(fake))))
        assert run(heights(fake)) == TOP, f"after {number} waves"
        assert fake.witness.broken == (), f"after {number} waves"
        assert all(fake.witness.restarts[host] == 2 for host in DATABASES), f"after {number} waves"


def test_a_new_plan_from_a_killed_climb_ends_enforced(up: Road) -> None:
    for action in up.actions:
        drains = next(done for done in up.end.log if done.number == action).wave == "drain"
        fake = killed(up, action, "before" if drains else "middle")
        if any(not fake.group.server(host).up for host in DATABASES):
            continue  # a host that is down is not planned over: `resume` starts it
        for machine in fake.machines.values():
            machine.files.pop("/var/lib/galvan/lock/owner", None)
        fake.run = "run-2"
        run(carry(fake, run(planned(fake))))
        assert run(heights(fake)) == TOP, action
        assert fake.witness.broken == (), action
        assert nobody_is_shut_out(fake), action
