"""A wire tap while a marker is written: `Capture`. The tap and the marker are injected; the judging is in `clear`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from galvan.edges.wire.clear import verdict
from galvan.model import Capture, Trial

SECONDS = 6.0  # of recording
MARKS = (0.3, 0.5, 0.7)  # when the marker is written, as parts of the recording


async def capture(
    asked: Capture,
    record: Callable[[str, tuple[int, ...], float], Awaitable[bytes]],
    mark: Callable[[Capture], Awaitable[None]],
    seconds: float = SECONDS,
) -> Trial:
    """Records for `seconds` and judges what was seen.

    That a tap has begun cannot be seen from here; so the marker is written three times, the first after a good while
    and the last well before the end, and one of them falls into the recording however slowly it began. Raises what
    the tap or the marker raises; then the other one is ended too.
    """
    try:
        async with asyncio.TaskGroup() as both:
            tap = both.create_task(_taken(record, asked, seconds))
            both.create_task(_marks(asked, mark, seconds))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return await asyncio.to_thread(verdict, tap.result(), asked.ports, asked.marker)


async def _taken(
    record: Callable[[str, tuple[int, ...], float], Awaitable[bytes]], asked: Capture, seconds: float
) -> bytes:
    return await record(asked.host, asked.ports, seconds)


async def _marks(asked: Capture, mark: Callable[[Capture], Awaitable[None]], seconds: float) -> None:
    before = 0.0
    for part in MARKS:
        await asyncio.sleep((part - before) * seconds)
        await mark(asked)
        before = part
