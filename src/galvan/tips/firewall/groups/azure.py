"""A network security group for each role, for its hosts' network interfaces, and application security groups for who is who.

Azure lets a whole virtual network in by itself (AllowVnetInBound), so each group ends with a refusal of everything. An
interface has one network security group, so what is for one host alone is aimed at that host's application security group.
A rule's priority follows from its name: another rule beside it does not move it, and Azure refuses two at one place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from galvan.model import BadInput, Host
from galvan.tips.firewall.groups.arrange import Group, Groups, Rule
from galvan.tips.firewall.groups.words import Json, document, fit, key, label, name, port_of, variable, why

PROVIDER = ("azurerm", "hashicorp/azurerm", "4.0")
FIRST, LAST = 100, 4096
MOST_RULES, MOST_PREFIXES = 1000, 4000
"""Of one network security group."""
LONGEST_TEXT, LONGEST_NAME = 140, 80
_WHERE = {"resource_group_name": "${var.resource_group_name}", "location": "${var.location}"}


def render(groups: Groups) -> tuple[Json, tuple[str, ...]]:
    walls: dict[str, Json] = {}
    members: dict[str, Json] = {}
    rules: dict[str, Json] = {}
    notes = []
    for group in groups.groups:
        members[label(group)] = {"name": name(groups, group)} | _WHERE
        if not group.host:
            walls[label(group)] = {"name": name(groups, group)} | _WHERE
            same = [other for other in groups.groups if other.role is group.role]
            rules.update(_rules(group, same))
            notes += [_vrrp(other) for other in same if any(not rule.port for rule in other.rules)]
    resources = {
        "azurerm_application_security_group": members,
        "azurerm_network_security_group": walls,
        "azurerm_network_security_rule": rules,
    }
    output = {
        "groups": {
            "description": "What the network interface of each host has to be associated with",
            "value": {key(host): _of_host(groups, host) for host in groups.cluster.hosts if groups.on(host)},
        }
    }
    variables = {
        "resource_group_name": variable("The resource group in which the groups are made"),
        "location": variable("The Azure region of the virtual network"),
    }
    return document(groups, PROVIDER, variables, resources, output), tuple(notes)


def _of_host(groups: Groups, host: Host) -> Json:
    found = groups.on(host)
    wall = f"${{azurerm_network_security_group.{label(found[0])}.id}}"
    return {"network_security_group_id": wall, "application_security_group_ids": [_member(group) for group in found]}


def _member(group: Group) -> str:
    return f"${{azurerm_application_security_group.{label(group)}.id}}"


def _vrrp(group: Group) -> str:
    return (
        f"VRRP at {group.host or 'every ' + group.role.value} is left out: a rule of Azure knows no protocol 112, and `*` would "
        "let every port in; virtual addresses are moved by a load balancer of Azure's there"
    )


def _rules(wall: Group, groups: Sequence[Group]) -> Iterator[tuple[str, Json]]:
    made = [one for group in groups for rule in group.rules if rule.port for one in _allowing(group, rule)]
    _check(wall, made)
    taken: set[int] = set()
    for name_, shape in sorted(made, key=lambda one: one[0]):
        place = _place(name_, taken)
        yield name_, _rule(wall, fit(name_.replace("_", "-"), LONGEST_NAME), place, "Allow", shape)
    rest = {
        "description": "What no rule before lets in is refused, from the virtual network too", "protocol": "*",
        "destination_port_range": "*", "source_address_prefix": "*", "destination_address_prefix": "*",
    }  # fmt: skip
    yield f"{label(wall)}_rest", _rule(wall, "DenyAllInBound", LAST, "Deny", rest)


def _allowing(group: Group, rule: Rule) -> Iterator[tuple[str, Json]]:
    shape: Json = {
        "description": why(rule, LONGEST_TEXT), "protocol": rule.protocol.capitalize(), "destination_port_range": str(rule.port),
    }  # fmt: skip
    if group.host:
        shape["destination_application_security_group_ids"] = [_member(group)]
    else:
        shape["destination_address_prefix"] = "*"
    stem = f"{label(group)}_{port_of(rule)}"
    if rule.roles:
        roles = [_member(Group(role, "", ())) for role in rule.roles]
        yield f"{stem}_hosts", shape | {"source_application_security_group_ids": roles}
    for version in (4, 6):
        if prefixes := rule.of(version):
            yield f"{stem}_ipv{version}", shape | {"source_address_prefixes": list(prefixes)}


def _rule(wall: Group, name_: str, priority: int, access: str, shape: Json) -> Json:
    return {
        "name": name_, "resource_group_name": "${var.resource_group_name}",
        "network_security_group_name": f"${{azurerm_network_security_group.{label(wall)}.name}}",
        "priority": priority, "direction": "Inbound", "access": access, "source_port_range": "*",
    } | shape  # fmt: skip


def _place(name_: str, taken: set[int]) -> int:
    place = int(hashlib.sha256(name_.encode()).hexdigest(), 16) % (LAST - FIRST)
    while place in taken:
        place = (place + 1) % (LAST - FIRST)
    taken.add(place)
    return FIRST + place


def _check(wall: Group, made: Sequence[tuple[str, Json]]) -> None:
    prefixes = sum(len(shape.get("source_address_prefixes", ())) for _, shape in made)
    if len(made) + 1 > MOST_RULES or prefixes > MOST_PREFIXES:
        raise BadInput(
            f"{wall.role.value}: {len(made) + 1} rules with {prefixes} networks, and a network security group of Azure holds "
            f"{MOST_RULES} with {MOST_PREFIXES}: name larger networks in policy: firewall"
        )
