"""SWITCH: watch who still goes the old way, until a quiet stretch as long as the window, or patience ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from galvan.engine.gather import gather
from galvan.model import Cluster, Impact, Reader, Tip

STRETCH = 3
"""How many windows a watch may last in all while somebody is still seen."""


class Ledger(Protocol):
    """Who was seen going the old way, and since when they go the new one; kept over runs."""

    def saw(self, tip: str, old: Sequence[Impact], new: Sequence[str], at: float) -> None: ...
    def outstanding(self, tip: str) -> Sequence[Impact]: ...


async def watch(
    tip: Tip,
    cluster: Cluster,
    reader: Reader,
    window: float,
    ledger: Ledger,
    say: Callable[[str], None],
    poll: float = 2.0,
) -> tuple[Impact, ...]:
    """Empty when nobody was seen for a whole window and the ledger holds nobody who never came the new way.

    Raises Unreadable where it cannot be seen who goes which way.
    """
    start = opened = time.monotonic()
    since = await gather(cluster, tip.facts, reader)
    seen: dict[str, Impact] = {}
    while True:
        now = await gather(cluster, tip.facts, reader)
        found = tuple(tip.impact(now, since))
        ledger.saw(tip.id, found, tuple(tip.moved(now)) if tip.moved else (), now.taken_at)
        if found:
            if new := sorted({impact.who for impact in found} - set(seen)):
                say(f"still on the old way: {', '.join(new)}")
            seen, since, opened = {impact.who: impact for impact in found}, now, time.monotonic()
        quiet = time.monotonic() - opened
        if quiet >= window:
            return tuple(i for i in ledger.outstanding(tip.id) if not (tip.settled and tip.settled(i, now)))
        if time.monotonic() - start >= STRETCH * window:
            return tuple(seen.values())
        await asyncio.sleep(min(poll, max(window / 5, 0.05)))
