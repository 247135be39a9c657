"""Who uses which account, and what the accounts' own tables do not say. Counters and sessions are not stable."""

# ruff: noqa: S608 - no value from outside meets these statements
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from galvan.cluster.facts import client_of, lines, pairs, rows
from galvan.cluster.grants import GRANTS, Account, Grant, grants, unescaped
from galvan.cluster.precedence import GIVEN
from galvan.model import Fact, Role, Shell, Sql, State, Unreadable

SAVED = "/var/lib/galvan/accounts"
"""Accounts as they were before a change, as statements that a person can run; root-only."""
_HERE = frozenset({Role.DATABASE, Role.REPLICA})


@dataclass(frozen=True, slots=True)
class Use:
    """Logins that a server knows of. `client`: address or name, empty for the local socket, `?` where only the user was counted."""

    user: str
    client: str
    live: int
    counted: int = 0
    replica: bool = False

    @property
    def who(self) -> str:
        return f"{self.user}@{self.client or 'localhost'}"


@dataclass(frozen=True, slots=True)
class Used:
    """`counts`: does the server count logins, and `since` how many seconds. userstat may have been switched on, or set back, a minute
    ago, and does not say when: what only it counts is known of since 0 seconds."""

    uses: tuple[Use, ...]
    counts: bool
    since: int


def used(output: str) -> Used:
    """Rows: kind and four more. Where performance_schema and userstat are both off, only live sessions are known."""
    table = [tuple(map(unescaped, row)) for row in rows(output, 5)]
    server = next((row for row in table if row[0] == "server"), None)
    if server is None:
        raise Unreadable("the server does not say who is connected")
    _, uptime, schema, userstat, lost = server
    whole = schema == "1" and lost in ("", "0")
    live = {(u, client_of(h), r == "1"): int(n) for kind, u, h, r, n in table if kind == "live"}
    since = {(u, "" if h == "localhost" else h): int(n) for kind, u, h, _, n in table if kind == "since" and whole}
    found = [Use(u, c, n, since.pop((u, c), 0), replica) for (u, c, replica), n in live.items()]
    found += [Use(u, c, 0, n) for (u, c), n in since.items()]
    if not whole and userstat == "1":
        found += [Use(row[1], "?", 0, int(row[4])) for row in table if row[0] == "user"]
    return Used(tuple(found), whole or userstat == "1", int(uptime or 0) if whole else 0)


_COUNTED = "/*M! information_schema.GLOBAL_STATUS */ /*!50706 performance_schema.global_status */"
_STATUS = "(SELECT VARIABLE_VALUE FROM " + _COUNTED + " WHERE UPPER(VARIABLE_NAME) = '{}')"
USED: Fact[Used] = Fact(
    "hardening.used",
    Sql(
        f"SELECT 'server', {_STATUS.format('UPTIME')}, @@performance_schema, /*M! @@userstat */ /*!50706 0 */, "
        f"{_STATUS.format('PERFORMANCE_SCHEMA_ACCOUNTS_LOST')} UNION ALL "
        "SELECT 'live', USER, IF(HOST LIKE '%:%', CONCAT(LEFT(HOST, CHAR_LENGTH(HOST) - LOCATE(':', REVERSE(HOST))), ':0'), HOST), "
        "COMMAND LIKE 'Binlog Dump%', COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() "
        "AND USER NOT IN ('system user', 'event_scheduler', 'unauthenticated user') GROUP BY 2, 3, 4 UNION ALL "
        "SELECT 'since', USER, HOST, '', TOTAL_CONNECTIONS FROM performance_schema.accounts WHERE USER IS NOT NULL "
        "/*M! UNION ALL SELECT 'user', USER, '', '', TOTAL_CONNECTIONS FROM information_schema.USER_STATISTICS */"
    ),
    used,
    stable=False,
    roles=_HERE,
)


def watching(output: str) -> State:
    return {"userstat": "ON" if any(r[0] == "server" and r[3] == "1" for r in rows(output, 5)) else "OFF"}


WATCHING: Fact[State] = Fact("hardening.watching", USED.query, watching, stable=False, roles=_HERE)


def seen_last(output: str) -> Mapping[str, str]:
    """`user@client` and when the audit log saw it connect last; `#since`: how far back the part that was read goes."""
    return {row[0]: row[1] for row in rows(output, 2)}


LAST: Fact[Mapping[str, str]] = Fact(
    "hardening.last-logins",
    Shell(
        f"f=$({GIVEN.format(name='server[-_]audit[-_]file[-_]path')}); d=$({GIVEN.format(name='datadir')}); d=${{d:-/var/lib/mysql}}\n"
        "case $f in '') f=$d/server_audit.log ;; /*) ;; *) f=$d/$f ;; esac\n"
        '[ -r "$f" ] || exit 0\n'
        'tail -c 4000000 "$f" | awk -F, \'NF > 8 && $1 ~ /^20[0-9][0-9][01][0-9][0-3][0-9] / { if (!n++) first = $1\n'
        'if ($7 == "CONNECT" && $NF == 0) last[$3 "@" ($4 == "" ? "localhost" : $4)] = $1 }\n'
        'END { if (n) print "#since\\t" first; for (who in last) print who "\\t" last[who] }\''
    ),
    seen_last,
    stable=False,
)


@dataclass(frozen=True, slots=True)
class Changed:
    """When passwords were set, by account; `now`: the server's own clock."""

    at: Mapping[tuple[str, str], int] = field(default_factory=dict)
    now: int = 0


def changed(output: str) -> Changed:
    table = [tuple(map(unescaped, row)) for row in rows(output, 4)]
    now = next((int(row[3]) for row in table if row[0] == "now"), 0)
    if not now:
        raise Unreadable("the server does not say when passwords were set")
    return Changed({(row[1], row[2]): int(row[3]) for row in table if row[0] == "set" and int(row[3] or 0) > 0}, now)


CHANGED: Fact[Changed] = Fact(
    "hardening.passwords-set",
    Sql(
        "SELECT 'now', '', '', UNIX_TIMESTAMP() UNION ALL SELECT 'set', User, Host, "
        "/*M! COALESCE(JSON_VALUE(Priv, '$.password_last_changed'), '0') FROM mysql.global_priv */ "
        "/*!50706 COALESCE(UNIX_TIMESTAMP(password_last_changed), 0) FROM mysql.user */"
    ),
    changed,
    stable=False,
)
OPTIONS: Fact[State] = Fact(
    "hardening.account-options",
    Sql(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'password_require_current', 'activate_all_roles_on_login')"
    ),
    pairs,
)
TRANSFERS: Fact[State] = Fact(
    "hardening.transfer-user",
    Shell(
        "{ my_print_defaults --mysqld | sed -n 's/^--wsrep[-_]sst[-_]auth=[\"'\\'']*\\([^:\"'\\'']*\\):.*/\\1/p'\n"
        "my_print_defaults sst mariabackup xtrabackup mariadb-backup | sed -n 's/^--user=//p'; } 2>/dev/null | sed 's/$/=transfer/'"
    ),
    lines,
)
"""Whom state transfers log in as: the name before the colon, and nothing of what stands after it."""


def held_at(account: Account, grant: Grant) -> str:
    return f"{account.name} ON {grant.place} {grant.part}".strip()


def holdings(account: Account) -> Mapping[str, str]:
    """By account and place: what it may do there."""
    return {held_at(account, grant): ", ".join(sorted(grant.privileges)) for grant in account.grants}


def standing(output: str) -> State:
    """Locks by account, and rights by account and place."""
    found: dict[str, str] = {}
    for account in grants(output).accounts:
        found |= (
            holdings(account)
            if account.role
            else {account.name: "locked" if account.locked else "open", **holdings(account)}
        )
    return found


STANDING: Fact[State] = Fact("hardening.accounts-standing", GRANTS.query, standing)
KEPT: Fact[State] = Fact(
    "hardening.accounts-saved", Shell(f'for f in {SAVED}/*.sql; do [ ! -e "$f" ] || echo "$f=saved"; done'), lines
)
