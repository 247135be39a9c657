"""Law 5: what a gate refuses, in which words, and that nothing was touched when it did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from practice import TOP, Notes, carry, copy_of, crew_of, heights, insecure, look, planned, run

from galvan.cluster.health import commit_rate, may_begin
from galvan.edges.fake import Fake
from galvan.engine.apply import carry_out
from galvan.engine.plan import Plan
from galvan.model import NotHealed, Restart, Stage, Unsafe


@pytest.fixture(scope="module")
def ready() -> tuple[Fake, Plan]:
    """Every host is prepared; the next wave restarts db2."""
    fake = insecure()
    made = run(planned(fake))
    run(carry(fake, made, upto=3))
    return fake, made


def set_on(name: str, **values: object) -> Callable[[Fake], None]:
    def happen(fake: Fake) -> None:
        for key, value in values.items():
            setattr(fake.group.server(name), key, value)

    return happen


def machine(name: str, **values: object) -> Callable[[Fake], None]:
    def happen(fake: Fake) -> None:
        for key, value in values.items():
            setattr(fake.machines[name], key, value)

    return happen


def shown(name: str, **values: str) -> Callable[[Fake], None]:
    return lambda fake: fake.group.server(name).variables.update(values)


def weighty(fake: Fake) -> None:
    fake.group.server("db2").provider["pc.weight"] = "3"
    fake.group.server("db2").weight = 3


def busy(fake: Fake) -> None:
    for name in ("db1", "db2", "db3"):
        set_on(name, busy=5, cached_from=44_080, write_set=10_000_000)(fake)


GATES = {
    "not-synced": (set_on("db3", state="Donor/Desynced"), "db3 is Donor/Desynced, not Synced"),
    "itself-not-synced": (set_on("db2", state="Joined", stuck="Joined"), "db2 is Joined, not Synced"),
    "too-many": (lambda fake: fake.group.primary.add("stranger"), "counts 4 members where galvan.yaml names 3"),
    "too-few": (lambda fake: fake.group.leave("db3"), "db3 could not be read"),
    "desynced": (set_on("db1", desync=1), "db1 is desynced"),
    "transfer": (machine("db3", transfers=1), "a state transfer runs on db3"),
    "disk": (machine("db1", disk_kb=100 * 1024), "db1 has only 100 MB free"),
    "clock": (machine("db3", clock_ahead=-90.0), "(db3 is behind)"),
    "bootstrap": (machine("db1", bootstrap=1), "db1 has a bootstrap leftover"),
    "no-members": (shown("db3", wsrep_cluster_address="gcomm://"), "db3 would bootstrap a second cluster"),
    "other-cluster": (set_on("db3", uuid="00000000-0000-0000-0000-000000000001"), "belong to different clusters"),
    "votes": (weighty, "without it 2 of 5 votes are left"),
    "newer-donor": (
        shown("db3", version="11.8.9-MariaDB-0+deb13u1 from Debian"),
        "db2 (10.11.19) could not come back if db3 (11.8.9) became its donor",
    ),
    "window": (busy, "no member caches enough for an incremental transfer"),
    "work": (
        set_on("db2", work=[("7", "root", "Query", "120", "ALTER TABLE t ADD c INT")]),
        "root has been at work on it for 120 s (Query: ALTER TABLE t ADD c INT)",
    ),
    "backup": (machine("db2", upkeep={"backups": "mariabackup"}), "a backup runs on db2 (mariabackup)"),
    "packages": (machine("db2", upkeep={"packages": "dpkg"}), "a package manager runs on db2 (dpkg)"),
    "rsu": (machine("db2", upkeep={"osu_method": "RSU"}), "wsrep_OSU_method is RSU on db2"),
    "memory": (machine("db2", upkeep={"available_kb": "90000"}), "db2 has 87 MB of memory available"),
    "relayed": (machine("db3", unheard=frozenset({"db1"})), "db1 and db3 have no direct connection"),
    "unreachable": (lambda fake: fake.die("db1"), "db1 could not be read"),
}


@pytest.mark.parametrize("what", GATES)
def test_a_gate_refuses_and_nothing_was_touched(ready: tuple[Fake, Plan], what: str) -> None:
    happen, told = GATES[what]
    fake, made = copy_of(ready[0]), ready[1]
    happen(fake)
    files, count = fake.files(), fake.count
    with pytest.raises(Unsafe) as refused:
        run(carry_out(made.waves[3], crew_of(fake)))
    assert told in str(refused.value)
    assert "db2 was not restarted" in str(refused.value)
    assert (fake.files(), fake.count) == (files, count)
    assert not fake.witness.restarts


def test_work_on_another_member_does_not_matter(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    set_on("db3", work=[("7", "root", "Query", "120", "ALTER TABLE t ADD c INT")])(fake)
    run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.witness.restarts == {"db2": 1}


def test_a_passing_complaint_is_waited_for(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    set_on("db3", state="Joined", lag=4)(fake)
    run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.witness.restarts == {"db2": 1}
    assert fake.witness.broken == ()


def test_the_gate_is_asked_again_with_the_stop(ready: tuple[Fake, Plan]) -> None:
    """Desynced between the gate and the stop: refused on the host itself; its file is put back and it serves."""
    fake, files = copy_of(ready[0]), ready[0].files()
    fake.events[restart_of(ready)] = set_on("db2", desync=1)
    with pytest.raises(Unsafe, match="the member says: Primary 4 3 1; wanted: Primary 4 3 0"):
        run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.files() == files
    assert not fake.witness.restarts
    assert not any(door.drained for door in fake.clients.doors["lb1"])


def test_a_transfer_that_begins_before_the_stop(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.events[restart_of(ready)] = machine("db2", transfers=1)
    with pytest.raises(Unsafe, match="a state transfer has begun"):
        run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert not fake.witness.restarts


def restart_of(ready: tuple[Fake, Plan]) -> int:
    trial = copy_of(ready[0])
    run(carry_out(ready[1].waves[3], crew_of(trial)))
    return next(done.number for done in trial.log if isinstance(done.action, Restart))


def test_a_look_before_the_restart_that_complains(ready: tuple[Fake, Plan]) -> None:
    fake, files = copy_of(ready[0]), ready[0].files()
    crew = crew_of(fake, complaints=lambda host: ["ssl_cert in zz-galvan.cnf is shadowed"])
    with pytest.raises(NotHealed, match=r"ssl_cert in zz-galvan\.cnf is shadowed.*put back as it was"):
        run(carry_out(ready[1].waves[3], crew))
    assert fake.files() == files
    assert not fake.witness.restarts


def test_a_member_that_is_down_is_only_started_beside_members_that_serve(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.group.leave("db2")
    set_on("db3", desync=1)(fake)
    with pytest.raises(Unsafe, match="db2 is down and was not started: db3 is desynced"):
        run(carry_out(ready[1].waves[3], crew_of(fake)))
    set_on("db3", desync=0)(fake)
    run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.group.serves("db2")


def test_every_stage_of_restarts_asks(ready: tuple[Fake, Plan]) -> None:
    made = ready[1]
    for number, wave in enumerate(made.waves):
        if wave.stage in (Stage.FIRST_RESTART, Stage.SECOND_RESTART):
            fake = copy_of(ready[0])
            run(carry(fake, made, upto=number))
            restarts = dict(fake.witness.restarts)
            set_on("db1" if wave.host != "db1" else "db3", desync=1)(fake)
            with pytest.raises(Unsafe, match=f"{wave.host} was not restarted"):
                run(carry_out(wave, crew_of(fake)))
            assert dict(fake.witness.restarts) == restarts


def test_two_members_are_allowed_and_said() -> None:
    fake, notes = insecure(databases=2, balancer=False), Notes()
    made = run(planned(fake))
    run(carry(fake, made, upto=2))
    run(carry_out(made.waves[2], crew_of(fake, notes)))
    assert fake.witness.restarts == {"db2": 1}
    run(carry(fake, made))
    assert run(heights(fake)) == TOP


def test_a_run_does_not_begin_where_a_member_cannot_be_read() -> None:
    fake = insecure()
    fake.die("db1")
    with pytest.raises(Unsafe, match="nothing was begun: db1 could not be read"):
        may_begin(run(look(fake)), ["db2"])


@pytest.mark.parametrize("gone", ["before", "after"])
def test_a_member_that_is_not_well_in_one_of_two_looks_is_a_refusal_and_no_error(gone: str) -> None:
    fake = insecure()
    busy(fake)
    well = run(look(fake))
    fake.group.leave("db3")
    ill = run(look(fake))
    before, after = (ill, well) if gone == "before" else (well, ill)
    assert commit_rate(before, after) == 0
    with pytest.raises(Unsafe, match="db3 could not be read"):
        may_begin(ill, ["db2"], commit_rate(before, after))
