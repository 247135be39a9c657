"""Firewall rules of a VPC network, aimed by network tags. A rule at the end refuses the rest.

It stands at 65534, where Google's own `default-allow-internal` is: of two rules at one priority the refusal wins. A rule holds
ranges of one family alone. A tag stands for the first internal address of each interface.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import BadInput
from galvan.tips.firewall.groups.arrange import PROTOCOLS, Group, Groups, Rule
from galvan.tips.firewall.groups.words import Json, about, document, fit, key, label, name, port_of, said, variable, why

PROVIDER = ("google", "hashicorp/google", "5.0")
ALLOW, DENY = 1000, 65534
MOST_RANGES = 5000
LONGEST_TEXT = 255


def render(groups: Groups) -> tuple[Json, tuple[str, ...]]:
    rules: Json = {}
    for group in groups.groups:
        for rule in group.rules:
            rules.update(_allowing(groups, group, rule))
        if not group.host:
            rules.update(_refusing(groups, group))
    tags = {
        key(host): [name(groups, group) for group in groups.on(host)]
        for host in groups.cluster.hosts
        if groups.on(host)
    }
    output = {"network_tags": {"description": "The network tags that each host has to have", "value": tags}}
    variables = {"network": variable("The VPC network in which the hosts are (name or self link)")}
    return document(groups, PROVIDER, variables, {"google_compute_firewall": rules}, output), ()


def _allowing(groups: Groups, group: Group, rule: Rule) -> Iterator[tuple[str, Json]]:
    protocol: Json = {"protocol": rule.protocol if rule.port else str(PROTOCOLS[rule.protocol])}
    if rule.port:
        protocol["ports"] = [str(rule.port)]
    what = port_of(rule).replace("_", "-")
    shape = {"description": why(rule, LONGEST_TEXT), "priority": ALLOW, "allow": [protocol]}
    if rule.roles:
        tags = [name(groups, Group(role, "", ())) for role in rule.roles]
        yield _one(groups, group, f"{what}-hosts", shape | {"source_tags": tags})
    for version in (4, 6):
        if ranges := rule.of(version):
            if len(ranges) > MOST_RANGES:
                raise BadInput(
                    f"{group.host or group.role.value}: {what.replace('-', ' ')} comes from {len(ranges)} networks, and a "
                    f"firewall rule of Google holds {MOST_RANGES}: name larger networks in policy: firewall"
                )
            yield _one(groups, group, f"{what}-v{version}", shape | {"source_ranges": list(ranges)})


def _refusing(groups: Groups, group: Group) -> Iterator[tuple[str, Json]]:
    for version, everywhere in ((4, "0.0.0.0/0"), (6, "::/0")):
        shape = {
            "description": said(f"The rest is refused. {about(groups, group, LONGEST_TEXT)}", LONGEST_TEXT), "priority": DENY,
            "deny": [{"protocol": "all"}], "source_ranges": [everywhere],
        }  # fmt: skip
        yield _one(groups, group, f"rest-v{version}", shape)


def _one(groups: Groups, group: Group, what: str, shape: Json) -> tuple[str, Json]:
    own = {
        "name": fit(f"{name(groups, group)}-{what}"), "network": "${var.network}", "direction": "INGRESS",
        "target_tags": [name(groups, group)],
    }  # fmt: skip
    return f"{label(group)}_{what.replace('-', '_')}", own | shape
