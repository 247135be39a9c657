"""Who is behind a balancer, and how one of them is taken out and back, whatever kind of balancer it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from galvan.cluster import balancer, maxscale, proxysql
from galvan.cluster.balancer import Server
from galvan.model import Fact, Host, HostFacts, Role, Shell

SetState = Callable[[str, str, str], Shell]
"""Of a backend, a server's name there, and `drain` or `ready`."""


_KINDS: Mapping[str, tuple[Fact[tuple[Server, ...]], SetState]] = {
    "haproxy": (balancer.BALANCER, balancer.set_state),
    "proxysql": (proxysql.SERVERS, proxysql.set_state),
    "maxscale": (maxscale.MAXSCALE, maxscale.set_state),
}
ASKERS: Fact[frozenset[str]] = Fact(
    "balancer.askers",
    Shell(f"(\n{proxysql.ASKER.text}\n)\n(\n{maxscale.ASKERS.text}\n)"),
    lambda output: frozenset(line for line in output.splitlines() if line),
    roles=frozenset({Role.LOAD_BALANCER}),
)
"""The accounts with which a ProxySQL or a MaxScale asks after its members' health: their sessions are nobody's work, and never end by
themselves. A HAProxy keeps none."""
BEHIND: tuple[Fact[Any], ...] = (*(fact for fact, _ in _KINDS.values()), ASKERS)


def ways(kind: str) -> tuple[Fact[tuple[Server, ...]], SetState]:
    """How a balancer of this kind is asked and told. A host without a kind is a HAProxy."""
    return _KINDS[kind or "haproxy"]


def is_haproxy(host: Host) -> bool:
    return (host.kind or "haproxy") == "haproxy"


def behind(facts: HostFacts) -> tuple[Server, ...]:
    """Raises Unreadable where this balancer cannot be asked."""
    return facts[ways(facts.host.kind)[0]]
