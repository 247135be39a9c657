"""Gather: every fact of every host, one exec a host, side by side."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from galvan.model import Cluster, Fact, Host, HostFacts, Query, Reader, Snapshot, Tip, Unreadable


async def gather(cluster: Cluster, facts: Sequence[Fact[Any]], reader: Reader) -> Snapshot:
    """A snapshot of all hosts that some fact concerns. Never raises for a host: what it did not say is Unreadable."""
    wanted = {host: [fact for fact in dict.fromkeys(facts) if host.role in fact.roles] for host in cluster.hosts}
    asked = {host: mine for host, mine in wanted.items() if mine}
    taken_at = time.time()
    outputs = await asyncio.gather(*(_read(host, mine, reader) for host, mine in asked.items()))
    seen = tuple(
        HostFacts(host, {fact.id: _parsed(host, fact, output[fact.query]) for fact in mine})
        for (host, mine), output in zip(asked.items(), outputs, strict=True)
    )
    return Snapshot(cluster, seen, _digests(asked, outputs), taken_at)


async def _read(host: Host, facts: Sequence[Fact[Any]], reader: Reader) -> Mapping[Query, str | Unreadable]:
    """By query: facts that share one are asked once."""
    asked = {fact.query: fact for fact in facts}
    try:
        found = await reader.read(host, tuple(asked.values()))
    except Unreadable as why:
        return dict.fromkeys(asked, why)
    return {query: found[fact.id] for query, fact in asked.items()}


def _parsed(host: Host, fact: Fact[Any], output: str | Unreadable) -> object:
    if isinstance(output, Unreadable):
        return output
    try:
        return fact.parse(output)
    except Unreadable as why:
        return Unreadable(f"{fact.id} on {host.name}: {why}")


def _digests(
    asked: Mapping[Host, Sequence[Fact[Any]]], outputs: Sequence[Mapping[Query, str | Unreadable]]
) -> Mapping[tuple[str, str], str]:
    """Of what stays the same while nobody changes anything."""
    return {
        (host.name, fact.id): hashlib.sha256(str(output[fact.query]).encode()).hexdigest()
        for (host, facts), output in zip(asked.items(), outputs, strict=True)
        for fact in facts
        if fact.stable
    }


def fingerprint(snapshot: Snapshot, tips: Sequence[Tip]) -> str:
    """Of all that these tips look at and that does not change by itself: a plan and a proof hold for one fingerprint."""
    ids = {fact.id for tip in tips for fact in tip.facts}
    parts = [f"{host} {id} {digest}" for (host, id), digest in sorted(snapshot.digests.items()) if id in ids]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
