"""Under which names, addresses and ports a host is dialled; its certificates must hold all names and addresses."""

from __future__ import annotations

import ipaddress

from galvan.cluster.facts import PLATFORM, VARIABLES
from galvan.model import HostFacts, Role, Snapshot

Identity = tuple[tuple[str, ...], tuple[str, ...]]  # names, addresses


def member(facts: HostFacts) -> Identity:
    """What the other members dial."""
    host, platform = facts.host, facts[PLATFORM]
    own = [str(platform.get("hostname") or ""), str(platform.get("short") or "")]
    told = bare(str(facts[VARIABLES].get("wsrep_node_address") or "")) if host.role is Role.DATABASE else ""
    return _sorted([host.name, *own, host.address, told, *addresses(facts)])


def addresses(facts: HostFacts) -> tuple[str, ...]:
    """Those that the host tells of itself: behind a name in galvan.yaml stands one of them, and a balancer names one."""
    return tuple(str(facts[PLATFORM].get("addresses") or "").split())


def answers_to(facts: HostFacts) -> frozenset[str]:
    """Every address that means this host, for comparing with what others say of it."""
    return frozenset({facts.host.address, *addresses(facts)})


def server(facts: HostFacts, snapshot: Snapshot) -> Identity:
    """What clients dial: also the balancers before it, with their virtual names, and the host itself from inside."""
    names, addresses = member(facts)
    doors = [
        name
        for balancer in snapshot.cluster.having(Role.LOAD_BALANCER)
        for name in (balancer.name, balancer.address, *balancer.names)
    ]
    return _sorted([*names, *facts.host.names, "localhost", *addresses, "127.0.0.1", "::1", *doors])


def server_port(facts: HostFacts) -> int:
    port = str(facts[VARIABLES].get("port") or "")
    return int(port) if port.isdigit() else 3306


def group_port(facts: HostFacts) -> int:
    """Where the running provider listens; 4567 unless somebody moved it."""
    port = str(facts[VARIABLES].get("provider.gmcast.listen_addr") or "").rpartition(":")[2]
    return int(port) if port.isdigit() else 4567


def others_address(facts: HostFacts) -> str:
    """wsrep_cluster_address without the member itself; empty where it is not named there, or nobody else is."""
    said, mark, options = str(facts[VARIABLES].get("wsrep_cluster_address") or "").partition("?")
    names, addresses = member(facts)
    all_of_them = said.removeprefix("gcomm://").split(",")
    others = [one for one in all_of_them if bare(one) not in (*names, *addresses)]
    return f"gcomm://{','.join(others)}{mark}{options}" if 0 < len(others) < len(all_of_them) else ""


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
    return str(ipaddress.ip_address(said)) if _is_address(said) else said


def _sorted(said: list[str]) -> Identity:
    told = [name for name in dict.fromkeys(said) if name]
    addresses = tuple(name for name in told if _is_address(name))
    return tuple(name for name in told if name not in addresses), addresses


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
