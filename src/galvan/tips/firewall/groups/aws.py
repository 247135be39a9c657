"""Security groups of a VPC. What no rule lets in is dropped; what goes out is let out, as a group of AWS's own does.

Terraform takes away the rule by which AWS lets everything out, so the document brings it back.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import BadInput
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

PROVIDER = ("aws", "hashicorp/aws", "5.0")
MOST_RULES = 60
"""Inbound rules of a group, counted for IPv4 and IPv6 apart; a group that is named counts in both."""
LONGEST_TEXT = 255


def render(groups: Groups) -> tuple[Json, tuple[str, ...]]:
    made: dict[str, Json] = {}
    incoming: dict[str, Json] = {}
    outgoing: dict[str, Json] = {}
    for group in groups.groups:
        _check(group)
        made[label(group)] = {
            "name": name(groups, group), "description": about(groups, group, LONGEST_TEXT), "vpc_id": "${var.vpc_id}",
        }  # fmt: skip
        for rule in group.rules:
            incoming.update(_incoming(group, rule))
        if not group.host:
            outgoing.update(_outgoing(group))
    resources = {
        "aws_security_group": made,
        "aws_vpc_security_group_ingress_rule": incoming,
        "aws_vpc_security_group_egress_rule": outgoing,
    }
    output = memberships(groups, _id, "The security groups that each host has to be in, and no others")
    variables = {"vpc_id": variable("The VPC in which the hosts are")}
    return document(groups, PROVIDER, variables, resources, output), ()


def _id(group: Group) -> str:
    return f"${{aws_security_group.{label(group)}.id}}"


def _incoming(group: Group, rule: Rule) -> Iterator[tuple[str, Json]]:
    common: Json = {
        "security_group_id": _id(group),
        "description": why(rule, LONGEST_TEXT),
        "ip_protocol": rule.protocol if rule.port else str(PROTOCOLS[rule.protocol]),
    }
    if rule.port:
        common |= {"from_port": rule.port, "to_port": rule.port}
    stem = f"{label(group)}_{port_of(rule)}_from"
    for role in rule.roles:
        yield f"{stem}_{role.value}", common | {"referenced_security_group_id": _id(Group(role, "", ()))}
    for network in rule.networks:
        yield f"{stem}_{from_where(network)}", common | {f"cidr_ipv{version_of(network)}": network}


def _outgoing(group: Group) -> Iterator[tuple[str, Json]]:
    for version, everywhere in ((4, "0.0.0.0/0"), (6, "::/0")):
        yield f"{label(group)}_ipv{version}", {
            "security_group_id": _id(group), "description": "Outgoing connections are not restricted",
            "ip_protocol": "-1", f"cidr_ipv{version}": everywhere,
        }  # fmt: skip


def _check(group: Group) -> None:
    for version in (4, 6):
        count = sum(len(rule.roles) + len(rule.of(version)) for rule in group.rules)
        if count > MOST_RULES:
            widest = max(group.rules, key=lambda rule: len(rule.of(version)))
            raise BadInput(
                f"{group.host or group.role.value}: {count} inbound IPv{version} rules, and a security group of AWS holds "
                f"{MOST_RULES}; {port_of(widest).replace('_', ' ')} ({', '.join(widest.purposes)}) alone has "
                f"{len(widest.of(version))} networks: name larger networks in policy: firewall"
            )
