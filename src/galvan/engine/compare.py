"""Is the data the same on every member? Checksums of tables, compared while applications write. Pure.

A table that is written to has another checksum at each look, so one look at each member proves nothing. The first member
is asked before and after all others, and every look waits until its member has applied what was committed before
(`wsrep_sync_wait`): where the first member says the same twice and another says something else in between, they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.tables import Sums, Table
from galvan.model import Verdict

ROUNDS = 4
"""Looks at a table that changes between them, before it is called unknown."""
SURE = 2
"""Rounds in which a table must differ: one could be a member that says it is in step a moment too early."""


@dataclass(frozen=True, slots=True)
class Compared:
    table: str
    verdict: Verdict
    seen: str


def sort_out(tables: Mapping[str, Sequence[Table]], limit: int) -> tuple[tuple[Table, ...], tuple[Compared, ...]]:
    """Which tables can be compared, and what is to be said of the others. `tables`: by member; `limit`: bytes a table."""
    known = {table.id: table for mine in tables.values() for table in mine}
    found, told = [], []
    for id, table in sorted(known.items()):
        without = [host for host, mine in tables.items() if id not in {t.id for t in mine}]
        if without:
            told.append(Compared(id, Verdict.FAIL, f"not there on {', '.join(without)}"))
        elif table.engine != "InnoDB":
            told.append(
                Compared(id, Verdict.UNKNOWN, f"not compared: its engine is {table.engine}, which is not replicated")
            )
        elif (size := max(t.size for mine in tables.values() for t in mine if t.id == id)) > limit:
            told.append(
                Compared(
                    id, Verdict.UNKNOWN, f"not compared: {size / 1e6:.0f} MB, and the limit is {limit / 1e6:.0f} MB"
                )
            )
        else:
            found.append(table)
    return tuple(found), tuple(told)


def round_of(table: str, first: Sums, others: Mapping[str, Sums], again: Sums) -> Compared | None:
    """What one round says of a table; None where it was written to, so that nobody can tell yet."""
    both = (first.get(table), again.get(table))
    silent = [host for host, sums in others.items() if sums.get(table) is None]
    if None in both or silent:
        return Compared(table, Verdict.UNKNOWN, f"no checksum from {', '.join(silent) or 'the first member'}")
    apart = [host for host, sums in others.items() if sums[table] not in both]
    if not apart:
        return Compared(table, Verdict.PASS, f"the same on {len(others) + 1} members")
    if both[0] == both[1]:
        return Compared(table, Verdict.FAIL, f"differs on {', '.join(apart)}")
    return None


def conclude(table: str, rounds: Iterable[Compared | None]) -> Compared | None:
    """None while another round is worth it."""
    said = list(rounds)
    last = said[-1]
    if last is not None and (
        last.verdict is not Verdict.FAIL or [r for r in said if r and r.verdict is Verdict.FAIL][SURE - 1 :]
    ):
        return last
    if len(said) >= ROUNDS:
        return Compared(table, Verdict.UNKNOWN, f"it was written to in each of {ROUNDS} looks, so nobody can tell")
    return None
