"""What the security groups of AWS let in at a host. Reads only; boto3 (the extra `aws`) is imported when it is asked for.

A host is the instance that has one of its addresses. All interfaces of that instance count, since a server listens on each;
a group that a rule names stands for the addresses of the interfaces that are in it.
"""

from __future__ import annotations

import importlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from galvan.model import BadInput, Unreadable

Raw: TypeAlias = Mapping[str, Any]
READS = ("DescribeNetworkInterfaces", "DescribeSecurityGroupRules", "GetManagedPrefixListEntries")
"""All that is ever asked; an account that may do these three things is enough."""


@dataclass(frozen=True, slots=True)
class Let:
    """One rule of a group. `protocol` as AWS says it, `-1` for all; ports are -1 where the protocol has none. `unread`: why
    its sources could not be known."""

    group: str
    protocol: str
    first: int
    last: int
    networks: tuple[str, ...]
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    instance: str
    lets: tuple[Let, ...]


def read(
    hosts: Mapping[str, Sequence[str]],
    region: str | None = None,
    endpoint_url: str | None = None,
    vpc: str | None = None,
) -> Mapping[str, Seen | Unreadable]:
    """By host, whose addresses are given. Raises BadInput without boto3; what AWS does not say is Unreadable for its hosts."""
    boto3 = _library("boto3")
    exceptions = importlib.import_module("botocore.exceptions")
    refused = (exceptions.BotoCoreError, exceptions.ClientError)
    try:
        account = _Account(_client(boto3, region, endpoint_url), refused)
        return {name: account.of_host(addresses, vpc) for name, addresses in hosts.items()}
    except refused as why:
        lost = Unreadable(f"AWS could not be asked: {why}")
        return dict.fromkeys(hosts, lost)
    except ValueError as why:  # what botocore says of an endpoint that is no URL
        raise BadInput(f"--endpoint-url or AWS_ENDPOINT_URL: {why}") from None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise BadInput("to ask AWS, galvan needs boto3: install the extra, pip install 'galvan[aws]'") from None


def _client(boto3: Any, region: str | None, endpoint_url: str | None) -> Any:
    config = importlib.import_module("botocore.config").Config(
        connect_timeout=10, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"}
    )
    client = boto3.session.Session().client("ec2", region_name=region, endpoint_url=endpoint_url, config=config)
    client.meta.events.register_first("before-parameter-build.ec2", _only_reads)
    return client


def _only_reads(model: Any, **_: object) -> None:
    """Asked before each request; an operation that is not in the list is a bug, and is not sent."""
    if model.name not in READS:
        raise RuntimeError(f"{model.name} is not among the requests that galvan sends to AWS")


@dataclass
class _Account:
    """What was asked once is not asked again."""

    client: Any
    refused: tuple[type[Exception], ...]
    _interfaces: list[Raw] = field(default_factory=list)
    _rules: dict[str, list[Raw]] = field(default_factory=dict)
    _lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def interfaces(self) -> list[Raw]:
        if not self._interfaces:
            self._interfaces = self._all("describe_network_interfaces", "NetworkInterfaces")
        return self._interfaces

    def of_host(self, addresses: Sequence[str], vpc: str | None) -> Seen | Unreadable:
        named = ", ".join(addresses)
        wanted = {_same(address) for address in addresses}
        own = [one for one in self.interfaces() if vpc in (None, one["VpcId"]) and wanted & set(_addresses(one))]
        if not own:
            return Unreadable(
                f"AWS knows no network interface with {named} in this region{' and ' + vpc if vpc else ''}"
            )
        if len({one["VpcId"] for one in own}) > 1:
            vpcs = ", ".join(sorted({one["VpcId"] for one in own}))
            return Unreadable(f"{named} is in several VPCs ({vpcs}): say which with --vpc")
        instances = {_instance(one) for one in own}
        together = [one for one in self.interfaces() if _instance(one) in instances]
        groups = {(group["GroupId"], one["OwnerId"]) for one in together for group in one["Groups"]}
        lets = [let for group, owner in sorted(groups) for let in self._lets(group, owner)]
        return Seen(", ".join(sorted(instances)), tuple(lets))

    def _lets(self, group: str, owner: str) -> Iterator[Let]:
        if group not in self._rules:
            asked = [{"Name": "group-id", "Values": [group]}]
            self._rules[group] = self._all("describe_security_group_rules", "SecurityGroupRules", Filters=asked)
        for rule in self._rules[group]:
            if rule["IsEgress"]:
                continue
            try:
                networks, unread = self._sources(rule, owner), ""
            except Unreadable as why:
                networks, unread = (), str(why)
            ports = rule.get("FromPort", -1), rule.get("ToPort", -1)
            yield Let(group, str(rule["IpProtocol"]), *ports, networks, unread)

    def _sources(self, rule: Raw, owner: str) -> tuple[str, ...]:
        for said in ("CidrIpv4", "CidrIpv6"):
            if rule.get(said):
                return (str(rule[said]),)
        if rule.get("PrefixListId"):
            return self._list(str(rule["PrefixListId"]))
        named = rule.get("ReferencedGroupInfo") or {}
        if not named.get("GroupId"):
            raise Unreadable(f"AWS does not say whom {rule.get('SecurityGroupRuleId')} lets in")
        if named.get("UserId", owner) != owner:
            raise Unreadable(
                f"{named['GroupId']} belongs to another account ({named['UserId']}), so who is in it is not seen"
            )
        inside = [one for one in self.interfaces() if named["GroupId"] in [group["GroupId"] for group in one["Groups"]]]
        return tuple(address for one in inside for address in _addresses(one))

    def _list(self, name: str) -> tuple[str, ...]:
        if name not in self._lists:
            try:
                entries = self._all("get_managed_prefix_list_entries", "Entries", PrefixListId=name)
            except self.refused as why:
                raise Unreadable(f"the prefix list {name} could not be read: {why}") from None
            self._lists[name] = tuple(str(entry["Cidr"]) for entry in entries)
        return self._lists[name]

    def _all(self, operation: str, where: str, **asked: object) -> list[Raw]:
        pages = self.client.get_paginator(operation).paginate(**asked)
        return [found for page in pages for found in page.get(where, ())]


def _addresses(interface: Raw) -> Iterator[str]:
    """Its own ones; a public address is not among them, since a packet arrives with the private one."""
    for where, what in (("PrivateIpAddresses", "PrivateIpAddress"), ("Ipv6Addresses", "Ipv6Address")):
        yield from (_same(str(one[what])) for one in interface.get(where, ()) if one.get(what))


def _same(address: str) -> str:
    """One spelling for each address."""
    return str(ipaddress.ip_address(address.partition("%")[0]))


def _instance(interface: Raw) -> str:
    """Who has the interface; one that no instance has stands for itself."""
    return str((interface.get("Attachment") or {}).get("InstanceId") or interface["NetworkInterfaceId"])
