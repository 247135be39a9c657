"""The cluster in memory itself: it is only of use as a judge if it notices what must never happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from practice import carry, crew_of, insecure, planned, run

from galvan.cluster.facts import ACCOUNTS, STATUS, VARIABLES
from galvan.edges.fake import CONFIG_HOME, Channel, Fake, File, Killed
from galvan.engine.apply import carry_out
from galvan.engine.gather import gather
from galvan.model import (
    Fact,
    NotHealed,
    PutFile,
    Restart,
    RestoreFile,
    Shell,
    Sql,
    Stage,
    Unreachable,
    Unreadable,
    Unsafe,
)

OWN = f"{CONFIG_HOME}/zz-galvan.cnf"


def act(fake: Fake, name: str, *actions: PutFile | RestoreFile | Restart | Shell | Sql, wave: str = "w") -> None:
    host = next(h for h in fake.cluster.hosts if h.name == name)
    for action in actions:
        run(fake.act(host, action, wave))


def options(text: str) -> PutFile:
    return PutFile(OWN, f'[mysqld]\nwsrep_provider_options = "{text}"\n')


def keys(fake: Fake, name: str) -> None:
    for file in ("key", "cert", "ca"):
        fake.machines[name].files[f"/k/{file}.pem"] = File("x")


TLS = "socket.ssl=yes; socket.ssl_key=/k/key.pem; socket.ssl_cert=/k/cert.pem; socket.ssl_ca=/k/ca.pem"


def test_strict_beside_clear_does_not_join_and_is_noted() -> None:
    fake = insecure()
    keys(fake, "db2")
    act(fake, "db2", options(TLS), Restart(3))
    assert fake.group.server("db2").channel is Channel.STRICT
    assert fake.group.primary == {"db1", "db3"}
    assert fake.witness.pairs == ["db2 (strict) was started beside db1", "db2 (strict) was started beside db3"]
    facts = run(gather(fake.cluster, [STATUS, ACCOUNTS], fake)).of("db2")
    assert (facts[STATUS]["wsrep_cluster_status"], facts[STATUS]["wsrep_ready"]) == ("non-Primary", "OFF")
    with pytest.raises(Unreadable, match="1047"):
        facts[ACCOUNTS]


def test_dynamic_beside_clear_joins() -> None:
    fake = insecure()
    keys(fake, "db2")
    act(fake, "db2", options(TLS + "; socket.dynamic=true"), Restart(3))
    assert fake.group.server("db2").channel is Channel.DYNAMIC
    assert fake.group.primary == {"db1", "db2", "db3"}
    assert fake.witness.broken == ()


def test_waves_in_a_wrong_order_are_noticed() -> None:
    """A host that becomes strict while another still speaks clear text: what the stages are there to prevent."""
    fake = insecure()
    made = run(planned(fake))
    wrong = [w for w in made.waves if w.host == "db2" or w.stage is Stage.PREPARE]
    with pytest.raises(NotHealed, match="db2 restarted and did not come back"):
        run(carry(fake, replace(made, waves=tuple(wrong))))
    assert any("db2 (strict) was started beside db1" in said for said in fake.witness.pairs)


def test_a_second_member_taken_down_is_noticed() -> None:
    fake = insecure()
    fake.group.server("db3").state = "Donor/Desynced"
    act(fake, "db2", Restart(3))
    assert fake.witness.restarted_while == ["action 1 (w): db2 was stopped while db3 did not serve"]


@pytest.mark.parametrize(("gone", "lost"), [({"db1"}, False), ({"db1", "db2"}, True)])
def test_a_majority_that_dies_takes_the_primary_component_with_it(gone: set[str], lost: bool) -> None:
    fake = insecure()
    fake.group.lose(gone)
    act(fake, "db3", PutFile("/tmp/x", "x"))
    assert bool(fake.witness.primary_lost) is lost
    assert bool(fake.group.primary) is not lost


def test_leaving_one_after_the_other_keeps_primary_and_is_noticed_below_a_majority() -> None:
    fake = insecure()
    fake.group.leave("db1")
    fake.group.leave("db2")
    act(fake, "db3", PutFile("/tmp/x", "x"))
    assert fake.group.primary == {"db3"}
    assert fake.witness.no_majority


def test_a_killed_transaction_is_noticed() -> None:
    fake = insecure()
    session = fake.clients.open_session("app", "10.0.0.9", "db1")
    assert session
    session.open = True
    act(fake, "db1", Sql(f"KILL CONNECTION {session.id}"))
    assert fake.witness.killed_open == ["action 1 (w): app's open transaction was killed"]
    with pytest.raises(NotHealed, match="Unknown thread id"):
        act(fake, "db1", Sql(f"KILL CONNECTION {session.id}"))


def test_rules_concern_new_logins_only() -> None:
    fake = insecure()
    before = len(fake.clients.sessions)
    act(fake, "db1", Sql("ALTER USER 'app'@'%' REQUIRE SSL"))
    assert len(fake.clients.sessions) == before
    assert fake.clients.open_session("app", "10.0.0.9", "db1") is None
    assert fake.witness.refused_logins == {"app@10.0.0.9": 1}
    assert fake.clients.open_session("app", "10.0.0.9", "db1", "TLSv1.3")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[mysqld]\nssl_cart = /x\n", "unknown variable 'ssl_cart=/x'"),
        (f'[mysqld]\nwsrep_provider_options = "{TLS}"\n', "Bad value '/k/key.pem' for SSL parameter"),
    ],
)
def test_a_server_that_does_not_like_its_file_stays_down(text: str, why: str) -> None:
    fake = insecure()
    with pytest.raises(NotHealed, match=why):
        act(fake, "db2", PutFile(OWN, text), Restart(3))
    assert not fake.group.server("db2").up
    with pytest.raises(Unreadable, match="ERROR 2002"):
        run(gather(fake.cluster, [VARIABLES], fake)).of("db2")[VARIABLES]
    act(fake, "db2", RestoreFile(OWN, "w"), Restart(3))
    assert fake.group.primary == {"db1", "db2", "db3"}


def test_a_server_whose_certificate_is_missing_starts_without_tls() -> None:
    fake = insecure()
    act(fake, "db2", PutFile(OWN, "[mysqld]\nssl_cert = /nowhere.pem\nssl_key = /nowhere.pem\n"), Restart(3))
    assert fake.group.server("db2").variables["have_ssl"] == "DISABLED"
    assert fake.group.primary == {"db1", "db2", "db3"}


def test_files_are_kept_once_a_wave_and_found_by_a_later_run() -> None:
    fake = insecure()
    act(fake, "db1", PutFile(OWN, "one"), wave="a")
    act(fake, "db1", PutFile(OWN, "two"), PutFile(OWN, "three"), wave="b")
    fake.run = "undo"
    act(fake, "db1", RestoreFile(OWN, "b"))
    assert fake.machines["db1"].files[OWN].content == "one"
    act(fake, "db1", RestoreFile(OWN, "a"))
    assert OWN not in fake.machines["db1"].files
    with pytest.raises(NotHealed, match="nothing was kept"):
        act(fake, "db1", RestoreFile(OWN, "never"))


def test_the_gate_of_the_restart_itself() -> None:
    fake = insecure()
    with pytest.raises(Unsafe, match="the member says: Primary 4 3 0; wanted: Primary 4 4 0"):
        act(fake, "db1", Restart(4))
    assert fake.group.server("db1").up


@pytest.mark.parametrize(
    "action", [Sql("DROP DATABASE shop"), Sql("SET GLOBAL x = 'a'; DROP TABLE t"), Shell("reboot")]
)
def test_what_it_does_not_know_is_an_error(action: Sql | Shell) -> None:
    with pytest.raises(AssertionError, match="does not know"):
        act(insecure(), "db1", action)


def test_a_fact_that_it_does_not_know_is_an_error() -> None:
    with pytest.raises(KeyError):
        run(gather(insecure().cluster, [Fact("x.new", Sql("SELECT 1"), str)], insecure()))


@pytest.mark.parametrize(("when", "written"), [("before", False), ("middle", False), ("after", True)])
def test_a_death_is_no_error_that_anyone_catches(when: str, written: bool) -> None:
    fake = insecure()
    fake.crash_at, fake.crash_when = 1, when
    with pytest.raises(Killed):
        act(fake, "db1", PutFile(OWN, "x"))
    assert (OWN in fake.machines["db1"].files) is written
    assert not issubclass(Killed, Exception)


def test_a_dead_host_answers_nothing() -> None:
    fake = insecure()
    fake.die("db3")
    with pytest.raises(Unreachable):
        run(gather(fake.cluster, [STATUS], fake)).of("db3")[STATUS]
    with pytest.raises(Unreachable):
        act(fake, "db3", Restart(3))


@pytest.mark.parametrize("stage", [Stage.FIRST_RESTART, Stage.SECOND_RESTART])
def test_a_restart_that_a_tip_forgot_to_gate_would_be_caught(stage: Stage) -> None:
    fake = insecure()
    made = run(planned(fake))
    run(carry(fake, made, upto=next(n for n, w in enumerate(made.waves) if w.stage is stage)))
    wave = next(w for w in made.waves if w.stage is stage)
    happen: Callable[[Fake], None] = lambda world: world.group.leave("db3")  # noqa: E731
    fake.events[fake.count + 1] = happen
    with pytest.raises(Unsafe, match="the member says: Primary 4 2 0"):
        run(carry_out(wave, crew_of(fake)))
