"""Who is connected with whom, out of what `ss` prints on real hosts, and when a restart would part two members."""

from __future__ import annotations

import pytest

from galvan.cluster.facts import LINKS, VARIABLES, Links, links
from galvan.cluster.links import relayed
from galvan.model import Cluster, Host, HostFacts, Role, Snapshot, Unreadable

ONE, TWO, ARB = (f"10.0.0.{n}" for n in (11, 12, 41))
Told = Links | Unreadable | None


def seen(*peers: str, own: str = "") -> Links:
    return Links(frozenset({own} - {""}), frozenset(peers))


def snapshot(one: Told, two: Told, arb: Told, port: str = "4567") -> Snapshot:
    hosts = (
        Host("db1", ONE, Role.DATABASE, "db1"), Host("db2", TWO, Role.DATABASE, "db2"), Host("arb1", ARB, Role.ARBITRATOR, "arb1"),
    )  # fmt: skip
    shown = {VARIABLES.id: {"provider.gmcast.listen_addr": f"ssl://0.0.0.0:{port}"}}
    facts = [HostFacts(host, {LINKS.id: told, **shown}) for host, told in zip(hosts, (one, two, arb), strict=True)]
    facts[2] = HostFacts(hosts[2], {LINKS.id: arb} if arb is not None else {})
    return Snapshot(Cluster("lab", hosts), tuple(facts), {}, 0.0)


def test_what_a_host_prints() -> None:
    told = links("own=10.0.0.11 fd00::b \npeers=4567@10.0.0.12 22@10.0.0.1\n")
    assert told == Links(frozenset({"10.0.0.11", "fd00::b"}), frozenset({"4567@10.0.0.12", "22@10.0.0.1"}))
    assert links("own=10.0.0.11\npeers=\n").peers == frozenset()
    with pytest.raises(Unreadable, match="no ss"):
        links("own=10.0.0.11\n")


def test_one_side_that_sees_the_connection_is_enough() -> None:
    whole = snapshot(seen(f"4567@{TWO}"), seen(), seen(f"4567@{ONE}", f"4567@{TWO}"))
    assert [text for host in ("db1", "db2", "arb1") for text in relayed(host, whole)] == []


def test_only_the_restart_of_who_relays_would_part_them() -> None:
    apart = snapshot(seen(f"4567@{TWO}", f"4567@{ARB}"), seen(f"4567@{ONE}"), seen(f"4567@{ONE}", f"22@{TWO}"))
    assert "db2 and arb1 have no direct connection" in "; ".join(relayed("db1", apart))
    assert [*relayed("db2", apart), *relayed("arb1", apart)] == []


def test_other_ports_and_addresses_of_the_host_itself() -> None:
    other = snapshot(seen("4570@192.168.0.12"), seen(own="192.168.0.12"), seen(f"4570@{ONE}", f"4570@{TWO}"), "4570")
    assert [text for host in ("db1", "db2", "arb1") for text in relayed(host, other)] == []


@pytest.mark.parametrize("blind", [Unreadable("no ss there"), None])
def test_not_knowing_is_no_connection(blind: Unreadable | None) -> None:
    dark = snapshot(seen(f"4567@{TWO}"), seen(f"4567@{ONE}"), blind)
    assert "whether db2 and arb1 are connected directly could not be seen" in "; ".join(relayed("db1", dark))
    assert [*relayed("arb1", dark)] == []
