"""Who may open a new connection to which port of which host, by role. Pure; every backend renders this one table.

| port of a database host | who |
|---|---|
| the server's (`port`, `extra_port`, 33060, 33062 where they are open) | balancers, replicas, monitors; without a balancer the applications |
| group communication (`gmcast.listen_addr`; udp with `gmcast.mcast_addr` alone) | members, arbitrators |
| IST (`ist.recv_addr`) | members, arbitrators |
| SST (`wsrep_sst_receive_address`) | members |
| 9200, the health check | balancers |

A balancer: its doors for applications, its other listeners for the operators; VRRP between balancers, where it is heard or the policy names
a pair. An arbitrator: the group's port for members and arbitrators. Each of them: ssh for the operators, and what `policy: firewall: also` opens. No port
is assumed where the cluster says it: the numbers come from the running servers and from what listens.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from galvan.cluster import identity
from galvan.cluster.answer import PORT
from galvan.cluster.arbitrator import MEMBERS, shown
from galvan.cluster.facts import VARIABLES
from galvan.cluster.walls import WALLED as WALLED  # others take it from here
from galvan.model import Host, HostFacts, Role, Snapshot, Unreadable
from galvan.tips.firewall.facts import CALLER, LISTENERS, Listener

NOBODYS = 65000
"""A port on which nothing listens: what reaches it reaches everything that will ever listen."""
GROUP, IST, SST, CLIENTS, CHECK, DOOR, ADMIN, SSH, EXTRA, PAIR = (
    "group communication", "IST", "SST", "clients", "health check", "front door", "administration", "ssh",
    "opened by policy", "VRRP",
)  # fmt: skip
MEMBERS_ONLY = frozenset({GROUP, IST, SST})
"""What the first wall is about: nobody but a member has any business there."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SERVERS = frozenset({"mariadbd", "mysqld"})
_BALANCERS = frozenset({"haproxy", "proxysql", "maxscale"})


@dataclass(frozen=True, slots=True)
class Allow:
    """New connections to a port (0: of a protocol that has none) of a host. `sources`: networks in CIDR, sorted."""

    host: str
    protocol: str  # tcp, udp, vrrp
    port: int
    sources: tuple[str, ...]
    purpose: str


def table(snapshot: Snapshot) -> tuple[Allow, ...]:
    """For every walled host. Raises Unreadable where a port or an address cannot be known: a guess would cut somebody off."""
    return tuple(allow for facts in snapshot.having(*WALLED) for allow in of_host(facts, snapshot))


def of_host(facts: HostFacts, snapshot: Snapshot) -> tuple[Allow, ...]:
    host, walls = facts.host, snapshot.cluster.policy.firewall
    wanted: list[tuple[str, int, Iterable[str], str]] = [
        *(("tcp", port, operators(snapshot), SSH) for port in ssh_ports(facts)),
        *_by_role(facts, snapshot),
        *((o.protocol, o.port, o.sources, EXTRA) for o in walls.also if not o.hosts or host.name in o.hosts),
    ]
    merged: dict[tuple[str, int, str], list[str]] = {}
    for protocol, port, sources, purpose in wanted:
        merged.setdefault((protocol, port, purpose), []).extend(sources)
    return tuple(
        Allow(host.name, protocol, port, networks(sources), purpose)
        for (protocol, port, purpose), sources in merged.items()
        if sources
    )


def _by_role(facts: HostFacts, snapshot: Snapshot) -> Iterator[tuple[str, int, Iterable[str], str]]:
    group = [address for member in snapshot.having(*MEMBERS) for address in sources(member)]
    if facts.host.role is Role.LOAD_BALANCER:
        yield from _balancer(facts, snapshot)
        return
    yield "tcp", identity.group_port(facts), group, GROUP
    if str(shown(facts).get("provider.gmcast.mcast_addr") or ""):
        yield "udp", identity.group_port(facts), group, GROUP
    if facts.host.role is Role.ARBITRATOR:
        return
    members = [address for member in snapshot.having(Role.DATABASE) for address in sources(member)]
    yield "tcp", ist_port(facts), group, IST
    yield "tcp", sst_port(facts), members, SST
    balancers = [*_of(snapshot, Role.LOAD_BALANCER)]
    clients = [*clients_of(snapshot), *(members if facts[VARIABLES].get("wsrep_sst_method") == "mysqldump" else ())]
    for port in client_ports(facts):
        yield "tcp", port, clients, CLIENTS
    yield "tcp", PORT, balancers, CHECK


def _balancer(facts: HostFacts, snapshot: Snapshot) -> Iterator[tuple[str, int, Iterable[str], str]]:
    policy = snapshot.cluster.policy.firewall
    applications = [*_of(snapshot, Role.APPLICATION), *policy.applications]
    doors = front_doors(facts)
    for port in sorted(doors):
        yield "tcp", port, applications, DOOR
    for port in sorted(admin_ports(facts) - doors):
        yield "tcp", port, operators(snapshot), ADMIN
    others = [a for host in snapshot.cluster.having(Role.LOAD_BALANCER) if host != facts.host for a in literal(host)]
    shared = snapshot.cluster.policy.load_balancer.pair is not None
    if shared or any(listener.protocol == "vrrp" for listener in facts[LISTENERS]):
        yield "vrrp", 0, others, PAIR


# who is where --------------------------------------------------------------------------------------------------
def clients_of(snapshot: Snapshot) -> Iterator[str]:
    """Who may log in at a server: through a balancer where there is one, and then nobody else by role."""
    policy = snapshot.cluster.policy.firewall
    balancers = [*_of(snapshot, Role.LOAD_BALANCER)]
    yield from balancers or [*_of(snapshot, Role.APPLICATION), *policy.applications]
    yield from (*_of(snapshot, Role.REPLICA), *policy.replicas, *_of(snapshot, Role.MONITOR), *policy.monitors)


def operators(snapshot: Snapshot) -> tuple[str, ...]:
    return snapshot.cluster.policy.firewall.operators


def _of(snapshot: Snapshot, role: Role) -> Iterator[str]:
    for host in snapshot.cluster.having(role):
        yield from literal(host)


def named(host: Host) -> tuple[str, ...]:
    """The addresses among what galvan.yaml calls a host, as they stand there."""
    return tuple(said for said in (host.address, *host.names) if is_address(said))


def literal(host: Host) -> tuple[str, ...]:
    """The addresses that galvan.yaml names. Raises Unreadable where it names none: a name may mean another host tomorrow."""
    found = tuple(str(ipaddress.ip_address(said.partition("%")[0])) for said in named(host))
    if not found:
        raise Unreadable(
            f"{host.name} has no address in galvan.yaml, only the name {host.address}, and a wall knows addresses: add one "
            f"(names: [ADDRESS])"
        )
    return found


def sources(facts: HostFacts) -> tuple[str, ...]:
    """From where a member or an arbitrator dials the others: its address in galvan.yaml, and the one that it tells the group."""
    host = facts.host
    told = identity.bare(str(facts[VARIABLES].get("wsrep_node_address") or "")) if host.role is Role.DATABASE else ""
    said = [*named(host), *([told] if is_address(told) else [])]
    return tuple(dict.fromkeys(said or identity.addresses(facts)))


def whereabouts(snapshot: Snapshot) -> Iterator[tuple[Host, tuple[str, ...]]]:
    """Every host that dials others, and from which addresses."""
    seen = {facts.host.name: facts for facts in snapshot.having(*MEMBERS)}
    for host in snapshot.cluster.having(*MEMBERS, Role.LOAD_BALANCER, Role.APPLICATION, Role.OUTSIDER):
        yield host, sources(seen[host.name]) if host.name in seen else literal(host)


def networks(said: Iterable[str]) -> tuple[str, ...]:
    """Sorted, without those that another one covers. Raises Unreadable for what is no network.

    >>> networks(["10.0.0.7", "10.0.0.0/24", "fd00::1", "10.0.1.1"])
    ('10.0.0.0/24', '10.0.1.1/32', 'fd00::1/128')
    """
    found: set[_Network] = set()
    for text in said:
        try:
            found.add(ipaddress.ip_network(text.partition("%")[0], strict=False))
        except ValueError:
            raise Unreadable(f"{text!r} is no network") from None
    kept: list[_Network] = []
    for network in sorted(found, key=lambda n: (n.version, n.network_address.packed, n.prefixlen)):
        if not kept or not _covers(
            kept[-1], network
        ):  # in this order one that covers comes right before those that it covers
            kept.append(network)
    return tuple(map(str, kept))


def _covers(wide: _Network, narrow: _Network) -> bool:
    """The addresses of IPv4 and IPv6 are never within each other."""
    both = int(wide.network_address), int(narrow.network_address)
    shift = wide.max_prefixlen - wide.prefixlen
    return (
        wide.version == narrow.version and wide.prefixlen <= narrow.prefixlen and both[0] >> shift == both[1] >> shift
    )


def holds(allow: Allow, addresses: Iterable[str]) -> bool:
    """Does it let in somebody who dials from any of these?"""
    return any(ipaddress.ip_address(a) in ipaddress.ip_network(n) for a in addresses for n in allow.sources)


def is_address(text: str) -> bool:
    return identity.is_address(text.partition("%")[0])


# which ports ---------------------------------------------------------------------------------------------------
def client_ports(facts: HostFacts) -> tuple[int, ...]:
    """The server's port, and every other one on which it listens: extra_port, X protocol, the admin interface."""
    known = {identity.server_port(facts), *_number(facts[VARIABLES].get("extra_port"))}
    inner = {identity.group_port(facts), ist_port(facts), sst_port(facts)}
    heard = {listener.port for listener in _heard(facts, _SERVERS)}
    return tuple(sorted((known | heard) - inner))


def ist_port(facts: HostFacts) -> int:
    """`ist.recv_addr`, else one above the group's base port, as Galera itself counts."""
    told = _port_in(str(facts[VARIABLES].get("provider.ist.recv_addr") or ""))
    return told or int(str(facts[VARIABLES].get("provider.base_port") or 4567)) + 1


def sst_port(facts: HostFacts) -> int:
    return _port_in(str(facts[VARIABLES].get("wsrep_sst_receive_address") or "")) or 4444


def _port_in(address: str) -> int:
    """
    >>> _port_in("10.0.0.1:4445"), _port_in("AUTO"), _port_in("[fd00::1]:4445"), _port_in("fd00::1")
    (4445, 0, 4445, 0)
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return int(port) if port.isdigit() and (":" not in host or host.endswith("]")) else 0


def front_doors(facts: HostFacts) -> frozenset[int]:
    """Where a balancer takes applications: what it listens on for others, and serves MySQL by its own configuration."""
    return frozenset(listener.port for listener in _heard(facts, _BALANCERS) if listener.door)


def admin_ports(facts: HostFacts) -> frozenset[int]:
    return frozenset(listener.port for listener in _heard(facts, _BALANCERS) if not listener.door)


def ssh_ports(facts: HostFacts) -> tuple[int, ...]:
    """Where sshd listens, and where it took this connection. Raises Unreadable where neither is seen."""
    heard = {listener.port for listener in facts[LISTENERS] if listener.process.startswith("sshd")}
    if port := facts[CALLER].port:
        heard.add(port)
    if not heard:
        raise Unreadable(f"it cannot be seen where sshd listens on {facts.host.name}")
    return tuple(sorted(heard))


def _heard(facts: HostFacts, processes: frozenset[str]) -> Iterator[Listener]:
    """Raises Unreadable where the kernel does not say whose a port is: it might be the very door."""
    nobodys = sorted(
        str(listener.port) for listener in facts[LISTENERS] if listener.process == "-" and not listener.local
    )
    if nobodys:
        raise Unreadable(
            f"{facts.host.name} does not show which process listens on {', '.join(nobodys)} (ss -p as root)"
        )
    for listener in facts[LISTENERS]:
        if listener.protocol == "tcp" and not listener.local and listener.process in processes:
            yield listener


def _number(value: object) -> tuple[int, ...]:
    return (int(str(value)),) if str(value or "").isdigit() and int(str(value)) else ()
