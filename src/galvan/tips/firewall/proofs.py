"""What is tried from outside: which ports answer, from where each neighbour stands and from where a stranger does."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.vantage import OPERATOR
from galvan.model import Host, HostFacts, Outcome, Proof, Role, Scan, Snapshot
from galvan.tips.firewall.facts import LISTENERS
from galvan.tips.firewall.table import (
    GROUP,
    MEMBERS_ONLY,
    NOBODYS,
    WALLED,
    Allow,
    holds,
    is_address,
    of_host,
    ssh_ports,
    whereabouts,
)

TIP = "firewall"
ALL = ((1, 65535),)
_MATCHES = frozenset({Outcome.MATCHES})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(*WALLED):
        table = of_host(facts, snapshot)
        for host, mine in whereabouts(snapshot):
            if host != facts.host:
                yield from _from(facts, host, mine, table, snapshot)


def _from(
    facts: HostFacts, asker: Host, mine: tuple[str, ...], table: tuple[Allow, ...], snapshot: Snapshot
) -> Iterator[Proof]:
    """A stranger and an application try every port; a member and a balancer those of the table, and one that is nobody's."""
    target, host, source = facts.host, facts.host.name, asker.name
    expected = frozenset(a.port for a in table if a.protocol == "tcp" and holds(a, mine))
    outside = asker.role in (Role.OUTSIDER, Role.APPLICATION)
    listed = {a.port for a in table if a.protocol == "tcp"}
    listed |= {listener.port for listener in facts[LISTENERS] if listener.protocol == "tcp" and not listener.local}
    ports = ALL if outside else tuple((port, port) for port in sorted({*listed, NOBODYS}))
    vantage, control = _control(facts, table, snapshot)
    near = _near(asker, target, snapshot)
    yield Proof(
        f"firewall.ports@{host}<{source}", TIP, _claim(host, source, expected), host, source,
        Scan(target.address, ports, expected, near), _MATCHES, control, _MATCHES, control_vantage=vantage,
    )  # fmt: skip
    for allow in table if outside else ():
        if allow.purpose == GROUP and allow.protocol == "tcp":
            yield Proof(
                f"firewall.udp@{host}<{source}", TIP, f"{source} reaches no udp {allow.port} of {host}", host,
                source, Scan(target.address, ((allow.port, allow.port),), frozenset(), near, "udp"), _MATCHES, control, _MATCHES,
                control_vantage=vantage,
            )  # fmt: skip


def _claim(host: str, source: str, expected: frozenset[int]) -> str:
    ports = ", ".join(map(str, sorted(expected))) or "nothing"
    return f"{source} reaches {ports} of {host}, and no other port"


def _control(facts: HostFacts, table: tuple[Allow, ...], snapshot: Snapshot) -> tuple[str, Scan]:
    """An allowed peer reaches the host, so the trial itself works: a member at the group's port, an application at a door."""
    for allow in sorted(table, key=lambda a: a.purpose not in MEMBERS_ONLY):
        for other, mine in whereabouts(snapshot):
            if other != facts.host and allow.protocol == "tcp" and holds(allow, mine):
                return other.name, _one(facts.host, allow.port)
    return OPERATOR, _one(facts.host, ssh_ports(facts)[0])


def _one(host: Host, port: int) -> Scan:
    return Scan(host.address, ((port, port),), frozenset({port}), (host.address, port))


def _near(vantage: Host, host: Host, snapshot: Snapshot) -> tuple[str, int]:
    """What the vantage is known to reach, to be dialled again and again: an application's ssh, which no wall concerns, else its own."""
    apps = [h for h in snapshot.cluster.having(Role.APPLICATION) if h not in (vantage, host) and is_address(h.address)]
    other = next(iter(apps), vantage)
    return other.address, other.port or 22
