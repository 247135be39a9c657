"""Hosts that are not one cluster, all of it and nothing else, are named; those that are leave no word."""

from __future__ import annotations

from typing import Any

from galvan.cluster.facts import PLATFORM, STATUS, VARIABLES
from galvan.cluster.membership import misfits
from galvan.model import Cluster, Host, HostFacts, Role, Snapshot, Unreadable

ONE, OTHER = "6b3d7e5c-8f9a-11ee-b9d1-0242ac120002", "7c4e8f6d-8f9a-11ee-b9d1-0242ac120002"


def hosts(count: int = 3) -> tuple[Host, ...]:
    return tuple(Host(f"db{n}", f"10.0.0.{n}", Role.DATABASE, f"db{n}") for n in range(1, count + 1))


def facts(host: Host, size: int = 3, **said: Any) -> HostFacts:
    incoming = ",".join(f"10.0.0.{n}:3306" for n in range(1, size + 1))
    status = {
        "wsrep_cluster_state_uuid": ONE, "wsrep_cluster_size": str(size), "wsrep_incoming_addresses": incoming,
        "wsrep_gcomm_uuid": f"member-{host.name}",
    }  # fmt: skip
    variables = {"wsrep_on": "ON", "wsrep_cluster_name": "shop"}
    for key, value in said.items():
        (status if key in status else variables)[key] = value
    readings = {STATUS.id: status, VARIABLES.id: variables, PLATFORM.id: {"addresses": host.address}}
    return HostFacts(host, readings)


def judged(*seen: HostFacts, named: tuple[Host, ...] = ()) -> tuple[str, ...]:
    cluster = Cluster("shop", named or tuple(one.host for one in seen))
    return misfits(Snapshot(cluster, seen, {}, 0.0), cluster)


def test_one_whole_cluster_leaves_no_word() -> None:
    assert judged(*(facts(host) for host in hosts())) == ()


def test_a_look_at_some_of_its_hosts_leaves_no_word() -> None:
    assert judged(facts(hosts()[0]), named=hosts()) == ()


def test_two_state_uuids_are_two_clusters() -> None:
    one, two, three = hosts()
    said = judged(facts(one, 2), facts(two, 2), facts(three, 1, wsrep_cluster_state_uuid=OTHER))
    assert len(said) == 1
    assert "2 clusters, by the state UUID" in said[0]
    assert f"db1, db2: {ONE}; db3: {OTHER}" in said[0]


def test_two_names_are_two_clusters() -> None:
    one, two, three = hosts()
    said = judged(facts(one), facts(two), facts(three, wsrep_cluster_name="stock"))
    assert "db1, db2: shop; db3: stock" in said[0]


def test_a_member_that_nobody_named_is_told_by_its_address() -> None:
    said = judged(*(facts(host, 4) for host in hosts()))
    assert len(said) == 1
    assert "db1 counts 4 members, and 3 are named: 10.0.0.4" in said[0]


def test_a_count_that_no_address_explains_may_be_an_arbitrator() -> None:
    listed = "10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306,"
    said = judged(*(facts(host, 4, wsrep_incoming_addresses=listed) for host in hosts()))
    assert "garbd" in said[0]


def test_a_named_arbitrator_is_counted() -> None:
    named = (*hosts(), Host("arb", "10.0.0.8", Role.ARBITRATOR, "arb"))
    assert judged(*(facts(host, 4) for host in hosts()), named=named) == ()


def test_a_second_address_of_a_named_host_is_no_stranger() -> None:
    named = hosts()
    seen = [facts(host, 4) for host in named]
    platform: Any = seen[0].readings[PLATFORM.id]
    platform["addresses"] = "10.0.0.1 10.0.0.4"
    assert "10.0.0.4" not in judged(*seen)[0]


def test_one_member_under_two_names() -> None:
    one, two, _ = hosts()
    twin = Host("db1-lan2", "10.9.0.1", Role.DATABASE, "db1-lan2")
    said = judged(facts(one), facts(two), facts(twin, wsrep_gcomm_uuid="member-db1"))
    assert said == ("db1 and db1-lan2 are one member (10.0.0.1 and 10.9.0.1): name it once",)


def test_a_host_without_a_server_is_told_by_its_role() -> None:
    one, two, three = hosts()
    gone = Unreadable("the server's client could not ask: ERROR 2002")
    seen = HostFacts(three, {STATUS.id: gone, VARIABLES.id: gone, PLATFORM.id: {"addresses": "10.0.0.3"}})
    said = judged(facts(one), facts(two), seen)
    assert "db3 is named as a database host, and no server answers there" in said[0]


def test_a_host_out_of_reach_is_told_elsewhere() -> None:
    one, two, three = hosts()
    lost = Unreadable("db3: no answer")
    assert judged(facts(one), facts(two), HostFacts(three, dict.fromkeys((STATUS.id, VARIABLES.id), lost))) == ()


def test_a_server_that_is_no_member() -> None:
    one, two, three = hosts()
    said = judged(facts(one), facts(two), facts(three, wsrep_on="OFF", wsrep_cluster_state_uuid=""))
    assert "db3 runs a server that is no Galera member" in said[0]
