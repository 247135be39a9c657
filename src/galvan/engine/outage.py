"""An outage that was allowed: every member stops, the last one begins a new primary component, the others join it.

For providers that cannot speak both ways at once. The cluster serves until the last stop, and again from the first
start; between the two only disks are asked. What holds at every moment:
- a member is stopped only while all that are left serve;
- nobody is bootstrapped while a member is up, and only who is most advanced: a second primary component, or a lost
  row, would be worse than the outage;
- what fails on the way up leaves the cluster serving: as it was before, unless it serves in the new way already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from galvan.cluster.facts import GATE, LONG, STATUS, VARIABLES
from galvan.cluster.health import commit_rate, complaints, may_stop, without
from galvan.cluster.order import Wave, way_back
from galvan.cluster.position import POSITION, RECOVER, Position, leader, recovered
from galvan.cluster.upkeep import UPKEEP
from galvan.engine.apply import act, confirm, named, todo_of
from galvan.engine.gates import RETURN, Crew, caught_up, is_down, look, roomy, synced
from galvan.engine.gather import gather
from galvan.engine.standing import Standing, is_stopped, names, serves, serving, standing_in
from galvan.engine.timers import hasten, relax
from galvan.model import (
    Cluster,
    GalvanError,
    Host,
    How,
    NotHealed,
    Restart,
    Role,
    Stage,
    Step,
    Unreachable,
    Unreadable,
    Unsafe,
)


class _Untouched(GalvanError):
    """A stop that did not come to pass, and of which nothing was begun either."""

    def __init__(self, cause: GalvanError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Outage:
    """`waves`: all of the plan's two stages. `remember` writes one down on its host; all are, before the first one begins:
    one may go before its turn, and while nobody serves there is no time for it. `patience`: seconds for a member that is up
    to be Synced."""

    waves: Sequence[Wave]
    crew: Crew
    remember: Callable[[Wave], Awaitable[object]]
    patience: float = RETURN
    members: Cluster = field(init=False)

    def __post_init__(self) -> None:
        databases = self.crew.cluster.having(Role.DATABASE)
        object.__setattr__(self, "members", replace(self.crew.cluster, hosts=databases))

    async def carry_out(self, wave: Wave, later: Sequence[Step] = ()) -> bool:
        """Harmless when done twice; False: it was as wanted already. Raises what became of the cluster: the text always says who serves."""
        try:
            if wave.id == self.waves[0].id:
                await self._write_down()
            changed = await self._one(wave, later)
            if wave.id == self.waves[-1].id:
                await synced(named(self.crew, wave.host), self.crew)
            return changed
        except _Untouched as why:
            told = [] if wave.id == self.waves[0].id else await self._aftermath(wave)
            raise (NotHealed if told else type(why.cause))(await self._said(str(why), told)) from why
        except GalvanError as why:
            raise NotHealed(await self._said(str(why), await self._aftermath(wave))) from why

    async def _write_down(self) -> None:
        try:
            for wave in self.waves:
                await self.remember(wave)
        except GalvanError as why:
            raise _Untouched(why) from why

    async def _said(self, why: str, told: Sequence[str]) -> str:
        return ". ".join([why, *told, await serving(self.crew.remote, self.members)])

    async def _one(self, wave: Wave, later: Sequence[Step] = ()) -> bool:
        restart = wave.restart
        assert restart is not None, f"{wave.id} belongs to an outage and neither stops nor starts a server"
        if restart.how is How.STOP:
            return await self._stop(wave, restart, later)
        return await self._start(wave, restart)

    # down -------------------------------------------------------------------------------------------------------
    async def _stop(self, wave: Wave, restart: Restart, later: Sequence[Step]) -> bool:
        crew, host = self.crew, named(self.crew, wave.host)
        try:
            down = await is_down(host, crew)
            todo = await todo_of(wave, host, crew, later)
            left = 0 if down or not todo else await self._may_stop(wave, host)
            if left:
                roomy(await look(crew, host, UPKEEP), [item for step in todo for item in step.want.items()])
        except GalvanError as why:
            raise _Untouched(why) from why
        if not todo:
            crew.say(wave.id, "already as wanted")
            return False
        if left > 1:  # the last one serves until its stop: drained, the outage would begin with the drain
            await crew.choreography.farewell(host, crew.remote, lambda text: crew.say(wave.id, text))
        await act(wave, host, todo, [], crew)  # late, because a host that crashes from here on cannot come back alone
        if down:
            crew.say(wave.id, f"{restart.unit} is down already")
            return True
        if told := await crew.preflight(host):
            raise NotHealed(f"{host.name} was not stopped: " + "; ".join(told))
        crew.say(wave.id, f"stop {restart.unit}" + ("" if left > 1 else ": nobody serves from now on"))
        await crew.remote.act(host, replace(restart, members=left), wave.id)
        return True

    async def _may_stop(self, wave: Wave, host: Host) -> int:
        """How many members this one counts, itself too. Raises Unsafe where one that is left does not serve, or where a
        member has come back that had been stopped."""
        crew, gone = self.crew, self._gone_before(wave)
        before = await gather(self.members, GATE, crew.remote)
        for _ in range(int(crew.calm / crew.poll) or 1):
            await asyncio.sleep(crew.poll)
            now = await gather(self.members, (*GATE, LONG, *UPKEEP), crew.remote)
            stopped = {name for name in gone if is_stopped(now, name)}
            left = without(now, stopped)
            if not [*complaints(left)]:
                break
        if not wave.back and (again := gone - stopped):
            raise Unsafe(
                f"{host.name} was not stopped: {', '.join(sorted(again))} had been, and is not seen stopped now"
            )
        may_stop(host.name, now, stopped, commit_rate(without(before, stopped), left))
        return len(left.cluster.hosts)

    def _gone_before(self, wave: Wave) -> frozenset[str]:
        """Whom this run may have stopped by now. On the way back whatever the outage left down is down already."""
        ids = [other.id for other in self.waves]
        earlier = self.waves if wave.back else self.waves[: ids.index(wave.id)]
        return frozenset(other.host for other in earlier) - {wave.host}

    # up ---------------------------------------------------------------------------------------------------------
    async def _start(self, wave: Wave, restart: Restart) -> bool:
        crew, host = self.crew, named(self.crew, wave.host)
        seen = await self._standing()
        todo = [*wave.steps] if host.name in seen.down else await todo_of(wave, host, crew, ())
        if host.name in seen.up and any(restart in step.do for step in todo):
            raise Unsafe(f"{host.name} runs, and not as it is wanted to: somebody started it since")
        if host.name not in seen.down and host.name not in seen.up:
            raise Unreachable(seen.silent[host.name])
        await act(wave, host, todo, [], crew)
        if host.name in seen.down:
            if seen.up:
                await self._join(wave, restart, host, seen)
            else:
                await self._bootstrap(wave, restart, host, seen)
        else:
            await caught_up(host, crew, self.patience)
        if todo:
            await confirm(wave, host, todo, crew)
        await crew.choreography.welcome(host, crew.remote)
        crew.say(wave.id, "done" if todo else "already as wanted")
        return bool(todo)

    async def _standing(self) -> Standing:
        """Servers that are on their way up or down are waited for: a killed run may have begun that."""
        for _ in range(int(RETURN / self.crew.poll)):
            seen = await gather(self.members, [POSITION], self.crew.remote)
            standing = standing_in(seen)
            if not standing.moving:
                return standing
            await asyncio.sleep(self.crew.poll)
        who = ", ".join(sorted(standing.moving))
        raise Unsafe(f"the server of {who} has been starting or stopping for {RETURN:.0f} s, and is left alone")

    async def _bootstrap(self, wave: Wave, restart: Restart, host: Host, seen: Standing) -> None:
        """This member, or before it another that is more advanced."""
        crew, positions = self.crew, {name: await self._recovered(name, at) for name, at in seen.down.items()}
        best = leader(positions, seen.silent, host.name)
        if best != host.name:
            sister = next((w for w in self.waves if w.stage is wave.stage and w.host == best), None)
            if sister is None:
                raise Unsafe(f"{best} holds later writes than {host.name} and is no part of this outage")
            crew.say(wave.id, f"{best} holds the latest position (seqno {positions[best].seqno}), so it goes first")
            await self._one(sister)
            await self._join(wave, restart, host, await self._standing())
            return
        crew.say(wave.id, f"bootstrap {restart.unit}: position {positions[best].seqno}, nobody is more advanced")
        await crew.remote.act(host, replace(restart, how=How.BOOTSTRAP), wave.id)
        await caught_up(host, crew)

    async def _recovered(self, name: str, at: Position) -> Position:
        if at.seqno >= 0:
            return at
        uuid, seqno = recovered(await self.crew.remote.act(named(self.crew, name), RECOVER, "recover"))
        return replace(at, uuid=uuid, seqno=seqno)

    async def _join(self, wave: Wave, restart: Restart, host: Host, seen: Standing) -> None:
        crew = self.crew
        await self._may_join(wave, host, seen)
        crew.say(wave.id, f"start {restart.unit}")
        if crew.quick_rejoin:
            await hasten(host, crew.cluster, crew.remote)
        await crew.remote.act(host, replace(restart, how=How.START), wave.id)
        await caught_up(host, crew)
        if crew.quick_rejoin:
            await relax(crew.cluster, crew.remote)

    async def _may_join(self, wave: Wave, host: Host, seen: Standing) -> None:
        """A clear and a strict member cannot talk, and the wrong one would wait for the others without end."""
        wanted = _listener(wave)
        now = await gather(self.members, GATE, self.crew.remote)
        told: list[str] = []
        for name in sorted(seen.up):
            try:
                if (speaks := now.of(name)[VARIABLES].get("listener")) != wanted:
                    told.append(f"{name} listens at {speaks}://, it would at {wanted}://")
                if (part := now.of(name)[STATUS].get("wsrep_cluster_status")) != "Primary":
                    told.append(f"{name} is up in a {part} component")
            except Unreadable as why:
                told.append(f"{name} is up and cannot be asked: {why}")
        if told:
            raise Unsafe(f"{host.name} is down and was not started: " + "; ".join(told))

    # when it fails ----------------------------------------------------------------------------------------------
    async def _aftermath(self, wave: Wave) -> list[str]:
        """Who serves in the new way goes on, and the rest is started beside it: a second outage is nobody's wish. Where
        nobody does, all is put back as it was. On a way back there is nothing to go back to, so the rest is tried."""
        ids = [other.id for other in self.waves]
        rest = [other for other in self.waves[ids.index(wave.id) + 1 :] if other.stage is wave.stage]
        starting = wave.restart is not None and wave.restart.how is not How.STOP
        if starting and (wave.back or await self._new_way_serves(wave)):
            return [text for other in rest for text in await self._tried(other)]
        if wave.back:
            return []
        done = self.waves if starting else self.waves[: ids.index(wave.id) + 1]
        order = [other.host for other in self.waves if other.stage is Stage.STOP_CLEAR]
        self.crew.say(wave.id, "putting the cluster back as it was")
        back = Outage(tuple(way_back(done, order)), self.crew, self.remember, self.crew.calm)
        told = [text for other in back.waves for text in await back._tried(other)]
        return [*told, "Every host was put back as it was" if not told else "Not every host could be put back"]

    async def _tried(self, wave: Wave) -> list[str]:
        try:
            await self._one(wave)
        except GalvanError as why:
            return [str(why)]
        return []

    async def _new_way_serves(self, wave: Wave) -> bool:
        wanted = _listener(wave)
        now = await gather(self.members, GATE, self.crew.remote)
        return any(serves(now, name) and now.of(name)[VARIABLES].get("listener") == wanted for name in names(now))


def _listener(wave: Wave) -> object:
    """How the wave's member will listen once it is up: ssl, or tcp on the way back; None where the wave does not say."""
    return next((step.want["listener"] for step in wave.steps if "listener" in step.want), None)
