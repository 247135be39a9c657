"""Learning into a book, and a book against what a balancer has. Nothing is ever dropped, and no decision is overturned."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from galvan.model.statements import Book, Learnt, Name
from galvan.tips.load_balancer.statements.explain import explain


@dataclass(frozen=True, slots=True)
class Seen:
    """One row of a balancer's statistics: `times` since it began to count, times of day in seconds since the epoch."""

    name: Name
    text: str
    times: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Merged:
    book: Book
    new: tuple[Name, ...]
    again: tuple[Name, ...]


def empty(book: Book) -> bool:
    """No statement may pass: to protect with such a book would refuse everything."""
    return not any(one.allow for one in book.statements.values())


def together(rows: Iterable[Seen]) -> Mapping[Name, Seen]:
    """A balancer counts by host group and client address; a statement is the same whoever answered it."""
    found: dict[Name, Seen] = {}
    for row in rows:
        if (other := found.get(row.name)) is None:
            found[row.name] = row
        else:
            found[row.name] = replace(
                other, times=other.times + row.times, first=min(other.first, row.first), last=max(other.last, row.last)
            )
    return found


def grown(before: Mapping[Name, Seen], after: Mapping[Name, Seen]) -> Mapping[Name, Seen]:
    """What was said in between. Who counts less than before has begun anew, so all that it counts is new."""
    found = {}
    for name, row in after.items():
        had = before[name].times if name in before else 0
        if times := row.times - had if row.times >= had else row.times:
            found[name] = replace(row, times=times)
    return found


def learn(book: Book, rows: Iterable[Seen]) -> Merged:
    """A new statement may pass unless it needs a person's attention; what the operator decided of a known one stays."""
    statements = dict(book.statements)
    new: list[Name] = []
    again: list[Name] = []
    for name, row in sorted(together(rows).items()):
        first, last = minute(row.first), minute(row.last)
        if (known := statements.get(name)) is None:
            said = explain(row.text)
            attention = tuple(flag.says for flag in said.flags)
            statements[name] = Learnt(
                name, row.text, said.kind, said.tables, row.times, first, last, not attention, attention
            )
            new.append(name)
        else:
            statements[name] = replace(
                known, seen=known.seen + row.times, first=min(known.first or first, first), last=max(known.last, last)
            )
            again.append(name)
    return Merged(replace(book, statements=statements), tuple(new), tuple(again))


def minute(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))


def strangers(book: Book, rows: Iterable[Seen]) -> Mapping[Name, Seen]:
    """What was said and may not be said: it is not in the book, or stands there and is not allowed.

    Accounts that the book does not name are not its business: they are not watched.
    """
    mine = set(book.accounts)
    return {
        name: row
        for name, row in sorted(together(rows).items())
        if name.account in mine and not (name in book.statements and book.statements[name].allow)
    }
