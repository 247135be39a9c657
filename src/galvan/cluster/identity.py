"""Under which names, addresses and ports a host is dialled; its certificates must hold all names and addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from galvan.cluster.arbitrator import MEMBERS, shown
from galvan.cluster.facts import CONFIG, PLATFORM, VARIABLES
from galvan.model import HostFacts, Role, Snapshot, Unreadable

Identity = tuple[tuple[str, ...], tuple[str, ...]]  # names, addresses


def member(facts: HostFacts) -> Identity:
    """What the other members dial."""
    host, platform = facts.host, facts[PLATFORM]
    own = [str(platform.get("hostname") or ""), str(platform.get("short") or "")]
    told = bare(str(facts[VARIABLES].get("wsrep_node_address") or "")) if host.role is Role.DATABASE else ""
    return parted([host.name, *own, host.address, told, *addresses(facts)])


def addresses(facts: HostFacts) -> tuple[str, ...]:
    """Those that the host tells of itself: behind a name in galvan.yaml stands one of them, and a balancer names one."""
    return tuple(str(facts[PLATFORM].get("addresses") or "").split())


def answers_to(facts: HostFacts) -> frozenset[str]:
    """Every address that means this host, for comparing with what others say of it."""
    return frozenset({facts.host.address, *addresses(facts)})


def everyone(facts: HostFacts, snapshot: Snapshot, itself: bool = True) -> str:
    """The addresses that a member dials with every other member among them. Raises Unreadable where they name nobody.

    Each is looked for by its address and its names; one that stands there under yet another is only named twice.
    `itself`: may it stand in the list too? Where it must not, and is the only one there, the list stays as it is.
    """
    said = dials(facts)
    listed, mark, options = said.removeprefix("gcomm://").partition("?")
    there = [entry.strip() for entry in listed.split(",") if entry.strip()]
    if not said.startswith("gcomm://") or not there:
        raise Unreadable(f"{facts.host.name} dials {said!r}, which names no member")
    known = {bare(entry) for entry in there}
    for other in snapshot.having(*MEMBERS):
        if other.host != facts.host and not known & _called(other):
            there.append(dialled(other.host.address, group_port(other)))
    others = [entry for entry in there if itself or bare(entry) not in _called(facts)]
    return f"gcomm://{','.join(others or there)}{mark}{options}"


def _called(facts: HostFacts) -> set[str]:
    names, addresses = member(facts)
    return {*names, *facts.host.names, *addresses}


def dials(facts: HostFacts) -> str:
    """Whom a member dials at its next start; an arbitrator: whom it dialled at its last."""
    later = None if facts.host.role is Role.ARBITRATOR else facts[CONFIG].get("wsrep_cluster_address")
    return str(later or shown(facts).get("wsrep_cluster_address") or "")


def dialled(address: str, port: int) -> str:
    """
    >>> dialled("10.0.0.4", 4567), dialled("fd00::4", 4569)
    ('10.0.0.4', '[fd00::4]:4569')
    """
    host = f"[{address}]" if ":" in address else address
    return host if port == 4567 else f"{host}:{port}"


def server(facts: HostFacts, snapshot: Snapshot) -> Identity:
    """What clients dial: also the balancers before it, with their virtual names, and the host itself from inside."""
    names, addresses = member(facts)
    doors = [
        name
        for balancer in snapshot.cluster.having(Role.LOAD_BALANCER)
        for name in (balancer.name, balancer.address, *balancer.names)
    ]
    if pair := snapshot.cluster.policy.load_balancer.pair:
        doors.append(pair.address)
    return parted([*names, *facts.host.names, "localhost", *addresses, "127.0.0.1", "::1", *doors])


def server_port(facts: HostFacts) -> int:
    port = str(facts[VARIABLES].get("port") or "")
    return int(port) if port.isdigit() else 3306


def group_port(facts: HostFacts) -> int:
    """Where the running provider listens; 4567 unless somebody moved it."""
    port = str(shown(facts).get("provider.gmcast.listen_addr") or "").rpartition(":")[2]
    return int(port) if port.isdigit() else 4567


def bare(said: str) -> str:
    """An address without its port, in the one spelling under which it is compared.

    >>> bare("10.0.0.1:4567"), bare("[FD00:0::1]:3306"), bare("fd00::1"), bare("db1:5567"), bare(" db1")
    ('10.0.0.1', 'fd00::1', 'fd00::1', 'db1', 'db1')
    """
    said = said.strip()
    host, colon, port = said.rpartition(":")
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif colon and ":" not in host and port.isdigit():
        said = host
    return str(ipaddress.ip_address(said)) if is_address(said) else said


def parted(said: Iterable[str]) -> Identity:
    """Names, and addresses."""
    told = [name for name in dict.fromkeys(said) if name]
    addresses = tuple(name for name in told if is_address(name))
    return tuple(name for name in told if name not in addresses), addresses


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
