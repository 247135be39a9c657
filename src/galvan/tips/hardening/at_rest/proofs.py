"""A marker is written, and looked for on the disk. Galera's cache is the living control: it has no encryption, so a marker
that reached the host and a search that works are seen there."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import OnDisk, Outcome, Proof, Role, Snapshot, Weight
from galvan.tips.hardening.at_rest.checks import asked
from galvan.tips.hardening.at_rest.facts import DISK

TIP = "hardening"
_PLACES = {"table": "a table's file", "redo": "the redo log", "binlog": "the binary log"}


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(Role.DATABASE):
        if not asked(facts, snapshot):
            continue
        host = facts.host.name
        marker = f"galvan-at-rest-{host}"
        for place, name in _PLACES.items():
            if place != "binlog" or facts[DISK]["binlogs"] != "0":
                yield Proof(
                    f"{TIP}.at-rest-{place}@{host}", TIP, f"a row is not to be read in {name} of {host}", host, host,
                    OnDisk(host, place, marker), frozenset({Outcome.ENCRYPTED}), OnDisk(host, "cache", marker),
                    frozenset({Outcome.CLEAR}), Weight.MARK,
                )  # fmt: skip
