"""A wall under its dead-man: seen from every host that has business there, or undone by the host itself, whoever is dead by then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest
from practice import (
    OPERATORS,
    TOP,
    WHOLE,
    boundaries,
    carry,
    copy_of,
    crew_of,
    dies,
    heights,
    insecure,
    order_in,
    planned,
    run,
    undo_of,
)  # fmt: skip

from galvan.cluster.order import Wave
from galvan.cluster.walls import RULES, UNIT
from galvan.edges.fake import Fake, walls
from galvan.engine.apply import carry_out
from galvan.engine.deadman import guarded
from galvan.engine.plan import Plan
from galvan.model import Action, Deadman, Host, NotHealed, Reach, Rung, Shell, Stage, Unsafe
from galvan.tips import TIPS
from galvan.tips.firewall import TIP

ONLY = (TIP,)
ARM, LOAD, DIAL, RELEASE = (
    "--unit=galvan-deadman-",
    "\nnft -f ",
    "\nfor to in ",
    "systemctl is-active -q galvan-deadman-",
)
World = tuple[object, ...]


@pytest.fixture(scope="module")
def open_yet() -> tuple[Fake, Plan]:
    fake = insecure(firewall=OPERATORS)
    return fake, run(planned(fake, ONLY))


def before(open_yet: tuple[Fake, Plan], stage: Stage) -> tuple[Fake, int]:
    """The world just before the first wave of a stage, and that wave's number."""
    fake = copy_of(open_yet[0])
    number = next(n for n, wave in enumerate(open_yet[1].waves) if wave.stage is stage)
    run(carry(fake, open_yet[1], upto=number))
    return fake, number


def worlds(fake: Fake) -> dict[str, World]:
    """Everything of the walls, in memory and on disk; no timer may be left in it."""
    return {
        name: (
            m.around.wall, m.around.watch, m.around.enabled, m.around.listening, m.around.timers,
            m.files.get(f"{RULES}/rules.nft"), m.files.get(f"/etc/systemd/system/{UNIT}"),
        )
        for name, m in fake.machines.items()
    }  # fmt: skip


def time_passes(fake: Fake) -> None:
    """Every limit is over, also that of what was only opened to be dialled."""
    for machine in fake.machines.values():
        walls.fire(fake, machine)
        machine.around.listening.clear()


def actions(fake: Fake, since: int = 0) -> list[tuple[str, str]]:
    """Host and kind of every action that belongs to a dead-man, in order."""
    kinds = {ARM: "arm", RELEASE: "release", DIAL: "dial", LOAD: "load"}
    texts = [(d.host, d.action.text) for d in fake.log[since:] if isinstance(d.action, Shell) and "@" in d.wave]
    return [
        (host, kind) for host, text in texts for kind in [next((v for k, v in kinds.items() if k in text), "")] if kind
    ]


# what is done, and in which order ---------------------------------------------------------------------------------
@pytest.mark.parametrize("stage", [Stage.WALL, Stage.SHUT])
def test_it_is_armed_before_anything_and_released_last_and_over_a_new_connection(
    open_yet: tuple[Fake, Plan], stage: Stage
) -> None:
    fake, number = before(open_yet, stage)
    wave, since = open_yet[1].waves[number], len(fake.log)
    old = len(fake.anew)
    run(carry_out(wave, crew_of(fake)))
    done = actions(fake, since)
    assert [what for host, what in done if host == wave.host and what != "dial"][:2] == ["arm", "load"]
    assert done[-1] == (wave.host, "release")
    assert fake.anew[old:] == [wave.host]
    assert fake.machines[wave.host].around.timers == {}
    last = max(n for n, (_, what) in enumerate(done) if what == "release")
    assert max(n for n, (_, what) in enumerate(done) if what == "dial") < last


def test_every_host_that_has_business_there_dials_anew(open_yet: tuple[Fake, Plan]) -> None:
    fake, number = before(open_yet, Stage.SHUT)
    while open_yet[1].waves[number].host != "db2":
        number += 1
    since = len(fake.log)
    run(carry(fake, open_yet[1], upto=number + 1))
    dialled = {host for host, what in actions(fake, since) if what == "dial"}
    assert dialled >= {"db1", "db2", "db3", "lb1"}
    texts = [d.action.text for d in fake.log[since:] if isinstance(d.action, Shell) and DIAL in d.action.text]
    assert any("10.0.0.12@3306 10.0.0.12@9200" in text for text in texts), "the balancer: a door, and the health check"
    assert any("10.0.0.12@4444 10.0.0.12@4568" in text for text in texts), (
        "ports that nobody listens on before a transfer"
    )


def test_nothing_that_survives_a_reboot_is_written_before_all_was_seen(open_yet: tuple[Fake, Plan]) -> None:
    fake, number = before(open_yet, Stage.WALL)
    wave = open_yet[1].waves[number]
    trial = copy_of(fake)
    run(carry_out(wave, crew_of(trial)))
    last = max(d.number for d in trial.log if isinstance(d.action, Shell) and RELEASE in d.action.text)
    puts = [d.number for d in trial.log if d.wave == wave.id and not isinstance(d.action, Shell)]
    assert puts
    assert min(puts) > last


# what goes wrong --------------------------------------------------------------------------------------------------
class Walled(NamedTuple):
    """Just before db2 is shut: `was` is what an undo has to bring back."""

    fake: Fake
    wave: Wave
    was: dict[str, World]


@pytest.fixture
def walled(open_yet: tuple[Fake, Plan]) -> Walled:
    fake, number = before(open_yet, Stage.SHUT)
    wave = next(w for w in open_yet[1].waves[number:] if w.host == "db2")
    run(carry(fake, open_yet[1], upto=open_yet[1].waves.index(wave)))
    return Walled(fake, wave, worlds(fake))


def failing(walled: Walled, piece: str, trouble: Callable[[Fake], None]) -> None:
    """`trouble` comes just before the first action whose text holds this piece."""
    trial, since = copy_of(walled.fake), len(walled.fake.log)
    run(carry_out(walled.wave, crew_of(trial)))
    number = next(d.number for d in trial.log[since:] if isinstance(d.action, Shell) and piece in d.action.text)
    walled.fake.events[number] = trouble


def stands(fake: Fake, was: dict[str, World]) -> None:
    """As before, also once every timer that was left has done its work."""
    time_passes(fake)
    assert worlds(fake) == was


def rule_is_missing(world: Fake) -> None:
    around = world.machines["db2"].around
    around.wall = "".join(line for line in around.wall.splitlines(True) if "tcp dport 3306" not in line)


def test_a_neighbour_that_does_not_get_in_has_it_undone(walled: Walled) -> None:
    fake, wave, was = walled
    failing(walled, DIAL, rule_is_missing)
    with pytest.raises(NotHealed) as failed:
        run(carry_out(wave, crew_of(fake)))
    assert "a new connection from lb1 was not let in: lb1: command failed: 10.0.0.12 port 3306 does not answer" in str(
        failed.value
    )
    assert "db2 undoes this by itself" in str(failed.value)
    assert "db2 was put back as it was" in str(failed.value)
    stands(fake, was)


def test_an_operator_who_does_not_get_in_has_it_undone(walled: Walled) -> None:
    """The connection at hand lives on behind the wall, and shows nothing."""
    fake, wave, was = walled
    fake.machines["db2"].around.caller = "203.0.113.9"
    with pytest.raises(NotHealed, match="did not let us in over ssh: Connection timed out; db2 undoes this by itself"):
        run(carry_out(wave, crew_of(fake)))
    stands(fake, was)


def test_a_host_that_undid_it_already_is_believed(walled: Walled) -> None:
    fake, wave, was = walled
    failing(walled, RELEASE, lambda world: walls.fire(world, world.machines["db2"]))
    with pytest.raises(NotHealed, match="the host has already undone it by itself"):
        run(carry_out(wave, crew_of(fake)))
    stands(fake, was)


def test_a_member_that_is_not_synced_has_nothing_begun(walled: Walled) -> None:
    fake, wave, was = walled
    fake.group.server("db3").stuck = fake.group.server("db3").state = "Joined"
    since = len(fake.log)
    with pytest.raises(Unsafe, match=r"db2 was not touched: .*db3"):
        run(carry_out(wave, crew_of(fake)))
    assert actions(fake, since) == []
    assert [
        d for d in fake.log[since:] if d.wave == "shut@db2" and d.host == "db2" and "undo.sh" not in str(d.action)
    ] == []
    assert worlds(fake) == was


def test_a_host_that_dies_meanwhile_is_said_to_undo_it(walled: Walled) -> None:
    fake, wave, was = walled
    failing(walled, DIAL, lambda world: world.die("db2"))
    with pytest.raises(NotHealed, match=r"db2 undoes this by itself within 3 s"):
        run(carry_out(wave, crew_of(fake)))
    stands(fake, was)


class Silent(Fake):
    """Nobody answers a dial, for ever."""

    async def act(self, host: Host, action: Action, wave: str) -> str:
        if isinstance(action, Shell) and DIAL in action.text:
            await asyncio.Event().wait()
        return await super().act(host, action, wave)


def test_a_limit_is_kept_where_nobody_answers() -> None:
    fake = Silent(insecure().cluster)
    step = next(
        s
        for w in run(planned(insecure(firewall=OPERATORS), ONLY)).waves
        for s in w.steps
        if s.deadman and s.host == "db2"
    )
    guard = Deadman(0.02, (Reach("db1", "db2", "10.0.0.12", 4567, 0.01),))
    host = fake.machines["db2"].host
    with pytest.raises(
        NotHealed, match=r"not every new connection to db2 was seen within 0.01 s: it undoes this by itself"
    ):
        run(guarded(step, guard, host, crew_of(fake), "wall@db2"))
    assert fake.machines["db2"].around.timers.keys() == {"0.01", "0.02"}
    time_passes(fake)
    assert fake.machines["db2"].around.wall == ""


# killed -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def small() -> tuple[Fake, Plan]:
    """Two members alone: enough for every kind of action."""
    fake = insecure(2, balancer=False, firewall=OPERATORS)
    return fake, run(planned(fake, ONLY))


@pytest.mark.parametrize("fires", ["at once", "in the end"])
@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_killed_anywhere_and_gone_on(small: tuple[Fake, Plan], when: str, fires: str) -> None:
    """Timers run on without us. Whenever they do, the run that goes on ends with a wall that stands, and no timer left to take it
    down."""
    whole, made = small
    count = boundaries(whole, lambda fake: carry(fake, made))
    for action in range(1, count + 1):
        fake = copy_of(whole)
        fake.crash_at, fake.crash_when = action, when
        assert dies(carry(fake, made))
        if fires == "at once":
            time_passes(fake)
        run(carry(fake, made))
        time_passes(fake)
        assert run(heights(fake, ONLY)) == {"firewall": Rung.ENFORCED}, (action, fires)
        assert fake.witness.broken == ()


@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_killed_anywhere_and_undone_by_the_host(small: tuple[Fake, Plan], when: str) -> None:
    """The wall is then the one before, or the one that was seen to be good: nothing in between."""
    whole, made = small
    count = boundaries(whole, lambda fake: carry(fake, made))
    for action in range(1, count + 1):
        fake = copy_of(whole)
        fake.crash_at, fake.crash_when = action, when
        assert dies(carry(fake, made))
        armed = {name for name, m in fake.machines.items() if m.around.timers}
        time_passes(fake)
        for name in armed:
            around, kept = fake.machines[name].around, fake.machines[name].files.get(f"{RULES}/rules.nft")
            assert around.wall == (kept.content if kept else ""), (action, name)


@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_killed_on_the_way_back_and_gone_on(small: tuple[Fake, Plan], when: str) -> None:
    whole, made = small
    up = copy_of(whole)
    run(carry(up, made))
    back = undo_of(made, order_in(up))
    count = boundaries(up, lambda fake: carry(fake, back))
    for action in range(up.count + 1, up.count + count + 1):
        fake = copy_of(up)
        fake.crash_at, fake.crash_when = action, when
        assert dies(carry(fake, back))
        run(carry(fake, back))
        time_passes(fake)
        assert worlds(fake) == worlds(whole), action
        assert fake.files() == whole.files()


def test_all_the_way_back_leaves_nothing(open_yet: tuple[Fake, Plan]) -> None:
    whole, made = open_yet
    fake = copy_of(whole)
    run(carry(fake, made))
    assert fake.listed == [a for n in (1, 2, 3) for a in (f"10.0.0.1{n}", f"::ffff:10.0.0.1{n}")]
    run(carry(fake, undo_of(made, order_in(fake))))
    assert worlds(fake) == worlds(whole)
    assert fake.files() == whole.files()
    assert fake.listed == []
    assert run(heights(fake, ONLY)) == {"firewall": Rung.OPEN}


@pytest.mark.parametrize("stage", [Stage.WALL, Stage.SHUT])
def test_a_reboot_brings_the_wall_back(open_yet: tuple[Fake, Plan], stage: Stage) -> None:
    fake = copy_of(open_yet[0])
    last = max(n for n, wave in enumerate(open_yet[1].waves) if wave.stage is stage)
    run(carry(fake, open_yet[1], upto=last + 1))
    walls_before = {name: m.around.wall for name, m in fake.machines.items()}
    for machine in fake.machines.values():
        walls.reboot(machine)
    assert {name: m.around.wall for name, m in fake.machines.items()} == walls_before


# beside the other tips ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("databases", [2, 3])
def test_every_tip_in_one_climb_and_back(databases: int) -> None:
    fake = insecure(databases, firewall=OPERATORS)
    was, files = worlds(fake), fake.files()
    made = run(planned(fake, TIPS))
    assert dict(made.refused) == {}
    run(carry(fake, made))
    assert run(heights(fake, TIPS)) == WHOLE
    assert fake.witness.broken == ()
    assert max(made.restarts.values()) == 2
    run(carry(fake, undo_of(made, order_in(fake))))
    assert worlds(fake) == was
    assert fake.files() == files


def test_walls_before_doors_and_shut_last() -> None:
    made = run(planned(insecure(firewall=OPERATORS), TIPS))
    stages = [wave.stage for wave in made.waves]
    assert stages.index(Stage.WALL) < stages.index(Stage.FIRST_RESTART)
    assert stages[-1] is Stage.SHUT


def test_without_operators_the_tip_is_refused_and_the_others_go_on() -> None:
    fake = insecure()
    made = run(planned(fake, TIPS))
    assert set(made.refused) == {"firewall"}
    assert "db1: galvan.yaml" not in made.refused["firewall"]
    assert "(policy: firewall: operators: [192.0.2.10/32])" in made.refused["firewall"]
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert run(heights(fake, TIPS))["load_balancer"] is Rung.READY  # nothing keeps applications from going past it
    assert all(m.around.wall == m.around.watch == "" for m in fake.machines.values())


def test_an_operator_from_elsewhere_is_not_locked_out() -> None:
    fake = insecure(firewall=OPERATORS)
    for machine in fake.machines.values():
        machine.around.caller = "203.0.113.9"
    made = run(planned(fake, ONLY))
    assert made.waves == ()
    assert "you would be locked out of db1: this connection comes from 203.0.113.9" in made.refused["firewall"]
