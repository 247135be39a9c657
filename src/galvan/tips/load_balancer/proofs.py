"""What is tried from outside: an application finds the door and nothing behind it, a stranger finds not even who serves."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.identity import server_port
from galvan.model import HostFacts, Outcome, Proof, Role, Scan, Snapshot
from galvan.tips.load_balancer.health import PORT

TIP = "load_balancer"
_MATCHES = frozenset({Outcome.MATCHES})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    """The control is the door itself for an application; for a stranger, a balancer that reaches what he must not."""
    balancers = snapshot.cluster.having(Role.LOAD_BALANCER)
    if not balancers:
        return
    door = (balancers[0].address, snapshot.cluster.policy.load_balancer.door)
    for facts in snapshot.having(Role.DATABASE):
        for host in snapshot.cluster.having(Role.APPLICATION, Role.OUTSIDER):
            stranger = host.role is Role.OUTSIDER
            near = (host.address, host.port or 22) if stranger else door
            yield from _from(facts, host.name, near, balancers[0].name)


def _from(facts: HostFacts, source: str, near: tuple[str, int], balancer: str) -> Iterator[Proof]:
    target, port = facts.host, server_port(facts)
    for what, number in (("server", port), ("health", PORT)):
        claim = f"{source} reaches port {number} of {target.name} only through the balancer"
        if number == PORT:
            claim = f"{source} cannot ask {target.name} whether it serves"
        yield Proof(
            f"load_balancer.{what}@{target.name}<{source}", TIP, claim, target.name, source,
            Scan(target.address, ((number, number),), frozenset(), near), _MATCHES,
            Scan(target.address, ((number, number),), frozenset({number}), (target.address, number)), _MATCHES,
            control_vantage=balancer,
        )  # fmt: skip
