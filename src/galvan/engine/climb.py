"""A run's worker: lock, remember, carry out, watch, release. Answers are JSON, so that a durable run can keep them."""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.health import IF_DEAD
from galvan.cluster.order import OUTAGE, Wave
from galvan.cluster.quote import sh
from galvan.engine.apply import carry_out, together
from galvan.engine.document import Json, wave_document
from galvan.engine.gates import Crew
from galvan.engine.outage import Outage
from galvan.engine.pace import Pace
from galvan.engine.plan import Plan
from galvan.engine.watch import Ledger, watch
from galvan.model import GalvanError, Host, Role, Shell, Stage, Tip, Unsafe

T = TypeVar("T")
HOME = "/var/lib/galvan"
LAID_READY = (Stage.LABEL, Stage.PREPARE, Stage.STAGE_STRICT, Stage.CALM)
AT_ONCE = (Stage.TRANSFER,)
"""Where the hosts do not understand each other in between; so on the way back, too."""
_LOCK = """
mkdir -p -m 700 {{home}}
case $(cat {{home}}/lock/owner 2>/dev/null) in *"run {{plain}},"*|*"run {{other}},"*) rm -rf {{home}}/lock ;; esac
new=$(mktemp -d {{home}}/lock.XXXXXX)
trap 'rm -rf "$new"' EXIT
printf '%s\\n' {{owner}} >"$new/owner" 2>/dev/null ||
  { echo "the lock could not be written, {{home}} has $(df -Pk {{home}} | awk 'NR==2{print $4}') kB free" >&2; exit 1; }
mv -T "$new" {{home}}/lock 2>/dev/null ||
  { echo "locked by: $(cat {{home}}/lock/owner 2>/dev/null || echo an unnamed run)" >&2; exit 1; }
"""
_UNLOCK = 'case $(cat {{home}}/lock/owner 2>/dev/null) in *"run {{plain}},"*) rm -rf {{home}}/lock ;; esac'


@dataclass(slots=True)
class Climb:
    """`instead`: the run whose lock this one may take over (a rollback of a killed run)."""

    run: str
    plan: Plan
    crew: Crew
    tips: Mapping[str, Tip]
    loop: asyncio.AbstractEventLoop
    ledger: Ledger
    window: float = 60.0
    accepted: frozenset[str] = frozenset()
    instead: str = "-"
    pace: Pace | None = None
    took: Callable[[Wave, float], None] = lambda wave, seconds: None
    stopping: bool = field(default=False)

    def stop_asked(self, number: int) -> bool:
        """Before this wave. The middle of an outage is no safe place: it is carried to its end first."""
        before, wave = self.plan.waves[number - 1 : number], self.plan.waves[number]
        return self.stopping and not (wave.stage in OUTAGE and before and before[0].stage in OUTAGE)

    def lock(self) -> Json:
        return self._answer(self._lock())

    def remember(self, numbers: Sequence[int]) -> Json:
        return self._answer(self._all(self._remember(number, self.plan.waves[number]) for number in numbers))

    def carry_out(self, numbers: Sequence[int], blocked: Sequence[str]) -> Json:
        """Side by side where it is more than one. `changed`: not all was as wanted already."""
        waves = {number: self.plan.waves[number] for number in numbers}
        kept = {n: replace(w, steps=tuple(s for s in w.steps if s.tip not in blocked)) for n, w in waves.items()}
        return self._answer(self._all(self._carry_out(number, wave) for number, wave in kept.items()))

    async def _all(self, work: Iterable[Coroutine[Any, Any, bool]]) -> Json:
        """Each is carried to its end, even where another one fails."""
        return {"changed": any(await together(*work))}

    def hold(self, number: int) -> Json:
        return self._answer(self.pace.hold(number)) if self.pace else {}

    def after(self, number: int) -> Json:
        return self._answer(self.pace.after(number)) if self.pace else {}

    def watch(self, tip: str) -> Json:
        """Where nobody could look, somebody may be there: that holds NARROW up like a client that was seen."""
        answer = self._answer(self._watch(self.tips[tip]))
        return {"seen": f"nobody could look: {answer['failed']}"} if "failed" in answer else answer

    def release(self, status: str) -> Json:
        return self._answer(self._release(status))

    def _answer(self, work: Coroutine[Any, Any, Json]) -> Json:
        """A named error becomes an answer; anything else is a bug and ends the process."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()
        except Unsafe as why:
            return {"failed": str(why), "kind": "refused"}
        except GalvanError as why:
            return {"failed": str(why), "kind": "stopped"}

    def _hosts(self) -> tuple[Host, ...]:
        """The hosts that the run may change, and all members: nobody else may change those meanwhile."""
        named = {wave.host for wave in self.plan.waves}
        return tuple(h for h in self.crew.cluster.hosts if h.role in MEMBERS or h.name in named)

    async def _lock(self) -> Json:
        """The first host decides who is first; the others are then taken side by side."""
        who = f"{getpass.getuser()} on {socket.gethostname()}, run {self.run}, since {time.strftime('%F %T %z')}"
        action, hosts = _script(_LOCK, owner=who, run=self.run, other=self.instead), self._hosts()
        taken: list[Host] = []

        async def take(host: Host) -> None:
            await self.crew.remote.act(host, action, "lock")
            taken.append(host)

        try:
            await take(hosts[0])
            await together(*(take(host) for host in hosts[1:]))
        except GalvanError as why:
            with suppress(GalvanError):
                await self._unlock(taken)
            raise Unsafe(f"{why} ({IF_DEAD})") from why
        return {}

    async def _remember(self, number: int, wave: Wave) -> bool:
        """The wave with its undo, on its host: any operator can roll it back from there."""
        if not wave.back and wave.stage not in OUTAGE:  # an outage writes all of its waves down before it begins
            await self._write_down(number, wave)
        return False

    async def _write_down(self, number: int, wave: Wave) -> None:
        host = next(h for h in self.crew.cluster.hosts if h.name == wave.host)
        entry = {"run": self.run, "at": time.time(), "cluster": self.plan.cluster, "wave": wave_document(wave)}
        await self.crew.remote.act(
            host,
            sh(
                "umask 077; mkdir -p {{dir}}\n[ -e {{path}} ] || { printf '%s\\n' {{entry}} >{{path}}.new; sync {{path}}.new; mv {{path}}.new {{path}}; }",
                dir=f"{HOME}/runs/{self.run}", path=f"{HOME}/runs/{self.run}/{number:03}.json", entry=json.dumps(entry),
            ),
            "remember",
        )  # fmt: skip

    async def _carry_out(self, number: int, wave: Wave) -> bool:
        later = [step for w in self.plan.waves[number + 1 :] if w.host == wave.host for step in w.steps]
        began = time.monotonic()
        if wave.stage in OUTAGE:
            outage = Outage([w for w in self.plan.waves if w.stage in OUTAGE], self.crew, self._remember_outage)
            changed = await outage.carry_out(wave, later)
        else:
            changed = await carry_out(wave, self.crew, later)
        if changed:
            self.took(wave, time.monotonic() - began)
        return changed

    async def _remember_outage(self, wave: Wave) -> None:
        if not wave.back:
            await self._write_down(self.plan.waves.index(wave), wave)

    async def _watch(self, tip: Tip) -> Json:
        self.crew.say(f"switch {tip.id}", f"watching who still goes the old way, {self.window:.0f} s")
        found = await watch(
            tip,
            self.crew.cluster,
            self.crew.remote,
            self.window,
            self.ledger,
            lambda text: self.crew.say(f"switch {tip.id}", text),
        )
        left = [impact for impact in found if impact.who not in self.accepted]
        if not left:
            return {}
        return {"seen": "; ".join(f"{i.who} on {i.host} {i.what}: {i.evidence}" for i in left)}

    async def _release(self, status: str) -> Json:
        """Where all went well nobody stays behind a door that a killed run had shut."""
        for host in self.crew.cluster.having(Role.DATABASE) if status == "done" else ():
            await self.crew.choreography.welcome(host, self.crew.remote)
        await self._unlock(self._hosts())
        return {}

    async def _unlock(self, hosts: Sequence[Host]) -> None:
        """Every host that answers is unlocked; then the first that did not is raised."""
        silent: list[GalvanError] = []
        for host in hosts:
            try:
                await self.crew.remote.act(host, _script(_UNLOCK, run=self.run), "unlock")
            except GalvanError as why:
                silent.append(why)
        if silent:
            raise silent[0]


def _script(template: str, run: str, owner: str = "", other: str = "-") -> Shell:
    """Run ids are our own: letters, digits and dashes, safe inside a pattern."""
    text = template.replace("{{plain}}", run).replace("{{other}}", other)
    return sh(text, home=HOME, owner=owner)


def with_watch(document: Json, tips: Mapping[str, Tip]) -> Json:
    """Marks the wave before which each watched tip must have been seen quiet: its first one of NARROW. And the waves that
    may be carried out beside the one before: they only lay something ready, and nobody is served otherwise by it; or must be."""
    watched: set[str] = set()
    for before, wave in pairwise(document["waves"]):
        same, stage = (before["back"], before["stage"]) == (wave["back"], wave["stage"]), Stage[wave["stage"].upper()]
        wave["beside"] = same and ("always" if stage in AT_ONCE else stage in LAID_READY and not wave["back"])
    for wave in document["waves"]:
        wave["watch"] = []
        if wave["back"] or Stage[wave["stage"].upper()] < Stage.ACCOUNTS:
            continue
        for tip in sorted({step["tip"] for step in wave["steps"]} - watched):
            if tips[tip].moved:
                wave["watch"].append(tip)
                watched.add(tip)
    return document
