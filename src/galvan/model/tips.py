"""A tip, and the three ways in which Galvan reaches the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from galvan.model.changes import Action, Need, Step
from galvan.model.errors import Unreadable
from galvan.model.facts import Fact, Snapshot
from galvan.model.findings import Check, Finding, Impact, Manual
from galvan.model.hosts import Host
from galvan.model.scales import Rung
from galvan.model.trials import Attempt, Proof, Trial


@dataclass(frozen=True, slots=True)
class Tip:
    """One tip of the seed. `mend` answers the failing findings with steps and needs, built from the snapshot."""

    id: str
    title: str
    facts: tuple[Fact[Any], ...]
    checks: tuple[Check, ...]
    mend: Callable[[Sequence[Finding], Snapshot, Rung], Iterator[Step | Need]]
    impact: Callable[[Snapshot, Snapshot | None], Iterator[Impact]]  # now, and since the window was opened
    proofs: Callable[[Snapshot], Iterator[Proof]]
    moved: Callable[[Snapshot], Iterator[str]] | None = None  # who is seen going the new way
    """Where it is given, NARROW waits until nobody is seen on the old way."""
    settled: Callable[[Impact, Snapshot], bool] | None = None  # has what an earlier watch saw been seen to by now?
    manual: tuple[Manual, ...] = ()  # what no program can judge


class Reader(Protocol):
    """Reads facts, all of a host in one exec, and can do nothing else."""

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]: ...


class Remote(Reader, Protocol):
    """Also carries out actions; `wave` names the place where what was there before is kept."""

    async def act(self, host: Host, action: Action, wave: str) -> str: ...

    async def act_anew(self, host: Host, action: Action, wave: str) -> str:
        """As `act`, over a new connection of its own, which is closed afterwards."""
        ...


class Prober(Protocol):
    async def attempt(self, vantage: str, attempt: Attempt) -> Trial: ...
