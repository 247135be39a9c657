"""Who gets in, and how: accounts without a name, without a password, from anywhere, or that nobody uses."""

from __future__ import annotations

from galvan.cluster.grants import GRANTS, Account, Secret
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.hardening.accounts.facts import CHANGED, USED
from galvan.tips.hardening.accounts.purpose import Purpose, Purposes, owns
from galvan.tips.hardening.accounts.unused import idle, servers, told, uses
from galvan.tips.hardening.accounts.words import said, some

_NAME_FIRST = "a person's or program's own name"
_OLD_FORMS = {
    "mysql_old_password": "broken since 2002",
    "mysql_native_password": "unsalted SHA-1",
    "": "unsalted SHA-1",
    "sha256_password": "out of use since MySQL 8.0",
}


def nameless(facts: HostFacts) -> tuple[Account, ...]:
    return tuple(a for a in facts[GRANTS].people if not a.user)


def empty(facts: HostFacts, snapshot: Snapshot) -> tuple[Account, ...]:
    """A health check without a password is how HAProxy asks: it is judged by its rights, not here."""
    found = (a for a in facts[GRANTS].people if a.user and any(way.secret is Secret.EMPTY for way in a.ways))
    known = Purposes(facts, snapshot)
    return tuple(a for a in found if Purpose.CHECK not in known.of(a) or _may(a, facts))


def _may(account: Account, facts: HostFacts) -> bool:
    return any(holder.grants for holder in facts[GRANTS].sources(account))


def remote_roots(facts: HostFacts) -> tuple[Account, ...]:
    return tuple(a for a in facts[GRANTS].people if a.user == "root" and not a.local)


@check(
    "hardening.anonymous-accounts", Severity.CRITICAL, "Accounts without a name let anybody in", rung=Rung.ENFORCED, control="AC-01",
    references=("CIS MariaDB 10.6 7.6", "dev-sec mysql-baseline db-04"), remedy="ALTER USER ''@'HOST' ACCOUNT LOCK",
)  # fmt: skip
def anonymous_accounts(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever gives a name that does not exist is let in under this one. It also shadows real accounts: a login of `app`
    from a host that it names more exactly is taken for it."""
    found = nameless(facts)
    return holds(
        not found, said(found) or "every account has a name", f"{_NAME_FIRST} on every account that can log in"
    )


@check(
    "hardening.empty-passwords", Severity.CRITICAL, "Accounts can be used without a password", rung=Rung.ENFORCED, control="AC-02",
    references=("CIS MySQL 8.4 7.3", "dev-sec mysql-baseline db-05"), remedy="ALTER USER NAME IDENTIFIED BY '…', or ACCOUNT LOCK",
)  # fmt: skip
def empty_passwords(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever reaches the port is in. Roles, locked accounts, those of the server itself and those that the socket, PAM or
    Kerberos knows have no password on purpose, and are not meant here."""
    found = empty(facts, snapshot)
    return holds(
        not found, said(found) or "every account that can log in proves who it is", "a password, or another proof"
    )


@check(
    "hardening.guessable-passwords", Severity.HIGH, "Passwords are among the first that are tried", rung=Rung.ENFORCED, control="AC-03",
    references=("MySQLTuner",), remedy="ALTER USER NAME IDENTIFIED BY '…'",
)  # fmt: skip
def guessable_passwords(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A password made of the account's name, or out of a manual, falls within seconds. The server compares by itself and tells
    only the outcome; salted forms cannot be compared this way, and are not."""
    found = []
    for account in facts[GRANTS].people:
        kinds = {way.secret for way in account.ways}
        if Secret.NAME in kinds:
            found.append(f"{account.name}: made of its own name")
        elif Secret.LISTED in kinds:
            found.append(f"{account.name}: a word that is tried first")
    return holds(not found, "; ".join(some(found)) or "none was guessed", "a password that a generator made")


@check(
    "hardening.accounts-from-anywhere", Severity.HIGH, "Accounts can be used from anywhere", rung=Rung.OPEN, control="AC-04",
    references=("CIS MariaDB 10.6 7.5", "dev-sec mysql-baseline db-07"), remedy="RENAME USER 'NAME'@'%' TO 'NAME'@'NETWORK'",
)  # fmt: skip
def accounts_from_anywhere(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A stolen password is then good from every machine that reaches the port. Galvan does not rename: a client that has not
    come yet would be shut out, and views and routines that the account defined would lose their definer. It says from where
    logins came so far, and a person decides."""
    found = [a for a in facts[GRANTS].people if not a.host.strip("%")]
    known = [server for server in servers(snapshot) if not isinstance(server.readings.get(USED.id), Unreadable)]
    used = [uses(facts[GRANTS], server) for server in known] if found else []
    proposals = [_proposed(a, {use.client for mine in used for use in mine.get(a.name, [])} - {"?"}) for a in found]
    return holds(
        not found, said(found) or "every account says from where", "; ".join(some(proposals)) or "a host or a network on every account"
    )  # fmt: skip


def _proposed(account: Account, seen: set[str]) -> str:
    """What a person would type, from the logins that all servers know of."""
    if not seen:
        return f"{account.name}: no login was seen, so nobody knows from where; lock it, or ask its owner"
    hosts = sorted(client or "localhost" for client in seen)
    place = hosts[0] if len(hosts) == 1 else _common(hosts)
    return f"RENAME USER {account.name} TO {account.name.rpartition('@')[0]}@'{place}' (seen from {', '.join(some(hosts))})"


def _common(hosts: list[str]) -> str:
    """
    >>> _common(["10.0.3.7", "10.0.3.9"]), _common(["10.0.3.7", "db1"])
    ('10.0.3.%', 'NETWORK')
    """
    nets = {host.rpartition(".")[0] for host in hosts}
    (net,) = nets if len(nets) == 1 else ("",)
    return f"{net}.%" if net.count(".") == 2 and net.replace(".", "").isdigit() else "NETWORK"


@check(
    "hardening.remote-root", Severity.HIGH, "Root can log in from another host", rung=Rung.ENFORCED, control="AC-05",
    references=("dev-sec mysql-baseline db-08",), remedy="ALTER USER 'root'@'HOST' ACCOUNT LOCK",
)  # fmt: skip
def remote_root(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The one name that every attacker knows, with every right. People administrate under names of their own."""
    known = Purposes(facts, snapshot)
    found = [a for a in remote_roots(facts) if Purpose.ADMINISTRATOR not in known.of(a)]
    return holds(not found, said(found) or "root only on the host itself", "root for localhost alone")


@check(
    "hardening.password-forms", Severity.HIGH, "Passwords are kept in a form that is quickly broken", rung=Rung.OPEN, control="AC-06",
    references=("CIS MariaDB 10.6 7.1", "CIS MariaDB 10.6 7.3", "CIS MySQL 8.4 7.1"),
    remedy="ALTER USER NAME IDENTIFIED VIA ed25519 USING PASSWORD('…')",
)  # fmt: skip
def password_forms(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever reads one backup of the server's own tables tries billions of words a second against unsalted SHA-1. A new form
    takes the password itself, so only its owner can set it; older clients may not speak it."""
    known = Purposes(facts, snapshot)
    found = [
        f"{account.name}: {way.plugin or 'mysql_native_password'}, {_OLD_FORMS[way.plugin]}"
        for account in facts[GRANTS].people
        for way in account.ways
        if way.plugin in _OLD_FORMS and way.secret not in (Secret.UNUSABLE, Secret.EMPTY)
        and Purpose.CHECK not in known.of(account)
    ]  # fmt: skip
    return holds(
        not found,
        "; ".join(some(found)) or "none of the old forms",
        "ed25519 or parsec; caching_sha2_password with MySQL",
    )


@check(
    "hardening.socket-accounts", Severity.MEDIUM, "Accounts of the operating system's users are open to other hosts",
    rung=Rung.OPEN, control="AC-07", references=("CIS MariaDB 10.6 2.8",), remedy="RENAME USER NAME TO 'USER'@'localhost'",
)  # fmt: skip
def socket_accounts(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """unix_socket asks the kernel who is at the other end; over the network there is nobody to ask, so such an account for
    another host is a slip, and its second way in is the one that counts there."""
    found = [
        a for a in facts[GRANTS].people if a.host != "localhost" and any(w.plugin in ("unix_socket", "auth_socket") for w in a.ways)
    ]  # fmt: skip
    return holds(not found, said(found) or "only for localhost", "unix_socket for localhost alone")


@check(
    "hardening.passwords-renewed", Severity.MEDIUM, "Passwords are older than a year", rung=Rung.OPEN, control="AC-08", strict=True,
    references=("CIS MariaDB 10.6 2.6", "STIG MADB-10-003750"), remedy="ALTER USER NAME IDENTIFIED BY '…'",
)  # fmt: skip
def passwords_renewed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A password that was copied long ago still opens. The server knows when each was set."""
    seen = facts[CHANGED]
    ages = {
        a.name: (seen.now - seen.at[a.user, a.host]) // 86400
        for a in facts[GRANTS].people
        if (a.user, a.host) in seen.at and any(way.secret not in (Secret.NONE, Secret.UNUSABLE) for way in a.ways)
    }
    old = [f"{name}: {days} days" for name, days in ages.items() if days > 365]
    return holds(
        not old, "; ".join(some(old)) or f"{len(ages)} passwords, none older than 365 days", "at most 365 days"
    )


@check(
    "hardening.unused-accounts", Severity.MEDIUM, "Nobody has used these accounts for long", rung=Rung.ENFORCED, control="AC-12",
    references=("CIS MariaDB 10.6 2.7",), remedy="ALTER USER NAME ACCOUNT LOCK",
)  # fmt: skip
def unused_accounts(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Nobody notices when somebody else begins to use it. Known only where every member has counted logins for as long as
    `policy.hardening.unused_days` says, since it started or in its audit log: until then nothing is said."""
    if why := told(snapshot):
        return not_here(why)
    found = idle(facts, snapshot)
    return holds(
        not found,
        said(found) or "each was used",
        f"used within {snapshot.cluster.policy.hardening.unused_days} days, or locked",
    )


@check(
    "hardening.names-of-one-purpose", Severity.LOW, "One name has other rights from other hosts", rung=Rung.OPEN, control="AC-13",
    references=("CIS MariaDB 10.6 2.4",), remedy="one name for each purpose",
)  # fmt: skip
def names_of_one_purpose(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Which of the two a login becomes depends on the address that it comes from, and changes with the network."""
    rights: dict[str, dict[str, object]] = {}
    for account in facts[GRANTS].people:
        if account.user and not owns(account):
            mine = frozenset((g.level, g.schema, g.name, g.part, g.privileges) for g in account.grants)
            rights.setdefault(account.user, {})[account.name] = mine
    found = [", ".join(mine) for mine in rights.values() if len(set(mine.values())) > 1]
    return holds(not found, "; ".join(some(found)) or "none", "the same rights wherever a name comes from")


CHECKS = (
    anonymous_accounts, empty_passwords, guessable_passwords, accounts_from_anywhere, remote_root, password_forms, socket_accounts,
    passwords_renewed, unused_accounts, names_of_one_purpose,
)  # fmt: skip
