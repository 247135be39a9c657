"""How long nobody served, by the hosts' own journals: what Galvan believes of itself is not asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.model import Fact, Role, Snapshot, Unreadable

_LINE = re.compile(r"^(\d+\.\d+) .*?: (?:(Started) |.*(?:Stopping |Main process exited))", re.M)


@dataclass(frozen=True, slots=True)
class Service:
    """`clock`: what the host took for now. `changes`: when its server was up from, or down from, by the host's clock."""

    clock: float
    changes: tuple[tuple[float, bool], ...]


def service(output: str) -> Service:
    """Raises Unreadable where the host did not say its time."""
    clock = re.search(r"^clock=(\d+\.\d+)$", output, re.M)
    if not clock:
        raise Unreadable(f"no time was printed: {output[:80]!r}")
    return Service(float(clock[1]), tuple((float(at), bool(up)) for at, up in _LINE.findall(output)))


def service_fact(since: float) -> Fact[Service]:
    """`since`: seconds since the epoch. A server counts as up from `Started` (it notifies systemd when it takes clients)."""
    return Fact(
        "host.service",
        sh(
            "echo clock=$(date +%s.%N)\n"
            "journalctl -u mariadb -u mysql -u mysqld -o short-unix --no-pager --since @{{since}} "
            "| grep -E 'systemd\\[1\\]: .*(Started |Stopping |Main process exited)' || true",
            since=int(since),
        ),
        service,
        stable=False,
    )  # fmt: skip


def outage(snapshot: Snapshot, fact: Fact[Service]) -> float | None:
    """Seconds in which no database host was up; None where one of them did not say."""
    seen = {}
    for facts in snapshot.having(Role.DATABASE):
        try:
            seen[facts.host.name] = facts[fact]
        except Unreadable:
            return None
    shifted = {
        name: [(at - said.clock + snapshot.taken_at, up) for at, up in said.changes] for name, said in seen.items()
    }
    return dark(shifted, snapshot.taken_at)


def dark(changes: Mapping[str, Sequence[tuple[float, bool]]], end: float) -> float:
    """
    >>> dark({"a": [(1.0, False), (9.0, True)], "b": [(3.0, False), (5.0, True)]}, 20.0)
    2.0
    >>> dark({"a": [(1.0, False)], "b": []}, 20.0)
    0.0
    """
    up = {name for name, mine in changes.items() if not mine or not mine[0][1]}
    events: Iterable[tuple[float, bool, str]] = sorted(
        (at, on, name) for name, mine in changes.items() for at, on in mine
    )
    total, since = 0.0, None
    for at, on, name in events:
        up = up | {name} if on else up - {name}
        if not up and since is None:
            since = at
        elif up and since is not None:
            total, since = total + at - since, None
    return round(total + (end - since if since is not None else 0.0), 3)
