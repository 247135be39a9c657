"""The two steps of the query firewall at a ProxySQL: it detects (WIDEN), and it protects (NARROW)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from galvan.model import Fact, Stage, State, Step, Value
from galvan.model.statements import Book
from galvan.tips.load_balancer.statements.door import Admin
from galvan.tips.load_balancer.statements.orders import (
    DETECTING,
    FIRST,
    LAST,
    MINE,
    PROTECTING,
    before,
    own,
    released,
    told,
    wanted,
)
from galvan.tips.load_balancer.statements.proxysql import (
    BALANCERS,
    DIGESTS,
    LENGTH,
    STANDING,
    Place,
    Standing,
    standing,
)

TIP = "load_balancer"


def state(place: Standing) -> State:
    """What stands there of Galvan's, in few words: what runs, and whether a restart would bring it back."""
    runs, kept = own(place.runtime), own(place.disk)
    return {**_short(runs), "saved": "yes" if _short(runs) == _short(kept) else "no"}


def _short(place: Place) -> Mapping[str, Value]:
    found: dict[str, Value] = {"firewall": place.enabled, "rules": _print(place.rules)}
    for user in place.users:
        found[f"mode.{user.account}"] = user.mode
        if mine := [one for one in place.allowed if one.account == user.account]:
            found[f"allowed.{user.account}"] = _print(mine)
    return found


def _print(rows: Iterable[object]) -> str:
    texts = sorted(map(repr, rows))
    return f"{len(texts)} ({hashlib.sha256(chr(10).join(texts).encode()).hexdigest()[:12]})"


def step(host: str, book: Book, seen: Standing, mode: str, admin: Admin) -> Step:
    """Built from what was seen; the way back puts that there again. The book may be said twice."""
    want, read = wanted(book, seen, mode), _read(admin)
    verb, stage = ("protects", Stage.PROTECT) if mode == PROTECTING else ("detects", Stage.DOOR)
    return Step(
        f"{TIP}.statements-{mode.lower()}@{host}", TIP, host, stage, read, state(seen), {**_short(want), "saved": "yes"},
        (admin.tell(told(want)),), (admin.tell(told(before(seen, want))),),
        f"the query firewall {verb}: {len(want.allowed)} statements of {len(book.accounts)} accounts may be said",
    )  # fmt: skip


def release(host: str, seen: Standing, admin: Admin) -> Step:
    """Whatever was held to is let go again: the way back from both modes, without the book."""
    want, stands = released(seen), state(seen)
    gone: State = dict.fromkeys(stands, None)
    return Step(
        f"{TIP}.statements-off@{host}", TIP, host, Stage.DOOR, _read(admin), stands, {**gone, **_short(want), "saved": "yes"},
        (admin.tell(told(want)),), (admin.tell(told(before(seen, want))),),
        "the query firewall holds nobody to anything: Galvan's rows go" + ("" if want.enabled == "false" else ", others' stay, and it stays on"),
    )  # fmt: skip


def _read(admin: Admin) -> Fact[State]:
    return Fact(
        "statements.proxysql.state", admin.ask(STANDING), lambda output: state(standing(output)), roles=BALANCERS
    )


def obstacles(book: Book, seen: Standing, mode: str) -> Iterator[str]:
    """Why this balancer cannot hold to the book as it stands; nothing is done before each is seen to."""
    if seen.variables.get(DIGESTS) != "true":
        yield f"{DIGESTS} is off, so no statement has a digest and every one would be unknown"
    if book.learnt_with and seen.learnt_with != book.learnt_with:
        changed = sorted(set(seen.learnt_with) ^ set(book.learnt_with))
        yield f"digests are made in another way than when the book was learnt ({', '.join(changed)}): learn again"
    for account in set(book.accounts) & set(seen.unread):
        yield f"{account} has fast_forward, so ProxySQL reads none of its statements: set it to 0 in mysql_users"
    yield from pending(seen)
    for row in seen.runtime.rules:
        if FIRST <= row.id <= LAST and not row.comment.startswith(f"{MINE}: "):
            yield f"rule {row.id} lies among Galvan's numbers ({FIRST} to {LAST}): give it one above {LAST}"
        elif row.id < FIRST and row.apply and mode == PROTECTING:
            yield f"rule {row.id} ends the search before Galvan's rules block: give it a number above {LAST}"
    for user in seen.runtime.users:
        if user.address and user.account in book.accounts:
            yield f"{user.account} has a row of its own for the address {user.address} ({user.mode}), which outranks the book"


def pending(seen: Standing) -> Iterator[str]:
    """What lies in memory and does not run would be loaded along."""
    tables = (
        ("mysql_firewall_whitelist_users", seen.memory.users, seen.runtime.users),
        ("mysql_firewall_whitelist_rules", seen.memory.allowed, seen.runtime.allowed),
        ("mysql_query_rules", seen.memory.rules, seen.runtime.rules),
        ("mysql-firewall_whitelist_enabled", (seen.memory.enabled,), (seen.runtime.enabled,)),
    )
    for table, memory, runtime in tables:
        if memory != runtime:
            yield f"{table} was changed in memory and not loaded: load it, or take it back (SAVE … TO MEMORY)"


def disagreements(sql_mode: str) -> tuple[str, ...]:
    """Where a member reads a text in another way than ProxySQL does, so that a digest from the book may hide what is not in it.
    Tried with ProxySQL's own tokenizer: it takes `'\\' OR 1=1 -- '` for one literal, and a member with NO_BACKSLASH_ESCAPES does not."""
    told = {
        "NO_BACKSLASH_ESCAPES": "a literal ends at a backslash and a quote for the member, and goes on for ProxySQL",
        "ANSI_QUOTES": "what stands in double quotes is a name for the member, and a literal for ProxySQL",
    }
    modes = {mode.strip().upper() for mode in sql_mode.split(",")}
    names = {"ANSI_QUOTES"} if modes & {"ANSI", "ORACLE", "MSSQL", "POSTGRESQL", "DB2", "MAXDB"} else set()
    return tuple(f"{mode}: {why}" for mode, why in told.items() if mode in modes | names)


def cut_short(book: Book, seen: Standing) -> tuple[str, ...]:
    """Statements of which the digest is made from the beginning alone: what comes after it is held to nothing."""
    length = seen.variables.get(LENGTH, "")
    most = int(length) if length.isdigit() else 2048
    return tuple(str(n) for n, one in sorted(book.statements.items()) if one.allow and len(one.text.encode()) >= most)


def drift(host: str, book: Book, seen: Standing, admin: Admin) -> tuple[str, ...]:
    """What of the book does not stand there, in the mode that Galvan's own rows say; nothing to say where there are none."""
    mine = {user.mode for user in own(seen.runtime).users if user.account in book.accounts}
    if not mine:
        return ()
    want = step(host, book, seen, PROTECTING if PROTECTING in mine else DETECTING, admin).want
    have = state(seen)
    return tuple(
        f"{key}: {have.get(key, 'nothing')}, where the book says {want.get(key, 'nothing')}"
        for key in sorted({*want, *have})
        if want.get(key) != have.get(key)
    )
