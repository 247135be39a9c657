"""The error budget: what a run costs the applications, against the limits that the policy sets. Pure but for `measure`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from galvan.cluster.health import number
from galvan.cluster.load import FLOW, LOAD, RESPONSE, STATEMENTS, Histogram
from galvan.engine.gather import gather
from galvan.model import Budget, Cluster, HostFacts, Reader, Role, Unreadable


@dataclass(frozen=True, slots=True)
class Load:
    """One look at one member. `paused_ns` and `histogram` count since the server started; None: it cannot say."""

    at: float
    uptime: float
    paused_ns: int
    histogram: Histogram | None


async def measure(cluster: Cluster, reader: Reader) -> Mapping[str, Load]:
    """By host; a member that is away is left out."""
    seen = await gather(replace(cluster, hosts=cluster.having(Role.DATABASE)), LOAD, reader)
    return {facts.host.name: load for facts in seen.hosts if (load := _load(facts, seen.taken_at))}


def _load(facts: HostFacts, at: float) -> Load | None:
    try:
        flow = facts[FLOW]
        paused, uptime = number(flow, "wsrep_flow_control_paused_ns"), number(flow, "Uptime")
    except Unreadable:
        return None
    counted: Histogram | None = None
    for fact in (RESPONSE, STATEMENTS):
        try:
            counted = facts[fact]
        except Unreadable:
            continue
    return Load(at, float(uptime), paused, counted)


def flow_control(before: Load, now: Load) -> float:
    """The share of the time between two looks in which flow control held the member; since its start if it restarted."""
    if now.paused_ns < before.paused_ns or now.uptime < before.uptime:
        return now.paused_ns / 1e9 / max(now.uptime, 1.0)
    return (now.paused_ns - before.paused_ns) / 1e9 / max(now.at - before.at, 1.0)


def p99_ms(before: Load, now: Load) -> float | None:
    """Within the bucket that holds it the quantile is taken in proportion, so it is as exact as the buckets are narrow."""
    if now.histogram is None:
        return None
    restarted = now.uptime < before.uptime or before.histogram is None
    old: Histogram = {} if restarted else before.histogram or {}
    grown = {bound: count - old.get(bound, 0) for bound, count in sorted(now.histogram.items())}
    wanted, below = 0.99 * sum(grown.values()), 0
    if wanted <= 0:
        return None
    for lower, upper in pairwise((0.0, *grown)):
        if grown[upper] and below + grown[upper] >= wanted:
            inside = (wanted - below) / grown[upper]
            return 1000 * (lower if upper == float("inf") else lower + (upper - lower) * inside)
        below += grown[upper]
    return None


def crossed(budget: Budget, before: Mapping[str, Load], now: Mapping[str, Load]) -> Iterator[str]:
    """A sentence for each limit and member. A member that could not be asked is the gates' concern, not the budget's."""
    for host in now.keys() & before.keys():
        share, p99 = flow_control(before[host], now[host]), p99_ms(before[host], now[host])
        if budget.flow_control is not None and share > budget.flow_control:
            yield f"flow control paused {host} for {share:.0%} of the time, and the budget is {budget.flow_control:.0%}"
        if budget.p99_ms is not None and p99 is not None and p99 > budget.p99_ms:
            yield f"the p99 of statements on {host} is about {p99:.0f} ms, and the budget is {budget.p99_ms:.0f} ms"


def unmeasured(budget: Budget, before: Mapping[str, Load], now: Mapping[str, Load]) -> str:
    """What the policy limits and nobody can see; empty where all is measured."""
    hosts = sorted(now.keys() & before.keys())
    blind = [host for host in hosts if p99_ms(before[host], now[host]) is None]
    if budget.p99_ms is None or not blind:
        return ""
    return (
        f"the p99 of statements is not measured on {', '.join(blind)}: the server does not count them by their time "
        "(MariaDB: the plugin query_response_time with query_response_time_stats=ON)"
    )
