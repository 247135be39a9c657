"""AppArmor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from galvan.model import HostFacts, Judgement, Rung, Step, holds
from galvan.model.denials import Denial


def denied(found: Sequence[Denial], names: Sequence[str]) -> Judgement:
    seen = f"{len(found)} in the last day: {', '.join(names[:3])}" if found else "none"
    return holds(not found, seen, "no denial of the server's")


def mend(facts: HostFacts, names: Collection[str], to: Rung) -> Iterator[Step]:
    yield from ()
