"""The learnt query firewall: a book is learnt at the balancers, they note what is not in it, and then they refuse it.

`doors` is how a ProxySQL's own interface is reached. A MaxScale learns a list of its own and is no part of the book.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galvan.app.desk import Desk
from galvan.edges import statements as files
from galvan.edges.ssh import SshReader
from galvan.engine.gather import gather
from galvan.model import BadInput, Fact, Host, HostFacts, Impact, Role, Snapshot, Unreadable, WrongUsage
from galvan.model.statements import Book, Name
from galvan.tips.load_balancer.statements import book as books
from galvan.tips.load_balancer.statements.door import Admin
from galvan.tips.load_balancer.statements.impact import misses
from galvan.tips.load_balancer.statements.orders import modes
from galvan.tips.load_balancer.statements.proxysql import LOG, Missed, Standing, said_by, standing_of
from galvan.tips.load_balancer.statements.steps import drift

Told = Callable[[str, str], None]
DEFAULT = "statements.yaml"
EVERY = 10.0
"""Seconds between two looks while learning: a balancer that begins to count anew loses no more than that."""
_NO_READING = (
    "is a HAProxy, which hands bytes on and cannot read statements: only a ProxySQL, or a MaxScale from 25.10 on, can hold to a list of them"
)  # fmt: skip
_OWN_LIST = "is a MaxScale, which learns a list of its own (module=firewall, from 25.10): it takes no part in the book"


@dataclass(frozen=True, slots=True)
class Learning:
    """What a window brought. `dark`: balancers that did not answer at its end, and why."""

    book: Book
    new: tuple[Name, ...]
    again: tuple[Name, ...]
    dark: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stands:
    """One balancer against the book. `drift`: what runs there and is not what the book says."""

    host: str
    mode: Mapping[str, str]
    drift: tuple[str, ...]
    misses: tuple[Impact, ...]
    why: str = ""


def path_of(desk: Desk, folder: Path) -> Path:
    """The policy names the file; without a name it lies beside the cluster's file."""
    return folder / (desk.cluster.policy.load_balancer.statements or DEFAULT)


def balancers(desk: Desk) -> tuple[tuple[Host, ...], tuple[str, ...]]:
    """The ProxySQLs among those that were asked for, and a sentence about each other one. Raises WrongUsage where none can read."""
    asked = [h for h in desk.cluster.having(Role.LOAD_BALANCER) if not desk.limit or h.name in desk.limit]
    if not asked:
        raise WrongUsage("there is no load_balancer among the hosts: the query firewall lives in one")
    found = tuple(host for host in asked if host.kind == "proxysql")
    notes = tuple(
        f"{host.name} {_OWN_LIST if host.kind == 'maxscale' else _NO_READING}"
        for host in asked
        if host.kind != "proxysql"
    )
    if not found:
        raise WrongUsage("; ".join(notes))
    return found, notes


def door_of(doors: Mapping[str, Admin]) -> Admin:
    if "proxysql" not in doors:
        raise BadInput("this build of Galvan has no way into a ProxySQL's admin interface")
    return doors["proxysql"]


async def look(desk: Desk, hosts: Sequence[Host], facts: Sequence[Fact[Any]], reader: SshReader) -> Snapshot:
    return await gather(replace(desk.cluster, hosts=tuple(hosts)), facts, reader)


async def once(desk: Desk, hosts: Sequence[Host], facts: Sequence[Fact[Any]]) -> Snapshot:
    async with SshReader(desk.cluster, facts) as reader:
        return await look(desk, hosts, facts, reader)


# learn -----------------------------------------------------------------------------------------------------------------
async def learn(
    desk: Desk, path: Path, window: float, told: Told, doors: Mapping[str, Admin], everything: bool = False
) -> Learning:
    """`everything`: also what was counted before the window. Changes nothing at a balancer; the file is written at the end."""
    hosts, notes = balancers(desk)
    admin = door_of(doors)
    said, standing = said_by(admin), standing_of(admin)
    old = files.read_if_there(path)
    async with SshReader(desk.cluster, (said, standing)) as reader:
        before = await look(desk, hosts, (said, standing), reader)
        made = _made_with(before, standing)
        counts = {host.name: books.together(_rows(before.of(host.name), said)) for host in hosts}
        rows: list[books.Seen] = [row for count in counts.values() for row in count.values()] if everything else []
        dark: dict[str, str] = {}
        end = time.monotonic() + window
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(EVERY, left))
            now = await look(desk, hosts, (said,), reader)
            dark = {}
            for host in hosts:
                try:
                    count = books.together(_rows(now.of(host.name), said))
                except Unreadable as why:
                    dark[host.name] = str(why)
                    continue
                rows += books.grown(counts[host.name], count).values()
                counts[host.name] = count
            _progress(told, rows, end - time.monotonic(), dark)
    merged = books.learn(old, rows)
    if old.learnt_with and old.learnt_with != made:
        notes = (
            *notes,
            "digests are made in another way than before: what stands in the book from then matches no more",
        )
    book = replace(merged.book, learnt_with=made)
    files.write(path, book)
    return Learning(book, merged.new, merged.again, dark, notes)


def _made_with(snapshot: Snapshot, standing: Fact[Standing]) -> tuple[str, ...]:
    """The same at all of them, or a digest would be one statement here and another there. Raises Unreadable."""
    made = {facts.host.name: facts[standing].learnt_with for facts in snapshot.hosts}
    if len(set(made.values())) > 1:
        raise BadInput(
            f"{', '.join(made)} make digests in different ways: give them one version and the same mysql-query_digests_…"
        )
    return next(iter(made.values()))


def _progress(told: Told, rows: Sequence[books.Seen], left: float, dark: Mapping[str, str]) -> None:
    found = books.together(rows)
    accounts = len({name.account for name in found})
    lost = f"; no answer from {', '.join(dark)}" if dark else ""
    told("learning", f"{len(found)} statements of {accounts} accounts, {max(0.0, left):.0f} s to go{lost}")


def _rows(facts: HostFacts, said: Fact[tuple[books.Seen, ...]]) -> tuple[books.Seen, ...]:
    return facts[said]


def missed_at(facts: HostFacts, book: Book, said: Fact[tuple[books.Seen, ...]]) -> tuple[Impact, ...]:
    """Raises Unreadable."""
    counted = _rows(facts, said)
    noted: tuple[Missed, ...] = facts[LOG]
    return tuple(misses(facts.host.name, book, counted, noted))


# status ------------------------------------------------------------------------------------------------------------------
async def status(desk: Desk, path: Path, doors: Mapping[str, Admin]) -> tuple[tuple[Stands, ...], tuple[str, ...]]:
    """Reads only. A balancer that does not answer is told with why, and is never well."""
    hosts, notes = balancers(desk)
    book = files.read_if_there(path)
    admin = door_of(doors)
    said, standing = said_by(admin), standing_of(admin)
    seen = await once(desk, hosts, (said, standing, LOG))
    found = []
    for facts in seen.hosts:
        name = facts.host.name
        try:
            stand = facts[standing]
            missed = missed_at(facts, book, said)
            found.append(Stands(name, modes(stand.runtime), drift(name, book, stand, admin), missed))
        except Unreadable as why:
            found.append(Stands(name, {}, (), (), str(why)))
    return tuple(found), notes
