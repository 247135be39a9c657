"""The policy as groups: one for each role, and one for a host where it has rules that its role has not. Pure.

When a rule names a role instead of addresses: an address range that consists of nothing but hosts of the cluster is taken
apart; where the addresses then hold every host of a walled role, they become that role, and the rest stays addresses. A host
itself may be missing in the list of its own role (VRRP names the others): what it sends to itself never meets a group.
Only a role whose hosts have one private address of a family each can stand for them, since that is what a provider fills in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from galvan.model import BadInput, Cluster, Host, Role
from galvan.tips.firewall.table import WALLED, Allow, named, networks

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Key: TypeAlias = tuple[str, int]
Items: TypeAlias = frozenset[Role | str]
PROTOCOLS = {"tcp": 6, "udp": 17, "vrrp": 112}


@dataclass(frozen=True, slots=True)
class Rule:
    """New connections to a port (0 for VRRP) from all hosts of `roles` and from `networks` (CIDR, sorted)."""

    protocol: str
    port: int
    roles: tuple[Role, ...]
    networks: tuple[str, ...]
    purposes: tuple[str, ...]

    def of(self, version: int) -> tuple[str, ...]:
        """The networks of one family."""
        return tuple(network for network in self.networks if version_of(network) == version)


@dataclass(frozen=True, slots=True)
class Group:
    """What comes in at every host of a role, or, where `host` says which, at that host beside it."""

    role: Role
    host: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """`families`: the IP versions in which the hosts of a role have addresses."""

    cluster: Cluster
    groups: tuple[Group, ...]
    families: Mapping[Role, tuple[int, ...]]

    def on(self, host: Host) -> tuple[Group, ...]:
        """Those that a host has to be in."""
        return tuple(g for g in self.groups if g.role is host.role and g.host in ("", host.name))


def arrange(policy: Iterable[Allow], cluster: Cluster, addresses: Mapping[str, Sequence[str]] | None = None) -> Groups:
    """`addresses`: from where each host dials, where more is known than galvan.yaml says. Raises BadInput."""
    by_host = {host.name: _addresses(host, addresses or {}) for host in cluster.having(*WALLED)}
    wanted: dict[str, dict[Key, list[Allow]]] = {name: {} for name in by_host}
    for allow in policy:
        _check(allow, wanted)
        if allow.sources:
            wanted[allow.host].setdefault((allow.protocol, allow.port), []).append(allow)
    standing = {role: _all(cluster, role, by_host) for role in WALLED if _stands(cluster, role, by_host)}
    said = {
        host.name: {key: _items(host, allows, standing, by_host) for key, allows in wanted[host.name].items()}
        for host in cluster.having(*WALLED)
    }
    groups = [group for role in WALLED for group in _of_role(cluster.having(role), said, wanted)]
    families = {role: tuple(sorted({address.version for address in known})) for role, known in standing.items()}
    return Groups(cluster, tuple(groups), families)


def _check(allow: Allow, wanted: Mapping[str, object]) -> None:
    if allow.host not in wanted:
        raise BadInput(
            f"{allow.host!r} is no database host, arbitrator or balancer of this cluster, so no group can hold it"
        )
    if allow.protocol not in PROTOCOLS or not (0 < allow.port < 65536 or (allow.protocol, allow.port) == ("vrrp", 0)):
        raise BadInput(
            f"{allow.host}: {allow.protocol!r} port {allow.port} is nothing that a security group can let in"
        )


def _addresses(host: Host, known: Mapping[str, Sequence[str]]) -> frozenset[Address]:
    said = known.get(host.name) or named(host)
    return frozenset(ipaddress.ip_address(text.partition("%")[0]) for text in said)


def _all(cluster: Cluster, role: Role, by_host: Mapping[str, frozenset[Address]]) -> frozenset[Address]:
    return frozenset(address for host in cluster.having(role) for address in by_host[host.name])


def _stands(cluster: Cluster, role: Role, by_host: Mapping[str, frozenset[Address]]) -> bool:
    hosts = cluster.having(role)
    known = _all(cluster, role, by_host)
    elsewhere = {a for host in cluster.hosts if host.role is not role for a in by_host.get(host.name, ())}
    return (
        bool(hosts)
        and all(by_host[host.name] and len({a.version for a in by_host[host.name]}) == len(by_host[host.name]) for host in hosts)
        and len(known) == sum(len(by_host[host.name]) for host in hosts)
        and not known & elsewhere
        and all(a.is_private and not a.is_loopback and not a.is_link_local for a in known)
    )  # fmt: skip


def _items(
    host: Host,
    allows: Iterable[Allow],
    standing: Mapping[Role, frozenset[Address]],
    by_host: Mapping[str, frozenset[Address]],
) -> Items:
    known = {address for addresses in standing.values() for address in addresses}
    single: set[Address] = set()
    wide: list[str] = []
    for text in networks(source for allow in allows for source in allow.sources):
        network = ipaddress.ip_network(text)
        if network.num_addresses <= len(known) and all(address in known for address in network):
            single.update(network)
        else:
            wide.append(text)
    roles: list[Role] = []
    for role, addresses in standing.items():
        others = addresses - by_host[host.name]
        needed = others if role is host.role and others else addresses
        if needed <= single:
            roles.append(role)
            single -= addresses
    return frozenset((*roles, *networks((*map(str, single), *wide))))


def _of_role(
    hosts: Sequence[Host], said: Mapping[str, Mapping[Key, Items]], wanted: Mapping[str, Mapping[Key, Sequence[Allow]]]
) -> Iterator[Group]:
    if not hosts:
        return
    keys = sorted({key for host in hosts for key in said[host.name]})
    nothing: Items = frozenset()
    shared = {key: frozenset.intersection(*(said[host.name].get(key, nothing) for host in hosts)) for key in keys}
    purposes = {
        key: tuple(sorted({allow.purpose for host in hosts for allow in wanted[host.name].get(key, ())}))
        for key in keys
    }
    yield Group(hosts[0].role, "", tuple(_rule(key, shared[key], purposes[key]) for key in keys if shared[key]))
    for host in hosts:
        own = {key: items - shared[key] for key, items in sorted(said[host.name].items())}
        if rules := tuple(_rule(key, items, purposes[key]) for key, items in own.items() if items):
            yield Group(host.role, host.name, rules)


def _rule(key: Key, items: Items, purposes: tuple[str, ...]) -> Rule:
    roles = tuple(role for role in WALLED if role in items)
    return Rule(*key, roles, networks(item for item in items if not isinstance(item, Role)), purposes)


def version_of(network: str) -> int:
    return 6 if ":" in network else 4
