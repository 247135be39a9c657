"""What is said to a ProxySQL so that it holds to the book. Pure; every list may be said twice.

Galvan owns the rows that bear its comment, at no address of their own (`client_address` is empty: any), and the numbers 11 to
99 of the query rules: they are tried in the order of their numbers, and a rule that ends the search (`apply`) must not
come before a rule that blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.quote import proxysql as filled
from galvan.model import BadInput
from galvan.model.statements import Act, Book, On, Rule
from galvan.tips.load_balancer.statements.proxysql import ENABLED, Allowed, Place, Row, Standing, User

MINE = "galvan"
FIRST, LAST = 11, 99
DETECTING, PROTECTING, OFF = "DETECTING", "PROTECTING", "OFF"
HIDDEN = r"/\*M!"
GUARD = "a comment that only MariaDB carries out: ProxySQL leaves it out of the digest, so the book cannot see it"
"""Tried with ProxySQL's own tokenizer: `id = 1 /*M! UNION SELECT … */` has the digest of `id = 1`. (`/*! … */` it leaves in.)"""
_LOAD = (
    "LOAD MYSQL FIREWALL TO RUNTIME",
    "LOAD MYSQL QUERY RULES TO RUNTIME",
)
_SAVE = ("SAVE MYSQL FIREWALL TO DISK", "SAVE MYSQL QUERY RULES TO DISK", "SAVE MYSQL VARIABLES TO DISK")


@dataclass(frozen=True, slots=True)
class Hostgroups:
    writer: int
    reader: int


def wanted(book: Book, standing: Standing, mode: str) -> Place:
    """`mode` of the accounts of the book. An account that is in no row is refused as soon as the firewall is on, so each other
    one that may log in is let through as before (OFF), unless somebody gave it a row of its own."""
    kept = {user.account for user in standing.runtime.users if user.comment != MINE and not user.address}
    users = [User(account, "", mode, MINE) for account in book.accounts]
    users += [User(a, "", OFF, MINE) for a in standing.accounts if a not in book.accounts and a not in kept]
    allowed = [Allowed(a, "", name.schema, 0, name.digest, MINE) for a in book.accounts for name in book.allowed(a)]
    return Place(tuple(sorted(users)), tuple(sorted(allowed)), rows(book, standing, mode), "true")


def released(standing: Standing) -> Place:
    """Nothing of Galvan's, and the firewall off; it stays on where somebody has rows of his own in it."""
    others = [user for user in standing.runtime.users if user.comment != MINE]
    return Place(enabled=standing.runtime.enabled if others else "false")


def rows(book: Book, standing: Standing, mode: str) -> tuple[Row, ...]:
    """Blocks first, then what is rewritten, then where it goes. While it detects nobody is to notice, so no rule is there yet."""
    order = (Act.BLOCK, Act.REWRITE, Act.REDIRECT) if mode == PROTECTING else ()
    groups = _hostgroups(book, standing)
    found = [_guard(account) for account in book.accounts] if mode == PROTECTING else []
    found += [_row(rule, groups) for act in order for rule in book.rules if rule.act is act]
    if len(found) > LAST - FIRST + 1:
        raise BadInput(
            f"the book makes {len(found)} rules, and there is room for {LAST - FIRST + 1} (rule_id {FIRST} to {LAST})"
        )
    return tuple(Row(FIRST + n, *_parts(row)) for n, row in enumerate(found))


def _parts(row: Row) -> tuple[str, str, int, str, str, str, int, str, int, str]:
    return (row.account, row.schema, row.flag, row.digest, row.pattern, row.replacement, row.hostgroup, row.error,
            row.apply, row.comment)  # fmt: skip


def _guard(account: str) -> Row:
    return Row(0, account, "", 0, "", HIDDEN, "", -1, "blocked: a hidden comment", 1, f"{MINE}: {GUARD}")


def _row(rule: Rule, groups: Hostgroups | None) -> Row:
    digest, pattern = (rule.pattern, "") if rule.on is On.DIGEST else ("", rule.pattern)
    comment = f"{MINE}: {rule.reason}"
    if rule.act is Act.BLOCK:
        return Row(0, rule.account, rule.schema, 0, digest, pattern, "", -1, f"blocked: {rule.reason}", 1, comment)
    if rule.act is Act.REWRITE:
        return Row(0, rule.account, rule.schema, 0, digest, pattern, rule.to, -1, "", 0, comment)
    assert groups, "a book that redirects has hostgroups, or `_hostgroups` refused it"
    to = groups.writer if rule.to == "writer" else groups.reader
    return Row(0, rule.account, rule.schema, 0, digest, pattern, "", to, "", 1, comment)


def _hostgroups(book: Book, standing: Standing) -> Hostgroups | None:
    if not any(rule.act is Act.REDIRECT for rule in book.rules):
        return None
    if len(standing.hostgroups) != 1:
        raise BadInput(
            f"the book redirects to a reader or the writer, and this ProxySQL has {len(standing.hostgroups)} rows in "
            "mysql_galera_hostgroups, where one is needed"
        )
    return Hostgroups(*standing.hostgroups[0])


def own(place: Place) -> Place:
    """Of what a place holds, what Galvan put there."""
    return Place(
        tuple(u for u in place.users if u.comment == MINE),
        tuple(a for a in place.allowed if a.comment == MINE),
        tuple(r for r in place.rules if _mine(r)),
        place.enabled,
    )


def _mine(row: Row) -> bool:
    return FIRST <= row.id <= LAST and row.comment.startswith(f"{MINE}: ")


def before(standing: Standing, want: Place) -> Place:
    """What the way back has to put there: our own rows, and those of others whose place ours would take."""
    keys = {(u.account, u.address) for u in want.users}
    places = {(a.account, a.address, a.schema, a.flag, a.digest) for a in want.allowed}
    had, mine = standing.runtime, own(standing.runtime)
    users = (*mine.users, *(u for u in had.users if u.comment != MINE and (u.account, u.address) in keys))
    allowed = (
        *mine.allowed,
        *(a for a in had.allowed if a.comment != MINE and (a.account, a.address, a.schema, a.flag, a.digest) in places),
    )
    return Place(tuple(sorted(users)), tuple(sorted(allowed)), mine.rules, had.enabled)


def told(place: Place) -> tuple[str, ...]:
    """Rows first, then the switch: in the moment it is on, every account has its row."""
    return (
        *_cleared(),
        *(s for s in _users(place.users)),
        *_allowed(place.allowed),
        *_rules(place.rules),
        *_LOAD,
        *_switch(place),
        *_SAVE,
    )


def _cleared() -> Iterator[str]:
    for table in ("mysql_firewall_whitelist_rules", "mysql_firewall_whitelist_users"):
        yield filled("DELETE FROM " + table + " WHERE client_address = '' AND comment = {{mine}}", mine=MINE)  # noqa: S608 - one of two names
    yield filled(
        "DELETE FROM mysql_query_rules WHERE rule_id BETWEEN {{first}} AND {{last}} AND substr(comment, 1, {{length}}) = {{mine}}",
        first=FIRST, last=LAST, length=len(MINE) + 2, mine=f"{MINE}: ",
    )  # fmt: skip


def _users(users: Sequence[User]) -> Iterator[str]:
    for user in users:
        yield filled(
            "INSERT OR REPLACE INTO mysql_firewall_whitelist_users (active, username, client_address, mode, comment) "
            "VALUES (1, {{account}}, {{address}}, {{mode}}, {{comment}})",
            account=user.account, address=user.address, mode=user.mode, comment=user.comment,
        )  # fmt: skip


def _allowed(allowed: Sequence[Allowed]) -> Iterator[str]:
    for one in allowed:
        yield filled(
            "INSERT OR REPLACE INTO mysql_firewall_whitelist_rules (active, username, client_address, schemaname, flagIN, digest, comment) "
            "VALUES (1, {{account}}, {{address}}, {{schema}}, {{flag}}, {{digest}}, {{comment}})",
            account=one.account, address=one.address, schema=one.schema, flag=one.flag, digest=one.digest,
            comment=one.comment,
        )  # fmt: skip


def _rules(rules: Sequence[Row]) -> Iterator[str]:
    """A column that has nothing to say stays NULL: an empty text would be a pattern that holds for all."""
    for row in rules:
        columns: dict[str, str | int] = {"rule_id": row.id, "active": 1, "flagIN": row.flag, "apply": row.apply}
        texts = {
            "username": row.account, "schemaname": row.schema, "match_digest": row.digest, "match_pattern": row.pattern,
            "error_msg": row.error, "comment": row.comment,
        }  # fmt: skip
        columns |= {name: text for name, text in texts.items() if text}
        if row.pattern and not row.error and row.hostgroup < 0:
            columns["replace_pattern"] = row.replacement
        if row.hostgroup >= 0:
            columns["destination_hostgroup"] = row.hostgroup
        slots = ", ".join(f"{{{{{name}}}}}" for name in columns)
        yield filled(f"INSERT INTO mysql_query_rules ({', '.join(columns)}) VALUES ({slots})", **columns)  # noqa: S608 - names of columns


def _switch(place: Place) -> Iterator[str]:
    yield filled(
        "UPDATE global_variables SET variable_value = {{value}} WHERE variable_name = {{name}}",
        value=place.enabled, name=ENABLED,
    )  # fmt: skip
    yield "LOAD MYSQL VARIABLES TO RUNTIME"


def modes(place: Place) -> Mapping[str, str]:
    """What each account meets from anywhere: without the firewall nothing, and without a row a refusal."""
    on = place.enabled == "true"
    return {user.account: user.mode if on else OFF for user in place.users if not user.address}
