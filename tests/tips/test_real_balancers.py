"""What a real ProxySQL (2.7.1) and a real MaxScale (23.08.6) printed, before Galvan and after: recorded in the lab, its addresses made the cases'."""

from __future__ import annotations

from dataclasses import replace

import pytest
from practice_cases import BY_ID, snapshot_of

from galvan.model import HostFacts, Snapshot, Verdict
from galvan.tips.load_balancer.kinds import FIREWALL, MAXSCALE
from galvan.tips.load_balancer.maxscale.facts import DOOR, config_of
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL

LIMITS = {"server.limits": "max_connections\t500\nwait_timeout\t28800\n"}
SAID = {
    "proxysql-2.7.1-open": {
        "backend-tls": "10.89.77.11:3306, 10.89.77.12:3306, 10.89.77.13:3306 in clear text",
        "front-tls": "app may come in clear text",
        "default-credentials": "admin:admin, stats:stats, monitor:monitor let in; app in clear text",
        "commands-closed": "0.0.0.0:6032",
        "statements": "the query firewall is off",
    },
    "proxysql-2.7.1-made": {
        "queue-and-caps": "up to 490 to a member",  # the cases' cluster has another balancer beside it
        "statements": "the query firewall is off",
    },
    "maxscale-23.08.6-open": {
        "backend-tls": "db1: without TLS; db2: without TLS; db3: without TLS",
        "front-tls": "Front (3307): clear text",
        "default-credentials": "admin/mariadb gets in",
        "commands-closed": "the REST interface listens on 0.0.0.0; plain HTTP",
        "queue-and-caps": "no max_routing_connections",
        "statements": "MaxScale 23.08.6 has no firewall",
        "old-doors": "Front (3307)",
    },
    "maxscale-23.08.6-made": {
        "queue-and-caps": "Door: no max_connections",
        "statements": "MaxScale 23.08.6 has no firewall",
        "old-doors": "Front (3307)",
    },
}
"""Of each set the checks that fail, and what they say; every other one holds or is not about such a balancer."""


def seen(recorded: str) -> tuple[HostFacts, Snapshot]:
    host = "lb3" if recorded.startswith("proxysql") else "lb4"
    said = {"from": "enforced", "over": recorded, "output": {"db1": LIMITS, "db2": LIMITS}}
    snapshot = snapshot_of(said)
    door = replace(snapshot.cluster.policy.load_balancer, door=3307 if host == "lb3" else 3310)
    policy = replace(snapshot.cluster.policy, load_balancer=door)
    snapshot = replace(snapshot, cluster=replace(snapshot.cluster, policy=policy))
    return snapshot.of(host), snapshot


@pytest.mark.parametrize("recorded", SAID)
def test_what_an_audit_says_of_it(recorded: str) -> None:
    facts, snapshot = seen(recorded)
    names = (
        "backend-tls", "front-tls", "default-credentials", "commands-closed", "queue-and-caps", "statements", "old-doors", "checks-state",
    )  # fmt: skip
    told = {
        name: next(said for said in BY_ID[f"load_balancer.{name}"].judge(snapshot) if said.host == facts.host.name) for name in names
    }  # fmt: skip
    assert {name for name, said in told.items() if said.verdict is Verdict.UNKNOWN} == set()
    failing = {name: said.seen for name, said in told.items() if said.verdict is Verdict.FAIL}
    assert failing.keys() == SAID[recorded].keys(), failing
    for name, words in SAID[recorded].items():
        assert words in failing[name]


def test_what_a_proxysql_shows_before_and_after() -> None:
    before, after = (seen(f"proxysql-2.7.1-{when}")[0][PROXYSQL] for when in ("open", "made"))
    assert (before["version"], before["login"], before["kept"]) == ("2.7.1-16-g2726c27", "default", "no")
    assert (after["login"], after["kept"], after["front"]) == ("own", "yes", "yes")
    assert before["user.app"] == "1 0 1 1 10 10000 0 clear"
    assert after["user.app"] == "1 1 1 1 10 10000 0 hashed"
    assert after["ssl.10.89.77.11:3306:"] == "/etc/galvan/proxysql/ca.pem||||"
    assert {key: value for key, value in after.items() if key.startswith(("unsaved.", "unloaded."))} == dict.fromkeys(
        (f"{kind}.{what}" for kind in ("unsaved", "unloaded") for what in ("servers", "galera", "users", "variables")),
        "0",
    )
    assert seen("proxysql-2.7.1-made")[0][FIREWALL].accounts == ("app",)


def test_what_a_maxscale_shows_before_and_after() -> None:
    before, after = (seen(f"maxscale-23.08.6-{when}")[0] for when in ("open", "made"))
    assert [server.status for server in before[MAXSCALE]] == ["UP", "UP", "UP"]
    assert sum(server.active for server in before[MAXSCALE]) == 1
    assert {section.name for section in config_of(before).sections} == {
        "maxscale",
        "db1",
        "db2",
        "db3",
        "Cluster",
        "Door",
        "Front",
    }
    assert {section.name for section in config_of(after).sections if section.runtime} == {
        "db1",
        "db2",
        "db3",
        "Front",
        "Cluster",
    }
    assert after[DOOR]["objects"] == "galvan-listener galvan-service"
    assert (before[DOOR]["default_login"], after[DOOR]["default_login"]) == ("yes", "no")
