"""Replication TLS by an outage: every member stops, the last is bootstrapped. Killed anywhere, refused, and put back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pytest
from practice import (
    TOP,
    Notes,
    carry,
    climb_of,
    copy_of,
    dies,
    heights,
    insecure,
    order_in,
    planned,
    run,
    undo_of,
)  # fmt: skip

from galvan.app.change import BY_ID
from galvan.cluster.order import OUTAGE
from galvan.edges.fake import CONFIG_HOME, Channel, Fake
from galvan.engine.plan import Plan
from galvan.model import GalvanError, How, NotHealed, Restart, Stage, Unsafe

DATABASES = ("db1", "db2", "db3")
FILE = f"{CONFIG_HOME}/zz-galvan.cnf"
WHEN = ("before", "middle", "after")


def open_to_an_outage(**policy: object) -> Fake:
    fake = insecure(route="rebootstrap", **policy)
    fake.group.outage = True
    return fake


@pytest.fixture(scope="module")
def start() -> Fake:
    return open_to_an_outage()


@pytest.fixture(scope="module")
def made(start: Fake) -> Plan:
    return run(planned(copy_of(start), outage=True))


@dataclass(frozen=True)
class Road:
    """A climb that went well, with a copy of the world before each wave of the outage and at its end."""

    made: Plan
    instead: str
    first: int
    stops: tuple[Fake, ...]


async def _upto(fake: Fake, made: Plan, instead: str, numbers: range) -> None:
    climb = climb_of(fake, made, instead)
    if numbers.start == 0:
        await climb._lock()
    for number in numbers:
        await climb._remember(number, made.waves[number])
        await climb._carry_out(number, made.waves[number])


def road(fake: Fake, made: Plan, instead: str = "-") -> Road:
    numbers = [n for n, wave in enumerate(made.waves) if wave.stage in OUTAGE]
    run(_upto(fake, made, instead, range(numbers[0])))
    stops = [copy_of(fake)]
    for number in numbers:
        run(_upto(fake, made, instead, range(number, number + 1)))
        stops.append(copy_of(fake))
    return Road(made, instead, numbers[0], tuple(stops))


@pytest.fixture(scope="module")
def up(start: Fake, made: Plan) -> Road:
    return road(copy_of(start), made)


@pytest.fixture(scope="module")
def top(start: Fake, made: Plan) -> Fake:
    fake = copy_of(start)
    run(carry(fake, made))
    return fake


@pytest.fixture(scope="module")
def back(top: Fake, made: Plan) -> Road:
    fake = copy_of(top)
    fake.run = "undo-run-1"
    return road(fake, undo_of(made, order_in(fake)), "run-1")


def killed(road: Road, wave: int, action: int, when: str) -> Fake | None:
    """The world as a climber left it that died in this wave, `action` actions after it began; None beyond its end."""
    fake = copy_of(road.stops[wave])
    if fake.count + action > road.stops[wave + 1].count:
        return None
    fake.crash_at, fake.crash_when = fake.count + action, when
    number = road.first + wave
    assert dies(_upto(fake, road.made, road.instead, range(number, number + 1)))
    fake.crash_at = 0
    return fake


def deaths(road: Road) -> list[tuple[int, int, str]]:
    """Every action of the outage, each before, in the middle and after."""
    sizes = [b.count - a.count for a, b in zip(road.stops, road.stops[1:], strict=False)]
    return [(wave, action, when) for wave, size in enumerate(sizes) for action in range(1, size + 1) for when in WHEN]


async def _replayed(fake: Fake, road: Road, wave: int) -> None:
    """What `resume` of a killed run does: waves that are done are not asked again."""
    await _upto(fake, road.made, road.instead, range(road.first + wave, len(road.made.waves)))
    await climb_of(fake, road.made, road.instead)._release("done")


def is_as_before(fake: Fake, start: Fake) -> bool:
    return fake.files() == start.files() and fake.running() == start.running() and fake.accounts() == start.accounts()


def serves(fake: Fake) -> list[str]:
    return [name for name in DATABASES if fake.group.serves(name)]


# planning ------------------------------------------------------------------------------------------------------
def test_nobody_plans_an_outage_that_was_not_allowed(start: Fake) -> None:
    made = run(planned(copy_of(start)))
    assert "takes an outage" in made.refused["replication_tls"]
    assert "--allow-outage" in made.refused["replication_tls"]
    assert not [wave for wave in made.waves if wave.stage in OUTAGE or "replication_tls" in wave.tips]
    assert made.outage == 0


def test_the_provider_decides() -> None:
    fake = insecure()
    assert not [wave for wave in run(planned(fake, outage=True)).waves if wave.stage in OUTAGE]
    fake.dynamic = "no"
    assert "the provider on db1, db2, db3 has no socket.dynamic" in run(planned(fake)).refused["replication_tls"]
    assert [wave for wave in run(planned(fake, outage=True)).waves if wave.stage in OUTAGE]


def test_one_restart_a_host_for_both_tips_the_writer_down_last_and_up_first(made: Plan) -> None:
    assert {host: n for host, n in made.restarts.items() if n} == dict.fromkeys(DATABASES, 1)
    stages = [(wave.stage, wave.host) for wave in made.waves if wave.stage in OUTAGE]
    assert [host for stage, host in stages if stage is Stage.STOP_CLEAR] == ["db2", "db3", "db1"]
    assert [host for stage, host in stages if stage is Stage.START_STRICT] == ["db1", "db3", "db2"]
    assert made.outage > 0
    assert [impact.who for impact in made.impact if impact.tip == "replication_tls"] == ["everyone"]


def test_a_cluster_that_encrypts_already_is_not_taken_down(top: Fake) -> None:
    assert run(planned(copy_of(top), outage=True)).waves == ()


# up and back ---------------------------------------------------------------------------------------------------
def test_up_and_all_the_way_back(start: Fake, top: Fake, back: Road) -> None:
    assert run(heights(copy_of(top))) == TOP
    assert top.witness.broken == ()
    assert top.witness.restarts == dict.fromkeys(DATABASES, 1)
    assert {top.group.server(name).channel for name in DATABASES} == {Channel.STRICT}
    fake = copy_of(top)
    fake.run = "undo-run-1"
    run(carry(fake, back.made, "run-1"))
    assert is_as_before(fake, start)
    assert fake.witness.broken == ()
    assert fake.witness.restarts == dict.fromkeys(DATABASES, 2)


def test_until_the_last_stop_somebody_serves_in_clear_text(up: Road) -> None:
    assert [serves(stop) for stop in up.stops] == [
        ["db1", "db2", "db3"], ["db1", "db3"], ["db1"], [], ["db1"], ["db1", "db3"], ["db1", "db2", "db3"],
    ]  # fmt: skip
    strict_files = [name for name in DATABASES if "socket.ssl" in up.stops[1].machines[name].files[FILE].content]
    assert strict_files == ["db2"], "a host that crashes before its stop must come back in clear text"


@pytest.mark.parametrize("way", ["up", "back"])
@pytest.mark.parametrize("again", ["replayed", "from the first wave"])
def test_killed_anywhere_in_the_outage_and_gone_on(
    way: str, again: str, start: Fake, request: pytest.FixtureRequest
) -> None:
    road: Road = request.getfixturevalue(way)
    for wave, action, when in deaths(road):
        fake = killed(road, wave, action, when)
        assert fake is not None
        run(_replayed(fake, road, wave) if again == "replayed" else carry(fake, road.made, road.instead))
        told = f"killed {when} action {action} of {road.made.waves[road.first + wave].id}"
        assert run(heights(fake)) == TOP if way == "up" else is_as_before(fake, start), told
        assert fake.witness.broken == (), told
        assert serves(fake) == [*DATABASES], told
        assert not any(door.drained for doors in fake.clients.doors.values() for door in doors), told


def test_killed_anywhere_on_the_way_up_and_taken_back(start: Fake, up: Road) -> None:
    for wave, action, when in deaths(up):
        fake = killed(up, wave, action, when)
        assert fake is not None
        begun = replace(up.made, waves=up.made.waves[: up.first + wave + 1])
        fake.run = "undo-run-1"
        run(carry(fake, undo_of(begun, order_in(fake)), "run-1"))
        told = f"killed {when} action {action} of {up.made.waves[up.first + wave].id}"
        assert is_as_before(fake, start), told
        assert fake.witness.broken == (), told
        assert not any(door.drained for doors in fake.clients.doors.values() for door in doors), told


def test_it_is_not_interrupted_in_the_middle(made: Plan, start: Fake) -> None:
    climb = climb_of(copy_of(start), made)
    climb.stopping = True
    safe = [wave.id for number, wave in enumerate(made.waves) if climb.stop_asked(number)]
    assert [wave.id for wave in made.waves if wave.id not in safe] == [
        "stop-clear@db3", "stop-clear@db1", "start-strict@db1", "start-strict@db3", "start-strict@db2",
    ]  # fmt: skip


# what goes wrong -----------------------------------------------------------------------------------------------
def fails(fake: Fake, road: Road, wave: int) -> tuple[str, type[GalvanError]]:
    with pytest.raises(GalvanError) as failed:
        run(_upto(fake, road.made, road.instead, range(road.first + wave, len(road.made.waves))))
    return str(failed.value), type(failed.value)


def dislikes(what: str, config: dict[str, str]) -> str:
    return "[ERROR] Aborting" if what in config.get("wsrep_provider_options", "") else ""


def test_the_last_one_refuses_its_strict_file_and_all_is_put_back(up: Road) -> None:
    fake = copy_of(up.stops[0])
    fake.machines["db1"].refuses = partial(dislikes, "socket.ssl")
    said, kind = fails(fake, up, 0)
    assert "bootstrap of mariadb failed: [ERROR] Aborting" in said
    assert "Every host was put back as it was" in said
    assert "The cluster serves on db1, db2, db3" in said
    assert kind is NotHealed
    assert is_as_before(fake, up.stops[0])
    assert fake.witness.broken == ()
    fake.machines["db1"].refuses = None
    run(carry(fake, up.made))
    assert run(heights(fake)) == TOP


def test_a_later_one_refuses_and_the_rest_serves_strict(up: Road) -> None:
    fake = copy_of(up.stops[0])
    fake.machines["db3"].refuses = partial(dislikes, "socket.ssl")
    said, kind = fails(fake, up, 0)
    assert "db3: start of mariadb failed: [ERROR] Aborting" in said
    assert "The cluster serves on db1, db2; not on db3" in said
    assert kind is NotHealed
    assert {fake.group.server(name).channel for name in ("db1", "db2")} == {Channel.STRICT}
    fake.machines["db3"].refuses = None
    run(carry(fake, up.made))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_a_server_that_starts_in_no_way_leaves_words_and_no_lost_row(up: Road) -> None:
    """The latest writes lie on a disk whose server is broken: nobody else is bootstrapped in its place."""
    fake = copy_of(up.stops[0])
    fake.machines["db1"].refuses = lambda config: "[ERROR] InnoDB: page corruption"
    said, _ = fails(fake, up, 0)
    assert "THE CLUSTER IS DOWN" in said
    assert "Not every host could be put back" in said
    assert fake.witness.broken == ()
    fake.machines["db1"].refuses = None
    run(carry(fake, up.made))
    assert run(heights(fake)) == TOP


def test_a_look_before_the_last_stop_that_complains_brings_the_others_back(up: Road) -> None:
    fake = copy_of(up.stops[0])
    climb = climb_of(fake, up.made)

    async def preflight(host: object) -> list[str]:
        return ["ssl_cert is shadowed"] if host == fake.machines["db1"].host else []

    climb.crew = replace(climb.crew, preflight=preflight)
    with pytest.raises(
        NotHealed, match=r"db1 was not stopped: ssl_cert is shadowed\. Every host was put back as it was"
    ):
        run(_with(climb, up))
    assert is_as_before(fake, up.stops[0])
    assert not fake.witness.restarts["db1"]
    assert fake.witness.broken == ()


async def _with(climb: object, road: Road) -> None:
    for number in range(road.first, len(road.made.waves)):
        await climb._carry_out(number, road.made.waves[number])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("what", "told"),
    [("desync", "db1 is desynced"), ("work", "db1: root has been at work on it for 120 s"), ("bootstrap", "db3 has a bootstrap leftover")],
)  # fmt: skip
def test_a_gate_refuses_the_first_stop_and_nothing_was_touched(up: Road, what: str, told: str) -> None:
    fake = copy_of(up.stops[0])
    if what == "desync":
        fake.group.server("db1").desync = 1
    elif what == "work":
        fake.group.server("db1").work = [("7", "root", "Query", "120", "ALTER TABLE t ADD c INT")]
    else:
        fake.machines["db3"].bootstrap = 1
    count, files = len(fake.log), fake.files()
    with pytest.raises(Unsafe, match=f"db2 was not stopped: .*{told}") as refused:
        run(climb_of(fake, up.made)._carry_out(up.first, up.made.waves[up.first]))
    assert "The cluster serves on" in str(refused.value)
    assert {done.wave for done in fake.log[count:]} == {"remember"}
    assert fake.files() == files


def test_a_member_that_fails_between_two_stops_brings_the_first_back(up: Road) -> None:
    """The gate of the second stop: the members that are left must all serve."""
    fake = copy_of(up.stops[1])
    fake.group.server("db1").desync = 1
    said, _ = fails(fake, up, 1)
    assert "db3 was not stopped: db1 is desynced" in said
    assert "Every host was put back as it was" in said
    assert is_as_before(fake, up.stops[0])


def test_another_member_is_more_advanced_so_it_goes_first(start: Fake, up: Road) -> None:
    fake, notes = copy_of(up.stops[3]), Notes()
    fake.group.server("db3").committed += 7
    climb = climb_of(fake, up.made, notes=notes)
    run(_with(climb, replace(up, first=up.first + 3)))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()
    assert any("db3 holds the latest position" in said for _, said in notes.said)
    fake.run = "undo-run-1"
    run(carry(fake, undo_of(up.made, order_in(fake)), "run-1"))
    assert is_as_before(fake, start)


def test_killed_after_another_went_first_and_taken_back(start: Fake, up: Road) -> None:
    """What is carried out before its turn lies on its host all the same, so that it can be undone."""
    fake = copy_of(up.stops[3])
    fake.group.server("db3").committed += 7
    fake.crash_at, fake.crash_when = fake.count + 1, "after"
    assert dies(_with(climb_of(fake, up.made), replace(up, first=up.first + 3)))
    assert fake.group.server("db3").channel is Channel.STRICT
    files = [path for name in DATABASES for path in fake.machines[name].files]
    known = [n for n in range(len(up.made.waves)) if any(path.endswith(f"/{n:03}.json") for path in files)]
    begun = replace(up.made, waves=tuple(up.made.waves[n] for n in known))
    fake.run, fake.crash_at = "undo-run-1", 0
    run(carry(fake, undo_of(begun, order_in(fake)), "run-1"))
    assert is_as_before(fake, start)
    assert fake.witness.broken == ()


def test_a_crashed_member_is_asked_for_the_position_of_its_redo_log(up: Road) -> None:
    fake = copy_of(up.stops[3])
    fake.group.server("db3").crashed = True
    fake.group.server("db3").committed += 7
    run(_with(climb_of(fake, up.made), replace(up, first=up.first + 3)))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_members_of_different_clusters_are_not_bootstrapped(up: Road) -> None:
    fake = copy_of(up.stops[3])
    fake.group.server("db2").uuid = "00000000-0000-0000-0000-000000000001"
    said, _ = fails(fake, up, 3)
    assert "belong to 2 different clusters, so none is bootstrapped" in said
    assert "THE CLUSTER IS DOWN" in said
    assert fake.witness.broken == ()


def test_a_host_out_of_reach_may_hold_more_unless_galera_marked_who_left_last(up: Road) -> None:
    fake = copy_of(up.stops[3])
    fake.machines["db3"].reachable = False
    marked = copy_of(fake)
    fake.group.server("db1").safe = False
    said, _ = fails(fake, up, 3)
    assert "db3 cannot be asked and may hold later writes than db1" in said
    assert not fake.group.primary
    said, _ = fails(marked, up, 3)
    assert "db3 (db3) did not let us in" in said
    assert "The cluster serves on db1, db2; not on db3" in said
    assert marked.witness.broken == ()
    marked.machines["db3"].reachable = True
    run(carry(marked, up.made))
    assert run(heights(marked)) == TOP


def test_a_host_out_of_reach_stops_the_stops(up: Road) -> None:
    fake = copy_of(up.stops[1])
    fake.machines["db1"].reachable = False
    said, _ = fails(fake, up, 1)
    assert "db3 was not stopped: db1 could not be read" in said
    assert fake.group.server("db3").up


def test_a_member_that_somebody_started_in_clear_text_keeps_strict_ones_out(up: Road) -> None:
    """Its operator undid the file and bootstrapped it by hand in the middle of the outage."""
    fake = copy_of(up.stops[3])
    fake.machines["db2"].restore(FILE, fake.run, Stage.STOP_CLEAR.at("db2"))
    for name in DATABASES:
        fake.group.server(name).committed = 50_000
    machine = fake.machines["db2"]
    run(fake.act(machine.host, Restart(3, how=How.BOOTSTRAP), "by hand"))
    said, _ = fails(fake, up, 3)
    assert "db1 is down and was not started: db2 listens at tcp://, it would at ssl://" in said
    assert "The cluster serves on db1, db2, db3" in said
    assert {fake.group.server(name).channel for name in DATABASES} == {Channel.PLAIN}
    assert fake.witness.broken == ()


def test_a_killed_bootstrap_leaves_nothing_that_would_make_a_second_cluster(up: Road) -> None:
    fake = copy_of(up.stops[3])
    run(_upto(fake, up.made, "-", range(up.first + 3, up.first + 4)))
    starts = [done.action.how for done in fake.log if isinstance(done.action, Restart)]
    assert starts.count(How.BOOTSTRAP) == 1
    run(_upto(fake, up.made, "-", range(up.first + 3, up.first + 6)))
    starts = [done.action.how for done in fake.log if isinstance(done.action, Restart)]
    assert starts.count(How.BOOTSTRAP) == 1


def test_two_members_and_one() -> None:
    for databases in (1, 2):
        fake = insecure(databases=databases, balancer=False, route="rebootstrap")
        fake.group.outage = True
        made = run(planned(fake, outage=True))
        run(carry(fake, made))
        assert run(heights(fake)) == TOP
        assert fake.witness.broken == ()


def test_a_refused_tip_leaves_none_of_its_needs_behind(start: Fake) -> None:
    """A tip may state some of its needs before it finds that it must not be planned."""
    made = run(planned(copy_of(start), [BY_ID["replication_tls"]]))
    assert made.waves == ()
