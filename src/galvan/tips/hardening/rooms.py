"""The tip is large, so it has rooms: each offers the same five things, and none knows another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from galvan.model import Check, Fact, Finding, Impact, Need, Proof, Rung, Snapshot, Step


class Room(Protocol):
    """A package of the tip, as a value. `mend` is given the failing findings of its own checks and no others."""

    @property
    def FACTS(self) -> tuple[Fact[Any], ...]: ...

    @property
    def CHECKS(self) -> tuple[Check, ...]: ...

    def mend(self, failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]: ...

    def impact(self, now: Snapshot, since: Snapshot | None) -> Iterator[Impact]: ...

    def proofs(self, snapshot: Snapshot) -> Iterator[Proof]: ...


def of(room: Room, failing: Iterable[Finding]) -> list[Finding]:
    ids = {check.id for check in room.CHECKS}
    return [finding for finding in failing if finding.check in ids]
