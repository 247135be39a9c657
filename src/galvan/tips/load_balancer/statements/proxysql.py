"""What a ProxySQL shows of its statements: what was said, what may be said, what it found unknown.

It offers three things, and no counter of misses (read in its source, 2.7): `stats_mysql_query_digest` counts every statement by
account, schema and digest; the tables `runtime_mysql_firewall_whitelist_*` hold what may be said; and its error log has a
line for each unknown statement, `Firewall detected unknown query with digest …` while it detects and `Firewall blocked query
with digest …` while it protects. `stats_mysql_global` counts what its SQL injection detector found, which is another thing.
Texts come as hexadecimal digits, since an account, a schema and a statement may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.model import Fact, Role, Shell, Unreadable
from galvan.model.statements import Name
from galvan.tips.load_balancer.statements.book import Seen
from galvan.tips.load_balancer.statements.door import Admin

BALANCERS = frozenset({Role.LOAD_BALANCER})
ENABLED = "mysql-firewall_whitelist_enabled"
DIGESTS = "mysql-query_digests"
LENGTH = "mysql-query_digests_max_digest_length"
SHAPING = (
    "mysql-query_digests_lowercase", "mysql-query_digests_replace_null", "mysql-query_digests_no_digits",
    "mysql-query_digests_keep_comment", "mysql-query_digests_grouping_limit", "mysql-query_digests_groups_grouping_limit",
)  # fmt: skip
"""What a digest is made with: whoever changes one of them makes every learnt digest another one."""
_NAMES = ", ".join(f"'{name}'" for name in (ENABLED, DIGESTS, LENGTH, *SHAPING, "admin-version"))

SAID = (
    "SELECT 'said', hex(username), hex(schemaname), digest, SUM(count_star), MIN(first_seen), MAX(last_seen), hex(MAX(digest_text)) "
    "FROM stats_mysql_query_digest WHERE digest <> '' GROUP BY username, schemaname, digest",
    "SELECT 'done'",
)
_USER = "hex(username), hex(client_address), mode, hex(comment)"
_ALLOWED = "hex(username), hex(client_address), hex(schemaname), flagIN, digest, hex(comment)"
_RULE = (
    "rule_id, hex(COALESCE(username, '')), hex(COALESCE(schemaname, '')), flagIN, hex(COALESCE(match_digest, '')), hex(COALESCE(match_pattern, '')), "
    "hex(COALESCE(replace_pattern, '')), COALESCE(destination_hostgroup, -1), hex(COALESCE(error_msg, '')), apply, hex(COALESCE(comment, ''))"
)
_TABLES = (
    ("user", _USER, "mysql_firewall_whitelist_users"),
    ("allowed", _ALLOWED, "mysql_firewall_whitelist_rules"),
    ("rule", _RULE, "mysql_query_rules"),
)
STANDING = (
    f"SELECT 'variable', variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN ({_NAMES})",  # noqa: S608 - constants of this file
    f"SELECT 'pending', variable_value FROM main.global_variables WHERE variable_name = '{ENABLED}'",  # noqa: S608 - constants of this file
    f"SELECT 'saved', variable_value FROM disk.global_variables WHERE variable_name = '{ENABLED}'",  # noqa: S608 - constants of this file
    *(
        f"SELECT '{kind}', '{place}', {columns} FROM {prefix}{table} WHERE active = 1"  # noqa: S608 - constants of this file
        for kind, columns, table in _TABLES
        for place, prefix in (("runtime", "runtime_"), ("memory", "main."), ("disk", "disk."))
    ),
    "SELECT 'account', hex(username), MAX(fast_forward) FROM runtime_mysql_users WHERE frontend = 1 AND active = 1 GROUP BY username",
    "SELECT 'hostgroups', writer_hostgroup, reader_hostgroup FROM runtime_mysql_galera_hostgroups",
    "SELECT 'done'",
)


@dataclass(frozen=True, slots=True, order=True)
class User:
    account: str
    address: str
    mode: str
    comment: str


@dataclass(frozen=True, slots=True, order=True)
class Allowed:
    account: str
    address: str
    schema: str
    flag: int
    digest: str
    comment: str


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A query rule, as far as Galvan makes one. Empty texts and a hostgroup of -1 stand for NULL."""

    id: int
    account: str
    schema: str
    flag: int
    digest: str
    pattern: str
    replacement: str
    hostgroup: int
    error: str
    apply: int
    comment: str


@dataclass(frozen=True, slots=True)
class Place:
    """One of the three places where ProxySQL keeps the same tables: runtime, memory, disk. Only active rows."""

    users: tuple[User, ...] = ()
    allowed: tuple[Allowed, ...] = ()
    rules: tuple[Row, ...] = ()
    enabled: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """`accounts`: who may log in at its door. `hostgroups`: of the writer and of the readers, where there is one pair. `unread`:
    accounts with fast_forward, of which ProxySQL hands the bytes on and reads none."""

    variables: Mapping[str, str]
    runtime: Place
    memory: Place
    disk: Place
    accounts: tuple[str, ...] = ()
    hostgroups: tuple[tuple[int, int], ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def learnt_with(self) -> tuple[str, ...]:
        """Of the version as much as tells how digests are made."""
        version = ".".join(self.variables.get("admin-version", "").split(".")[:2])
        return (
            f"proxysql {version}",
            *(f"{name}={self.variables[name]}" for name in SHAPING if name in self.variables),
        )


@dataclass(frozen=True, slots=True)
class Missed:
    """Lines of the error log about one digest of one account. `refused`: it was blocked, not only noted."""

    account: str
    digest: str
    address: str
    refused: bool
    times: int


def said(output: str) -> tuple[Seen, ...]:
    """Raises Unreadable where it was cut off; nothing where no ProxySQL is installed."""
    rows = _rows(output)
    found = []
    for row in rows:
        if row[0] != "said" or len(row) != 8 or not all(_number(row[n]) for n in (4, 5, 6)):
            raise Unreadable(f"ProxySQL printed {row!r}, which is no row of its statements")
        name = Name(_text(row[1]), _text(row[2]), digest(row[3]))
        found.append(Seen(name, _loose(row[7]), int(row[4]), int(row[5]), int(row[6])))
    return tuple(found)


def standing(output: str) -> Standing:
    """Raises Unreadable where something is missing."""
    rows = _rows(output)
    by_kind: dict[str, list[list[str]]] = {}
    for kind, *columns in rows:
        by_kind.setdefault(kind, []).append(columns)
    variables = {row[0]: row[1] for row in by_kind.get("variable", []) if len(row) == 2}
    if ENABLED not in variables or "admin-version" not in variables:
        raise Unreadable("ProxySQL did not say whether its firewall is on: is this account one of its administrators?")
    enabled = {"runtime": variables[ENABLED]}
    for place, kind in (("memory", "pending"), ("disk", "saved")):
        enabled[place] = next((row[0] for row in by_kind.get(kind, []) if row), "")
    try:
        runtime, memory, disk = (_place(by_kind, place, enabled[place]) for place in ("runtime", "memory", "disk"))
        accounts = {_text(row[0]): row[1] != "0" for row in by_kind.get("account", [])}
        hostgroups = tuple((int(row[0]), int(row[1])) for row in by_kind.get("hostgroups", []))
    except (ValueError, IndexError, TypeError) as why:
        raise Unreadable(f"ProxySQL printed a row that Galvan does not know: {why}") from None
    unread = tuple(sorted(account for account, fast in accounts.items() if fast))
    return Standing(variables, runtime, memory, disk, tuple(sorted(accounts)), hostgroups, unread)


def _place(rows: Mapping[str, list[list[str]]], place: str, enabled: str) -> Place:
    def of(kind: str) -> list[list[str]]:
        return [row[1:] for row in rows.get(kind, []) if row[0] == place]

    users = (User(_text(r[0]), _text(r[1]), r[2], _text(r[3])) for r in of("user"))
    allowed = (
        Allowed(_text(r[0]), _text(r[1]), _text(r[2]), int(r[3]), digest(r[4]), _text(r[5])) for r in of("allowed")
    )
    rules = (
        Row(int(r[0]), _text(r[1]), _text(r[2]), int(r[3]), _text(r[4]), _text(r[5]), _text(r[6]), int(r[7]), _text(r[8]),
            int(r[9]), _text(r[10]))
        for r in of("rule")
    )  # fmt: skip
    return Place(tuple(sorted(users)), tuple(sorted(allowed)), tuple(sorted(rules)), enabled)


def _rows(output: str) -> list[list[str]]:
    rows = [line.split("\t") for line in output.splitlines() if line.strip()]
    if not rows:
        raise Unreadable("no ProxySQL answers here")
    if rows[-1] != ["done"]:
        raise Unreadable("ProxySQL did not answer every question: is this account one of its administrators?")
    return rows[:-1]


def _text(digits: str) -> str:
    """An account or a schema is what it is, byte for byte, or it is not known at all."""
    try:
        return bytes.fromhex(digits).decode()
    except ValueError:
        raise Unreadable(f"ProxySQL has a name that is no UTF-8 text: {digits}") from None


def _loose(digits: str) -> str:
    """The words of a statement are for people: its digest tells what it is."""
    try:
        return bytes.fromhex(digits).decode(errors="replace")
    except ValueError:
        raise Unreadable(f"ProxySQL printed {digits!r} where the words of a statement stand") from None


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def digest(text: str) -> str:
    """As ProxySQL prints it in its log: 0x and sixteen digits."""
    try:
        return f"0x{int(text, 16):016X}"
    except ValueError:
        raise Unreadable(f"ProxySQL printed {text!r} where a digest stands") from None


_LINE = re.compile(
    r"Firewall (detected unknown|blocked) query with digest (0x[0-9A-Fa-f]{1,16}|unknown) from user (.*)@(\S+)"
)
_LOG = sh(
    r"""command -v proxysql >/dev/null || [ -e /etc/proxysql.cnf ] || exit 0
d=$(sed -n 's/^[[:space:]]*datadir[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' /etc/proxysql.cnf 2>/dev/null | head -n 1)
l=$(sed -n 's/^[[:space:]]*errorlog[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' /etc/proxysql.cnf 2>/dev/null | head -n 1)
l=${l:-${d:-/var/lib/proxysql}/proxysql.log}
{ if [ -r "$l" ]; then cat "$l"; else journalctl -u proxysql --since -1day -o cat --no-pager 2>/dev/null; fi; } |
  grep -a -E {{line}} | tail -n 20000
echo done""",
    line="Firewall (detected unknown|blocked) query with digest",
).text


def missed(output: str) -> tuple[Missed, ...]:
    """From the newest lines of the error log, counted."""
    counted: dict[tuple[str, str, str, bool], int] = {}
    for line in output.splitlines():
        if match := _LINE.search(line):
            what, key, account, address = match.groups()
            name = (account, "" if key == "unknown" else digest(key), address, what == "blocked")
            counted[name] = counted.get(name, 0) + 1
    return tuple(Missed(*name, times) for name, times in sorted(counted.items()))


LOG: Fact[tuple[Missed, ...]] = Fact("statements.proxysql.log", Shell(_LOG), missed, stable=False, roles=BALANCERS)


def said_by(admin: Admin) -> Fact[tuple[Seen, ...]]:
    return Fact("statements.proxysql.said", admin.ask(SAID), said, stable=False, roles=BALANCERS)


def standing_of(admin: Admin) -> Fact[Standing]:
    return Fact("statements.proxysql.standing", admin.ask(STANDING), standing, roles=BALANCERS)
