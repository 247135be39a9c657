"""Where the members of a cluster stand while some of them are down: each by its own host's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster.facts import GATE, MOMENT, STATUS
from galvan.cluster.position import POSITION, Position
from galvan.engine.gather import gather
from galvan.model import Cluster, Reader, Snapshot, Unreachable, Unreadable


@dataclass(frozen=True, slots=True)
class Standing:
    """Who of the members is up, who is down and how far it had come, and who cannot be asked."""

    up: frozenset[str]
    down: Mapping[str, Position]
    silent: Mapping[str, str]  # host and why
    moving: frozenset[str]


def names(seen: Snapshot) -> list[str]:
    return [facts.host.name for facts in seen.hosts]


def standing_in(seen: Snapshot) -> Standing:
    up: set[str] = set()
    moving: set[str] = set()
    down: dict[str, Position] = {}
    silent: dict[str, str] = {}
    for facts in seen.hosts:
        name = facts.host.name
        try:
            at = facts[POSITION]
        except Unreadable as why:
            silent[name] = str(why)
            continue
        if at.stopped:
            down[name] = at
        else:
            (moving if at.moving else up).add(name)
    return Standing(frozenset(up), down, silent, frozenset(moving))


def is_stopped(seen: Snapshot, name: str) -> bool:
    """By its own host's word: one that cannot be reached may still serve."""
    facts = seen.of(name)
    try:
        service = str(facts[MOMENT].get("service"))
        facts[STATUS]
    except Unreachable:
        return False
    except Unreadable:
        return MOMENT.id in facts.readings and service in ("", "failed", "inactive")
    return False


def serves(seen: Snapshot, name: str) -> bool:
    try:
        status = seen.of(name)[STATUS]
    except Unreadable:
        return False
    return status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_local_state_comment") == "Synced"


async def serving(reader: Reader, members: Cluster) -> str:
    """One sentence for a person who has to decide: does the cluster serve, and where?"""
    now = await gather(members, GATE, reader)
    up = [name for name in names(now) if serves(now, name)]
    rest = [name for name in names(now) if name not in up]
    if not up:
        return "No member serves: THE CLUSTER IS DOWN"
    return f"The cluster serves on {', '.join(up)}" + (f"; not on {', '.join(rest)}" if rest else "")
