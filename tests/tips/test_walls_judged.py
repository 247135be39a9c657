"""What may be built on a host, who would be refused, what the cluster lists, and what is expected from where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practice_cases import snapshot_of
from test_walls_table import FIRE, walls

from galvan.model import Blind, Host, Impact, Role, Rung, Scan, Scope, Snapshot, Sql, Step, Verdict
from galvan.tips.firewall import TIP
from galvan.tips.firewall.backends import Carrier
from galvan.tips.firewall.facts import caller, guests, listeners, peers
from galvan.tips.firewall.impact import impact, settled
from galvan.tips.firewall.joining import addresses, join, wanted
from galvan.tips.firewall.judge import carrier_of, in_charge, may_wall
from galvan.tips.firewall.proofs import NOBODYS, proofs

LINKS = {"db1": {"host.links": "own=10.89.77.11\npeers=4567@10.89.77.12\n"}, "db2": {"host.links": "own=10.89.77.12\npeers=4567@10.89.77.11\n"}}  # fmt: skip


def control(*changes: str) -> list[list[str]]:
    """`has-nft=no`: what firewall.control of db1 says instead."""
    old = {"firewalld": "inactive", "ufw-on": "no", "nftables-enabled": "disabled", "netfilter-persistent-enabled": ""}
    old |= dict.fromkeys(("iptables-rules", "legacy-rules", "nft-chains"), "0")
    old |= dict.fromkeys(("has-ufw", "has-firewall-cmd"), "no")
    pairs = [change.split("=") for change in changes]
    return [["db1", "firewall.control", f"\n{k}={old.get(k, 'yes')}\n", f"\n{k}={v}\n"] for k, v in pairs if k != "firewalld"] + [
        ["db1", "firewall.control", "firewalld=inactive\n", f"firewalld={v}\n"] for k, v in pairs if k == "firewalld"
    ]  # fmt: skip


# who is in charge -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "charge", "carrier"),
    [
        ((), (), Carrier("nft", ("nftables.service",))),
        (("has-nft=no",), (), Carrier("iptables", ("netfilter-persistent.service",), "recent")),
        (("nftables-enabled=enabled",), ("nftables",), Carrier("nft", ("nftables.service",))),
        (("nft-chains=1",), ("nftables",), Carrier("nft", ("nftables.service",))),
        (("iptables-rules=4",), ("iptables",), Carrier("iptables", ("netfilter-persistent.service",))),
        (("legacy-rules=4",), ("iptables",), Carrier("iptables", ("netfilter-persistent.service",))),
        (("netfilter-persistent-enabled=enabled",), ("iptables",), Carrier("iptables", ("netfilter-persistent.service",))),
        (("ufw-on=yes", "has-ufw=yes", "iptables-rules=7"), ("ufw",), Carrier("iptables", ("ufw.service",))),
        (("firewalld=active", "has-firewall-cmd=yes", "iptables-rules=7"), ("firewalld",), Carrier("firewalld")),
        (("firewalld=active", "has-firewall-cmd=yes", "has-nft=no"), ("firewalld",), Carrier("firewalld", count="recent")),
    ],
)  # fmt: skip
def test_who_is_in_charge_and_what_carries_the_wall(
    changes: tuple[str, ...], charge: tuple[str, ...], carrier: Carrier
) -> None:
    seen = walls(edit=control(*changes))
    assert in_charge(seen.of("db1")) == charge
    assert carrier_of(seen.of("db1"), seen) == carrier


@pytest.mark.parametrize(
    ("changes", "backend", "why"),
    [
        (("has-nft=no", "has-iptables=no"), "auto", "db1 has no iptables: install nftables"),
        ((), "firewalld", "db1 has no firewalld"), ((), "ufw", "db1 has no ufw"),
        (("has-unshare=no",), "auto", "db1 has no unshare"), (("has-systemd-run=no",), "auto", "db1 has no systemd-run"),
    ],
)  # fmt: skip
def test_what_cannot_carry_is_said(changes: tuple[str, ...], backend: str, why: str) -> None:
    seen = walls(edit=control(*changes), backend=backend)
    with pytest.raises(Blind, match=why):
        carrier_of(seen.of("db1"), seen)


def refused(seen: Snapshot) -> str:
    with pytest.raises(Blind) as why:
        may_wall(seen)
    return str(why.value)


def linked(**more: Any) -> dict[str, Any]:
    return {host: LINKS.get(host, {}) | more.get(host, {}) for host in {*LINKS, *more}}


def test_nothing_speaks_against_it() -> None:
    may_wall(walls(output=linked()))


def test_an_operator_outside_of_the_policy() -> None:
    seen = walls(output=linked(), operators=("192.0.2.0/24",))
    told = refused(seen)
    assert (
        "you would be locked out of db1: this connection comes from 10.89.77.1, and operators are 192.0.2.0/24" in told
    )
    assert "locked out of lb1" in told


def test_a_member_that_nobody_named() -> None:
    told = refused(walls(output=linked(db1={"host.links": "own=10.89.77.11\npeers=4567@10.89.77.12 4567@10.99.0.5\n"})))
    assert "db1 is linked with 10.99.0.5 on the group port, and no host of galvan.yaml has that address" in told


def test_another_firewall_shuts_a_neighbour_out() -> None:
    saved = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n# ip6tables\n"
    told = refused(walls(output=linked(db1={"firewall.saved": saved})))
    assert "on db1 another firewall shuts tcp 4567 (group communication) for 10.89.77.11/32" in told
    assert "Galvan opens nothing that others shut: let it in there first" in told


def test_galvans_own_wall_is_no_other_firewall() -> None:
    may_wall(walls(over="wall-shut", output=linked()))


# who would be refused ---------------------------------------------------------------------------------------------
def hurt(seen: Snapshot) -> dict[str, Impact]:
    return {i.who: i for i in impact(seen, None) if i.host == "db1"}


COUNTED = (
    '{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"set": {"family": "inet", "name": "peers_ip", "elem": [{"elem": {"val": '
    '{"concat": ["10.0.0.9", "tcp", 3306]}, "expires": 691199, "counter": {"packets": 3, "bytes": 180}}}]}}]}\n'
)  # as nftables 1.0.6 prints it


def test_whoever_is_connected_and_whoever_was_counted() -> None:
    guest = [
        "db1",
        "firewall.guests",
        "4567 10.89.77.12",
        "4567 10.0.0.8 mariadbd 2\n3306 10.0.0.9 mariadbd 4\n4567 10.89.77.12",
    ]
    found = hurt(walls(edit=[guest], output={"db1": {"firewall.counted": COUNTED}}))
    assert found.keys() == {"10.0.0.8/tcp/4567", "10.0.0.9/tcp/3306"}
    assert found["10.0.0.9/tcp/3306"].evidence == "connected now, 4 times, counted 3 times"
    assert not found["10.0.0.9/tcp/3306"].widen
    assert found["10.0.0.8/tcp/4567"].widen, "the members' wall would refuse it already"
    assert "would be refused at mariadbd" in found["10.0.0.9/tcp/3306"].what


def test_a_neighbour_at_another_port_is_named() -> None:
    (found,) = hurt(walls(edit=[["db1", "firewall.guests", "22 10.89.77.1 sshd 1", "22 10.89.77.21 sshd 1"]])).values()
    assert found.who == "10.89.77.21/tcp/22"
    assert found.what == "10.89.77.21 (lb1) would be refused at sshd"


def test_the_policy_lets_in_by_now_whom_a_watch_saw() -> None:
    seen = walls()
    mine = Impact("firewall", "db1", "10.0.0.9/tcp/3306", "", "")
    assert not settled(mine, seen)
    assert settled(mine, walls(monitors=("10.0.0.0/24",)))
    assert not settled(replace(mine, host="db9"), seen)
    assert settled(Impact("firewall", "db1", "fd00::5/tcp/3306", "", ""), walls(replicas=("fd00::/64",)))


def test_without_operators_nobody_is_listed() -> None:
    assert hurt(walls(operators=())) == {}


# what facts print -------------------------------------------------------------------------------------------------
def test_listeners() -> None:
    text = "ss\ntcp 0.0.0.0:3306 haproxy\ntcp [::ffff:10.0.0.1]:22 sshd\ntcp *:8404 haproxy\nudp [fe80::1%eth0]:546 -\ntcp [::1]:25 master\nstats 8404\n"
    found = listeners(text)
    assert [(e.protocol, e.address, e.port, e.door, e.local) for e in found] == [
        ("tcp", "0.0.0.0", 3306, True, False), ("tcp", "10.0.0.1", 22, True, False), ("tcp", "*", 8404, False, False),
        ("udp", "fe80::1", 546, True, False), ("tcp", "::1", 25, True, True),
    ]  # fmt: skip
    admin = listeners("ss\ntcp 0.0.0.0:6032 proxysql\ntcp 0.0.0.0:6033 proxysql\ntcp *:8989 maxscale\n")
    assert [e.door for e in admin] == [False, True, False]


def test_guests_of_loopback_are_none() -> None:
    assert [g.address for g in guests("3306 127.0.0.1 mariadbd 3\n22 fd00::7 sshd 1\n3306 ::1 mariadbd 1\n")] == [
        "fd00::7"
    ]


def test_the_caller() -> None:
    assert (caller("::ffff:192.0.2.7 50122 ::ffff:10.0.0.1 2222\n").address, caller("fe80::1%eth0 5 fe80::2 22").address) == (
        "192.0.2.7", "fe80::1",
    )  # fmt: skip


def test_peers_of_both_counts() -> None:
    recent = "recent galvan_ip_3306 10.0.0.9 7\nrecent galvan_ip6_0 fd00::9 2\n"
    assert [(p.address, p.protocol, p.port, p.times) for p in peers(COUNTED + recent)] == [
        ("10.0.0.9", "tcp", 3306, 3), ("10.0.0.9", "tcp", 3306, 7), ("fd00::9", "", 0, 2),
    ]  # fmt: skip


# who may join -----------------------------------------------------------------------------------------------------
def steps(seen: Snapshot) -> list[Step]:
    return list(join(seen))


def test_the_list_is_made_once_for_the_cluster_and_taken_back() -> None:
    (step,) = steps(walls(output=linked()))
    assert (step.host, step.scope) == ("db1", Scope.CLUSTER)
    assert set(step.want) == {"10.89.77.11", "::ffff:10.89.77.11", "10.89.77.12", "::ffff:10.89.77.12"}
    assert isinstance(step.undo[0], Sql)
    assert step.undo[0].text.startswith("DELETE FROM mysql.wsrep_allowlist WHERE ip IN ('10.89.77.11', ")


def test_rows_of_the_owners_stay() -> None:
    (step,) = steps(walls(output=linked(db1={"firewall.allowlist": "(table)\n10.89.77.11\n"})))
    assert isinstance(step.undo[0], Sql)
    assert "'10.89.77.11'" not in step.undo[0].text


@pytest.mark.parametrize(
    "output", ["(no such table)\n", "(table)\n10.89.77.11\n10.89.77.12\n::ffff:10.89.77.11\n::ffff:10.89.77.12\n"]
)
def test_no_list_is_made(output: str) -> None:
    assert steps(walls(output=linked(db1={"firewall.allowlist": output}))) == []
    assert steps(walls(output=linked(), allowlist=False)) == []


def test_a_list_that_would_lock_a_member_out() -> None:
    """It dials from an address that it does not tell."""
    with pytest.raises(Blind, match=r"a member dials from 10\.99\.0\.5, which galvan.yaml does not name"):
        steps(walls(output=linked(db1={"host.links": "own=10.89.77.11\npeers=4567@10.99.0.5\n"})))


def test_addresses() -> None:
    assert addresses("(no such table)\n") is None
    assert addresses("(table)\n") == ()
    assert len(wanted(walls())) == 4


# what is expected from where ----------------------------------------------------------------------------------------
def scans(seen: Snapshot, vantage: str, host: str = "db1") -> Scan:
    (proof,) = [p for p in proofs(seen) if p.id == f"firewall.ports@{host}<{vantage}"]
    assert isinstance(proof.attempt, Scan)
    assert isinstance(proof.control, Scan)
    assert proof.vantage == vantage
    return proof.attempt


def test_what_each_vantage_reaches() -> None:
    app, mallory = (
        Host("app1", "10.89.77.31", Role.APPLICATION, "app1"),
        Host("mallory", "10.89.77.51", Role.OUTSIDER, "mallory"),
    )
    seen = walls(app, mallory)
    assert scans(seen, "mallory").answering == frozenset()
    assert scans(seen, "mallory").ports == ((1, 65535),)
    assert scans(seen, "app1").answering == frozenset()
    assert scans(seen, "app1", "lb1").answering == {3306}
    assert scans(seen, "db2").answering == {4567, 4568, 4444}
    assert scans(seen, "lb1").answering == {3306, 9200}
    assert (NOBODYS, NOBODYS) in scans(seen, "db2").ports
    assert scans(seen, "db1", "lb1").answering == frozenset()


def test_an_outsider_knocks_by_udp_only_where_multicast_is_spoken_of_or_not() -> None:
    mallory = Host("mallory", "10.89.77.51", Role.OUTSIDER, "mallory")
    udp = [p for p in proofs(walls(mallory)) if p.id.startswith("firewall.udp@")]
    assert {(p.host, p.vantage) for p in udp} == {("db1", "mallory"), ("db2", "mallory")}


def test_the_control_is_somebody_who_is_let_in() -> None:
    mallory = Host("mallory", "10.89.77.51", Role.OUTSIDER, "mallory")
    (proof,) = [p for p in proofs(walls(mallory)) if p.id == "firewall.ports@db1<mallory"]
    assert proof.control_vantage == "db2"
    assert isinstance(proof.control, Scan)
    assert proof.control.ports == ((4567, 4567),)


def test_the_tip_plans_nothing_without_a_finding() -> None:
    seen = snapshot_of({"from": "open", "over": "wall-none", "firewall": FIRE})
    said = [
        f
        for check in TIP.checks
        for f in check.judge(seen)
        if check.id in ("firewall.one-in-charge", "firewall.no-bypass")
    ]
    assert {f.verdict for f in said} == {Verdict.PASS}
    assert list(TIP.mend(said, seen, Rung.ENFORCED)) == []
