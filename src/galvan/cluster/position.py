"""How far a stopped member had come, and which of them may begin a new primary component.

Rules from Galera itself: a member that stops in order writes its position into grastate.dat; the last of a primary
component also writes `safe_to_bootstrap: 1`. After a crash the seqno there is -1 and the redo log knows the position.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from galvan.cluster.facts import INSTALL, lines
from galvan.cluster.order import OUTAGE, Wave
from galvan.cluster.precedence import GIVEN
from galvan.model import Fact, HostFacts, How, Restart, Shell, Snapshot, Unreadable, Unsafe, remaining

_NOTHING = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Position:
    """What a member's disk says. `service`: what systemd says of the server; `seqno` -1: only the redo log knows."""

    service: str
    uuid: str
    seqno: int
    safe: bool

    @property
    def stopped(self) -> bool:
        return self.service in ("inactive", "failed")

    @property
    def moving(self) -> bool:
        return self.service in ("activating", "deactivating", "reloading")


def position(output: str) -> Position:
    """Raises Unreadable where there is no grastate.dat, or where it says no position."""
    said = lines(output)
    uuid, seqno = str(said.get("uuid", "")), str(said.get("seqno", ""))
    if not _UUID.fullmatch(uuid) or not re.fullmatch(r"-?\d+", seqno) or not said.get("service"):
        raise Unreadable(f"grastate.dat says no position: {output.strip()[-200:]!r}")
    return Position(str(said["service"]), uuid, int(seqno), said.get("safe_to_bootstrap") == "1")


POSITION: Fact[Position] = Fact(
    "host.position",
    Shell(
        "for u in mariadb mysql mysqld; do systemctl cat $u >/dev/null 2>&1 && echo service=$(systemctl is-active $u) && break; done\n"
        f"d=$({GIVEN.format(name='datadir')})\n"
        "sed -n 's/^\\(uuid\\|seqno\\|safe_to_bootstrap\\): */\\1=/p' \"${d:-/var/lib/mysql}/grastate.dat\""
    ),
    position,
    stable=False,
)
"""Light, because it is asked while nobody serves: no client, no statement."""

RECOVER = Shell("galera_recovery 2>/dev/null")
"""Asks the redo log of a server that is down; what it prints is for `recovered`. It opens the tables, so it is no fact."""


def recovered(output: str) -> tuple[str, int]:
    """
    >>> recovered("--wsrep_start_position=0e5abcc9-e7fb-11f1-9a48-533ad6cac4ee:2305,0-1-7")
    ('0e5abcc9-e7fb-11f1-9a48-533ad6cac4ee', 2305)
    """
    match = re.search(rf"--wsrep_start_position=({_UUID.pattern}):(-?\d+)", output)
    if not match:
        raise Unreadable(f"galera_recovery found no position: {output.strip()[-200:]!r}")
    return match[1], int(match[3])


def leader(positions: Mapping[str, Position], silent: Collection[str], preferred: str) -> str:
    """Who is bootstrapped: the most advanced of the stopped members; among equals the one that Galera marked, then
    `preferred`.

    Raises Unsafe where that would be a guess: members of different clusters, no position at all, or a `silent` host
    (out of reach) that may hold more. A silent host does not matter where Galera's own mark says who left last.
    """
    known = {name: at for name, at in positions.items() if at.uuid != _NOTHING and at.seqno >= 0}
    if len(uuids := {at.uuid for at in known.values()}) > 1:
        said = ", ".join(f"{name} {at.uuid}" for name, at in sorted(known.items()))
        raise Unsafe(f"the stopped members belong to {len(uuids)} different clusters, so none is bootstrapped: {said}")
    if not known:
        raise Unsafe("no stopped member knows its position, so none is bootstrapped")
    best = max(known, key=lambda name: (known[name].seqno, known[name].safe, name == preferred))
    if silent and not known[best].safe:
        raise Unsafe(
            f"{', '.join(sorted(silent))} cannot be asked and may hold later writes than {best} (seqno {known[best].seqno}), "
            "so none is bootstrapped"
        )
    return best


def outage_seconds(waves: Iterable[Wave], snapshot: Snapshot) -> float:
    """How long nobody will serve, 0 where no member is really stopped: the last stop and start of the server that stops
    last, out of its own systemd, and one second for the looks between. One that was never stopped counts its start twice."""
    going = [wave.host for wave in waves if wave.stage in OUTAGE and _stops(wave, snapshot.of(wave.host))]
    if not going:
        return 0.0
    said = snapshot.of(going[-1])[INSTALL]
    start, stop = (float(str(said.get(key) or 0)) for key in ("start_s", "stop_s"))
    return round(start + (stop or start) + 1.0, 1)


def _stops(wave: Wave, facts: HostFacts) -> bool:
    """Not one that is down already, and not one that runs as the stop would leave it to."""
    try:
        return any(
            a.how is How.STOP and remaining(s, facts[s.read])
            for s in wave.steps
            for a in s.do
            if isinstance(a, Restart)
        )
    except Unreadable:
        return False
