"""Farewell and welcome: a host leaves the balancer before it restarts, and comes back when it serves.

With a balancer: drained through its runtime socket (new connections go elsewhere), pools recycle, sessions that have
been idle for long are closed, and only what is left at the limit is cut, and named. Without one it says that clients
will see a reconnect; by hand the host's own answer then says 503, for balancers that Galvan does not command. A host that
the operator had drained by hand stays drained: a mark on the host says whose drain it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from galvan.cluster import identity
from galvan.cluster.answer import FLAG
from galvan.cluster.balancer import Server
from galvan.cluster.behind import ASKERS, behind, is_haproxy, ways
from galvan.cluster.facts import PLATFORM, SESSIONS, Session
from galvan.cluster.quote import sh
from galvan.engine.gather import gather
from galvan.model import Cluster, Fact, Host, HostFacts, NotHealed, Remote, Role, Shell, Sql

_MARK = "/var/lib/galvan/drained"
DRAINED: Fact[bool] = Fact(
    "host.drained", Shell(f"[ -e {_MARK} ] && echo yes || true"), lambda output: "yes" in output, stable=False
)
_LAY = "d={{flag}}; [ -d ${d%/*} ] || exit 0; { [ -e $d ] || (set -C; : >$d); } && echo laid"


@dataclass(frozen=True, slots=True)
class Choreography:
    """`recycle` seconds for pools to let go, `idle` seconds after which a sleeping session is closed."""

    cluster: Cluster
    recycle: float
    idle: float
    poll: float = 1.0
    up_limit: float = 60.0

    async def farewell(self, host: Host, remote: Remote, say: Callable[[str], None], stops: bool = True) -> None:
        """`stops`: its server is about to; one that goes on keeps the sessions that no balancer holds."""
        if host.role is Role.ARBITRATOR:  # it serves nobody
            return
        doors = await self._doors(host, remote)
        if not doors:
            left = await self._sessions(host, remote, await self._askers(remote)) if stops else ()
            if left:
                say(f"no balancer knows {host.name}: {len(left)} client sessions will see a reconnect ({_named(left)})")
            return
        if all(server.status == "UP" for _, server in doors):
            await remote.act(host, sh("mkdir -p -m 700 /var/lib/galvan; : >{{mark}}", mark=_MARK), "drain")
        for balancer, server in doors:
            await remote.act(balancer, ways(balancer.kind)[1](server.backend, server.name, "drain"), "drain")
        say(f"drained on {', '.join(balancer.name for balancer, _ in doors)}")
        await self._empty(host, remote, say)

    async def drain(self, host: Host, remote: Remote, say: Callable[[str], None]) -> None:
        """By hand. Where no balancer of galvan.yaml knows the host, its own answer tells those that ask it."""
        if await self._doors(host, remote):
            await self.farewell(host, remote, say)
        elif "laid" in await remote.act(host, sh(_LAY, flag=FLAG), "drain"):
            say("no balancer that Galvan commands knows it; its answer on port 9200 says 503 from now on")
            await self._empty(host, remote, say)
        else:
            await self.farewell(host, remote, say)

    async def undrain(self, host: Host, remote: Remote) -> None:
        await remote.act(host, sh("rm -f {{flag}}", flag=FLAG), "drain")
        await self.welcome(host, remote)

    async def _empty(self, host: Host, remote: Remote, say: Callable[[str], None]) -> None:
        own = await self._askers(remote)
        left = await self._sessions(host, remote, own)
        for _ in range(int(self.recycle / self.poll)):
            if not left:
                return
            for session in left:
                if session.command == "Sleep" and session.idle > self.idle and not session.open:
                    with suppress(NotHealed):  # it may have left by itself since
                        await remote.act(host, Sql(f"KILL CONNECTION {session.id}"), "drain")
            await asyncio.sleep(self.poll)
            left = await self._sessions(host, remote, own)
        if left:
            say(f"{len(left)} sessions did not let go within {self.recycle:.0f} s and are cut: {_named(left)}")

    async def welcome(self, host: Host, remote: Remote) -> None:
        """Back behind the door, if it was this run's (or a killed run's) drain that took it out."""
        if host.role is Role.ARBITRATOR:
            return
        ours = (await gather(replace(self.cluster, hosts=(host,)), [DRAINED], remote)).of(host.name)[DRAINED]
        if not ours:
            return
        for balancer, server in await self._doors(host, remote):
            await remote.act(balancer, ways(balancer.kind)[1](server.backend, server.name, "ready"), "drain")
        for _ in range(int(self.up_limit / 0.5)):
            if all(server.status == "UP" for _, server in await self._doors(host, remote)):
                await remote.act(host, sh("rm -f {{mark}}", mark=_MARK), "drain")
                return
            await asyncio.sleep(0.5)
        raise NotHealed(f"{host.name} is Synced, but its balancer has not called it UP for {self.up_limit:.0f} s")

    async def _doors(self, host: Host, remote: Remote) -> list[tuple[Host, Server]]:
        """Every place behind which a balancer keeps this host. Raises Unreadable where a balancer cannot be asked."""
        balancers = self.cluster.having(Role.LOAD_BALANCER)
        if not balancers:
            return []
        asked: list[Fact[Any]] = [*(ways(balancer.kind)[0] for balancer in balancers), PLATFORM]
        snapshot = await gather(replace(self.cluster, hosts=(host, *balancers)), asked, remote)
        mine = identity.answers_to(snapshot.of(host.name))
        return [
            (facts.host, server)
            for facts in snapshot.having(Role.LOAD_BALANCER)
            for server in behind(facts)
            if server.address in mine
        ]

    async def _askers(self, remote: Remote) -> frozenset[tuple[str, str]]:
        """User and address of what a balancer keeps open to ask after members: nobody's work."""
        asking = tuple(b for b in self.cluster.having(Role.LOAD_BALANCER) if not is_haproxy(b))
        if not asking:
            return frozenset()
        facts = await gather(replace(self.cluster, hosts=asking), [ASKERS], remote)
        return frozenset(
            (user, at) for b in asking for user in facts.of(b.name)[ASKERS] for at in (b.address, b.name, *b.names)
        )

    async def _sessions(self, host: Host, remote: Remote, own: frozenset[tuple[str, str]]) -> tuple[Session, ...]:
        """Of applications; `own`: the balancers' own."""
        facts = (await gather(replace(self.cluster, hosts=(host,)), [SESSIONS], remote)).of(host.name)
        return tuple(session for session in of_clients(facts) if (session.user, session.client) not in own)


def of_clients(facts: HostFacts) -> tuple[Session, ...]:
    """Those that came over the network."""
    return tuple(session for session in facts[SESSIONS] if session.client)


def _named(sessions: Sequence[Session]) -> str:
    names = [f"{s.who} {'in a transaction' if s.open else s.command.lower()}" for s in sessions[:6]]
    return ", ".join(names) + (f" and {len(sessions) - 6} more" if len(sessions) > 6 else "")
