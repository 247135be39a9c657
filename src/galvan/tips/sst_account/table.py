"""What the account of a transfer must be able to do: by server, version and method. Data, and the comparison with what is granted.

Tried with real transfers on MariaDB 10.11 and 11.8; the other rows are what the servers' documentation says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import VARIABLES
from galvan.cluster.grants import GRANTS, Account, Secret
from galvan.cluster.health import series, text
from galvan.cluster.transfer import method
from galvan.model import HostFacts, Unreadable
from galvan.tips.sst_account.words import Right, rights_of


class Kind(StrEnum):
    NONE = "none"  # the method reads files, and logs in nowhere
    NAMED = "named"  # wsrep_sst_auth names an account that must be able to do what `grants` says
    DUMMY = "dummy"  # it logs in nowhere, but where nothing is named the server makes an account that may do everything
    OWN = "own"  # the server makes its own, and does not start where the variable is set
    ALL = "all"  # it is an administrator's, in effect; there is nothing to narrow


@dataclass(frozen=True, slots=True)
class Row:
    """`from_` and `before`: series of the server. `tolerated`: documented for it too, or silences a warning."""

    dialect: Dialect
    from_: tuple[int, ...]
    before: tuple[int, ...]
    methods: tuple[str, ...]
    kind: Kind
    grants: frozenset[Right] = frozenset()
    tolerated: frozenset[Right] = frozenset()


def _everywhere(said: str) -> frozenset[Right]:
    return frozenset(("*.*", name.strip()) for name in said.split(","))


_ANY, _END = (0,), (999,)
_BACKUP, _RSYNC = ("mariabackup",), ("rsync", "rsync_wan")
_XTRABACKUP = ("xtrabackup-v2", "xtrabackup")
_OLD = _everywhere("RELOAD, PROCESS, LOCK TABLES, REPLICATION CLIENT")
_OBSERVED = frozenset(
    {("`performance_schema`.`log_status`", "SELECT"), ("`performance_schema`.`keyring_component_status`", "SELECT")}
)
_CLONE = _everywhere("BACKUP_ADMIN, CLONE_ADMIN, CREATE USER, EXECUTE, SUPER, SYSTEM_VARIABLES_ADMIN") | frozenset({
    ("`mysql`.`plugin`", "INSERT"), ("`mysql`.`plugin`", "DELETE"), ("`performance_schema`.*", "SELECT"),
    ("`performance_schema`.`setup_instruments`", "UPDATE"), ("`performance_schema`.`setup_consumers`", "UPDATE"),
})  # fmt: skip
ROWS = (
    Row(Dialect.MARIADB, _ANY, _END, _RSYNC, Kind.NONE),
    Row(Dialect.MARIADB, _ANY, (11, 6), ("secure_rsync",), Kind.NONE),
    Row(Dialect.MARIADB, (11, 6), _END, ("secure_rsync",), Kind.DUMMY),
    Row(Dialect.MARIADB, _ANY, (10, 5), _BACKUP, Kind.NAMED, _OLD, _everywhere("CONNECTION ADMIN, SUPER")),
    Row(
        Dialect.MARIADB, (10, 5), _END, _BACKUP, Kind.NAMED, _everywhere("RELOAD, PROCESS, BINLOG MONITOR"),
        _everywhere("LOCK TABLES, SLAVE MONITOR"),
    ),
    Row(Dialect.MARIADB, _ANY, _END, ("mysqldump",), Kind.ALL),
    Row(Dialect.PXC, (8,), _END, (*_XTRABACKUP, "clone"), Kind.OWN),
    Row(Dialect.PXC, _ANY, (8,), _RSYNC, Kind.NONE),
    Row(Dialect.PXC, _ANY, (8,), _XTRABACKUP, Kind.NAMED, _OLD),
    Row(Dialect.PXC, _ANY, (8,), ("mysqldump",), Kind.ALL),
    Row(Dialect.MYSQL, _ANY, _END, _RSYNC, Kind.NONE),
    Row(Dialect.MYSQL, _ANY, (8,), _XTRABACKUP, Kind.NAMED, _OLD),
    Row(Dialect.MYSQL, (8,), _END, _XTRABACKUP, Kind.NAMED, _OLD | _everywhere("BACKUP_ADMIN") | _OBSERVED),
    Row(Dialect.MYSQL, (8,), _END, ("clone",), Kind.NAMED, _CLONE),
    Row(Dialect.MYSQL, _ANY, _END, ("mysqldump",), Kind.ALL),
)  # fmt: skip
MAKES_ITS_OWN = (11, 6)
"""From this series on MariaDB makes an account for a transfer where wsrep_sst_auth is empty. It lives for the transfer, but may do
everything: ALL PRIVILEGES WITH GRANT OPTION, seen on 11.8.9 with mariabackup (with rsync none was made)."""


def row_for(kind: Dialect, version: str, how: str) -> Row | None:
    """
    >>> row_for(Dialect.MARIADB, "10.11.19", "mariabackup").kind.value, row_for(Dialect.PXC, "8.0.45", "clone").kind.value
    ('named', 'own')
    >>> row_for(Dialect.MARIADB, "11.8.9", "skip") is None
    True
    """
    at = series(version)
    return next((r for r in ROWS if r.dialect is kind and r.from_ <= at < r.before and how in r.methods), None)


def row_of(facts: HostFacts, how: str = "") -> Row:
    """`how`: another method than the one in use. Raises Unreadable where the table has no row for it."""
    variables, how = facts[VARIABLES], how or method(facts)
    kind, version = dialect(variables), text(variables, "version").split("-", 1)[0]
    if (found := row_for(kind, version, how)) is None:
        raise Unreadable(f"it is not known what {kind} {version} needs for transfers by {how}")
    return found


def makes_its_own(facts: HostFacts) -> bool:
    """Would the server, where nothing is named, make an account for each transfer?"""
    variables = facts[VARIABLES]
    version = text(variables, "version").split("-", 1)[0]
    return (
        dialect(variables) is Dialect.MARIADB
        and series(version) >= MAKES_ITS_OWN
        and row_of(facts).kind is not Kind.NONE
    )


def account_of(facts: HostFacts, user: str) -> Account | None:
    """The account that the server takes a login over its local socket for."""
    mine = [a for a in facts[GRANTS].accounts if a.user == user and not a.role and a.host in ("localhost", "%")]
    return min(mine, key=lambda account: account.host != "localhost", default=None)


def rights(facts: HostFacts, account: Account) -> frozenset[Right]:
    """All that it may do and hand on, PROXY among it."""
    return rights_of(facts[GRANTS], account) | {(f"PROXY ON {whom}", "PROXY") for whom in account.proxies}


def excess(facts: HostFacts, account: Account, row: Row) -> frozenset[Right]:
    return rights(facts, account) - row.grants - row.tolerated


def lacking(facts: HostFacts, account: Account, row: Row) -> frozenset[Right]:
    return row.grants - rights(facts, account)


def administrates(facts: HostFacts, account: Account) -> bool:
    """An account by which people (and Galvan) manage the server: it is never locked. Rights are no sign of it: the account of
    transfers was often given all of them."""
    named = f"{account.user}@{account.host}"
    by_socket = any(way.secret is Secret.NONE for way in account.ways)
    return account.user == "root" or named == facts[GRANTS].asker or by_socket
