"""In which order steps may touch hosts so that the primary component survives.

Invariant of `waves`: no wave of a later stage comes before a wave of an earlier one, so no host enters a phase of a
tip before every host has left the one before; a wave is one host; and within a stage of restarts the host that takes
the writes comes last. Stopping after any wave leaves every pair of members able to talk (plain ↔ dynamic ↔ strict),
because all hosts are dynamic before the first becomes strict. Able to talk is not enough where a member is not in
the others' list of addresses: `engine.plan.host_order` says why arbitrators come last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from galvan.model import Disruption, Phase, Restart, Scope, Stage, Step


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
    def restarts(self) -> bool:
        return any(isinstance(action, Restart) for step in self.steps for action in step.do)


def waves(steps: Iterable[Step], order: Sequence[str]) -> Iterator[Wave]:
    """`order` names all hosts, the one that takes the writes last (`writer_last`)."""
    rank = {name: place for place, name in enumerate(order)}
    unique = {step.id: step for step in steps}.values()
    ordered = sorted(unique, key=lambda s: (s.stage, rank[s.host], s.scope is Scope.CLUSTER))
    for (stage, host), group in groupby(ordered, key=lambda s: (s.stage, s.host)):
        yield Wave(stage, host, tuple(group))


def way_back(done: Iterable[Wave], order: Sequence[str]) -> Iterator[Wave]:
    """The waves that undo `done`: stages in reverse, hosts in the same order as forward, steps in reverse.

    The second pass is undone on every host (strict to dynamic) before the first one is (dynamic to clear text).
    """
    rank = {name: place for place, name in enumerate(order)}
    for wave in sorted(done, key=lambda w: (-w.stage, rank[w.host])):
        yield Wave(wave.stage, wave.host, tuple(invert(step) for step in reversed(wave.steps)), back=True)


def invert(step: Step) -> Step:
    """The step that undoes `step`: what was before is what is wanted."""
    return Step(
        id=f"undo {step.id}", tip=step.tip, host=step.host, stage=step.stage, read=step.read,
        before=step.want, want=step.before, do=step.undo, undo=step.do,
        title=f"undo: {step.title}", disruption=step.disruption, scope=step.scope, deadman=step.deadman,
    )  # fmt: skip


def writer_last(hosts: Sequence[str], writers: Sequence[str]) -> tuple[str, ...]:
    """The hosts that take no writes first, in their own order; then the writers, the busiest last."""
    taking = [w for w in writers if w in hosts]
    return (*(h for h in hosts if h not in taking), *taking)
