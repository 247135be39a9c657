"""Each judgement at least once as pass, as fail, as unreadable, and where no ProxySQL is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from galvan.cluster.balancer import Server
from galvan.cluster.proxysql import SERVERS
from galvan.model import (
    Balancing,
    Cluster,
    Host,
    HostFacts,
    Judgement,
    Policy,
    Role,
    Snapshot,
    State,
    Unreadable,
    Verdict,
)
from galvan.tips.load_balancer.proxysql import checks
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL

LB = Host("lb1", "10.0.0.10", Role.LOAD_BALANCER, "lb1", "proxysql")
UP = (Server("10", "db1:3306", "db1", "UP", 3, True),)
SHUT: State = {
    "version": "2.7.1-19-g5cc418b", "login": "own", "admin": "127.0.0.1:6032", "taken": "10", "galera.10": "20 30 40 1 1 0 0",
    "server.db1:3306": "1 1 290 290", "ssl.db1:3306:": "/etc/galvan/proxysql/ca.pem||||", "user.app": "1 1 1 1 10 10000 0 hashed",
    "user.gone": "0 0 1 1 10 10000 0 hashed", "user.inner": "1 0 0 1 10 10000 0 hashed",
    "socket.127.0.0.1:6032": "yes", "socket.0.0.0.0:6033": "yes",
    **{f"default.{name}": "no" for name in ("admin", "stats", "monitor", "cluster", "peers")},
    **{f"{way}.{what}": "0" for way in ("unsaved", "unloaded") for what in ("servers", "galera", "users", "variables")},
    "var.mysql-have_ssl": "true", "var.mysql-ssl_p2s_ca": "", "var.mysql-ssl_p2s_capath": "", "var.mysql-max_connections": "2048",
    "var.mysql-monitor_enabled": "true", "var.mysql-monitor_galera_healthcheck_interval": "2000", "var.mysql-monitor_username": "galvan_monitor",
    "var.admin-mysql_ifaces": "127.0.0.1:6032;/tmp/proxysql_admin.sock", "var.admin-web_enabled": "false", "var.admin-web_port": "6080",
    "var.admin-restapi_enabled": "false", "var.admin-restapi_port": "6070", "var.admin-telnet_admin_ifaces": "(null)",
}  # fmt: skip
Judge = Callable[[HostFacts, Snapshot], Judgement]
ALL: tuple[Judge, ...] = (
    checks.backend_tls, checks.front_offered, checks.front_tls, checks.credentials, checks.passwords, checks.admin_ports, checks.caps,
    checks.health, checks.lasting,
)  # fmt: skip


def judged(judge: Judge, state: State | Unreadable, servers: object = UP, policy: Balancing | None = None) -> Judgement:
    facts = HostFacts(LB, {PROXYSQL.id: state, SERVERS.id: servers})
    cluster = Cluster("practice", (LB,), Policy(load_balancer=policy or Balancing()))
    return judge(facts, Snapshot(cluster, (facts,), {}, 0.0))


@pytest.mark.parametrize("judge", ALL)
def test_a_shut_door_passes(judge: Judge) -> None:
    said = judged(judge, SHUT)
    assert (said.verdict, bool(said.seen), bool(said.want)) == (Verdict.PASS, True, True), said


@pytest.mark.parametrize("judge", ALL)
def test_without_a_proxysql_it_does_not_concern_the_host(judge: Judge) -> None:
    assert judged(judge, {}).verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("judge", ALL)
def test_what_could_not_be_asked_is_no_pass(judge: Judge) -> None:
    with pytest.raises(Unreadable):
        judged(judge, Unreadable("no client"))


@pytest.mark.parametrize(
    ("judge", "change", "seen"),
    [
        (checks.backend_tls, {"server.db1:3306": "0 1 290 290"}, "db1:3306 in clear text"),
        (checks.backend_tls, {"ssl.db1:3306:": "||||", "var.mysql-ssl_p2s_ca": "/x"}, "db1:3306 over TLS that nothing verifies"),
        (checks.backend_tls, {"version": "2.5.5-10-g1"}, "db1:3306 over TLS that nothing verifies"),
        (checks.front_offered, {"var.mysql-have_ssl": "false"}, "mysql-have_ssl = false"),
        (checks.front_tls, {"user.app": "1 0 1 1 10 10000 0 hashed"}, "app may come in clear text"),
        (checks.front_tls, {"var.mysql-have_ssl": "false"}, "mysql-have_ssl = false"),
        (checks.credentials, {"default.admin": "yes", "default.monitor": "yes"}, "admin:admin, monitor:monitor let in"),
        (checks.passwords, {"user.app": "1 1 1 1 10 10000 0 clear", "user.x": "1 1 1 1 10 9 0 empty"}, "app in clear text; x without any"),
        (checks.admin_ports, {"var.admin-mysql_ifaces": "0.0.0.0:6032"}, "0.0.0.0:6032"),
        (checks.admin_ports, {"socket.*:6032": "yes"}, "*:6032"),
        (checks.admin_ports, {"var.admin-restapi_enabled": "true", "var.admin-web_enabled": "true"}, "restapi on 6070, web on 6080"),
        (checks.caps, {"server.db1:3306": "1 1 290 1000"}, "up to 1000 to a member, 2048 clients"),
        (checks.health, {"var.mysql-monitor_enabled": "false"}, "mysql-monitor_enabled = false"),
        (checks.health, {"galera.10": "20 30 40 0 1 0 0"}, "hostgroup 10 is not active"),
        (checks.health, {"var.mysql-monitor_galera_healthcheck_interval": "60000"}, "a look every 60000 ms"),
        (checks.lasting, {"unsaved.users": "2", "unloaded.servers": "1"}, "servers changed and not loaded, users not saved to disk"),
    ],
)  # fmt: skip
def test_an_open_one_fails(judge: Judge, change: State, seen: str) -> None:
    said = judged(judge, {**SHUT, **change})
    assert (said.verdict, said.seen) == (Verdict.FAIL, seen)


def test_without_galera_hostgroups_a_donor_is_served() -> None:
    said = judged(checks.health, {key: value for key, value in SHUT.items() if not key.startswith("galera.")})
    assert (said.verdict, said.seen) == (Verdict.FAIL, "mysql_galera_hostgroups is empty")


def test_a_member_that_is_not_served_is_named() -> None:
    down = (Server("10", "db1:3306", "db1", "DOWN", 0, False),)
    assert judged(checks.health, SHUT, down).seen == "db1:3306 not served at this moment"


def test_the_policys_own_cap() -> None:
    assert judged(checks.caps, SHUT, policy=Balancing(connections=200)).verdict is Verdict.FAIL
    assert judged(checks.caps, SHUT, policy=Balancing(connections=290)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("judge", "key"),
    [
        (checks.front_offered, "var.mysql-have_ssl"), (checks.credentials, "default.stats"), (checks.admin_ports, "var.admin-web_enabled"),
        (checks.caps, "var.mysql-max_connections"), (checks.health, "var.mysql-monitor_enabled"),
    ],
)  # fmt: skip
def test_what_is_missing_is_no_pass(judge: Judge, key: str) -> None:
    with pytest.raises(Unreadable):
        judged(judge, {name: value for name, value in SHUT.items() if name != key})


def test_a_row_of_another_form_is_no_pass() -> None:
    with pytest.raises(Unreadable):
        judged(checks.backend_tls, {**SHUT, "server.db2:3306": "1"})
