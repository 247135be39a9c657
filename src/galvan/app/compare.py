"""`verify --data`: the checksum of every table on every member, while applications write. Only on request: it reads everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.cluster.tables import LIST, Sums, Table, checksums, sums, tables
from galvan.edges.actions import in_step
from galvan.engine.compare import Compared, conclude, round_of, sort_out
from galvan.model import Host, NotHealed, Role, Unreadable

BATCH = 64_000_000
"""Bytes that one look reads at most (or one table), so that no member is kept busy for long."""
LOOK = 900.0
"""Seconds that one look may take."""
Ask = Callable[[Host, Sequence[str]], Awaitable[str]]


async def compare(desk: Desk, limit: int, told: Callable[[str, str], None]) -> tuple[Compared, ...]:
    """`limit`: bytes above which a table is left out, and said to be. Reads half of the time and rests the other half.

    Raises NotHealed where a member does not even list its tables.
    """
    members = desk.cluster.having(Role.DATABASE)
    async with hands(desk, "compare", desk.authorities()) as ssh:

        async def ask(host: Host, statements: Sequence[str]) -> str:
            out, err, code = await ssh.exec(host, in_step(statements), LOOK)
            if code and not out:
                raise Unreadable(f"{host.name}: {err.strip()[-300:] or f'exit status {code}'}")
            return out

        try:
            lists = await asyncio.gather(*(ask(host, [LIST]) for host in members))
        except Unreadable as why:
            raise NotHealed(f"the data was not compared: {why}") from why
        found, done = sort_out({h.name: tables(said) for h, said in zip(members, lists, strict=True)}, limit)
        compared = list(done)
        for batch in _batches(found):
            told("data", ", ".join(table.id for table in batch[:3]) + (" and more" if len(batch) > 3 else ""))
            compared += await _settled(batch, members, ask)
    return tuple(sorted(compared, key=lambda one: one.table))


def _batches(found: Sequence[Table]) -> Iterator[list[Table]]:
    batch: list[Table] = []
    for table in found:
        if batch and sum(t.size for t in batch) + table.size > BATCH:
            yield batch
            batch = []
        batch.append(table)
    if batch:
        yield batch


async def _settled(batch: Sequence[Table], members: Sequence[Host], ask: Ask) -> list[Compared]:
    """Rounds until every table of the batch has its verdict; only those that have none are asked again."""
    rounds: dict[str, list[Compared | None]] = {table.id: [] for table in batch}
    verdicts: dict[str, Compared] = {}
    while left := [table for table in batch if table.id not in verdicts]:
        began = time.monotonic()
        first = await _sums(members[0], left, ask)
        others = await asyncio.gather(*(_sums(host, left, ask) for host in members[1:]))
        again = await _sums(members[0], left, ask)
        by_host = {host.name: seen for host, seen in zip(members[1:], others, strict=True)}
        for table in left:
            rounds[table.id].append(round_of(table.id, first, by_host, again))
            if verdict := conclude(table.id, rounds[table.id]):
                verdicts[table.id] = verdict
        await asyncio.sleep(time.monotonic() - began)
    return list(verdicts.values())


async def _sums(host: Host, left: Sequence[Table], ask: Ask) -> Sums:
    """A member that does not answer has no checksum of anything, which is a verdict of its own."""
    try:
        return sums(await ask(host, checksums(left)))
    except Unreadable:
        return {}
