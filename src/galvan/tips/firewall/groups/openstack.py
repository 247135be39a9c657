"""Security groups of Neutron. What no rule lets in is dropped.

`delete_default_rules` takes away what a cloud puts into a new group, whatever that is there; the two rules by which everything
goes out come back as rules of the document's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.tips.firewall.groups.arrange import PROTOCOLS, Group, Groups, Rule, version_of
from galvan.tips.firewall.groups.words import (
    Json,
    about,
    document,
    from_where,
    label,
    memberships,
    name,
    port_of,
    variable,
    why,
)

PROVIDER = ("openstack", "terraform-provider-openstack/openstack", "1.53")
LONGEST_TEXT = 255
USUAL_QUOTA = 100
"""Rules in a project, unless its cloud says otherwise."""


def render(groups: Groups) -> tuple[Json, tuple[str, ...]]:
    made: dict[str, Json] = {}
    rules: dict[str, Json] = {}
    for group in groups.groups:
        made[label(group)] = {
            "name": name(groups, group), "description": about(groups, group, LONGEST_TEXT), "delete_default_rules": True,
            "region": "${var.region}",
        }  # fmt: skip
        for rule in group.rules:
            rules.update(_incoming(groups, group, rule))
        if not group.host:
            rules.update(_outgoing(group))
    resources = {"openstack_networking_secgroup_v2": made, "openstack_networking_secgroup_rule_v2": rules}
    output = memberships(groups, _id, "The security groups that each host's port has to be in, and no others")
    variables = {"region": variable("The region in which the hosts are") | {"default": None}}
    notes = (f"{len(rules)} rules: a project may hold {USUAL_QUOTA} unless its quota was raised",)
    return document(groups, PROVIDER, variables, resources, output), notes if len(rules) > USUAL_QUOTA else ()


def _id(group: Group) -> str:
    return f"${{openstack_networking_secgroup_v2.{label(group)}.id}}"


def _incoming(groups: Groups, group: Group, rule: Rule) -> Iterator[tuple[str, Json]]:
    common: Json = {
        "protocol": rule.protocol if rule.port else str(PROTOCOLS[rule.protocol]), "description": why(rule, LONGEST_TEXT),
    }  # fmt: skip
    if rule.port:
        common |= {"port_range_min": rule.port, "port_range_max": rule.port}
    stem = f"{label(group)}_{port_of(rule)}_from"
    for role in rule.roles:
        for version in groups.families[role]:
            remote = common | {"remote_group_id": _id(Group(role, "", ()))}
            yield f"{stem}_{role.value}_ipv{version}", _rule(group, "ingress", version, remote)
    for network in rule.networks:
        source = common | {"remote_ip_prefix": network}
        yield f"{stem}_{from_where(network)}", _rule(group, "ingress", version_of(network), source)


def _outgoing(group: Group) -> Iterator[tuple[str, Json]]:
    for version in (4, 6):
        shape = {"description": "Outgoing connections are not restricted"}
        yield f"{label(group)}_out_ipv{version}", _rule(group, "egress", version, shape)


def _rule(group: Group, direction: str, version: int, shape: Json) -> Json:
    own = {
        "security_group_id": _id(group),
        "direction": direction,
        "ethertype": f"IPv{version}",
        "region": "${var.region}",
    }
    return own | shape
