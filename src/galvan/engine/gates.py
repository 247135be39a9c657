"""The gates around a restart, asked on fresh facts: may a member go, does it come back, is it still on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from galvan.cluster.arbitrator import PULSE
from galvan.cluster.facts import GATE, LONG, MOMENT, STATUS
from galvan.cluster.health import commit_rate, complaints, may_take_down
from galvan.cluster.links import relayed
from galvan.cluster.upkeep import UPKEEP, memory
from galvan.engine.choreography import Choreography
from galvan.engine.gather import gather
from galvan.model import (
    Cluster,
    Fact,
    Host,
    HostFacts,
    NotHealed,
    Remote,
    Role,
    Snapshot,
    Unreachable,
    Unreadable,
    Unsafe,
)

CALM = 45.0
"""Seconds that passing complaints (a member still catching up) may last before a gate refuses."""
LEAVE = (*GATE, LONG, *UPKEEP)
SERVES = "serves"
RETURN = 600.0
"""Seconds that a restarted member may take to be Synced again: an incremental transfer of a busy minute fits well."""


@dataclass(frozen=True, slots=True)
class Crew:
    """What carrying out needs: the cluster, the hands, the voice, and the law-3 look before a restart."""

    cluster: Cluster
    remote: Remote
    choreography: Choreography
    preflight: Callable[[Host], Any]  # awaitable of complaints
    say: Callable[[str, str], None]  # wave, what happened
    quick_rejoin: bool = False
    calm: float = CALM
    poll: float = 0.5
    last: list[Snapshot] = field(default_factory=list)  # the last look at all members, when each of them was well


async def look(crew: Crew, host: Host, facts: Sequence[Fact[Any]]) -> HostFacts:
    alone = replace(crew.cluster, hosts=(host,))
    return (await gather(alone, facts, crew.remote)).of(host.name)


async def is_down(host: Host, crew: Crew) -> bool:
    """Is there no server that answers, and none on its way? One that starts or stops is waited for: it may be a restart
    whose run was killed, or an operator's own."""
    for _ in range(int(RETURN / crew.poll)):
        state = service(host, await look(crew, host, heartbeat(host)))
        if state == SERVES:
            return False
        if state not in ("activating", "deactivating", "reloading"):
            return True
        await asyncio.sleep(crew.poll)
    raise Unsafe(f"{host.name}: its server has been starting or stopping for {RETURN:.0f} s, and is left alone")


def heartbeat(host: Host) -> tuple[Fact[Any], ...]:
    """What tells whether its server serves. An arbitrator answers nobody; its process is all there is to see from here."""
    return {Role.ARBITRATOR: (PULSE,), Role.DATABASE: GATE}.get(host.role, ())


def service(host: Host, seen: HostFacts) -> str:
    """SERVES (as a host without a server does), or what systemd says of a server that does not answer. Raises Unreachable."""
    if host.role is Role.ARBITRATOR:
        pulse = seen[PULSE]
        return SERVES if pulse.get("service") == "active" and pulse.get("garbd") != "0" else str(pulse.get("service"))
    if host.role is not Role.DATABASE:
        return SERVES
    try:
        seen[STATUS]
    except Unreachable:
        raise
    except Unreadable:
        return str(seen[MOMENT].get("service"))
    return SERVES


async def look_ahead(crew: Crew) -> Snapshot | None:
    """The gate's look at all members, for a wave that has to look at its host anyway. None where one alone tells too
    little, since the last was too long ago or just now."""
    return await gather(crew.cluster, LEAVE, crew.remote) if _recent(crew) else None


async def gate(host: Host, crew: Crew, gone: bool, ahead: Snapshot | None = None) -> Snapshot:
    """Law 5, and the look that it was asked on: `ahead`, if it was taken a moment ago. A member that is already down is
    only asked of the others. Passing complaints may last for `calm` seconds."""
    cluster = crew.cluster
    recent = _recent(crew)
    before = recent or await gather(cluster, GATE, crew.remote)
    for again in range(int(crew.calm / crew.poll) or 1):
        if again or not recent:
            await asyncio.sleep(crew.poll)
        now = ahead if ahead and recent and not again else await gather(cluster, LEAVE, crew.remote)
        if not (_of_others(host, now) if gone else [*complaints(now)] or [*relayed(host.name, now)]):
            break
    if not gone:
        may_take_down(host.name, now, commit_rate(before, now))
    elif told := [*_of_others(host, now)]:
        raise Unsafe(f"{host.name} is down and was not started: " + "; ".join(told))
    return now


def _recent(crew: Crew) -> Snapshot | None:
    """The look with which the last restart ended tells how fast write sets come as well as a new one would, and saves it."""
    if crew.last and 2 * crew.poll <= time.time() - crew.last[0].taken_at <= CALM:
        return crew.last[0]
    return None


def roomy(seen: HostFacts, wanted: Collection[tuple[str, object]]) -> None:
    """Raises Unsafe where the restart would switch on what the host has no memory for; `seen` holds UPKEEP."""
    if ("performance_schema", "ON") in wanted and (told := [*memory(seen)]):
        raise Unsafe(f"{seen.host.name} was not restarted: " + "; ".join(told))


def _of_others(host: Host, snapshot: Snapshot) -> list[str]:
    others = [h for h in snapshot.cluster.having(Role.DATABASE) if h != host]
    size = len(snapshot.cluster.having(Role.DATABASE, Role.ARBITRATOR))
    told = [
        text
        for text in complaints(snapshot)
        if not text.startswith(f"{host.name} ") and f"counts {size - 1} members" not in text
    ]
    return told or ([] if others else ["it is alone"])


async def synced(host: Host, crew: Crew) -> None:
    """ "active" and a listening port prove nothing: the member must say Synced and everyone must count it (of an
    arbitrator: everyone must count it)."""
    told: list[str] = ["it did not answer"]
    for _ in range(int(RETURN / crew.poll)):
        now = await gather(crew.cluster, GATE, crew.remote)
        told = [*complaints(now)]
        if not told:
            crew.last[:] = [now]
            return
        await asyncio.sleep(crew.poll)
    raise NotHealed(f"{host.name} restarted and did not come back within {RETURN:.0f} s: " + "; ".join(told))


async def caught_up(host: Host, crew: Crew, limit: float = RETURN) -> None:
    """A member whose restart a killed run did not see the end of may still be catching up."""
    if host.role is Role.ARBITRATOR:  # it has nothing to catch up with; what counts is that the members count it
        await synced(host, crew)
        return
    for _ in range(int(limit / crew.poll)):
        status = (await look(crew, host, GATE))[STATUS]
        if status.get("wsrep_local_state_comment") == "Synced" and status.get("wsrep_ready") == "ON":
            return
        await asyncio.sleep(crew.poll)
    raise NotHealed(f"{host.name} was restarted and is not Synced after {limit:.0f} s")
