"""Security groups out of the policy: exactly the policy, in fields that the providers know, whatever an inventory says."""

from __future__ import annotations

import json
import re

import clouds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.model import BadInput, Cluster, Host, Role
from galvan.tips.firewall.groups import PROVIDERS, Document, export
from galvan.tips.firewall.groups.arrange import arrange
from galvan.tips.firewall.groups.spans import merged, minus, spans, told
from galvan.tips.firewall.table import Allow, networks

ALL = tuple(PROVIDERS)
OURS = re.compile(r"\$\{(var|aws_security_group|azurerm_(application|network)_security_group|openstack_networking_secgroup_v2)"
                  r"\.[a-z0-9_]+(\.(id|name))?\}")  # fmt: skip


def host(name: str, address: str, role: Role, *names: str) -> Host:
    return Host(name, address, role, name, names=names)


SHOP = Cluster(
    "shop",
    (
        host("db1", "10.0.0.1", Role.DATABASE), host("db2", "10.0.0.2", Role.DATABASE), host("db3", "10.0.0.3", Role.DATABASE),
        host("arb1", "10.0.0.9", Role.ARBITRATOR),
        host("lb1", "10.0.1.1", Role.LOAD_BALANCER), host("lb2", "10.0.1.2", Role.LOAD_BALANCER),
        host("app1", "10.0.2.1", Role.APPLICATION),
    ),
)  # fmt: skip
MEMBERS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
BALANCERS = ("10.0.1.1", "10.0.1.2")
OPERATORS = ("192.0.2.0/24", "2001:db8::/48")


def policy() -> tuple[Allow, ...]:
    """As the table makes it of a cluster with two balancers and an arbitrator."""
    group = networks((*MEMBERS, "10.0.0.9"))
    ssh = [Allow(h.name, "tcp", 22, OPERATORS, "ssh") for h in SHOP.hosts[:6]]
    inner = [
        one for name in ("db1", "db2", "db3")
        for one in (
            Allow(name, "tcp", 4567, group, "group communication"), Allow(name, "tcp", 4568, group, "IST"),
            Allow(name, "tcp", 4444, networks(MEMBERS), "SST"),
            Allow(name, "tcp", 3306, networks((*BALANCERS, "10.9.0.0/16")), "clients"),
        )
    ]  # fmt: skip
    outer = [
        Allow("arb1", "tcp", 4567, group, "group communication"), Allow("db2", "udp", 514, ("10.7.0.1/32",), "opened by policy"),
        Allow("lb1", "tcp", 3306, networks(["10.0.2.1"]), "front door"), Allow("lb2", "tcp", 3306, networks(["10.0.2.1"]), "front door"),
        Allow("lb1", "vrrp", 0, ("10.0.1.2/32",), "VRRP"), Allow("lb2", "vrrp", 0, ("10.0.1.1/32",), "VRRP"),
    ]  # fmt: skip
    return (*ssh, *inner, *outer)


def addresses(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    return {h.name: (h.address, *h.names) for h in cluster.hosts}


def wanted(said: tuple[Allow, ...], name: str, own: tuple[str, ...], to: str) -> clouds.Let:
    found: clouds.Let = {}
    for allow in said:
        if allow.host == name and not (to == "terraform-azure" and allow.protocol == "vrrp"):
            clouds.add(found, (allow.protocol, allow.port), spans(allow.sources))
    return clouds.without_own(found, own)


def same(document: Document, said: tuple[Allow, ...], cluster: Cluster, to: str) -> None:
    known = addresses(cluster)
    seen = clouds.MODELS[to](document.content, known)
    assert set(seen) == {
        h.name for h in cluster.hosts if h.role in (Role.DATABASE, Role.ARBITRATOR, Role.LOAD_BALANCER)
    }
    for name, let in seen.items():
        assert clouds.without_own(let, known[name]) == wanted(said, name, known[name], to)


@pytest.mark.parametrize("to", ALL)
def test_the_document_lets_in_what_the_policy_opens(to: str) -> None:
    made = export(policy(), SHOP, to)
    same(made, policy(), SHOP, to)
    assert [*clouds.faults(made.content)] == []


def test_a_role_is_named_where_all_its_hosts_are_and_nobody_else() -> None:
    rules = {(g.role, g.host, r.protocol, r.port): r for g in arrange(policy(), SHOP).groups for r in g.rules}
    inner = rules[Role.DATABASE, "", "tcp", 4567]
    assert (inner.roles, inner.networks) == ((Role.DATABASE, Role.ARBITRATOR), ())
    clients = rules[Role.DATABASE, "", "tcp", 3306]
    assert (clients.roles, clients.networks) == ((Role.LOAD_BALANCER,), ("10.9.0.0/16",))
    assert rules[Role.LOAD_BALANCER, "", "vrrp", 0].roles == (Role.LOAD_BALANCER,), "each names the other"
    assert rules[Role.LOAD_BALANCER, "", "tcp", 3306].networks == ("10.0.2.1/32",), "applications have no group"
    assert rules[Role.DATABASE, "db2", "udp", 514].networks == ("10.7.0.1/32",)
    assert {host for _, host, _, _ in rules} == {"", "db2"}


def test_a_role_is_not_named_where_a_group_would_stand_for_other_addresses() -> None:
    said = (Allow("db1", "tcp", 4567, networks(["8.8.4.4"]), "group communication"),)
    public = Cluster("shop", (host("db1", "8.8.4.4", Role.DATABASE),))
    two = Cluster("shop", (host("db1", "10.0.0.1", Role.DATABASE, "10.0.0.99"),))
    wide = Allow("db1", "tcp", 4567, ("10.0.0.0/24",), "group communication")
    assert arrange(said, public).groups[0].rules[0].roles == ()
    assert (
        arrange([Allow("db1", "tcp", 4567, networks(["10.0.0.1", "10.0.0.99"]), "x")], two).groups[0].rules[0].roles
        == ()
    )
    assert arrange([wide], SHOP).groups[0].rules == ()
    assert arrange([wide], SHOP).groups[1].rules[0].networks == ("10.0.0.0/24",)


def test_aws_keeps_the_way_out_and_opens_nothing_else() -> None:
    made = export(policy(), SHOP, "terraform-aws").content["resource"]
    out = made["aws_vpc_security_group_egress_rule"]
    assert {(o["ip_protocol"], o.get("cidr_ipv4"), o.get("cidr_ipv6")) for o in out.values()} == {
        ("-1", "0.0.0.0/0", None), ("-1", None, "::/0"),
    }  # fmt: skip
    assert {"database_ipv4", "arbitrator_ipv6", "load_balancer_ipv4"} <= set(out)
    assert all(rule["ip_protocol"] != "-1" for rule in made["aws_vpc_security_group_ingress_rule"].values())
    vrrp = made["aws_vpc_security_group_ingress_rule"]["load_balancer_vrrp_from_load_balancer"]
    assert vrrp["ip_protocol"] == "112"
    assert "from_port" not in vrrp


def test_openstack_takes_the_clouds_own_rules_away() -> None:
    made = export(policy(), SHOP, "terraform-openstack").content["resource"]
    assert all(group["delete_default_rules"] is True for group in made["openstack_networking_secgroup_v2"].values())
    out = [r for r in made["openstack_networking_secgroup_rule_v2"].values() if r["direction"] == "egress"]
    assert {(r["security_group_id"], r["ethertype"]) for r in out} == {
        (f"${{openstack_networking_secgroup_v2.{role}.id}}", family)
        for role in ("database", "arbitrator", "load_balancer") for family in ("IPv4", "IPv6")
    }  # fmt: skip


def test_azure_says_that_it_knows_no_vrrp() -> None:
    (note,) = export(policy(), SHOP, "terraform-azure").notes
    assert "VRRP" in note
    assert "112" in note


def test_another_port_moves_no_priority_of_azure() -> None:
    def places(said: tuple[Allow, ...]) -> dict[str, int]:
        made = export(said, SHOP, "terraform-azure").content["resource"]["azurerm_network_security_rule"]
        return {label: rule["priority"] for label, rule in made.items()}

    more = places((*policy(), Allow("db1", "tcp", 9100, ("10.5.0.0/16",), "opened by policy")))
    assert more.items() > places(policy()).items()


@pytest.mark.parametrize("to", ALL)
def test_the_document_is_json_and_the_same_each_time(to: str) -> None:
    one, two = export(policy(), SHOP, to), export(reversed(policy()), SHOP, to)
    assert json.dumps(one.content, sort_keys=True) == json.dumps(two.content, sort_keys=True)


# any policy ----------------------------------------------------------------------------------------------------
V4 = [f"10.0.0.{n}" for n in range(12)]
V6 = [f"fd00::{n:x}" for n in range(12)]
ELSEWHERE = [
    "10.0.0.0/28",
    "10.0.0.4/30",
    "0.0.0.0/0",
    "::/0",
    "fd00::/125",
    "192.0.2.7/32",
    "2001:db8::/32",
    "172.16.0.0/12",
]
ROLES = [*[Role.DATABASE] * 3, Role.ARBITRATOR, *[Role.LOAD_BALANCER] * 2, Role.APPLICATION]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Cluster, tuple[Allow, ...]]:
    roles = draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=6))
    v4, v6 = draw(st.permutations(V4)), draw(st.permutations(V6))
    families = draw(st.sampled_from(["4", "6", "46", "mixed", "twice"]))
    hosts = []
    for n, role in enumerate(roles):
        own = {
            "4": [v4[n]],
            "6": [v6[n]],
            "46": [v4[n], v6[n]],
            "mixed": [v4[n], v6[n]][: 1 + n % 2],
            "twice": [v4[n], v4[-1 - n]],
        }
        hosts.append(host(f"h{n}", own[families][0], role, *own[families][1:]))
    cluster = Cluster("shop", tuple(hosts))
    walled = [h.name for h in hosts if h.role is not Role.APPLICATION]
    by_role = [[a for h in hosts if h.role is role for a in (h.address, *h.names)] for role in Role]
    sets = st.sampled_from([*by_role, *[[a] for a in (*V4, *V6, *ELSEWHERE)]])
    sources = st.lists(sets, max_size=4).map(lambda parts: networks(one for part in parts for one in part))
    keys = st.sampled_from([("tcp", 22), ("tcp", 4567), ("tcp", 3306), ("udp", 4567), ("vrrp", 0)])
    one = st.tuples(st.sampled_from(walled or ["none"]), keys, sources, st.sampled_from(["ssh", "SST", "clients"]))
    drawn = draw(st.lists(one, max_size=14)) if walled else []
    return cluster, tuple(Allow(name, protocol, port, said, why) for name, (protocol, port), said, why in drawn)


@pytest.mark.parametrize("to", ALL)
@given(case=cases())
@settings(max_examples=100, deadline=None)
def test_any_policy_comes_out_as_it_went_in(to: str, case: tuple[Cluster, tuple[Allow, ...]]) -> None:
    cluster, said = case
    made = export(said, cluster, to)
    same(made, said, cluster, to)
    assert [*clouds.faults(made.content)] == []


# what an inventory may say -------------------------------------------------------------------------------------
EVIL = st.text(min_size=1, max_size=80) | st.sampled_from(
    ['${file("/etc/shadow")}', "%{ for x in y }", '"}]}', "a\nb", "$${x}", "sg-1", "-", "ÄÖ", "a" * 300, "DB1", "db.1"]
)


@pytest.mark.parametrize("to", ALL)
@given(cluster=EVIL, one=EVIL, two=EVIL, purpose=EVIL)
@settings(max_examples=100, deadline=None)
def test_no_name_becomes_a_template_or_breaks_a_field(to: str, cluster: str, one: str, two: str, purpose: str) -> None:
    hosts = (host(one, "10.0.0.1", Role.DATABASE), host(two + "2", "10.0.0.2", Role.DATABASE))
    if hosts[0].name == hosts[1].name:
        return
    said = (Allow(hosts[0].name, "tcp", 22, OPERATORS, purpose), Allow(hosts[1].name, "tcp", 23, OPERATORS, purpose))
    made = export(said, Cluster(cluster, hosts), to)
    assert [*clouds.faults(made.content)] == []
    for text in clouds.strings(made.content):
        assert not re.search(r"\$\{|%\{", OURS.sub("", text)), text
    (value,) = (output["value"] for output in made.content["output"].values())
    assert len(value) == 2, "two hosts stay two"


@pytest.mark.parametrize(
    ("allow", "words"),
    [
        (Allow("nobody", "tcp", 22, OPERATORS, "ssh"), "nobody"),
        (Allow("db1", "${x}", 22, OPERATORS, "ssh"), "nothing that a security group can let in"),
        (Allow("db1", "tcp", 0, OPERATORS, "ssh"), "port 0"),
        (Allow("db1", "tcp", 65536, OPERATORS, "ssh"), "65536"),
        (Allow("app1", "tcp", 22, OPERATORS, "ssh"), "app1"),
    ],
)
def test_what_no_group_can_hold_is_refused(allow: Allow, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        export((allow,), SHOP, "terraform-aws")


# limits --------------------------------------------------------------------------------------------------------
def many(count: int, step: int = 2) -> tuple[str, ...]:
    """Networks that do not touch."""
    return tuple(f"10.{n * step // 256 // 256 + 100}.{n * step // 256 % 256}.{n * step % 256}/32" for n in range(count))


def limited(count: int, to: str) -> Document:
    return export([Allow(h, "tcp", 3306, many(count), "clients") for h in ("db1", "db2", "db3")], SHOP, to)


@pytest.mark.parametrize(("to", "most"), [("terraform-aws", 60), ("terraform-gcp", 5000), ("terraform-azure", 4000)])
def test_a_limit_is_said_before_the_provider_says_it(to: str, most: int) -> None:
    assert limited(most, to)
    with pytest.raises(BadInput, match=rf"{most + 1}.*{most}.*policy: firewall"):
        limited(most + 1, to)


def test_aws_counts_each_family_apart_and_a_group_in_both() -> None:
    v6 = tuple(f"2001:db8:{n:x}::/48" for n in range(0, 120, 2))
    rules = [Allow(h, "tcp", 3306, networks((*many(60), *v6)), "clients") for h in ("db1", "db2", "db3")]
    assert export(rules, SHOP, "terraform-aws")
    with pytest.raises(BadInput, match="61 inbound IPv4"):
        export(
            [*rules, *(Allow(h, "tcp", 4444, networks(MEMBERS), "SST") for h in ("db1", "db2", "db3"))],
            SHOP,
            "terraform-aws",
        )


def test_openstack_says_that_its_quota_is_small() -> None:
    assert limited(40, "terraform-openstack").notes == ()
    (note,) = limited(120, "terraform-openstack").notes
    assert "100" in note


def test_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match="terraform-openstack"):
        export((), SHOP, "terraform-oracle")


# sets of addresses ---------------------------------------------------------------------------------------------
SETS = st.lists(st.sampled_from([*V4, *V6, *ELSEWHERE]), max_size=5).map(spans)


@given(SETS, SETS)
def test_what_is_taken_away_and_what_is_left_make_the_whole(whole: clouds.Spans, taken: clouds.Spans) -> None:
    left = minus(whole, taken)
    assert minus(left, taken) == left
    assert merged((*left, *minus(whole, left))) == whole
    assert spans(told(left)) == left
