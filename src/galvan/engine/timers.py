"""Shorter stalls: a member that rejoins stalls every writer while the membership is agreed.

`evs.join_retrans_period` may be changed while the provider runs; a tenth of a second instead of one halves the stall of
a restart (from 1.9 s to 1.0 s in the mean of eight; the other timer needs a restart, so it is left alone). It is set on the members
around each restart and put back to what their option files say, or to the provider's default.

The one that joins has to start with it: quick members and a slow joiner wait longer than slow ones do (up to 3.0 s, where
those took 2.5 s), so where its option files do not say it nothing is set.
"""

from __future__ import annotations

from dataclasses import replace

from galvan.cluster import provider
from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.engine.gather import gather
from galvan.model import Cluster, Host, HostFacts, Remote, Role, Unreadable

KEY = "evs.join_retrans_period"
QUICK, DEFAULT = "PT0.1S", "PT1S"


async def hasten(joiner: Host, cluster: Cluster, remote: Remote) -> None:
    """On every member that answers; one that does not is about to be refused by a gate anyway."""
    members = await _members(cluster, remote)
    if not any(facts.host == joiner and _written(facts) == QUICK for facts in members):
        return
    for facts in members:
        if facts[VARIABLES].get(f"provider.{KEY}") not in (QUICK, None):
            await remote.act(facts.host, provider.set_period(KEY, QUICK, facts[VARIABLES]), "timers")


async def relax(cluster: Cluster, remote: Remote) -> None:
    """Also after a killed run: the value to go back to is read from the option files, not from a memory."""
    for facts in await _members(cluster, remote):
        if facts[VARIABLES].get(f"provider.{KEY}") == QUICK and (before := _written(facts)) != QUICK:
            await remote.act(facts.host, provider.set_period(KEY, before, facts[VARIABLES]), "timers")


def _written(facts: HostFacts) -> str:
    return provider.parse(str(facts[CONFIG].get("wsrep_provider_options") or "")).get(KEY, DEFAULT)


async def _members(cluster: Cluster, remote: Remote) -> list[HostFacts]:
    alone = replace(cluster, hosts=cluster.having(Role.DATABASE))
    answered = []
    for facts in (await gather(alone, [VARIABLES, CONFIG], remote)).hosts:
        try:
            facts[VARIABLES], facts[CONFIG]
        except Unreadable:
            continue
        answered.append(facts)
    return answered
