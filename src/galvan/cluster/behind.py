"""Who is behind a balancer, and how one of them is taken out and back, whatever kind of balancer it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from galvan.cluster import balancer, maxscale, proxysql
from galvan.cluster.balancer import Server
from galvan.model import Fact, HostFacts, Shell

SetState = Callable[[str, str, str], Shell]
"""Of a backend, a server's name there, and `drain` or `ready`."""


def _at_maxscale(backend: str, server: str, state: str) -> Shell:
    return maxscale.drain(server) if state == "drain" else maxscale.undrain(server)


_KINDS: Mapping[str, tuple[Fact[tuple[Server, ...]], SetState]] = {
    "haproxy": (balancer.BALANCER, balancer.set_state),
    "proxysql": (proxysql.SERVERS, proxysql.set_state),
    "maxscale": (maxscale.MAXSCALE, _at_maxscale),
}
BEHIND = tuple(fact for fact, _ in _KINDS.values())


def ways(kind: str) -> tuple[Fact[tuple[Server, ...]], SetState]:
    """How a balancer of this kind is asked and told. A host without a kind is a HAProxy."""
    return _KINDS[kind or "haproxy"]


def behind(facts: HostFacts) -> tuple[Server, ...]:
    """Raises Unreadable where this balancer cannot be asked."""
    return facts[ways(facts.host.kind)[0]]
