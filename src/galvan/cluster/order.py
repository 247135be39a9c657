"""In which order steps may touch hosts so that the primary component survives.

Invariant of `waves`: no wave of a later stage comes before a wave of an earlier one, so no host enters a phase of a
tip before every host has left the one before; a wave is one host; and within a stage of restarts the host that takes
the writes comes last. Stopping after any wave leaves every pair of members able to talk (plain ↔ dynamic ↔ strict),
because all hosts are dynamic before the first becomes strict. Able to talk is not enough where a member is not in
the others' list of addresses: `engine.plan.host_order` says why arbitrators come last.

The two stages of an outage are the exception: clear and strict members never run side by side there, because nobody
starts before all have stopped. The writer stops last, so that the cluster serves until then, and starts first: it holds
the latest position. So the order of hosts in a stage of starts is the other way round.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from galvan.model import Disruption, How, Phase, Restart, Scope, Stage, Step

OUTAGE = (Stage.STOP_CLEAR, Stage.START_STRICT)


@dataclass(frozen=True, slots=True)
class Wave:
    """One stage on one host, all or nothing. `back` waves belong to a rollback."""

    stage: Stage
    host: str
    steps: tuple[Step, ...]
    back: bool = False

    @property
    def id(self) -> str:
        return ("back-" if self.back else "") + self.stage.at(self.host)

    @property
    def phase(self) -> Phase:
        return self.stage.phase

    @property
    def tips(self) -> frozenset[str]:
        return frozenset(step.tip for step in self.steps)

    @property
    def disruption(self) -> Disruption:
        return max(step.disruption for step in self.steps)

    @property
    def restart(self) -> Restart | None:
        """What the wave does to its server, once, at its end."""
        return next((a for step in self.steps for a in step.do if isinstance(a, Restart)), None)

    @property
    def restarts(self) -> bool:
        """Does a server start in it? A stop and its start are one restart."""
        return self.restart is not None and self.restart.how is not How.STOP

    @property
    def stops(self) -> bool:
        """Does a server stop in it? That is what a gate is asked about."""
        return self.restart is not None and self.restart.how is not How.START


def waves(steps: Iterable[Step], order: Sequence[str]) -> Iterator[Wave]:
    """`order` names all hosts, the one that takes the writes last (`writer_last`)."""
    rank = {name: place for place, name in enumerate(order)}
    unique = {step.id: step for step in steps}.values()
    ordered = sorted(unique, key=lambda s: (s.stage, _place(s.stage, rank[s.host]), s.scope is Scope.CLUSTER))
    for (stage, host), group in groupby(ordered, key=lambda s: (s.stage, s.host)):
        yield Wave(stage, host, tuple(group))


def way_back(done: Iterable[Wave], order: Sequence[str]) -> Iterator[Wave]:
    """The waves that undo `done`: stages in reverse, hosts in the same order as forward, steps in reverse. What was a
    stage of starts is one of stops on the way back, and the other way round.

    The second pass is undone on every host (strict to dynamic) before the first one is (dynamic to clear text).
    """
    rank = {name: place for place, name in enumerate(order)}
    for wave in sorted(done, key=lambda w: (-w.stage, _place(w.stage, rank[w.host], back=True))):
        yield Wave(wave.stage, wave.host, tuple(invert(step) for step in reversed(wave.steps)), back=True)


def _place(stage: Stage, rank: int, back: bool = False) -> int:
    return -rank if stage is (Stage.STOP_CLEAR if back else Stage.START_STRICT) else rank


def invert(step: Step) -> Step:
    """The step that undoes `step`: what was before is what is wanted."""
    return Step(
        id=f"undo {step.id}", tip=step.tip, host=step.host, stage=step.stage, read=step.read,
        before=step.want, want=step.before, do=step.undo, undo=step.do,
        title=f"undo: {step.title}", disruption=step.disruption, scope=step.scope,
        deadman=step.deadman and step.deadman.unhurried, patience=step.patience, progress=step.progress,
    )  # fmt: skip


def writer_last(hosts: Sequence[str], writers: Sequence[str]) -> tuple[str, ...]:
    """The hosts that take no writes first, in their own order; then the writers, the busiest last."""
    taking = [w for w in writers if w in hosts]
    return (*(h for h in hosts if h not in taking), *taking)
