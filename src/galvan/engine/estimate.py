"""How long each wave will take: as the same kind of wave took on this cluster before, else by a stated model. Pure.

The model, in seconds: a look and a write for each step; for a restart the gate, half the time that pools have to let go of a
host behind a balancer, stop and start, an incremental transfer of a third of the absence, and the balancer's own check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from galvan.cluster.order import OUTAGE, Wave
from galvan.model import Stage

STEP, GATE, ABSENCE, CAUGHT_UP, UP = 0.7, 2.0, 8.0, 8.0 / 3, 4.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """`measured`: from earlier runs on this cluster, not from the model."""

    seconds: float
    measured: bool


def kind(wave: Wave) -> str:
    """Waves of one kind take the same time: one stage, one way."""
    return ("back-" if wave.back else "") + wave.stage.name.lower()


def estimates(waves: Sequence[Wave], took: Mapping[str, Sequence[float]], recycle_wait: float) -> tuple[Estimate, ...]:
    """`took`: seconds by kind of wave, of earlier runs. `recycle_wait`: 0 where no balancer is drained."""
    return tuple(
        Estimate(median(took[kind(wave)]), True)
        if took.get(kind(wave))
        else Estimate(_model(wave, recycle_wait), False)
        for wave in waves
    )


def _model(wave: Wave, recycle_wait: float) -> float:
    """The two halves of a restart share its absence."""
    leave, come = GATE + recycle_wait / 2, CAUGHT_UP + (UP if recycle_wait else 0.0)
    absence = ABSENCE if wave.stops and wave.restarts else ABSENCE / 2
    restart = (leave if wave.stops else 0.0) + absence + (come if wave.restarts else 0.0)
    return STEP * len(wave.steps) + (restart if wave.restart else 0.0)


def outage(waves: Sequence[Wave]) -> range:
    """The waves in which members are down, on the way up or back. Empty where none is for longer than its own restart."""
    inside = [number for number, wave in enumerate(waves) if wave.stage in OUTAGE]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def passes(waves: Sequence[Wave]) -> range:
    """The waves that belong together: an outage; or two passes, in between which members take both ways and a stranger is
    let in. Empty where there is one pass only."""
    if together := outage(waves):
        return together
    first, second = Stage.FIRST_RESTART, Stage.SECOND_RESTART
    if not {first, second} <= {wave.stage for wave in waves}:
        return range(0)
    inside = [number for number, wave in enumerate(waves) if first <= wave.stage <= second]
    return range(inside[0], inside[-1] + 1)


def needed(number: int, waves: Sequence[Wave], seconds: Sequence[float], behind: int = 0) -> float:
    """Seconds that must be left before wave `number` may begin; 0 in the middle of what must not be cut in two.

    `behind`: how many waves an earlier attempt of the run has passed already.
    """
    together = passes(waves)
    if number not in together:
        return seconds[number] if number >= behind else 0.0
    if number > together.start or behind > together.start:
        return 0.0
    return sum(seconds[n] for n in together)
