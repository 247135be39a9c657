"""Tip 7 of the seed: everything else that a benchmark asks of the server, of its files and of the host beneath it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.model import Finding, Impact, Need, Proof, Rung, Snapshot, Step, Tip
from galvan.tips.hardening import accounts, at_rest, checks, facts, impact, proofs, steps
from galvan.tips.hardening.rooms import Room, of

ROOMS: tuple[Room, ...] = (accounts, at_rest)


def _mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    yield from steps.mend(failing, snapshot, to)
    for room in ROOMS:
        yield from room.mend(of(room, failing), snapshot, to)


def _impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    yield from impact.impact(now, since)
    for room in ROOMS:
        yield from room.impact(now, since)


def _proofs(snapshot: Snapshot) -> Iterator[Proof]:
    yield from proofs.proofs(snapshot)
    for room in ROOMS:
        yield from room.proofs(snapshot)


def _moved(now: Snapshot) -> Iterator[str]:
    """Nobody is seen going a new way here; that the question can be asked makes NARROW wait for whom it would hurt."""
    yield from ()


TIP = Tip(
    id="hardening",
    title="Harden the server and its host",
    facts=(*facts.FACTS, *(fact for room in ROOMS for fact in room.FACTS)),
    checks=(*checks.CHECKS, *(check for room in ROOMS for check in room.CHECKS)),
    mend=_mend,
    impact=_impact,
    proofs=_proofs,
    manual=checks.MANUAL,
    moved=_moved,
    settled=accounts.settled,
)
