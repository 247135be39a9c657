"""Shorter stalls: a member that rejoins stalls every writer while the membership is agreed.

`evs.join_retrans_period` may be changed while the provider runs; a tenth of a second instead of one takes about half
a second off each rejoin (measured; the other timer needs a restart, so it is left alone). It is set on the members
around each restart and put back to what their option files say, or to the provider's default.
"""

from __future__ import annotations

from dataclasses import replace

from galvan.cluster import provider
from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.engine.gather import gather
from galvan.model import Cluster, HostFacts, Remote, Role, Unreadable

KEY = "evs.join_retrans_period"
QUICK, DEFAULT = "PT0.1S", "PT1S"


async def hasten(cluster: Cluster, remote: Remote) -> None:
    """On every member that answers; one that does not is about to be refused by a gate anyway."""
    for facts in await _members(cluster, remote):
        if facts[VARIABLES].get(f"provider.{KEY}") not in (QUICK, None):
            await remote.act(facts.host, provider.set_period(KEY, QUICK, facts[VARIABLES]), "timers")


async def relax(cluster: Cluster, remote: Remote) -> None:
    """Also after a killed run: the value to go back to is read from the option files, not from a memory."""
    for facts in await _members(cluster, remote):
        if facts[VARIABLES].get(f"provider.{KEY}") == QUICK:
            options = provider.parse(str(facts[CONFIG].get("wsrep_provider_options") or ""))
            if options.get(KEY) != QUICK:
                before = provider.set_period(KEY, options.get(KEY, DEFAULT), facts[VARIABLES])
                await remote.act(facts.host, before, "timers")


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
