"""What an account is there for, and what that takes. The server's word comes first, then the policy's; nobody guesses from a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from galvan.cluster.answer import USER as ANSWER
from galvan.cluster.balancer import CHECK_USERS
from galvan.cluster.behind import is_haproxy
from galvan.cluster.facts import VARIABLES
from galvan.cluster.grants import GRANT_OPTION, GRANTS, Account, Grants, Level
from galvan.cluster.logins import serving
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


def _by_policy(account: Account, snapshot: Snapshot) -> Iterator[Purpose]:
    policy = snapshot.cluster.policy.hardening
    for purpose, named in (
        (Purpose.ADMINISTRATOR, policy.administrators), (Purpose.MONITOR, policy.monitors), (Purpose.BACKUP, policy.backups),
        (Purpose.REPLICATION, policy.replication), (Purpose.APPLICATION, policy.applications),
    ):  # fmt: skip
        if matches(account, named):
            yield purpose


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


def _serves(account: Account, facts: HostFacts, user: str, clients: Iterable[str]) -> bool:
    return any(account in serving(facts[GRANTS].accounts, user, client) for client in clients)


def _said(snapshot: Snapshot, fact: Fact[T]) -> Iterator[HostFacts]:
    """Every server that says it. Where one does not, the check of unused accounts does not know, and nothing is planned."""
    for facts in snapshot.having(Role.DATABASE, Role.REPLICA):
        if not isinstance(facts.readings.get(fact.id, Unreadable("")), Unreadable):
            yield facts


def _dumps(facts: HostFacts) -> bool:
    """With this method a donor logs in at the joiner; with all others transfers log in on their own host."""
    return facts[VARIABLES].get("wsrep_sst_method") == "mysqldump"


def _by_the_server(account: Account, facts: HostFacts, snapshot: Snapshot) -> Iterator[Purpose]:
    seen = facts[GRANTS]
    if owns(account) or seen.asker == f"{account.user}@{account.host}":
        yield Purpose.ADMINISTRATOR
    if (
        account.user
        and account.user in facts[TRANSFERS]
        and (_dumps(facts) or _serves(account, facts, account.user, ("",)))
    ):
        yield Purpose.TRANSFER
    if account.user and _serves(account, facts, account.user, checkers(snapshot).get(account.user, ())):
        yield Purpose.CHECK
    feeding = [use for server in _said(snapshot, USED) for use in server[USED].uses if use.replica]
    if replicates(account, seen) or any(_serves(account, facts, use.user, (use.client,)) for use in feeding):
        yield Purpose.REPLICATION
    probe = snapshot.cluster.probe
    if (
        account.user == ANSWER
        or seen.asker == f"{account.user}@{account.host}"
        or (probe and account.user == probe.user)
    ):
        yield Purpose.GALVAN


def purposes(account: Account, facts: HostFacts, snapshot: Snapshot) -> frozenset[Purpose]:
    """Raises Unreadable where a balancer or the option files cannot be asked: an unseen use is not an absent one."""
    return frozenset((*_by_policy(account, snapshot), *_by_the_server(account, facts, snapshot)))


def spared(account: Account, facts: HostFacts, snapshot: Snapshot) -> frozenset[Purpose]:
    """Why it is never locked. That an application uses it is no reason here: who does is asked, and named as impact."""
    return purposes(account, facts, snapshot) - {Purpose.APPLICATION}


def excess(account: Account, facts: HostFacts, snapshot: Snapshot) -> frozenset[str]:
    """What it may do on *.* beyond its purpose, where the purpose is known; the transfers' account is the tip sst_account's."""
    mine = purposes(account, facts, snapshot)
    known = mine & NEEDS.keys()
    if not known or mine & {Purpose.ADMINISTRATOR, Purpose.TRANSFER}:
        return frozenset()
    return account.held(Level.GLOBAL) - frozenset().union(*(NEEDS[purpose] for purpose in known))
