"""What an account is there for, and what that takes. The server's word comes first, then the policy's; nobody guesses from a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from galvan.cluster.answer import USER as ANSWER
from galvan.cluster.balancer import CHECK_USERS
from galvan.cluster.behind import is_haproxy
from galvan.cluster.facts import VARIABLES
from galvan.cluster.grants import GRANT_OPTION, GRANTS, Account, Grants, Level
from galvan.cluster.logins import Lodge
from galvan.model import Fact, HostFacts, Role, Snapshot, Unreadable
from galvan.tips.hardening.accounts.facts import TRANSFERS, USED

T = TypeVar("T")


class Purpose(StrEnum):
    ADMINISTRATOR = "an administrator"
    GALVAN = "Galvan's own"
    MONITOR = "a monitor"
    BACKUP = "a backup"
    REPLICATION = "replication"
    TRANSFER = "state transfers"
    CHECK = "a balancer's health check"
    APPLICATION = "an application"


_SEES = frozenset(
    {"PROCESS", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICA MONITOR", "SHOW DATABASES"}
)
_COPIES = frozenset(
    {"RELOAD", "LOCK TABLES", "CONNECTION ADMIN", "BACKUP_ADMIN", "REPLICATION_APPLIER", "CONNECTION_ADMIN"}
)
_DUMPS = frozenset({"SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "SHOW CREATE ROUTINE", "FLUSH_TABLES"})
_FEEDS = frozenset(
    {"REPLICATION SLAVE", "REPLICATION SLAVE ADMIN", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR"}
)
NEEDS: Mapping[Purpose, frozenset[str]] = {
    Purpose.MONITOR: _SEES,
    Purpose.BACKUP: _SEES | _COPIES | _DUMPS,
    Purpose.REPLICATION: _FEEDS,
    Purpose.CHECK: frozenset(),
    Purpose.APPLICATION: frozenset(),
}
"""What each may need on *.*; what an application needs lies in its schemas."""
PIECES_OF_SUPER = frozenset(
    {
        "SUPER", "SET USER", "CONNECTION ADMIN", "READ_ONLY ADMIN", "BINLOG ADMIN", "BINLOG REPLAY", "FEDERATED ADMIN",
        "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN", "SET_USER_ID",
        "ROLE_ADMIN", "SYSTEM_USER", "PERSIST_RO_VARIABLES_ADMIN", "BINLOG_ADMIN", "CLONE_ADMIN", "GROUP_REPLICATION_ADMIN",
    }
)  # fmt: skip
ADMINISTERS = PIECES_OF_SUPER | {
    "CREATE USER", "CREATE ROLE", "DROP ROLE", GRANT_OPTION, "SHUTDOWN", "FILE", "PROCESS", "RELOAD", "REPLICATION SLAVE",
    "CREATE TABLESPACE",
}  # fmt: skip
"""Rights that only an administrator needs, where the purpose says nothing else. None of them is one on data."""
_RULES = frozenset({"SUPER", "CREATE USER", GRANT_OPTION, "SHUTDOWN", "FILE"})
_OWNERS = frozenset({"root", "mysql", "mariadb"})


def matches(account: Account, named: tuple[str, ...]) -> bool:
    """
    >>> from galvan.cluster.grants import Account
    >>> app = Account("app", "%", False, False, False, "NONE", (), ())
    >>> matches(app, ("app",)), matches(app, ("'app'@'%'",)), matches(app, ("'app'@'10.%'",))
    (True, True, False)
    """
    return account.user in named or account.name in named if account.user else account.name in named


def by_socket(account: Account) -> bool:
    """It is the account of an operating system's user of the same name."""
    return account.local and any(way.plugin in ("unix_socket", "auth_socket") for way in account.ways)


def owns(account: Account) -> bool:
    """Who is root or the server's own user on the host owns the server whatever its grants say."""
    return account.local and account.user in _OWNERS and (by_socket(account) or account.user == "root")


def checkers(snapshot: Snapshot) -> Mapping[str, frozenset[str]]:
    """Users that HAProxies ask with, and the addresses that they ask from. Raises Unreadable where one cannot be asked."""
    found: dict[str, frozenset[str]] = {}
    for facts in snapshot.having(Role.LOAD_BALANCER):
        for user in facts[CHECK_USERS] if is_haproxy(facts.host) else ():
            found[user] = found.get(user, frozenset()) | {facts.host.address}
    return found


def replicates(account: Account, grants: Grants) -> bool:
    """Made for replicas: it may, and may do nothing that an administrator does."""
    mine = grants.everywhere(account)
    return "REPLICATION SLAVE" in mine and not mine & _RULES


def _said(snapshot: Snapshot, fact: Fact[T]) -> Iterator[HostFacts]:
    """Every server that says it. Where one does not, the check of unused accounts does not know, and nothing is planned."""
    for facts in snapshot.having(Role.DATABASE, Role.REPLICA):
        if not isinstance(facts.readings.get(fact.id, Unreadable("")), Unreadable):
            yield facts


class Purposes:
    """Of the accounts of one host. What the whole cluster says is gathered once; raises Unreadable where the host's own option files
    or a balancer cannot be asked: an unseen use is not an absent one."""

    def __init__(self, facts: HostFacts, snapshot: Snapshot) -> None:
        self._policy, self._probe, self._grants = (
            snapshot.cluster.policy.hardening,
            snapshot.cluster.probe,
            facts[GRANTS],
        )
        lodge = Lodge(self._grants.accounts)
        users = {*facts[TRANSFERS]}.union(*(member[TRANSFERS] for member in _said(snapshot, TRANSFERS)))
        dumps = (
            facts[VARIABLES].get("wsrep_sst_method") == "mysqldump"
        )  # then a donor logs in at the joiner; else at itself
        here = {user: {a.name for a in lodge.serving(user, "")} for user in users if user}
        self._transfers = {
            a.name for a in self._grants.accounts if a.user in here and (dumps or a.name in here[a.user])
        }
        asked = [(user, client) for user, clients in checkers(snapshot).items() for client in clients]
        self._checks = {a.name for user, client in asked for a in lodge.serving(user, client) if a.user}
        fed = [use for server in _said(snapshot, USED) for use in server[USED].uses if use.replica]
        self._feeds = {a.name for use in fed for a in lodge.serving(use.user, use.client)}

    def of(self, account: Account) -> frozenset[Purpose]:
        return frozenset((*self._named(account), *self._seen(account)))

    def _named(self, account: Account) -> Iterator[Purpose]:
        for purpose, named in (
            (Purpose.ADMINISTRATOR, self._policy.administrators), (Purpose.MONITOR, self._policy.monitors),
            (Purpose.BACKUP, self._policy.backups), (Purpose.REPLICATION, self._policy.replication),
            (Purpose.APPLICATION, self._policy.applications),
        ):  # fmt: skip
            if matches(account, named):
                yield purpose

    def _seen(self, account: Account) -> Iterator[Purpose]:
        own = self._grants.asker == f"{account.user}@{account.host}"
        if own or owns(account):
            yield Purpose.ADMINISTRATOR
        if own or account.user == ANSWER or (self._probe and account.user == self._probe.user):
            yield Purpose.GALVAN
        if account.name in self._transfers:
            yield Purpose.TRANSFER
        if account.name in self._checks:
            yield Purpose.CHECK
        if account.name in self._feeds or replicates(account, self._grants):
            yield Purpose.REPLICATION

    def spare(self, account: Account) -> frozenset[Purpose]:
        """Why it is never locked. That an application uses it is no reason: who does is asked, and named as impact."""
        return self.of(account) - {Purpose.APPLICATION}

    def excess(self, account: Account) -> frozenset[str]:
        """What it may do on *.* beyond its purpose, where that is known; the transfers' account is the tip sst_account's."""
        mine = self.of(account)
        known = mine & NEEDS.keys()
        if not known or mine & {Purpose.ADMINISTRATOR, Purpose.TRANSFER}:
            return frozenset()
        return account.held(Level.GLOBAL) - frozenset().union(*(NEEDS[purpose] for purpose in known))
