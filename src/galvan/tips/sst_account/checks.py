"""What an audit can say of the account of transfers by reading. Whether it is refused what it must not do is tried in `proofs`."""

from __future__ import annotations

from galvan.cluster.facts import VARIABLES
from galvan.cluster.grants import GRANTS, Secret
from galvan.cluster.health import text
from galvan.cluster.transfer import method
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, check, holds, not_here
from galvan.tips.sst_account import former
from galvan.tips.sst_account.facts import AUTH, Behind
from galvan.tips.sst_account.served import RUNNING, SOCKET
from galvan.tips.sst_account.table import Kind, account_of, excess, lacking, makes_its_own, row_of
from galvan.tips.sst_account.words import spelled


def _needs(facts: HostFacts) -> Judgement | None:
    """Where the method logs in nowhere, or the server makes its own account, there is no account to judge."""
    row, how = row_of(facts), method(facts)
    said = {
        Kind.NONE: "logs in nowhere",
        Kind.DUMMY: "logs in nowhere",
        Kind.OWN: "has an account that the server makes by itself",
    }
    return not_here(f"a transfer by {how} {said[row.kind]}") if row.kind in said else None


@check(
    "sst_account.not-root", Severity.HIGH, "Transfers log in as the administrator", rung=Rung.READY, control="GA-17",
)  # fmt: skip
def not_root(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """wsrep_sst_auth lies in a file and is handed to a shell script on the donor. Who reads it there is the administrator of the
    whole cluster; and a transfer by mysqldump that a stranger asks for then gives him everything."""
    seen = facts[AUTH]
    return holds(seen.user != "root", seen.name, "any account but root")


@check(
    "sst_account.minimal", Severity.HIGH, "The account of transfers may do more than it must, or less",
    rung=Rung.ENFORCED, control="GA-16",
)  # fmt: skip
def minimal(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A backup needs three rights and no table. Whatever it may do beyond that, whoever gets hold of it may do too; and where one
    of the three is missing the next transfer fails, which shows only when a member has lost its data. From 11.6 on the server
    makes an account for each transfer where none is named, and gives it everything for as long as the transfer lasts."""
    row, seen = row_of(facts), facts[AUTH]
    want = spelled(row.grants) or "no account"
    if seen.behind is Behind.UNSET and makes_its_own(facts):
        return holds(
            False,
            "none is named, so the server makes one with ALL PRIVILEGES for each transfer",
            f"an account with {want}",
        )
    if (other := _needs(facts)) is not None:
        return other
    if row.kind is Kind.ALL:
        return holds(
            False, f"a transfer by {method(facts)} needs an administrator", "another wsrep_sst_method (mariabackup)"
        )
    if seen.behind is Behind.UNSET:
        return holds(False, "no account is named, so the next transfer fails", f"an account with {want}")
    if (account := account_of(facts, seen.user)) is None:
        return holds(False, f"{seen.name}, and the server knows no such account", f"an account with {want}")
    more, less = excess(facts, account, row), lacking(facts, account, row)
    said = f"{account.name} has {spelled(more)} beyond that" if more else f"{account.name} has no more than that"
    said += f", and lacks {spelled(less)}" if less else ""
    return holds(not more and not less, said, want)


@check("sst_account.usable", Severity.HIGH, "The account of transfers cannot log in", rung=Rung.READY, control="GA-16")
def usable(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A transfer is needed when a member has lost its data, often years after the account was made. By then it may have been
    locked or expired, or the plugin that lets it in may be off, and the member stays away."""
    if (other := _needs(facts)) is not None:
        return other
    seen = facts[AUTH]
    account = account_of(facts, seen.user)
    if account is None:
        return holds(False, f"{seen.name}, and the server knows no such account", "an account that is there")
    if account.locked or account.expired:
        state = "locked" if account.locked else "expired"
        return holds(False, f"{account.name} is {state}", "an account that may log in")
    if seen.behind is Behind.NOTHING:
        by_socket = any(way.secret is Secret.NONE for way in account.ways) and facts[SOCKET].get("socket") == "ACTIVE"
        fits = by_socket and account.user == seen.server
        said = f"{account.name} without a password, as the system user {seen.server}"
        empty = any(way.secret is Secret.EMPTY for way in account.ways)
        return holds(fits or empty, said, f"the socket lets in {seen.server} and nobody else")
    return holds(
        any(way.secret is Secret.SET for way in account.ways),
        f"{account.name} by its password",
        "a password that is set",
    )


@check(
    "sst_account.local-only", Severity.MEDIUM, "The account of transfers is known from other hosts too", rung=Rung.OPEN,
    control="GA-16", remedy="Lock or drop those who are not used: ALTER USER ... ACCOUNT LOCK.",
)  # fmt: skip
def local_only(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A transfer logs in over the donor's own socket, never over the network. An account of the same name for `%` is a door that no
    transfer needs. Only said: somebody else may be using it."""
    if (other := _needs(facts)) is not None:
        return other
    user = facts[AUTH].user
    wide = [a.name for a in facts[GRANTS].accounts if a.user == user and a.enters and a.host != "localhost" and user]
    return holds(not wide, ", ".join(wide) or "only at localhost", "only at localhost")


@check(
    "sst_account.needless", Severity.MEDIUM, "A password lies on the disk that no transfer needs", rung=Rung.ENFORCED,
    control="GA-17",
)  # fmt: skip
def needless(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """By rsync nobody logs in, and PXC since 8.0 does not even start with the variable; elsewhere the socket knows the server's own
    user without a password. What is not there cannot be read, logged or forgotten."""
    row, seen = row_of(facts), facts[AUTH]
    if row.kind is Kind.NONE:
        return holds(seen.behind is Behind.UNSET, seen.name, "nothing: the method needs no account")
    if row.kind is Kind.OWN:
        return holds(
            seen.behind is Behind.UNSET,
            seen.name,
            "nothing: the server makes its own account, and refuses to start with one",
        )
    if row.kind is Kind.DUMMY:
        fits = seen.behind is Behind.NOTHING
        return holds(
            fits, seen.name, f"wsrep_sst_auth={seen.server}: so that the server makes no account with all rights"
        )
    if wants_password(facts, snapshot):
        return holds(
            seen.behind is Behind.PASSWORD,
            seen.name,
            "an account with a password (policy sst.account, or no socket plugin)",
        )
    return holds(
        seen.behind is Behind.NOTHING, seen.name, f"wsrep_sst_auth={seen.server}: (by the socket, without a password)"
    )


def wants_password(facts: HostFacts, snapshot: Snapshot) -> bool:
    return snapshot.cluster.policy.sst.account == "password" or facts[SOCKET].get("socket") != "ACTIVE"


@check(
    "sst_account.secret-closed", Severity.HIGH, "Everybody on the host can read the secret of transfers", rung=Rung.READY,
    control="FP-14", references=("CIS MariaDB 10.6 7.2",),
)  # fmt: skip
def secret_closed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Option files are 0644, because clients read them too. A password in one is open to every account of the host, to backups of
    /etc and to whoever manages configuration."""
    seen = facts[AUTH].open
    return holds(
        not seen,
        f"a password in {', '.join(p.said for p in seen)}" if seen else "none is readable for others",
        "0640 root:mysql",
    )


@check(
    "sst_account.command-line", Severity.HIGH, "The secret of transfers stands on a command line", rung=Rung.ENFORCED,
    control="OS-13", references=("CIS MariaDB 10.6 2.3",),
)  # fmt: skip
def command_line(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Every user of the host sees every command line (ps). Given to the server as an argument, the value is also handed on to each
    transfer's script, and printed into the error log."""
    return _shown(facts, "command line")


@check(
    "sst_account.log", Severity.HIGH, "The secret of transfers stands in the log", rung=Rung.ENFORCED, control="GA-18"
)
def log(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Logs are copied to places whose readers should know no password. The secret is looked for on the host itself, in what the
    server said last; only whether it is there travels."""
    return _shown(facts, "log")


@check(
    "sst_account.leftovers", Severity.HIGH, "Credentials lie in the data directory", rung=Rung.OPEN, control="FP-17",
    remedy="Move the file away; Galvan deletes nothing there.",
)  # fmt: skip
def leftovers(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What lies in the data directory goes along in every backup and to every member that gets its data from here. Only said:
    nothing is deleted there."""
    return _shown(facts, "data directory")


def _shown(facts: HostFacts, kind: str) -> Judgement:
    found = [where for what, where in facts[AUTH].shown if what == kind]
    return holds(not found, ", ".join(found) or "not found there", "not found there")


@check(
    "sst_account.lasting", Severity.MEDIUM, "The running server and its files name different accounts", rung=Rung.ENFORCED,
    control="CF-24",
)  # fmt: skip
def lasting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """wsrep_sst_auth can be set while the server runs. What is not in a file is gone after a restart, and what is only in a file is
    not used before one; either shows when a transfer fails. The server says no more than whether it is set."""
    if row_of(facts).kind is Kind.OWN:
        return not_here(f"{text(facts[VARIABLES], 'version')} has no such variable")
    running, filed = facts[RUNNING].get("auth") == "set", facts[AUTH].behind is not Behind.UNSET
    words = {True: "names an account", False: "names none"}
    said = f"the running server {words[running]}, and the option files {'name one' if filed else 'name none'}"
    return holds(running == filed, said, "the same in both")


@check(
    "sst_account.old-account", Severity.MEDIUM, "The account that transfers used before is still open", rung=Rung.ENFORCED,
    control="GA-16",
)  # fmt: skip
def old_account(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Its password stood in a file. It is locked, not dropped, once a transfer with the new account has succeeded, which is the next
    time that a member needs all its data (or `galvan verify --force-sst HOST`)."""
    left = former.lockable(snapshot)
    if not left:
        return holds(True, "none is left open", "locked")
    return holds(False, f"{', '.join(a.name for a in left)}; {former.evidence(snapshot) or former.WAITS}", "locked")


@check(
    "sst_account.old-secret", Severity.MEDIUM, "A password that stood in an option file still lets somebody in",
    rung=Rung.OPEN, control="GA-17", remedy="ALTER USER root@localhost IDENTIFIED VIA unix_socket, or a new password.",
)  # fmt: skip
def old_secret(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The administrator's account is not locked by Galvan, and his password is his own. But everybody on the host could read it for
    as long as it stood there, and copies of that file are still about: change it. Only said."""
    good = former.still_good(facts)
    return holds(
        not good, f"{', '.join(good)} has the password that it had then" if good else "none does", "changed since"
    )


CHECKS = (
    not_root, minimal, usable, local_only, needless, secret_closed, command_line, log, leftovers, lasting, old_account,
    old_secret,
)  # fmt: skip
