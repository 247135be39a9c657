"""What each provider's resources let in at each host: a small model of the provider, fed with the emitted document alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from galvan.tips.firewall.groups.spans import Spans, merged, minus, spans

Json = dict[str, Any]
Let = dict[tuple[str, int], Spans]  # by protocol and port
Addresses = Mapping[str, tuple[str, ...]]
NUMBERS = {"112": "vrrp"}
EVERYWHERE = spans(["0.0.0.0/0", "::/0"])
REFERENCE = re.compile(r"\$\{(\w+)\.(\w+)\.(id|name)\}")


def resources(document: Json, kind: str) -> Iterator[Json]:
    yield from document["resource"].get(kind, {}).values()


def add(found: Let, key: tuple[str, int], sources: Spans) -> None:
    found[key] = merged((*found.get(key, ()), *sources))


def members(output: Mapping[str, list[str]], group: str, addresses: Addresses) -> list[str]:
    return [address for host, groups in output.items() if group in groups for address in addresses[host]]


def aws(document: Json, addresses: Addresses) -> dict[str, Let]:
    output = document["output"]["security_group_ids"]["value"]
    seen: dict[str, Let] = {host: {} for host in output}
    for rule in resources(document, "aws_vpc_security_group_ingress_rule"):
        source = [rule[field] for field in ("cidr_ipv4", "cidr_ipv6") if field in rule]
        source += members(output, rule.get("referenced_security_group_id", ""), addresses)
        assert rule.get("from_port") == rule.get("to_port")
        key = NUMBERS.get(rule["ip_protocol"], rule["ip_protocol"]), rule.get("from_port", 0)
        for host in output:
            if rule["security_group_id"] in output[host]:
                add(seen[host], key, spans(source))
    return seen


def gcp(document: Json, addresses: Addresses) -> dict[str, Let]:
    output = document["output"]["network_tags"]["value"]
    seen: dict[str, Let] = {host: {} for host in output}
    refused: dict[str, Spans] = dict.fromkeys(output, ())
    for rule in resources(document, "google_compute_firewall"):
        ranges = rule.get("source_ranges", [])
        assert len({":" in one for one in ranges}) <= 1, "one family a rule"
        source = [*ranges, *(a for tag in rule.get("source_tags", ()) for a in members(output, tag, addresses))]
        for host in output:
            if not set(rule["target_tags"]) & set(output[host]):
                continue
            if "deny" in rule:
                assert (rule["deny"], rule["priority"]) == ([{"protocol": "all"}], 65534)
                refused[host] = merged((*refused[host], *spans(source)))
                continue
            for allow in rule["allow"]:
                for port in allow.get("ports", ["0"]):
                    add(seen[host], (NUMBERS.get(allow["protocol"], allow["protocol"]), int(port)), spans(source))
    assert all(spans_ == EVERYWHERE for spans_ in refused.values())
    return seen


def azure(document: Json, addresses: Addresses) -> dict[str, Let]:
    """In the order of priority; what reaches the end meets AllowVnetInBound, and nothing may."""
    output = document["output"]["groups"]["value"]
    walls = {host: REFERENCE.fullmatch(said["network_security_group_id"]).group(2) for host, said in output.items()}  # type: ignore[union-attr]
    asgs = {host: said["application_security_group_ids"] for host, said in output.items()}
    seen: dict[str, Let] = {host: {} for host in output}
    for host, wall in walls.items():
        rules = [
            rule
            for rule in resources(document, "azurerm_network_security_rule")
            if rule["network_security_group_name"] == f"${{azurerm_network_security_group.{wall}.name}}"
        ]
        rules.sort(key=lambda rule: rule["priority"])
        assert len({rule["priority"] for rule in rules}) == len(rules)
        last = rules.pop()
        assert (last["access"], last["priority"], last["protocol"]) == ("Deny", 4096, "*")
        assert (
            last["source_address_prefix"] == last["destination_address_prefix"] == last["destination_port_range"] == "*"
        )
        for rule in rules:
            targets = rule.get("destination_application_security_group_ids")
            assert (targets is None) == (rule.get("destination_address_prefix") == "*")
            if targets is not None and not set(targets) & set(asgs[host]):
                continue
            source = [*rule.get("source_address_prefixes", ())]
            for group in rule.get("source_application_security_group_ids", ()):
                source += members(asgs, group, addresses)
            add(seen[host], (rule["protocol"].lower(), int(rule["destination_port_range"])), spans(source))
    return seen


def openstack(document: Json, addresses: Addresses) -> dict[str, Let]:
    output = document["output"]["security_group_ids"]["value"]
    seen: dict[str, Let] = {host: {} for host in output}
    for rule in resources(document, "openstack_networking_secgroup_rule_v2"):
        if rule["direction"] == "egress":
            continue
        assert ("remote_ip_prefix" in rule) != ("remote_group_id" in rule)
        source = [rule["remote_ip_prefix"]] if "remote_ip_prefix" in rule else []
        source += members(output, rule.get("remote_group_id", ""), addresses)
        family = spans([one for one in source if (":" in one) == (rule["ethertype"] == "IPv6")])
        assert rule.get("port_range_min") == rule.get("port_range_max")
        key = NUMBERS.get(rule["protocol"], rule["protocol"]), rule.get("port_range_min", 0)
        for host in output:
            if rule["security_group_id"] in output[host]:
                add(seen[host], key, family)
    return seen


MODELS = {
    "terraform-aws": aws, "terraform-gcp": gcp, "terraform-azure": azure, "terraform-openstack": openstack,
}  # fmt: skip


def without_own(seen: Let, own: tuple[str, ...]) -> Let:
    """What a host sends to itself never meets a group."""
    left = {key: minus(sources, spans(own)) for key, sources in seen.items()}
    return {key: sources for key, sources in left.items() if sources}


# The fields of each resource and the type of their values. Sources: website/docs/r/{security_group,
# vpc_security_group_ingress_rule, vpc_security_group_egress_rule}.html.markdown of hashicorp/terraform-provider-aws;
# website/docs/r/compute_firewall.html.markdown of hashicorp/terraform-provider-google; website/docs/r/
# {network_security_group, application_security_group}.html.markdown and internal/services/network/
# network_security_rule_resource.go of hashicorp/terraform-provider-azurerm; docs/resources/{networking_secgroup_v2,
# networking_secgroup_rule_v2}.md of terraform-provider-openstack/terraform-provider-openstack.
STRINGS = list[str]
FIELDS: Mapping[str, Mapping[str, object]] = {
    "aws_security_group": {"name": str, "description": str, "vpc_id": str},
    "aws_vpc_security_group_ingress_rule": {
        "security_group_id": str, "description": str, "ip_protocol": str, "from_port": int, "to_port": int, "cidr_ipv4": str,
        "cidr_ipv6": str, "referenced_security_group_id": str, "prefix_list_id": str,
    },
    "aws_vpc_security_group_egress_rule": {
        "security_group_id": str, "description": str, "ip_protocol": str, "cidr_ipv4": str, "cidr_ipv6": str,
    },
    "google_compute_firewall": {
        "name": str, "network": str, "description": str, "direction": str, "priority": int, "allow": list, "deny": list,
        "source_ranges": STRINGS, "source_tags": STRINGS, "target_tags": STRINGS,
    },
    "azurerm_application_security_group": {"name": str, "location": str, "resource_group_name": str},
    "azurerm_network_security_group": {"name": str, "location": str, "resource_group_name": str},
    "azurerm_network_security_rule": {
        "name": str, "resource_group_name": str, "network_security_group_name": str, "description": str, "protocol": str,
        "source_port_range": str, "destination_port_range": str, "source_address_prefix": str, "source_address_prefixes": STRINGS,
        "source_application_security_group_ids": STRINGS, "destination_address_prefix": str,
        "destination_application_security_group_ids": STRINGS, "access": str, "priority": int, "direction": str,
    },
    "openstack_networking_secgroup_v2": {"name": str, "description": str, "delete_default_rules": bool, "region": str},
    "openstack_networking_secgroup_rule_v2": {
        "direction": str, "ethertype": str, "protocol": str, "port_range_min": int, "port_range_max": int, "remote_ip_prefix": str,
        "remote_group_id": str, "security_group_id": str, "description": str, "region": str,
    },
}  # fmt: skip
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "aws_security_group": (),
    "aws_vpc_security_group_ingress_rule": ("security_group_id", "ip_protocol"),
    "aws_vpc_security_group_egress_rule": ("security_group_id", "ip_protocol"),
    "google_compute_firewall": ("name", "network"),
    "azurerm_application_security_group": ("name", "location", "resource_group_name"),
    "azurerm_network_security_group": ("name", "location", "resource_group_name"),
    "azurerm_network_security_rule": (
        "name", "resource_group_name", "network_security_group_name", "protocol", "access", "priority", "direction",
    ),
    "openstack_networking_secgroup_v2": ("name",),
    "openstack_networking_secgroup_rule_v2": ("direction", "ethertype", "security_group_id"),
}  # fmt: skip
# Exactly one of each of these has to be there (ConfigValidators and ExactlyOneOf in the providers' sources).
ONE_OF: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "aws_vpc_security_group_ingress_rule": (
        ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"),
    ),
    "aws_vpc_security_group_egress_rule": (("cidr_ipv4", "cidr_ipv6"),),
    "google_compute_firewall": (("allow", "deny"), ("source_ranges", "source_tags")),
    "azurerm_network_security_rule": (
        ("source_address_prefix", "source_address_prefixes", "source_application_security_group_ids"),
        ("destination_address_prefix", "destination_application_security_group_ids"),
    ),
}  # fmt: skip
# Characters and lengths: DescribeSecurityGroups and AuthorizeSecurityGroupIngress (AWS), RFC 1035 as compute_firewall asks
# (Google), the overview of network security groups (Azure: 80 for a name, 140 for a description), Neutron's API (255).
NAME = {
    "aws": re.compile(r"(?!sg-)[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}"),
    "google": re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    "azurerm": re.compile(r"\w([\w.-]{0,78}\w)?", re.ASCII),
    "openstack": re.compile(r"[^\x00-\x1f]{1,255}"),
}
LONGEST_TEXT = {"aws": 255, "google": 2048, "azurerm": 140, "openstack": 255}
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def faults(document: Json) -> Iterator[str]:
    for kind, named in document["resource"].items():
        provider = kind.partition("_")[0]
        for label, fields in named.items():
            yield from (f"{label}: {name} is no field" for name in fields if name not in FIELDS[kind])
            yield from (f"{label}: {name} is missing" for name in REQUIRED[kind] if name not in fields)
            yield from (
                f"{label}: one of {one}" for one in ONE_OF.get(kind, ()) if sum(name in fields for name in one) != 1
            )
            yield from (
                f"{label}: type of {name}" for name, value in fields.items() if not _is(value, FIELDS[kind][name])
            )
            if not LABEL.fullmatch(label) or ("name" in fields and not NAME[provider].fullmatch(fields["name"])):
                yield f"{label}: name {fields.get('name')}"
            if len(fields.get("description", "")) > LONGEST_TEXT[provider]:
                yield f"{label}: description"


def _is(value: object, kind: object) -> bool:
    if kind is STRINGS or kind == STRINGS:
        return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
    return isinstance(kind, type) and isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def strings(content: object) -> Iterator[str]:
    """Every string of a document, keys too: Terraform reads each as a template."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from strings(value)
    elif isinstance(content, str):
        yield content
