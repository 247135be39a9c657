"""A full state transfer on purpose: a member forgets how far it had come, and gets all its data anew from another one.

Only where an operator named the host. Nothing is deleted here: the note of its position is put aside, and its data stay in
place until the server's own transfer replaces them. A balancer cuts the sessions of a member that gives for long, so the one
with the fewest clients gives, and it too leaves the balancer first where it has any.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import GATE, SESSIONS, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.quote import sh
from galvan.cluster.transfer import BACKUP
from galvan.engine.apply import together
from galvan.engine.choreography import of_clients
from galvan.engine.gates import SERVES, Crew, gate, look, service, synced
from galvan.engine.gather import gather
from galvan.model import GalvanError, Host, HostFacts, How, NotHealed, Restart, Role, Sql, Unsafe

ASIDE = "/var/lib/galvan/transfer"
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_BEGUN = """
mkdir -p -m 700 {{aside}}
[ ! -e {{state}} ] || mv -f {{state}} {{aside}}/grastate.dat
systemctl reset-failed {{unit}} 2>/dev/null || true
once=
[ -z {{options}} ] || systemctl show-environment | grep -q '^MYSQLD_OPTS=' || once=yes
[ -z "$once" ] || systemctl set-environment MYSQLD_OPTS={{options}}
systemctl start --no-block {{unit}}
[ -z "$once" ] || systemd-run -q --collect sh -c 'systemctl start "$0"; systemctl unset-environment MYSQLD_OPTS' {{unit}}
tries=0
while [ "$(systemctl is-active {{unit}})" = inactive ] && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
"""
"""The start is not waited for here, only its beginning: systemd gives it as long as the transfer goes on. The host itself takes back
what it is started with this once, whoever is there to see it."""


@dataclass(frozen=True, slots=True)
class _Giver:
    """`host`: None where the owner's own wsrep_sst_donor names nobody that is known. `wanted`: as wsrep_sst_donor, for this
    once; empty where the owner's own holds. `aside`: it serves clients, and somebody else can."""

    host: Host | None
    wanted: str
    aside: bool


async def full_transfer(host: Host, crew: Crew, unit: str, datadir: str, say: Callable[[str], None]) -> None:
    """Raises Unsafe (nothing was stopped), or NotHealed where the member did not come back."""
    giver = await _giver(host, crew)
    await gate(host, crew, gone=False)
    aside = giver.host if giver.aside else None
    try:
        await together(
            crew.choreography.farewell(host, crew.remote, say),
            *([crew.choreography.farewell(aside, crew.remote, say, stops=False)] if aside else []),
        )
        await _forgotten(host, crew, unit, datadir, giver, say)
        await _arrived(host, crew, say)
    except GalvanError:
        with suppress(GalvanError):  # what stopped the transfer is what is told
            await _back(aside, crew)
        raise
    await _back(aside, crew)
    if giver.wanted:
        await crew.remote.act(host, Sql("SET GLOBAL wsrep_sst_donor = ''"), f"transfer@{host.name}")
    await crew.choreography.welcome(host, crew.remote)


async def _back(giver: Host | None, crew: Crew) -> None:
    if giver:
        await crew.choreography.welcome(giver, crew.remote)


async def _forgotten(
    host: Host, crew: Crew, unit: str, datadir: str, giver: _Giver, say: Callable[[str], None]
) -> None:
    stop = Restart(len(crew.cluster.having(*MEMBERS)), unit, How.STOP)
    try:
        await crew.remote.act(host, stop, f"transfer@{host.name}")
    except Unsafe:
        await crew.choreography.welcome(host, crew.remote)
        raise
    say("stopped; it will ask for all its data" + (f", from {giver.host.name}" if giver.host else ""))
    state, options = f"{datadir.rstrip('/')}/grastate.dat", f"--wsrep-sst-donor={giver.wanted}" if giver.wanted else ""
    begun = sh(_BEGUN, aside=ASIDE, state=state, options=options, unit=unit)
    await crew.remote.act(host, begun, f"transfer@{host.name}")


async def _giver(host: Host, crew: Crew) -> _Giver:
    """The owner's choice, or the member with the fewest clients, of the same segment if there is one. Raises Unsafe where nobody
    can give, or nobody would serve."""
    members = replace(crew.cluster, hosts=crew.cluster.having(Role.DATABASE))
    seen = await gather(members, [VARIABLES, SESSIONS], crew.remote)
    joiner, others = seen.of(host.name), [facts for facts in seen.hosts if facts.host != host]
    if not others:
        raise Unsafe(f"{host.name} was not stopped: no other member could give it its data")
    method, alone = text(joiner[VARIABLES], "wsrep_sst_method"), len(others) == 1
    if alone and method not in BACKUP:
        raise Unsafe(
            f"{host.name} was not stopped: {others[0].host.name} would have to give it its data and to serve all clients, and by "
            f"{method} it takes no write meanwhile. Do it with a third member"
        )
    names, wanted = {_node(facts): facts for facts in others}, ""
    if own := text(joiner[VARIABLES], "wsrep_sst_donor"):
        node = next((name for name in own.split(",") if name in names), "")
    elif not all(_PLAIN.fullmatch(name) for name in names):
        node = ""  # no word that could be said to systemd: the server chooses
    else:
        node = min(names, key=lambda one: (_segment(names[one]) != _segment(joiner), len(of_clients(names[one]))))
        wanted = f"{node},"
    giver = names.get(node)
    return _Giver(giver.host if giver else None, wanted, bool(giver and not alone and of_clients(giver)))


def _segment(facts: HostFacts) -> str:
    """Members of one segment are near each other; Galera too asks there first."""
    return str(facts[VARIABLES].get("provider.gmcast.segment", "0"))


def _node(facts: HostFacts) -> str:
    return text(facts[VARIABLES], "wsrep_node_name") or text(facts[VARIABLES], "hostname")


async def _arrived(host: Host, crew: Crew, say: Callable[[str], None]) -> None:
    waited = 0.0
    while (state := service(host, await look(crew, host, GATE))) != SERVES:
        if state not in ("activating", "active", "reloading"):
            raise NotHealed(
                f"{host.name} did not come back from its transfer: its server is {state}. Its position is kept in {ASIDE}; the other "
                f"members serve. Look at its log (journalctl -u mariadb), mend what it names, and start it: it asks again"
            )
        if waited and waited % 60 < crew.poll:
            say(f"the transfer goes on ({waited:.0f} s)")
        await asyncio.sleep(crew.poll)
        waited += crew.poll
    await synced(host, crew)
