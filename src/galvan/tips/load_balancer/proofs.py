"""What is tried from outside: an application finds the door and nothing behind it, a stranger finds not even who serves."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.answer import PORT
from galvan.cluster.identity import server_port
from galvan.model import Outcome, Proof, Role, Scan, Snapshot, Unreadable

TIP = "load_balancer"
_MATCHES = frozenset({Outcome.MATCHES})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    """The vantage's own control is the door for an application, and its ssh for a stranger; of the port, that the balancer
    reaches it. Raises Unreadable where galvan.yaml names nowhere to stand."""
    balancers = snapshot.cluster.having(Role.LOAD_BALANCER)
    sources = snapshot.cluster.having(Role.APPLICATION, Role.OUTSIDER)
    if not balancers:
        return
    if not sources:
        raise Unreadable("galvan.yaml names no application and no outsider from where members could be tried")
    door = (balancers[0].address, snapshot.cluster.policy.load_balancer.door)
    for facts in snapshot.having(Role.DATABASE):
        host, address = facts.host.name, facts.host.address
        for place in sources:
            source, near = place.name, (place.address, place.port or 22) if place.role is Role.OUTSIDER else door
            for name, claim, port in (
                (
                    f"load_balancer.server@{host}<{source}",
                    f"{source} reaches {host} only through the door",
                    server_port(facts),
                ),
                (f"load_balancer.health@{host}<{source}", f"{source} cannot ask {host} whether it serves", PORT),
            ):
                yield Proof(
                    name, TIP, claim, host, source, Scan(address, ((port, port),), frozenset(), near), _MATCHES,
                    Scan(address, ((port, port),), frozenset({port}), (address, port)), _MATCHES,
                    control_vantage=balancers[0].name,
                )  # fmt: skip
