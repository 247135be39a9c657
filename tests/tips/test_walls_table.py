"""Who may reach which port, told from odd clusters: ports that were moved, roles that galvan.yaml adds, names without an address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practice_cases import HERE, snapshot_of

from galvan.model import Host, Opening, Role, Snapshot, Unreadable, Walls
from galvan.tips.firewall import TIP
from galvan.tips.firewall.table import (
    CHECK,
    CLIENTS,
    EXTRA,
    GROUP,
    IST,
    PAIR,
    SSH,
    SST,
    Allow,
    literal,
    networks,
    of_host,
)

FIRE = {"operators": ("10.89.77.1/32",)}
DB1, DB2, LB = "10.89.77.11/32", "10.89.77.12/32", "10.89.77.21/32"
PORTS = "server.variables"


def walls(*hosts: Host, edit: Any = (), over: str = "wall-none", output: Any = None, **more: Any) -> Snapshot:
    """Two members and a balancer of the lab, with `hosts` beside them."""
    said = {"from": "open", "over": over, "firewall": FIRE, "edit": [*edit], "output": output or {}}
    snapshot = snapshot_of(said)
    policy = replace(snapshot.cluster.policy, firewall=Walls(**{**FIRE, **more}))
    return replace(snapshot, cluster=replace(snapshot.cluster, hosts=(*snapshot.cluster.hosts, *hosts), policy=policy))


def of(snapshot: Snapshot, host: str = "db1") -> tuple[Allow, ...]:
    return of_host(snapshot.of(host), snapshot)


def ports(snapshot: Snapshot, purpose: str, host: str = "db1") -> list[tuple[str, int]]:
    return [(a.protocol, a.port) for a in of(snapshot, host) if a.purpose == purpose]


def sources(snapshot: Snapshot, purpose: str, host: str = "db1") -> set[tuple[str, ...]]:
    return {a.sources for a in of(snapshot, host) if a.purpose == purpose}


def provider(old: str, new: str) -> list[str]:
    return ["db1", PORTS, old, new]


def test_the_usual_cluster() -> None:
    group = networks(["10.89.77.11", "10.89.77.12"])
    assert [(a.port, a.purpose, a.sources) for a in of(walls())] == [
        (22, SSH, ("10.89.77.1/32",)), (4567, GROUP, group), (4568, IST, group), (4444, SST, group), (3306, CLIENTS, (LB,)),
        (9200, CHECK, (LB,)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "edit", "seen"),
    [
        (GROUP, provider("gmcast.listen_addr = tcp://0.0.0.0:4567", "gmcast.listen_addr = tcp://0.0.0.0:5567"), [("tcp", 5567)]),
        (GROUP, provider("gmcast.mcast_addr = ;", "gmcast.mcast_addr = 239.192.0.11;"), [("tcp", 4567), ("udp", 4567)]),
        (IST, provider("ist.recv_addr = 10.89.77.11;", "ist.recv_addr = 10.89.77.11:5568;"), [("tcp", 5568)]),
        (IST, provider("ist.recv_addr = 10.89.77.11;", "ist.recv_addr = ssl://[fd00::1]:5569;"), [("tcp", 5569)]),
        (IST, provider("base_port = 4567;", "base_port = 5567;"), [("tcp", 5568)]),
        (SST, ["db1", PORTS, "wsrep_sst_receive_address\tAUTO", "wsrep_sst_receive_address\t10.89.77.11:5444"], [("tcp", 5444)]),
        (SST, ["db1", PORTS, "wsrep_sst_receive_address\tAUTO", "wsrep_sst_receive_address\tfd00::1"], [("tcp", 4444)]),
        (CLIENTS, ["db1", PORTS, "\nport\t3306", "\nport\t3307"], [("tcp", 3306), ("tcp", 3307)]),
        (CLIENTS, ["db1", PORTS, "extra_port\t0", "extra_port\t3399"], [("tcp", 3306), ("tcp", 3399)]),
        (CLIENTS, ["db1", "firewall.listeners", "tcp 0.0.0.0:3306 mariadbd", "tcp *:3306 mariadbd\ntcp *:33060 mysqld"], [("tcp", 3306), ("tcp", 33060)]),
        (CLIENTS, ["db1", "firewall.listeners", "tcp 0.0.0.0:3306 mariadbd", "tcp 127.0.0.1:33062 mysqld"], [("tcp", 3306)]),
        (SSH, ["db1", "firewall.caller", "10.89.77.11 22", "10.89.77.11 2222"], [("tcp", 22), ("tcp", 2222)]),
    ],
    ids=lambda said: str(said)[:40],
)  # fmt: skip
def test_ports_are_read_and_not_assumed(purpose: str, edit: list[str], seen: list[tuple[str, int]]) -> None:
    assert ports(walls(edit=[edit]), purpose) == seen


def test_roles_beside_the_cluster() -> None:
    """A replica and a monitor log in straight; an application only where no balancer is."""
    more = (
        Host("rep1", "10.89.78.1", Role.REPLICA, "rep1"), Host("mon1", "fd00::5", Role.MONITOR, "mon1"),
        Host("app1", "10.89.77.31", Role.APPLICATION, "app1"),
    )  # fmt: skip
    seen = walls(*more, replicas=("10.89.79.0/24",), monitors=("10.89.80.0/24",))
    assert sources(seen, CLIENTS) == {(LB, "10.89.78.1/32", "10.89.79.0/24", "10.89.80.0/24", "fd00::5/128")}
    alone = tuple(h for h in seen.cluster.hosts if h.role is not Role.LOAD_BALANCER)
    without = replace(seen, cluster=replace(seen.cluster, hosts=alone))
    assert {"10.89.77.31/32"} < {s for found in sources(without, CLIENTS) for s in found}
    assert ports(without, CHECK) == [], "nobody asks for the health there"


def test_a_balancer() -> None:
    app = Host("app1", "10.89.77.31", Role.APPLICATION, "app1")
    other = Host("lb2", "10.89.77.22", Role.LOAD_BALANCER, "lb2", "haproxy")
    beat = ["lb1", "firewall.listeners", "ss\n", "ss\nvrrp keepalived\n"]
    seen = walls(app, other, edit=[beat], applications=("10.89.90.0/24",))
    told = {(a.protocol, a.port): a.sources for a in of(seen, "lb1")}
    assert told == {
        ("tcp", 22): ("10.89.77.1/32",), ("tcp", 3306): ("10.89.77.31/32", "10.89.90.0/24"), ("tcp", 8404): ("10.89.77.1/32",),
        ("vrrp", 0): ("10.89.77.22/32",),
    }  # fmt: skip
    assert ports(seen, PAIR, "lb1") == [("vrrp", 0)]


def test_an_arbitrator_takes_no_transfer_of_data() -> None:
    """It asks for none either: IST is open to it, SST is not."""
    heard = "ss\ntcp *:22 sshd\ntcp *:4567 garbd\n"
    output = {
        name: {"firewall.listeners": heard, "firewall.caller": f"10.89.77.1 50122 {address} 22\n"}
        for name, address in (("arb1", "10.89.77.41"), ("db1", "10.89.77.11"))
    }
    for name in ("db1", "db2"):
        text = (HERE / "outputs" / "open" / name / "server.variables.txt").read_text()
        output.setdefault(name, {})["server.variables"] = text
    arbitrator = snapshot_of({"from": "arbitrator-open", "firewall": FIRE, "output": output})
    assert [(a.port, a.purpose) for a in of(arbitrator, "arb1")] == [(22, SSH), (4567, GROUP)]
    by = {a.purpose: a.sources for a in of(arbitrator)}
    assert "10.89.77.41/32" in by[GROUP]
    assert "10.89.77.41/32" in by[IST]
    assert "10.89.77.41/32" not in by[SST]


def test_everything_that_the_table_asks_is_a_fact_of_the_tip() -> None:
    """With --tip firewall nobody else fetches it."""
    assert {"arbitrator.running", "server.variables", "host.platform", "host.links"} <= {fact.id for fact in TIP.facts}


def test_mysqldump_logs_in_at_the_joiner() -> None:
    seen = walls(edit=[["db1", PORTS, "wsrep_sst_method\tmariabackup", "wsrep_sst_method\tmysqldump"]])
    assert sources(seen, CLIENTS) == {(*networks(["10.89.77.11", "10.89.77.12"]), LB)}


def test_a_second_address_that_a_member_tells_the_group() -> None:
    told = walls(edit=[["db2", PORTS, "wsrep_node_address\t10.89.77.12", "wsrep_node_address\t10.200.0.12:4567"]])
    assert sources(told, GROUP) == {(*networks(["10.89.77.11", "10.89.77.12"]), "10.200.0.12/32")}


def test_what_the_policy_opens_on_some_hosts() -> None:
    also = (Opening(9100, ("10.9.0.0/24",)), Opening(161, ("10.9.0.1/32",), "udp", ("db2",)))
    seen = walls(also=also)
    assert ports(seen, EXTRA) == [("tcp", 9100)]
    assert ports(seen, EXTRA, "db2") == [("tcp", 9100), ("udp", 161)]


@pytest.mark.parametrize("role", [Role.REPLICA, Role.MONITOR])
def test_a_name_is_no_address(role: Role) -> None:
    host = Host("rep1", "rep1.internal", role, "rep1")
    with pytest.raises(
        Unreadable, match=r"rep1 has no address in galvan.yaml, only the name rep1.internal.*names: \[ADDRESS\]"
    ):
        of(walls(host))
    assert literal(replace(host, names=("10.0.0.7", "shop.example"))) == ("10.0.0.7",)


def test_a_member_behind_a_name_is_known_by_what_it_tells() -> None:
    seen = walls()
    hosts = tuple(replace(h.host, address="db2.internal") if h.host.name == "db2" else h.host for h in seen.hosts)
    renamed = tuple(replace(h, host=host) for h, host in zip(seen.hosts, hosts, strict=True))
    seen = replace(seen, hosts=renamed, cluster=replace(seen.cluster, hosts=hosts))
    assert sources(seen, GROUP) == {networks(["10.89.77.11", "10.89.77.12"])}


def test_nobody_sees_sshd() -> None:
    with pytest.raises(Unreadable, match="SSH_CONNECTION"):
        of(walls(output={"db1": {"firewall.caller": ""}}))


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (["10.0.0.0/25", "10.0.0.128/25"], ("10.0.0.0/25", "10.0.0.128/25")), (["fd00::1", "fd00::/64"], ("fd00::/64",)),
        (["fe80::1%eth0"], ("fe80::1/128",)), ([], ()),
    ],
)  # fmt: skip
def test_networks(said: list[str], seen: tuple[str, ...]) -> None:
    assert networks(said) == seen


def test_no_network() -> None:
    with pytest.raises(Unreadable, match="'db1' is no network"):
        networks(["db1"])
