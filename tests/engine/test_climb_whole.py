"""The whole climb on a cluster in memory, and what must hold on the way."""

from __future__ import annotations

from practice import TOP, carry, copy_of, crew_of, heights, insecure, judged, order_in, planned, run, undo_of

from galvan.edges.fake import CONFIG_HOME, Channel, Done, Fake
from galvan.engine.plan import Plan
from galvan.model import PutFile, Restart, Rung, Shell, Stage, Verdict

FILE = f"{CONFIG_HOME}/zz-galvan.cnf"
DATABASES = ("db1", "db2", "db3")


def climbed(fake: Fake) -> Plan:
    made = run(planned(fake))
    run(carry(fake, made))
    return made


def writes(fake: Fake, path: str) -> list[Done]:
    return [done for done in fake.log if isinstance(done.action, PutFile) and done.action.path == path]


def text(done: Done) -> str:
    assert isinstance(done.action, PutFile)
    assert isinstance(done.action.content, str)
    return done.action.content


def test_from_nothing_to_enforced() -> None:
    fake = insecure()
    assert set(run(heights(fake)).values()) == {Rung.OPEN}
    climbed(fake)
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()
    assert not fake.witness.refused_logins
    assert {fake.group.server(name).channel for name in DATABASES} == {Channel.STRICT}


def test_no_check_fails_at_the_top_and_nothing_is_left_to_plan() -> None:
    fake = insecure()
    climbed(fake)
    _, findings = run(judged(fake))
    assert [f for f in findings if f.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)] == []
    assert run(planned(fake)).waves == ()


def test_two_restarts_a_host_as_the_plan_says() -> None:
    fake = insecure()
    made = climbed(fake)
    assert dict(fake.witness.restarts) == dict.fromkeys(DATABASES, 2)
    assert {host: n for host, n in made.restarts.items() if n} == dict.fromkeys(DATABASES, 2)


def test_the_writer_goes_last_in_every_stage() -> None:
    fake = insecure()
    made = climbed(fake)
    for stage in (Stage.FIRST_RESTART, Stage.STAGE_STRICT, Stage.SECOND_RESTART, Stage.REFUSE):
        assert [wave.host for wave in made.waves if wave.stage is stage][-1] == "db1"
    restarted = [done.host for done in fake.log if isinstance(done.action, Restart)]
    assert restarted == ["db2", "db3", "db1", "db2", "db3", "db1"]


def test_another_writer_is_seen_by_its_sessions() -> None:
    fake = insecure()
    fake.clients.pools.clear()
    fake.clients.sessions.clear()
    for _ in range(3):
        fake.clients.open_session("app", "10.0.0.40", "db2")
    assert [w.host for w in run(planned(fake)).waves if w.stage is Stage.FIRST_RESTART] == ["db3", "db1", "db2"]


def test_the_strict_file_lies_everywhere_before_the_second_pass() -> None:
    fake = insecure()
    climbed(fake)
    second = [done.number for done in fake.log if isinstance(done.action, Restart)][3]
    for host in DATABASES:
        last = [done for done in writes(fake, FILE) if done.host == host and done.number < second][-1]
        assert "socket.ssl=yes" in text(last)
        assert "socket.dynamic" not in text(last)


def test_both_passes_follow_each_other() -> None:
    """The dynamic window is open for minutes: nothing that waits for people lies inside it."""
    stages = [wave.stage for wave in run(planned(insecure())).waves]
    inside = stages[stages.index(Stage.FIRST_RESTART) : len(stages) - stages[::-1].index(Stage.SECOND_RESTART)]
    assert set(inside) == {Stage.FIRST_RESTART, Stage.STAGE_STRICT, Stage.SECOND_RESTART}


def test_transfers_are_pinned_everywhere_before_the_first_certificate_is_named() -> None:
    fake = insecure()
    climbed(fake)
    named = min(done.number for done in writes(fake, FILE) if "ssl_cert" in text(done))
    pinned = {done.host for done in writes(fake, FILE) if done.number < named and 'ssl-mode = "DISABLED"' in text(done)}
    assert pinned == set(DATABASES)


def test_a_crash_between_the_passes_comes_back_strict() -> None:
    fake = insecure()
    made = run(planned(fake))
    strict = next(n for n, wave in enumerate(made.waves) if wave.stage is Stage.SECOND_RESTART)
    run(carry(fake, made, upto=strict))
    fake.crash_server("db3")
    assert fake.group.server("db3").channel is Channel.STRICT
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_clients_see_no_refused_login_and_end_on_tls() -> None:
    fake = insecure()
    climbed(fake)
    assert {session.tls for session in fake.clients.sessions} == {"TLSv1.3"}
    assert len(fake.clients.sessions) == 3
    assert not fake.witness.refused_logins


def test_every_host_is_drained_while_it_restarts() -> None:
    fake = insecure()
    climbed(fake)
    drained = {d.member for door in fake.clients.doors.values() for d in door if d.drained}
    said = [done for done in fake.log if isinstance(done.action, Shell) and "(say 'set server" in done.action.text]
    assert drained == set()
    assert len(said) == 12
    assert not any(path.endswith("/drained") for machine in fake.machines.values() for path in machine.files)


def test_the_way_back_restores_every_file_and_every_value() -> None:
    fake = insecure()
    before, values, accounts = fake.files(), fake.running(), fake.accounts()
    made = climbed(fake)
    fake.run = "undo-run-1"
    run(carry(fake, undo_of(made, order_in(fake)), instead="run-1"))
    assert fake.files() == before
    assert fake.running() == values
    assert fake.accounts() == accounts
    assert dict(fake.witness.restarts) == dict.fromkeys(DATABASES, 4)
    assert fake.witness.broken == ()


def test_up_again_after_the_way_back() -> None:
    fake = insecure()
    made = climbed(fake)
    fake.run = "undo-run-1"
    run(carry(fake, undo_of(made, order_in(fake)), instead="run-1"))
    fake.run = "run-2"
    climbed(fake)
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_carrying_out_twice_changes_nothing() -> None:
    fake = insecure()
    made = climbed(fake)
    files, values, restarts = fake.files(), fake.running(), dict(fake.witness.restarts)
    again = copy_of(fake)
    run(carry(again, made))
    assert (again.files(), again.running(), dict(again.witness.restarts)) == (files, values, restarts)


def test_without_a_balancer_sessions_that_will_reconnect_are_named() -> None:
    fake = insecure(balancer=False)
    made = run(planned(fake))
    crew = crew_of(fake)
    assert crew.cluster is fake.cluster
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_a_cluster_of_two() -> None:
    fake = insecure(databases=2)
    made = run(planned(fake))
    assert [impact.who for impact in made.impact if impact.tip == "replication_tls"] == ["no-fault-tolerance"]
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()


def test_five_members_with_weights() -> None:
    fake = insecure(databases=5)
    run(carry(fake, run(planned(fake))))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()
    assert set(fake.witness.restarts.values()) == {2}


def test_a_newer_member_does_not_dial_itself_while_it_takes_both_ways() -> None:
    """11.8: one that did so among strict members gave up (the same UUID), on the way back."""
    fake = insecure()
    for name in ("db1", "db2", "db3"):
        fake.group.server(name).variables |= {"version": "11.8.9-MariaDB-0+deb13u1 from Debian"}
    made = run(planned(fake))
    files = {
        (wave.id, action.path): action.content
        for wave in made.waves
        for step in wave.steps
        for action in step.do
        if isinstance(action, PutFile) and action.path.endswith("zz-galvan.cnf")
    }
    both = next(str(text) for (wave, _), text in files.items() if wave == "first-restart@db2")
    strict = next(str(text) for (wave, _), text in files.items() if wave == "stage-strict@db2")
    calm = next(str(text) for (wave, _), text in files.items() if wave == "calm@db2")
    assert 'wsrep_cluster_address = "gcomm://10.0.0.11,10.0.0.13"' in both
    assert 'wsrep_cluster_address = "gcomm://10.0.0.11,10.0.0.13"' in strict
    assert "wsrep_cluster_address" not in calm
