"""What narrows an account, and what gives it back all that it had: as statements, built from what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from galvan.cluster.grants import GRANT_OPTION, Account, Grant, Level
from galvan.cluster.grants_query import GLOBAL
from galvan.cluster.quote import identifier, literal
from galvan.model import Shell
from galvan.tips.sst_account.scripts import CLIENT
from galvan.tips.sst_account.words import Right

_ALL = frozenset(GLOBAL[: GLOBAL.index("SHOW CREATE ROUTINE")]) - {GRANT_OPTION}
"""Whoever holds these was given ALL: rights that a later server knows beside them come with the word."""


def granting(name: str, rights: Iterable[Right]) -> Iterator[str]:
    by_place: dict[str, list[str]] = {}
    for place, privilege in sorted(rights):
        by_place.setdefault(place, []).append(privilege)
    for place, privileges in by_place.items():
        yield f"GRANT {', '.join(privileges)} ON {place} TO {name}"


def revoking(name: str, rights: Iterable[Right]) -> Iterator[str]:
    for said in granting(name, rights):
        head, _, _ = said.rpartition(" TO ")
        yield f"REVOKE{head.removeprefix('GRANT')} FROM {name}"


def narrowing(account: Account, rights: Iterable[Right]) -> Iterator[str]:
    """Everything is taken, and at once the few rights are given: a list of what is too much would leave rights behind that this
    version has no word for, and a later one has."""
    yield f"REVOKE ALL PRIVILEGES, {GRANT_OPTION} FROM {account.name}"
    for user, _ in account.roles:
        yield f"REVOKE {literal(user)} FROM {account.name}"
    yield from granting(account.name, rights)


def restoring(account: Account) -> Iterator[str]:
    yield f"REVOKE ALL PRIVILEGES, {GRANT_OPTION} FROM {account.name}"
    for user, _ in account.roles:
        yield f"GRANT {literal(user)} TO {account.name}"
    for grant in account.grants:
        yield from _as_it_was(account.name, grant)


def _as_it_was(name: str, grant: Grant) -> Iterator[str]:
    """
    >>> [*_as_it_was("'a'@'%'", Grant(Level.COLUMN, frozenset({"SELECT", "GRANT OPTION"}), "s", "t", "c"))]
    ["GRANT SELECT (`c`) ON `s`.`t` TO 'a'@'%' WITH GRANT OPTION"]
    """
    given = grant.privileges - {GRANT_OPTION}
    words = sorted(given) or ["USAGE"]
    if grant.level is Level.GLOBAL and given >= _ALL:
        words = ["ALL PRIVILEGES"]
    if grant.level is Level.COLUMN:
        words = [f"{word} ({identifier(grant.part)})" for word in sorted(given)]
    further = f" WITH {GRANT_OPTION}" if GRANT_OPTION in grant.privileges else ""
    yield f"GRANT {', '.join(words)} ON {grant.place} TO {name}{further}"


def together(statements: Iterable[str]) -> Shell:
    """Through one client, one after the other, so that nobody meets the account half-way; the first error ends it."""
    said = "".join(f"{statement};\n" for statement in statements)
    return Shell(f"{CLIENT}server <<'@statements'\nSET SESSION sql_mode='', wsrep_sync_wait=0;\n{said}@statements")
