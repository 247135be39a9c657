"""What goes wrong on a host: it is put back, the run stops, and no second host is touched."""

from __future__ import annotations

import pytest
from practice import TOP, Notes, carry, copy_of, crew_of, dies, heights, insecure, planned, run

from galvan.edges.fake import CONFIG_HOME, Channel, Fake, File, Pool
from galvan.engine.apply import carry_out
from galvan.engine.plan import Plan
from galvan.model import GalvanError, NotHealed, Restart, Stage, Unreachable, Unreadable, Unsafe

FILE = f"{CONFIG_HOME}/zz-galvan.cnf"


@pytest.fixture(scope="module")
def ready() -> tuple[Fake, Plan]:
    fake = insecure()
    made = run(planned(fake))
    run(carry(fake, made, upto=3))
    return fake, made


def before(ready: tuple[Fake, Plan], stage: Stage) -> Fake:
    fake = copy_of(ready[0])
    run(carry(fake, ready[1], upto=next(n for n, wave in enumerate(ready[1].waves) if wave.stage is stage)))
    return fake


def test_a_server_that_refuses_its_new_file_is_put_back(ready: tuple[Fake, Plan]) -> None:
    fake, made = copy_of(ready[0]), ready[1]
    files, running = fake.files(), fake.running()
    fake.machines["db2"].refuses = lambda config: "[ERROR] Aborting" if "ssl_cert" in config else ""
    with pytest.raises(NotHealed) as failed:
        run(carry(fake, made))
    assert "restart of mariadb failed: [ERROR] Aborting" in str(failed.value)
    assert "db2 was put back as it was; no other host was touched" in str(failed.value)
    assert fake.files() == files
    assert fake.running() == running
    assert fake.witness.restarts == {"db2": 1}
    assert all(fake.group.serves(name) for name in ("db1", "db2", "db3"))
    assert not any(door.drained for door in fake.clients.doors["lb1"])
    assert fake.witness.broken == ()


def test_a_strict_file_that_is_refused_is_put_back_to_dynamic(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.SECOND_RESTART)
    fake.machines["db2"].refuses = lambda config: (
        "" if "socket.dynamic" in config["wsrep_provider_options"] else "[ERROR] WSREP: bind failed"
    )
    with pytest.raises(NotHealed, match="put back as it was"):
        run(carry(fake, ready[1]))
    assert {fake.group.server(name).channel for name in ("db1", "db2", "db3")} == {Channel.DYNAMIC}
    assert all(fake.group.serves(name) for name in ("db1", "db2", "db3"))
    assert fake.witness.broken == ()


def test_a_refusal_without_end_leaves_the_host_alone_and_says_so(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.machines["db2"].refuses = lambda config: "[ERROR] InnoDB: page corruption"
    with pytest.raises(NotHealed, match=r"Putting db2 back failed too, it was left alone: .*page corruption"):
        run(carry(fake, ready[1]))
    assert fake.group.primary == {"db1", "db3"}
    assert fake.witness.restarts == {"db2": 1}
    assert any(door.drained for door in fake.clients.doors["lb1"] if door.member == "db2")


@pytest.mark.parametrize("state", ["Joined", "Initialized"])
def test_a_server_that_does_not_come_back_is_named_and_left_behind_its_door(
    ready: tuple[Fake, Plan], state: str
) -> None:
    """A member that is not Synced is not stopped again, whatever it hangs in: that is for a person."""
    fake = copy_of(ready[0])
    fake.machines["db2"].stays_out = lambda config: state
    with pytest.raises(NotHealed) as failed:
        run(carry(fake, ready[1]))
    assert "db2 restarted and did not come back within" in str(failed.value)
    assert "it was left alone" in str(failed.value)
    assert fake.group.serves("db1")
    assert fake.group.serves("db3")
    assert fake.witness.restarts == {"db2": 1}
    assert any(door.drained for door in fake.clients.doors["lb1"] if door.member == "db2")
    assert fake.machines["db2"].files[FILE] == ready[0].machines["db2"].files[FILE]


def test_a_host_that_dies_at_any_action_is_left_alone_and_named(ready: tuple[Fake, Plan]) -> None:
    made, trial = ready[1], copy_of(ready[0])
    first = trial.count + 1
    run(carry_out(made.waves[3], crew_of(trial)))
    for action in range(first, trial.count + 1):
        fake = copy_of(ready[0])
        fake.events[action] = lambda world: world.die("db2")
        with pytest.raises(GalvanError, match="db2") as failed:
            run(carry_out(made.waves[3], crew_of(fake)))
        assert "No route to host" in str(failed.value)
        assert {done.host for done in fake.log if done.number >= first} <= {"db2", "lb1"}
        assert fake.group.primary == {"db1", "db3"}
        assert fake.witness.broken == ()


def test_a_host_that_came_back_from_the_dead_is_carried_on(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.events[fake.count + 9] = lambda world: world.die("db2")
    with pytest.raises(GalvanError):
        run(carry(fake, ready[1]))
    fake.machines["db2"].reachable = True
    fake.crash_server("db2")
    run(carry(fake, ready[1]))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_a_run_that_goes_on_waits_for_a_member_that_still_catches_up(ready: tuple[Fake, Plan]) -> None:
    """Killed right after the restart: it is let in to the balancer when it is Synced, and the next host waits for it."""
    fake, trial = copy_of(ready[0]), copy_of(ready[0])
    run(carry_out(ready[1].waves[3], crew_of(trial)))
    fake.lag = 12
    fake.crash_at = next(done.number for done in trial.log if isinstance(done.action, Restart))
    fake.crash_when = "after"
    assert dies(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.group.server("db2").state == "Joined"
    run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.group.serves("db2")
    assert not any(door.drained for door in fake.clients.doors["lb1"])


def test_another_host_that_is_dead_stops_the_climb_before_it_touches_the_next(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.die("db3")
    with pytest.raises((Unsafe, Unreachable), match="db3"):
        run(carry(fake, ready[1]))
    assert not fake.witness.restarts


def test_somebody_edits_our_file(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.STAGE_STRICT)
    mine = fake.machines["db3"].files[FILE]
    fake.machines["db3"].files[FILE] = File(mine.content + "max_connections = 9\n")
    with pytest.raises(Unsafe, match=r"db3: .*zz-galvan\.cnf is .*Somebody changed it since: plan again"):
        run(carry(fake, ready[1]))
    assert fake.machines["db3"].files[FILE].content.endswith("max_connections = 9\n")


def test_somebody_removes_our_file_before_the_second_pass(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.STAGE_STRICT)
    del fake.machines["db2"].files[FILE]
    wave = next(wave for wave in ready[1].waves if wave.stage is Stage.STAGE_STRICT)
    with pytest.raises(Unsafe, match=r"db2: .*zz-galvan\.cnf is None"):
        run(carry_out(wave, crew_of(fake)))


def test_somebody_changes_an_account(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.ACCOUNTS)
    next(a for a in fake.clients.accounts if a.user == "app").require = "2"
    with pytest.raises(Unsafe, match=r"'app'@'%' is 'X509'; the plan saw 'NONE'"):
        run(carry(fake, ready[1]))


def test_somebody_does_the_step_by_hand(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.REFUSE)
    for name in ("db1", "db2", "db3"):
        fake.group.server(name).variables["require_secure_transport"] = "ON"
    run(carry(fake, ready[1]))
    assert run(heights(fake)) == TOP


def test_nothing_was_kept_says_so(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.machines["db2"].refuses = lambda config: "[ERROR] Aborting" if "ssl_cert" in config else ""
    fake.events[fake.count + 5] = lambda world: world.machines["db2"].kept.clear()
    with pytest.raises(NotHealed, match=r"left alone: db2: restoring .* nothing was kept"):
        run(carry_out(ready[1].waves[3], crew_of(fake)))


def test_a_member_whose_server_is_down_is_not_planned_over(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.group.leave("db3")
    made = run(planned(fake))
    assert made.waves == ()
    assert set(made.refused) == set(TOP)
    assert all("@db3" in why for why in made.refused.values())


def test_nobody_is_asked_of_a_host_that_is_down_without_a_restart_of_ours(ready: tuple[Fake, Plan]) -> None:
    fake = before(ready, Stage.REFUSE)
    fake.group.leave("db2")
    wave = next(wave for wave in ready[1].waves if wave.stage is Stage.REFUSE)
    with pytest.raises(Unreadable, match="ERROR 2002"):
        run(carry_out(wave, crew_of(fake)))
    assert not fake.group.server("db2").up


def test_idle_sessions_are_closed_open_ones_are_named(ready: tuple[Fake, Plan]) -> None:
    fake, notes = copy_of(ready[0]), Notes()
    sleeper = fake.clients.open_session("app", "10.0.0.20", "db2")
    worker = fake.clients.open_session("app", "10.0.0.20", "db2", pool=Pool("app", "app1", "lb1", 0))
    assert sleeper
    assert worker
    sleeper.idle, worker.open, worker.idle = 300.0, True, 300.0
    run(carry_out(ready[1].waves[3], crew_of(fake, notes)))
    assert fake.witness.killed_open == []
    assert any(
        "1 sessions did not let go" in said and "app@10.0.0.20 in a transaction" in said for _, said in notes.said
    )


def test_a_session_that_leaves_between_look_and_kill_hurts_nobody(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    sleeper = fake.clients.open_session("app", "10.0.0.20", "db2")
    assert sleeper
    sleeper.idle = 300.0
    fake.events[fake.count + 4] = lambda world: world.clients.sessions.remove(sleeper_of(world, sleeper.id))
    run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert fake.witness.restarts == {"db2": 1}


def sleeper_of(world: Fake, number: int) -> object:
    return next(session for session in world.clients.sessions if session.id == number)


def test_a_host_that_its_operator_had_drained_stays_drained() -> None:
    fake = insecure()
    door = next(door for door in fake.clients.doors["lb1"] if door.member == "db3")
    door.drained = True
    run(carry(fake, run(planned(fake))))
    assert door.drained
    assert run(heights(fake)) == TOP


def test_a_balancer_that_cannot_be_asked_stops_the_climb(ready: tuple[Fake, Plan]) -> None:
    fake, files = copy_of(ready[0]), ready[0].files()
    fake.machines["lb1"].reachable = False
    with pytest.raises(GalvanError, match="lb1"):
        run(carry_out(ready[1].waves[3], crew_of(fake)))
    assert not fake.witness.restarts
    assert fake.files() == files


def test_a_server_that_is_no_mariadb_is_audited_and_not_changed(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    comment = "Percona XtraDB Cluster (GPL), Release rel3, Revision a8b2e07, WSREP version 26.1.4.3"
    fake.group.server("db2").variables |= {"version": "8.4.3-3.1", "version_comment": comment}
    made = run(planned(fake))
    assert made.waves == ()
    assert set(made.refused) == set(TOP)
    assert set(made.refused.values()) == {
        "db2 runs Percona XtraDB Cluster 8.4.3-3.1: Galvan audits it, and does not change it yet"
    }


def test_an_older_member_without_a_way_back_is_not_planned(ready: tuple[Fake, Plan]) -> None:
    fake = copy_of(ready[0])
    fake.group.server("db3").variables |= {"version": "11.8.9-MariaDB-0+deb13u1 from Debian"}
    made = run(planned(fake))
    assert made.waves == ()
    assert set(made.refused) == set(TOP)
    assert all("finish the upgrade first" in why for why in made.refused.values())
    for name in ("db1", "db2", "db3"):
        fake.group.server(name).variables |= {"wsrep_sst_method": "rsync"}
    by_rsync = run(planned(fake))
    assert by_rsync.waves
    assert {impact.who for impact in by_rsync.impact} >= {"mixed-versions"}
