"""Plan: what would be changed, from what is seen now."""

from __future__ import annotations

from dataclasses import replace

from galvan.app.desk import Audited, Desk, audit
from galvan.cluster import identity
from galvan.cluster.behind import BEHIND, behind
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.health import held
from galvan.cluster.settle import settle
from galvan.cluster.upkeep import UPKEEP
from galvan.engine.plan import Plan, host_order, limited, plan
from galvan.model import HostFacts, Role, Rung, Snapshot, Unreadable, Unsafe
from galvan.pki.steps import certify


async def make_plan(desk: Desk, to: Rung, outage: bool = False) -> tuple[Plan, Audited]:
    """With a limit the whole cluster is looked at all the same. `outage`: it is allowed. Raises Unsafe where a limit would
    leave a mixed state."""
    seen = await audit(replace(desk, limit=frozenset()), (*HOUSE, SESSIONS, *BEHIND, *UPKEEP))
    if seen.misfits:
        raise Unsafe("nothing is planned, and nothing was changed: " + "; ".join((*held(seen.snapshot), *seen.misfits)))
    made = plan(seen.findings, seen.snapshot, desk.tips, to, order_of(seen.snapshot), settle, certify, outage)
    return (limited(made, desk.limit) if desk.limit else made), seen


def order_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The writer goes last: the host with the most client sessions, else the one that its balancer prefers."""
    clients: dict[str, int] = {}
    for facts in snapshot.having(Role.DATABASE):
        try:
            clients[facts.host.name] = 2 * len([s for s in facts[SESSIONS] if s.client])
        except Unreadable:
            clients[facts.host.name] = 0
    by_address = known_by(snapshot)
    for facts in snapshot.having(Role.LOAD_BALANCER):
        try:
            preferred = [by_address.get(s.address) for s in behind(facts) if s.active]
        except Unreadable:
            continue
        for name in preferred if len(preferred) == 1 else []:
            clients[str(name)] = clients.get(str(name), 0) + 1
    return host_order(snapshot, clients)


def known_by(snapshot: Snapshot) -> dict[str, str]:
    """Every address by which a balancer may know a database host, with the host's name."""
    return {said: facts.host.name for facts in snapshot.having(Role.DATABASE) for said in _addresses(facts)}


def _addresses(facts: HostFacts) -> frozenset[str]:
    try:
        return identity.answers_to(facts)
    except Unreadable:
        return frozenset({facts.host.address})
