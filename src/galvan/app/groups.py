"""The firewall policy as security groups, and a cloud's groups against the policy. Both only read."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from galvan.app.catalogue import known
from galvan.app.desk import Audited, Desk, look, unreachable
from galvan.cluster.arbitrator import FACTS as OF_ARBITRATORS
from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import HOUSE
from galvan.cluster.membership import misfits
from galvan.engine.audit import weigh
from galvan.model import HostFacts, Judgement, Snapshot, Unreadable, Unsafe
from galvan.tips.firewall import table as tables
from galvan.tips.firewall.facts import CALLER, LISTENERS
from galvan.tips.firewall.groups import Document, live
from galvan.tips.firewall.groups import export as written

NEEDED = (*HOUSE, *OF_ARBITRATORS, LISTENERS, CALLER)


async def _look(desk: Desk) -> Snapshot:
    """At the whole cluster, whatever the limit: who may come in at one host are the others."""
    return await look(replace(desk, tips=(), limit=frozenset()), NEEDED)


async def export(desk: Desk, to: str) -> Document:
    """Raises Unreadable where the policy cannot be known, BadInput where the provider cannot hold it, Unsafe where the named
    hosts are not the cluster: its groups would shut a member out."""
    snapshot = await _look(desk)
    if strange := misfits(snapshot, desk.cluster):
        raise Unsafe("nothing is written: " + "; ".join(strange))
    addresses = {facts.host.name: _addresses(facts) for facts in snapshot.having(*tables.WALLED)}
    return written(tables.table(snapshot), snapshot.cluster, to, addresses)


def _addresses(facts: HostFacts) -> tuple[str, ...]:
    return tables.sources(facts) if facts.host.role in MEMBERS else tables.literal(facts.host)


async def compare(
    desk: Desk, region: str | None = None, endpoint_url: str | None = None, vpc: str | None = None
) -> Audited:
    """What AWS lets in at each host against the policy. What could not be asked or read is `unknown`, never a pass."""
    from galvan.edges import aws

    known(desk.cluster)
    snapshot = await _look(desk)
    addresses: dict[str, tuple[str, ...]] = {}
    judged: dict[str, Judgement] = {}
    hosts = [f for f in snapshot.having(*tables.WALLED) if not desk.limit or f.host.name in desk.limit]
    for facts in hosts:
        try:
            addresses[facts.host.name] = _addresses(facts)
        except Unreadable as why:
            judged[facts.host.name] = live.unknown(why)
    seen = await asyncio.to_thread(aws.read, addresses, region, endpoint_url, vpc)
    for facts in hosts:
        if (name := facts.host.name) in addresses:
            judged[name] = _judge(facts, snapshot, seen[name], addresses[name])
    found = [live.finding(facts.host.name, judged[facts.host.name]) for facts in hosts]
    weighed = weigh(found, desk.cluster.policy, time.strftime("%Y-%m-%d"))
    lost, strange = unreachable(snapshot), misfits(snapshot, desk.cluster)
    return Audited(snapshot, weighed.findings, {}, weighed.accepted, lost, strange, weighed.off)


async def beside(
    desk: Desk, seen: Audited, region: str | None = None, endpoint_url: str | None = None, vpc: str | None = None
) -> Audited:
    """The audit with what AWS lets in beside it. The hosts are looked at once more: who may come in is a question of its own."""
    compared = await compare(desk, region, endpoint_url, vpc)
    return replace(
        seen, findings=(*seen.findings, *compared.findings), accepted=(*seen.accepted, *compared.accepted),
        off=(*seen.off, *compared.off),
    )  # fmt: skip


def _judge(facts: HostFacts, snapshot: Snapshot, seen: object, own: tuple[str, ...]) -> Judgement:
    from galvan.edges import aws

    if isinstance(seen, Unreadable):
        return live.unknown(seen)
    assert isinstance(seen, aws.Seen)
    try:
        return live.judge(tables.of_host(facts, snapshot), seen.lets, own)
    except Unreadable as why:
        return live.unknown(why)
