"""What lies on the hosts about runs: each wave with its undo, and the journal's count of restarts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.order import Wave
from galvan.cluster.quote import sh
from galvan.engine.document import Facts, Json, wave_from
from galvan.model import Fact, Role, Shell, Snapshot, Unreadable, Unsafe

CHANGED = (*MEMBERS, Role.LOAD_BALANCER, Role.APPLICATION)
"""Whom a wave may change, and so whose manifest is read and whose lock is taken off."""
_RUNS = "/var/lib/galvan/runs"
MANIFEST: Fact[Sequence[Json]] = Fact(
    "host.manifest",
    Shell(f"for f in {_RUNS}/*/*.json; do [ -f \"$f\" ] && cat \"$f\"; done; true"),
    lambda output: [_entry(line) for line in output.splitlines() if line.strip()],
    stable=False,
    roles=frozenset(CHANGED),
)  # fmt: skip


def _entry(line: str) -> Json:
    try:
        return dict(json.loads(line))
    except ValueError as wrong:
        raise Unreadable(f"the manifest is damaged: {wrong}") from wrong


@dataclass(frozen=True, slots=True)
class Entry:
    run: str
    at: float
    document: Json

    def wave(self, facts: Facts) -> Wave:
        return wave_from(self.document, facts)


def entries_of(manifest: Sequence[Json]) -> list[Entry]:
    return [Entry(said["run"], said["at"], said["wave"]) for said in manifest]


def all_entries(snapshot: Snapshot) -> list[Entry]:
    """Raises Unsafe where a host cannot say what was done to it: half an undo would be a new state of its own."""
    entries: list[Entry] = []
    for facts in snapshot.hosts:
        if MANIFEST.id in facts.readings:
            try:
                entries += entries_of(facts[MANIFEST])
            except Unreadable as why:
                raise Unsafe(f"{facts.host.name} cannot say what was done to it: {why}. Nothing was undone") from why
    return entries


def set_aside(run: str) -> Shell:
    return sh(
        "if [ -d {{runs}}/{{run}} ]; then mkdir -p -m 700 {{undone}}; rm -rf {{undone}}/{{run}}; mv {{runs}}/{{run}} {{undone}}/; fi",
        runs=_RUNS, run=run, undone="/var/lib/galvan/undone",
    )  # fmt: skip


async def forget(desk: Desk, run: str) -> None:
    """The manifest of an undone run is set aside on its hosts, so that it is not undone twice."""
    async with hands(desk, f"undo-{run}", desk.authorities()) as ssh:
        for host in desk.cluster.having(*CHANGED):
            await ssh.act(host, set_aside(run), "forget")


def restarts_fact(since: float) -> Fact[int]:
    """How often systemd started the server since then, as the host's journal tells it."""
    return Fact(
        "host.restarts",
        sh("journalctl -u mariadb -u mysql -u mysqld -o cat --no-pager --since @{{since}} | grep -c '^Started' || true", since=int(since)),
        lambda output: int(output.strip() or 0),
        stable=False,
    )  # fmt: skip


def counted(snapshot: Snapshot, fact: Fact[int]) -> Mapping[str, int]:
    """Restarts per database host; one that did not answer is left out."""
    counts = {}
    for facts in snapshot.having(Role.DATABASE):
        try:
            counts[facts.host.name] = facts[fact]
        except Unreadable:
            continue
    return counts
