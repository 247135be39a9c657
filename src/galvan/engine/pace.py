"""Between two waves: what may hold a run up there, and the canary, which goes alone and is looked at for a while.

A run is only ever held where it is safe to stop, and never between its two passes for the sake of a window: in there
members take both ways, and a stranger could get in. In the middle of an outage nothing holds it up. Answers are JSON:
`status` and `why` where the run ends here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from galvan.cluster.facts import GATE
from galvan.cluster.health import complaints
from galvan.cluster.order import Wave, way_back
from galvan.engine.apply import carry_out, still_there
from galvan.engine.budget import Load, crossed, measure, unmeasured
from galvan.engine.document import Json
from galvan.engine.estimate import needed, outage, passes
from galvan.engine.gates import Crew
from galvan.engine.gather import gather
from galvan.engine.permit import outside
from galvan.engine.plan import Plan
from galvan.model import BadInput, GalvanError, NotHealed, Stage, Unsafe, Window

PATIENCE = 60.0
"""Seconds in which a crossed budget may come back by itself before the run stops: a member that has just caught up."""
SHORTEST = 5.0
"""A budget is judged over at least as many seconds."""
EACH = "each"


@dataclass(slots=True)
class Pace:
    """`windows`: none where the operator overrides them. `seconds`: the estimate of each wave. `behind`: waves that an
    earlier attempt passed. `pause`: `each`, a stage or a wave. `ask`: None where nobody can be asked."""

    plan: Plan
    crew: Crew
    windows: Sequence[Window] = ()
    seconds: Sequence[float] = ()
    behind: int = 0
    pause: str = ""
    canary: str = ""
    soak: float = 60.0
    approved: bool = False
    ask: Callable[[str], bool | None] = lambda question: None
    now: Callable[[], float] = time.time
    poll: float = 5.0
    patience: float = PATIENCE
    _before: Mapping[str, Load] = field(default_factory=dict)
    _told: bool = False

    async def hold(self, number: int) -> Json:
        """May this wave begin?"""
        dark = outage(self.plan.waves)
        if number in dark[1:] or (number < dark.stop and not await self._whole()):
            return {}  # members are down because of this run, or of the attempt before it
        why = self._shut(number)
        return {"status": "waiting", "why": why} if why else await self._budget()

    async def _whole(self) -> bool:
        return not [*complaints(await gather(self.crew.cluster, GATE, self.crew.remote))]

    def _shut(self, number: int) -> str:
        """An outage that an earlier attempt was in the middle of was put back: it has to fit as a whole."""
        if not self.windows:
            return ""
        dark = outage(self.plan.waves)
        behind = dark.start if self.behind in dark else self.behind
        need = needed(number, self.plan.waves, self.seconds, behind)
        why = outside(self.windows, self.now(), need)
        if why and not need:
            self.crew.say("window", "it is over; the run goes on to the end of what must not be cut in two")
            return ""
        return why

    async def _budget(self) -> Json:
        """Judged over what has passed since the last look that was long enough."""
        budget, reader = self.crew.cluster.policy.budget, self.crew.remote
        if budget is None:
            return {}
        now = await measure(self.crew.cluster, reader)
        if not now:
            return {}  # no member answers: that is for the gates to say
        if self._before and min(load.at for load in now.values()) - self._since < SHORTEST:
            return {}
        before, self._before = self._before, now
        broken = [*crossed(budget, before, now)]
        if before and not self._told and (blind := unmeasured(budget, before, now)):
            self._told = True
            self.crew.say("budget", blind)
        end = time.monotonic() + self.patience
        while broken and time.monotonic() < end:
            self.crew.say("budget", "; ".join(broken) + ": waiting for it to come back")
            await asyncio.sleep(max(self.poll, min(SHORTEST, self.patience)))
            before, self._before = self._before, await measure(self.crew.cluster, reader)
            broken = [*crossed(budget, before, self._before)]
        return {"status": "waiting", "why": "the error budget is spent: " + "; ".join(broken)} if broken else {}

    @property
    def _since(self) -> float:
        return max((load.at for load in self._before.values()), default=0.0)

    async def after(self, number: int) -> Json:
        """A wave was carried out: is this where the operator wants to look?"""
        wave = self.plan.waves[number]
        canary = wave.host == self.canary and _first_restart(self.plan) == number
        return (await self._watched(wave) if canary else {}) or self._paused(number)

    def _paused(self, number: int) -> Json:
        waves = self.plan.waves
        if number + 1 == len(waves) or not self.pause or number in outage(waves)[:-1]:
            return {}
        wave, following = waves[number], waves[number + 1]
        last = following.stage is not wave.stage
        if self.pause not in (EACH, wave.id) and not (last and self.pause == _stage(wave)):
            return {}
        together = passes(waves)
        why = f"paused after {wave.id} as ordered; {number + 1} of {len(waves)} waves are passed"
        if number in together and number + 1 in together and wave.stage >= Stage.FIRST_RESTART:
            why += (
                ". Members take both ways now, which lets a stranger stall or copy the cluster: go on soon, or go back"
            )
        return {"status": "paused", "why": why}

    # the canary -----------------------------------------------------------------------------------------------------
    async def _watched(self, wave: Wave) -> Json:
        """Empty where the run may go on; otherwise why it ends here, and what became of the host."""
        if not await still_there(wave, self.crew):  # a process died after it had put the host back
            return {"status": "refused", "why": f"the canary {wave.host} was put back"}
        self.crew.say(wave.id, f"canary: watching for {self.soak:.0f} s how the cluster takes it")
        if told := await self._soaked():
            return await self._back(wave, told)
        if self.approved:
            self.crew.say(wave.id, "canary: all is well, going on")
            return {}
        agreed = await asyncio.to_thread(
            self.ask, f"{wave.host} has run the new way for {self.soak:.0f} s. Go on with the others?"
        )
        if agreed is None:
            return {"status": "paused", "why": f"the canary {wave.host} is well, and nobody is here to be asked"}
        return {} if agreed else await self._back(wave, "the operator said no")

    async def _soaked(self) -> str:
        """The gates and the budget, again and again. Twice in a row is a complaint: once may be a look at a bad moment."""
        end, bad = time.monotonic() + self.soak, 0
        budget, before = self.crew.cluster.policy.budget, await measure(self.crew.cluster, self.crew.remote)
        while True:
            await asyncio.sleep(min(self.poll, max(self.soak / 3, 0.01)))
            told = [*complaints(await gather(self.crew.cluster, GATE, self.crew.remote))]
            if budget:
                now = await measure(self.crew.cluster, self.crew.remote)
                told += crossed(budget, before, now)
                before = now
            bad = bad + 1 if told else 0
            if bad > 1:
                return "; ".join(told)
            if not told and time.monotonic() >= end:
                return ""

    async def _back(self, wave: Wave, why: str) -> Json:
        self.crew.say(wave.id, f"canary: {why}; putting {wave.host} back")
        (back,) = way_back([wave], [wave.host])
        try:
            await carry_out(back, self.crew)
        except GalvanError as worse:
            raise NotHealed(f"{why}; and the canary {wave.host} could not be put back: {worse}") from worse
        return {"status": "refused", "why": f"the canary {wave.host} was put back: {why}. No other host was restarted"}


def _stage(wave: Wave) -> str:
    return wave.stage.name.lower().replace("_", "-")


def _first_restart(plan: Plan) -> int:
    return next((number for number, wave in enumerate(plan.waves) if wave.restarts), -1)


def canary_first(made: Plan, host: str) -> Plan:
    """The plan with this host's restart before the others of the first pass. Raises BadInput, or Unsafe for the writer."""
    if outage(made.waves):
        raise BadInput(
            f"this plan stops every member before the first one starts again, so {host} cannot be its canary"
        )
    first = _first_restart(made)
    stage = [wave for wave in made.waves if first >= 0 and wave.stage is made.waves[first].stage]
    if host not in {wave.host for wave in stage if wave.restarts}:
        raise BadInput(f"{host} does not restart in the first pass of this plan, so it cannot be its canary")
    if len(stage) > 1 and stage[-1].host == host:
        raise Unsafe(f"{host} takes the writes and goes last: choose another canary than {host}")
    ours = sorted(stage, key=lambda wave: wave.host != host)
    start = made.waves.index(stage[0])
    return replace(made, waves=(*made.waves[:start], *ours, *made.waves[start + len(ours) :]))


def check_pause(made: Plan, pause: str) -> None:
    """Raises BadInput where the plan never comes by the place, or is in the middle of an outage there."""
    dark = outage(made.waves)[:-1]
    waves = [wave for number, wave in enumerate(made.waves) if number not in dark]
    stages = dict.fromkeys(_stage(wave) for wave in waves)
    if pause and pause not in {EACH, *(wave.id for wave in waves), *stages}:
        raise BadInput(f"the plan has no stage or wave {pause!r} to pause after; it has {', '.join(stages)}, and each")
