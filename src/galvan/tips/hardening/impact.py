"""Who would be hurt when the server becomes strict."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import Impact, Snapshot


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    yield from ()
