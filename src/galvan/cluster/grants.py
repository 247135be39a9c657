"""What an account can do: every grant of every account, read in one statement, and the rights that follow from them.

No password hash leaves a host: whether a password is empty, or one that everybody tries first, the server itself finds out
(`cluster.grants_query`), and only that word travels. A role, PUBLIC and the server's own accounts are not people's accounts:
who counts them as users without a password cries wolf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from galvan.cluster.facts import rows
from galvan.cluster.grants_query import GLOBAL, STATEMENT
from galvan.cluster.quote import identifier
from galvan.model import Fact, Sql, Unreadable

PUBLIC = "PUBLIC"
INTERNAL = frozenset(
    {
        ("mariadb.sys", "localhost"), ("mysql.sys", "localhost"), ("mysql.session", "localhost"), ("mysql.infoschema", "localhost"),
        ("mysql.pxc.internal.session", "localhost"), ("mysql.pxc.sst.role", "localhost"), ("mysql.pxc.sst.user", "localhost"),
    }
)  # fmt: skip
"""The server's own, which nobody logs in with."""
GRANT_OPTION = "GRANT OPTION"


class Level(StrEnum):
    GLOBAL = "global"
    SCHEMA = "schema"
    TABLE = "table"
    COLUMN = "column"
    ROUTINE = "routine"


class Secret(StrEnum):
    """What the server found about a way in: the words that travel instead of a hash."""

    EMPTY = "empty"
    NAME = "name"  # the password is made of the account's own name
    LISTED = "listed"  # one of the words that are tried first
    SET = "set"
    UNUSABLE = "unusable"  # nothing hashes to what stands there, as MariaDB's `invalid`
    NONE = "none"  # the way asks for no password of the server's: the socket, PAM


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """One of the ways in which an account logs in; MariaDB knows alternatives."""

    plugin: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class Grant:
    """`schema`: a pattern, in which % and _ are wildcards (of a whole schema only). `name`: of a table or routine; `part`: the
    column, or FUNCTION, PROCEDURE, PACKAGE."""

    level: Level
    privileges: frozenset[str]
    schema: str = ""
    name: str = ""
    part: str = ""

    @property
    def place(self) -> str:
        """As it stands after ON."""
        if self.level is Level.GLOBAL:
            return "*.*"
        if self.level is Level.SCHEMA:
            return f"{identifier(self.schema)}.*"
        kind = f"{self.part} " if self.level is Level.ROUTINE else ""
        return f"{kind}{identifier(self.schema)}.{identifier(self.name)}"


@dataclass(frozen=True, slots=True)
class Account:
    """Whoever can hold a grant: an account, a role (no host), PUBLIC. `require` as in `cluster.facts`."""

    user: str
    host: str
    role: bool
    locked: bool
    expired: bool
    require: str
    ways: tuple[Way, ...]
    grants: tuple[Grant, ...]
    roles: tuple[tuple[str, str], ...] = ()
    proxies: tuple[str, ...] = ()  # whom it may act as, as 'user'@'host'

    @property
    def name(self) -> str:
        """As a person would type it; for a statement there is `cluster.quote`."""
        return shown(self.user) if self.role else f"{shown(self.user)}@{shown(self.host)}"

    @property
    def enters(self) -> bool:
        """Can somebody log in with it?"""
        return not (self.role or self.locked or self.internal) and any(
            w.secret is not Secret.UNUSABLE for w in self.ways
        )

    @property
    def internal(self) -> bool:
        return (self.user, self.host) in INTERNAL or self.public

    @property
    def public(self) -> bool:
        return self.user == PUBLIC and not self.host

    @property
    def local(self) -> bool:
        """It is only good on the server's own host."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    def held(self, level: Level, schema: str = "") -> frozenset[str]:
        """Its own privileges at a level, of a schema's pattern where one is named."""
        mine = (g.privileges for g in self.grants if g.level is level and schema in ("", g.schema))
        return frozenset().union(*mine)


@dataclass(frozen=True, slots=True)
class Grants:
    accounts: tuple[Account, ...]
    asker: str  # the account that Galvan itself came in with

    def of(self, user: str, host: str) -> Account | None:
        return next((a for a in self.accounts if (a.user, a.host) == (user, host)), None)

    @property
    def people(self) -> tuple[Account, ...]:
        """Accounts that somebody can log in with."""
        return tuple(account for account in self.accounts if account.enters)

    def sources(self, account: Account) -> tuple[Account, ...]:
        """The account and every role that it can put on, over roles of roles. Not PUBLIC, which everybody has."""
        found = [account]
        for holder in found:
            for user, host in holder.roles:
                role = self.of(user, host)
                if role is not None and role not in found:
                    found.append(role)
        return tuple(found)

    def grants(self, account: Account) -> Iterator[Grant]:
        for holder in self.sources(account):
            yield from holder.grants

    def everywhere(self, account: Account) -> frozenset[str]:
        """What it may do on *.*, with the roles that it can put on."""
        return frozenset().union(*(g.privileges for g in self.grants(account) if g.level is Level.GLOBAL))

    def in_schema(self, account: Account, schema: str) -> frozenset[str]:
        """What it may do in a whole schema: there, by a pattern that covers it, or on *.*."""
        found = [g.privileges for g in self.grants(account) if g.level is Level.GLOBAL]
        found += [g.privileges for g in self.grants(account) if g.level is Level.SCHEMA and like(g.schema, schema)]
        return frozenset().union(*found)


def shown(name: str) -> str:
    """
    >>> shown("o'k"), shown("a\\nb")
    ("'o''k'", "'a\\\\nb'")
    """
    said = name.replace("\\", "\\\\").replace("'", "''")
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said) + "'"


def like(pattern: str, name: str) -> bool:
    """SQL's LIKE, as grants on schemas and hosts of accounts use it.

    >>> like("app\\\\_%", "app_1"), like("app\\\\_%", "appx1"), like("%", "mysql"), like("10.0.3.%", "10.0.3.7")
    (True, False, True, True)
    """
    said, escaped = "", False
    for char in pattern:
        if escaped or char not in "\\%_":
            said, escaped = said + re.escape(char), False
        elif char == "\\":
            escaped = True
        else:
            said += ".*" if char == "%" else "."
    return re.fullmatch(said, name, re.I | re.S) is not None


_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_REQUIRE = {"0": "NONE", "1": "ANY", "2": "X509", "3": "SPECIFIED", "-1": "NONE", "": "NONE"}
_REQUIRE |= {name: name for name in ("ANY", "X509", "SPECIFIED")}
_SPELLED = {"GRANT": GRANT_OPTION, "DELETE VERSIONING ROWS": "DELETE HISTORY"}
_SPLIT_OFF = "SET USER,FEDERATED ADMIN,CONNECTION ADMIN,READ_ONLY ADMIN,REPLICATION SLAVE ADMIN,BINLOG ADMIN,BINLOG REPLAY,SLAVE MONITOR"
_FIRST_SPLIT = 100502


def unescaped(text: str) -> str:
    """A value as the client in batch mode prints it.

    >>> unescaped("a\\\\\\\\b\\\\tc")
    'a\\\\b\\tc'
    """
    return _ESCAPED.sub(lambda match: _MEANS.get(match[1], match[0]), text)


def decoded(access: int, version: int) -> frozenset[str]:
    """MariaDB's number for the rights on *.*; -1 is all. What an older server wrote there lacks rights that were part of SUPER then.

    >>> sorted(decoded(1 | 1 << 9, 101119))
    ['FILE', 'SELECT']
    """
    found = {name for bit, name in enumerate(GLOBAL) if access >> bit & 1}
    if "SUPER" in found and version < _FIRST_SPLIT:
        found.update(_SPLIT_OFF.split(","))
    if "REPLICATION SLAVE" in found and version < _FIRST_SPLIT:
        found.add("REPLICATION MASTER ADMIN")
    return frozenset(found)


def _listed(said: str) -> frozenset[str]:
    words = (word.strip().upper() for word in said.split(",") if word.strip())
    return frozenset(_SPELLED.get(word, word) for word in words)


def _flag(said: str) -> bool:
    return said in ("1", "true", "Y")


def grants(output: str) -> Grants:
    """Rows: kind, user, host and four more, whose meaning depends on the kind."""
    table = [tuple(map(unescaped, row)) for row in rows(output, 7)]
    found: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for row in table:
        found.setdefault((row[1], row[2]), []).append(row)
    accounts = tuple(_account(mine) for mine in found.values() if any(row[0] == "account" for row in mine))
    asker = next((row[1] for row in table if row[0] == "asker"), "")
    if not asker or not accounts:
        raise Unreadable("the server lists no account")
    return Grants(_with_roles(accounts), asker)


def _account(mine: Sequence[tuple[str, ...]]) -> Account:
    of: dict[str, list[tuple[str, ...]]] = {}
    for row in mine:
        of.setdefault(row[0], []).append(row)
    _, user, host, role, locked, expired, require = of["account"][0]
    if require not in _REQUIRE:
        raise Unreadable(f"{user}@{host} requires {require!r}, which Galvan does not know")
    ways = tuple(Way(row[3], Secret(row[4])) for row in of.get("way", ()))
    roles = tuple((row[3], row[4]) for row in of.get("role", ()))
    proxies = tuple(f"{shown(row[3])}@{shown(row[4])}" for row in of.get("proxy", ()))
    return Account(
        user, host, _flag(role), _flag(locked), _flag(expired), _REQUIRE[require], ways, tuple(_granted(of)), roles, proxies
    )  # fmt: skip


def _granted(of: Mapping[str, Sequence[tuple[str, ...]]]) -> Iterator[Grant]:
    everywhere = frozenset[str]().union(
        *(decoded(int(row[3] or 0), int(row[4] or 0)) for row in of.get("access", ())),
        *(_listed(row[3]) for row in of.get("global", ())),
    )
    if everywhere:
        yield Grant(Level.GLOBAL, everywhere)
    for level in (Level.SCHEMA, Level.TABLE, Level.COLUMN, Level.ROUTINE):
        for row in of.get(level, ()):
            if privileges := _listed(row[6]):
                yield Grant(level, privileges, row[3], row[4], row[5])


def _with_roles(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """MySQL's roles are accounts that somebody was granted."""
    granted = {role for account in accounts for role in account.roles}
    return tuple(
        replace(a, role=True) if (a.user, a.host) in granted and (a.locked or not a.host) else a for a in accounts
    )


GRANTS: Fact[Grants] = Fact("server.grants", Sql(STATEMENT), grants)
