"""The application's books against what every node holds; pure but for the query's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = tuple[int, int]  # writer, seq

# wsrep_sync_wait=1 makes the first SELECT wait until all that was committed anywhere is applied here: that is
# stronger than empty queues. The books travel as ranges, so that they are complete and still small.
QUERY = """
mariadb -N -B <<'EOF'
SET SESSION wsrep_sync_wait = 1;
SELECT 'rows', COUNT(*) FROM app.ledger;
CHECKSUM TABLE app.ledger EXTENDED;
SELECT 'range', writer, MIN(seq), MAX(seq) FROM (
  SELECT writer, seq, seq - ROW_NUMBER() OVER (PARTITION BY writer ORDER BY seq) AS island
  FROM app.ledger WHERE seq >= {first}) AS numbered
GROUP BY writer, island;
EOF"""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one node holds: a checksum of the whole ledger, and this load's rows."""

    count: int
    checksum: str
    rows: frozenset[Row]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """`transactions` = acknowledged + failed + conflicts + ambiguous: every attempt is in exactly one of them."""

    transactions: int
    acknowledged: int
    failed: int
    conflicts: int
    ambiguous: int
    ambiguous_committed: int  # of the ambiguous: the row is there after all
    errors: Mapping[str, int]
    lost: int  # acknowledged, and missing on at least one node
    unexpected: int  # there, though the attempt was reported as failed
    equal: bool  # every node was read, and all hold the same
    unread: tuple[str, ...]
    longest_gap_s: Mapping[int, float]  # of each writer, between two acknowledged commits
    gaps: tuple[tuple[int, float, float], ...]  # writer, from, to: all above one second, in epoch seconds
    logins_tls: int
    logins_plain: int
    seconds: float

    @property
    def longest_gap(self) -> float:
        return max(self.longest_gap_s.values(), default=0.0)

    @property
    def per_second(self) -> float:
        return self.acknowledged / self.seconds if self.seconds else 0.0


def parse(text: str) -> Holding:
    """Pure: the answer to QUERY."""
    count, checksum, rows = 0, "", set[Row]()
    for line in text.splitlines():
        match line.split("\t"):
            case ["rows", number]:
                count = int(number)
            case ["app.ledger", found]:
                checksum = found
            case ["range", writer, low, high]:
                rows.update((int(writer), seq) for seq in range(int(low), int(high) + 1))
    return Holding(count, checksum, frozenset(rows))


def report(summary: Mapping[str, Any], held: Mapping[str, Holding | None]) -> LoadReport:
    """Pure: the writers' summary and the nodes' holdings, brought together."""
    writers = {int(number): book for number, book in summary["writers"].items()}
    acknowledged = _rows((w, low, high) for w, book in writers.items() for low, high in book["ranges"])
    ambiguous = _rows((w, seq, seq) for w, book in writers.items() for seq in book["ambiguous"])
    nodes = [holding for holding in held.values() if holding is not None]
    everywhere = frozenset.intersection(*(node.rows for node in nodes)) if nodes else frozenset[Row]()
    somewhere = frozenset[Row]().union(*(node.rows for node in nodes))
    unread = tuple(name for name, holding in held.items() if holding is None)
    return LoadReport(
        transactions=int(summary["attempts"]),
        acknowledged=int(summary["acknowledged"]),
        failed=int(summary["failed"]),
        conflicts=int(summary["conflicts"]),
        ambiguous=len(ambiguous),
        ambiguous_committed=len(ambiguous & somewhere),
        errors=dict(summary["errors"]),
        lost=len(acknowledged - everywhere),
        unexpected=len(somewhere - acknowledged - ambiguous),
        equal=not unread and len({(node.count, node.checksum) for node in nodes}) == 1,
        unread=unread,
        longest_gap_s={w: float(book["longest_gap_s"]) for w, book in writers.items()},
        gaps=tuple((w, float(a), float(b)) for w, book in writers.items() for a, b in book["gaps"]),
        logins_tls=int(summary["logins_tls"]),
        logins_plain=int(summary["logins_plain"]),
        seconds=float(summary["seconds"]),
    )


def _rows(ranges: Iterable[tuple[int, int, int]]) -> frozenset[Row]:
    return frozenset((writer, seq) for writer, low, high in ranges for seq in range(low, high + 1))
