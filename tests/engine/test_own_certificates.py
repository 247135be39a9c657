"""Clusters whose owner brought certificates: used as they are, never replaced, or refused with what to mend."""

from __future__ import annotations

import time
from typing import Any

import pytest
from practice import TLS, TOP, carry, heights, insecure, judged, order_in, planned, run, undo_of

from galvan.edges.fake import CONFIG_HOME, Channel, Fake, notary
from galvan.edges.fake.machines import File
from galvan.model import Certificate, ProviderOption, PutFile, Role, Setting, Signed, Verdict
from galvan.pki import authority as pki

HOME = "/etc/ssl/shop"
FILE = f"{CONFIG_HOME}/70-shop.cnf"
DATABASES = ("db1", "db2", "db3")
OPTIONS = "gcache.size=128M; socket.ssl_cert={0}/cert.pem; socket.ssl_key={0}/key.pem; socket.ssl_ca={0}/ca.pem; {1}"


def bring(fake: Fake, channel: str, host: str, owner: str = "the owner", **signed: Any) -> None:
    address = fake.machines[host].host.address
    key, request = notary.key_and_request(host, f"{HOME}/{channel}", 1)
    wanted = {"names": (host, "localhost", "lb1"), "addresses": (address, "127.0.0.1", "::1", "10.0.0.20"), **signed}
    leaf = pki.issue(
        notary.authority(channel, owner),
        request,
        Signed(channel, "x", common_name=host, days=90, **wanted),
        time.time(),
    )
    files = fake.machines[host].files
    files[f"{HOME}/{channel}/cert.pem"] = File(leaf)
    files[f"{HOME}/{channel}/key.pem"] = File(key, 0o400, "mysql:mysql")
    files[f"{HOME}/{channel}/ca.pem"] = File(notary.authority_pem(channel, owner))


def name(fake: Fake, host: str, group: str = "socket.dynamic=true") -> None:
    client = "".join(f"ssl_{what} = {HOME}/client/{what}.pem\n" for what in ("cert", "key", "ca"))
    provider = OPTIONS.format(f"{HOME}/cluster", group)
    fake.machines[host].files[FILE] = File(f'[mysqld]\n{client}wsrep_provider_options = "{provider}"\n')


def restart(fake: Fake, host: str) -> None:
    machine = fake.machines[host]
    assert machine.server is not None
    machine.start(machine.server)
    machine.server.state = "Synced"


def owned(started: tuple[str, ...] = ("db1",)) -> Fake:
    """`started`: who runs with what the option files of all name."""
    fake = insecure()
    for host in DATABASES:
        for channel in ("client", "cluster"):
            bring(fake, channel, host)
        name(fake, host)
    for host in started:
        restart(fake, host)
    fake.clients.tend()
    return fake


def configured(fake: Fake) -> dict[tuple[str, str], File]:
    return {
        (host, path): file
        for host, m in fake.machines.items()
        for path, file in m.files.items()
        if path.startswith("/etc/")
    }


@pytest.mark.parametrize("started", [(), ("db1",), ("db1", "db2"), DATABASES])
def test_any_half_way_is_gone_to_its_end_and_back(started: tuple[str, ...]) -> None:
    fake = owned(started)
    before = configured(fake)
    made = run(planned(fake))
    assert made.refused == {}
    assert not [s for wave in made.waves for s in wave.steps if s.id.startswith("pki.")], "nothing is signed"
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert fake.witness.broken == ()
    assert not fake.witness.refused_logins
    assert max(fake.witness.restarts.values()) <= 2
    written = {d.action.path for d in fake.log if isinstance(d.action, PutFile)}
    assert not [path for path in written if path.startswith((HOME, FILE, "/etc/mysql/galvan"))]
    assert run(planned(fake)).waves == ()
    run(carry(fake, undo_of(made, order_in(fake)), instead="run-1"))
    assert configured(fake) == before
    assert {fake.group.server(h).channel for h in DATABASES} == {Channel.DYNAMIC}, (
        "a restart brings what the files name"
    )


def test_a_forgotten_dynamic_takes_the_second_pass_only() -> None:
    """Everything else is as it should be: one restart a host, and one option taken out."""
    fake = owned()
    run(carry(fake, run(planned(fake))))
    for host in DATABASES:
        files = fake.machines[host].files
        mine = files[f"{CONFIG_HOME}/zz-galvan.cnf"]
        files[f"{CONFIG_HOME}/zz-galvan.cnf"] = File(
            mine.content.replace("ca.pem", "ca.pem; socket.dynamic=true", 2).replace(
                'ca.pem; socket.dynamic=true"\n# client_tls: TLS', 'ca.pem"\n# client_tls: TLS'
            )
        )
        restart(fake, host)
    assert {fake.group.server(host).channel for host in DATABASES} == {Channel.DYNAMIC}
    made = run(planned(fake))
    assert {host: made.restarts[host] for host in DATABASES} == dict.fromkeys(DATABASES, 1)
    assert {wave.stage.name for wave in made.waves} == {"STAGE_STRICT", "SECOND_RESTART"}
    run(carry(fake, made))
    assert run(heights(fake)) == TOP


def test_bundles_hold_the_owners_authority_and_no_key() -> None:
    fake = owned()
    run(carry(fake, run(planned(fake))))
    files = {path: file.content for path, file in fake.machines["app1"].files.items() if path.startswith("/etc/galvan")}
    assert files["/etc/galvan/client/ca.pem"] == notary.authority_pem("client", "the owner")
    assert set(files) == {"/etc/galvan/client/ca.pem", "/etc/galvan/client/client.cnf"}
    assert "ssl-key" not in files["/etc/galvan/client/client.cnf"]


def refused(fake: Fake) -> dict[str, str]:
    made = run(planned(fake))
    assert {tip for tip, _ in made.refused.items()} | set(made.tips) == set(TOP)
    return dict(made.refused)


def test_hosts_without_are_named() -> None:
    fake = owned()
    del fake.machines["db3"].files[FILE]
    told = refused(fake)
    for tip in ("client_tls", "replication_tls"):
        assert told[tip].startswith(
            "db1, db2 with certificates of your own, db3 without: put key, certificate and authority"
        )


def test_what_is_unsound_is_refused_with_what_to_mend_and_the_other_tip_goes_on() -> None:
    fake = owned()
    bring(fake, "cluster", "db2", owner="somebody else")
    told = refused(fake)
    assert set(told) == {"replication_tls"}
    assert "used as they are and never replaced, so mend them first" in told["replication_tls"]
    assert "db1: db2 would not accept it" in told["replication_tls"]
    assert "db2: db1, db3 would not accept it" in told["replication_tls"]


def test_a_key_that_others_may_read_is_refused_on_both() -> None:
    fake = owned()
    for channel in ("client", "cluster"):
        path = f"{HOME}/{channel}/key.pem"
        fake.machines["db2"].files[path] = File(fake.machines["db2"].files[path].content, 0o644, "mysql:mysql")
    assert set(refused(fake)) == {"client_tls", "replication_tls"}


def test_a_wrong_name_is_refused_only_where_tls_is_not_yet_offered() -> None:
    """There it would break clients that went well in clear text; where it is served already it is a finding."""
    fake = owned(started=DATABASES)
    for host in DATABASES:
        bring(fake, "client", host, names=("db.example.org",), addresses=())
    assert refused(fake) == {}
    _, findings = run(judged(fake))
    assert {f.verdict for f in findings if f.check == "client_tls.names-covered"} == {Verdict.FAIL}
    plain = owned(started=("db1",))
    for host in DATABASES:
        bring(plain, "client", host, names=("db.example.org",), addresses=())
    assert "db2: the certificate lacks" in refused(plain)["client_tls"]


def test_what_runs_and_what_the_files_name_must_be_one() -> None:
    fake = owned(started=DATABASES)
    fake.machines["db1"].files[FILE] = File("[mysqld]\n")
    told = refused(fake)
    for tip, path in (("client_tls", "client"), ("replication_tls", "cluster")):
        assert f"{HOME}/{path}/cert.pem is in use, and no option file names it" in told[tip]


def test_clients_certificates_cannot_be_asked_for() -> None:
    fake = insecure(require="X509")
    for host in DATABASES:
        for channel in ("client", "cluster"):
            bring(fake, channel, host)
        name(fake, host)
    assert "cannot sign for your authority" in refused(fake)["client_tls"]


def test_only_what_is_missing_is_set() -> None:
    fake = owned(started=DATABASES)
    snapshot, findings = run(judged(fake))
    client, group = TLS
    needs = list(
        client.mend([f for f in findings if f.tip == client.id and f.verdict is Verdict.FAIL], snapshot, TOP[client.id])
    )
    assert not [need for need in needs if isinstance(need, Certificate)]
    assert {need.name for need in needs if isinstance(need, Setting)} == {
        "tls_version", "ssl_cipher", "performance_schema", "require_secure_transport",
    }  # fmt: skip
    wanted = list(
        group.mend([f for f in findings if f.tip == group.id and f.verdict is Verdict.FAIL], snapshot, TOP[group.id])
    )
    assert {(need.name, need.value) for need in wanted if isinstance(need, ProviderOption)} == {
        ("socket.dynamic", None)
    }
    assert {need.value for need in wanted if isinstance(need, Setting)} <= {None}, "lines are taken out, none is set"
    assert len([need for need in wanted if isinstance(need, ProviderOption)]) == len(snapshot.having(Role.DATABASE))


# by an outage ----------------------------------------------------------------------------------------------------
def test_an_outage_takes_what_the_owner_brought_and_goes_back() -> None:
    """Named in the owner's files, and nobody restarted since: the servers still speak clear text."""
    fake = insecure(route="rebootstrap")
    fake.group.outage = True
    for host in DATABASES:
        for channel in ("client", "cluster"):
            bring(fake, channel, host)
        name(fake, host, "")
    before = configured(fake)
    made = run(planned(fake, outage=True))
    assert not made.refused
    steps = [step for wave in made.waves for step in wave.steps if step.tip == "replication_tls"]
    assert not [a for step in steps for a in step.do if isinstance(a, PutFile) and isinstance(a.content, Signed)]
    starts = [step for step in steps if "listener" in step.want]
    assert {step.want["provider.socket.ssl_cert"] for step in starts} == {f"{HOME}/cluster/cert.pem"}
    run(carry(fake, made))
    assert run(heights(fake)) == TOP
    assert all(fake.group.server(host).provider["socket.ssl_cert"] == f"{HOME}/cluster/cert.pem" for host in DATABASES)
    fake.run = "undo-1"
    run(carry(fake, undo_of(made, order_in(fake)), instead="1"))
    assert configured(fake) == before
    assert all(fake.group.server(host).up for host in DATABASES)
    assert fake.witness.broken == ()
