"""Accounts of one purpose, what runs under somebody's rights, and whether all members say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from galvan.cluster.grants import GRANTS, Account, Grants
from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.hardening.accounts.definers import defined
from galvan.tips.hardening.accounts.facts import CHANGED, OPTIONS, holdings
from galvan.tips.hardening.accounts.purpose import Purpose, Purposes, checkers
from galvan.tips.hardening.accounts.words import said, some

_AN_HOUR = 3600


def of_purpose(purpose: Purpose, facts: HostFacts, snapshot: Snapshot) -> tuple[Account, ...]:
    known = Purposes(facts, snapshot)
    return tuple(a for a in facts[GRANTS].people if purpose in known.of(a))


def _minimal(purpose: Purpose, named: str, facts: HostFacts, snapshot: Snapshot) -> Judgement:
    mine = of_purpose(purpose, facts, snapshot)
    if not mine:
        return not_here(f"no account is known to be for {purpose.removeprefix('a ')}{named}")
    known = Purposes(facts, snapshot)
    found = [f"{a.name}: {', '.join(sorted(more))}" for a in mine if (more := known.excess(a))]
    return holds(not found, "; ".join(some(found)) or f"{said(mine)}: nothing more", "only what the purpose takes")


@check(
    "hardening.definers-missing", Severity.MEDIUM, "Routines and views run as somebody who does not exist", rung=Rung.OPEN,
    control="AC-23", references=("CIS MariaDB 10.6 5.10",), remedy="CREATE OR REPLACE DEFINER = NAME …",
)  # fmt: skip
def definers_missing(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """They fail when they are called; and whoever makes an account of that name later owns what they do."""
    known = {f"{a.user}@{a.host}" for a in facts[GRANTS].accounts} | {
        f"{a.user}@" for a in facts[GRANTS].accounts if a.role
    }
    known |= {a.user for a in facts[GRANTS].accounts if a.role}
    found = [f"{one.kind} {one.name}: {one.definer}" for one in defined(facts) if one.definer not in known]
    return holds(
        not found,
        "; ".join(some(found)) or f"{len(defined(facts))} looked at, each has its definer",
        "an account that exists",
    )


@check(
    "hardening.definers-privileged", Severity.MEDIUM, "Routines and views act with an administrator's rights", rung=Rung.OPEN,
    control="AC-23", strict=True, references=("CIS MariaDB 10.6 5.10", "STIG MADB-10-006900"), remedy="SQL SECURITY INVOKER",
)  # fmt: skip
def definers_privileged(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who may call it borrows these rights for as long as it runs; a slip in it is an administrator's slip."""
    mighty = {
        f"{a.user}@{a.host}"
        for a in facts[GRANTS].accounts
        if facts[GRANTS].everywhere(a) & {"SUPER", "CREATE USER", "FILE"}
    }
    found = [
        f"{one.kind} {one.name}: {one.definer}" for one in defined(facts) if one.as_definer and one.definer in mighty
    ]
    return holds(not found, "; ".join(some(found)) or "none", "SQL SECURITY INVOKER, or a definer with few rights")


@check(
    "hardening.definers-by-choice", Severity.MEDIUM, "Accounts may act as any definer", rung=Rung.OPEN, control="AC-24",
    references=("CIS MySQL 8.4 5.11", "CIS MySQL 8.4 5.12"), remedy="REVOKE SET_ANY_DEFINER ON *.* FROM NAME",
)  # fmt: skip
def definers_by_choice(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """MySQL lets its holder make a routine that runs as an administrator, and call it. MariaDB's word for it, SET USER, counts among
    the pieces of SUPER."""
    if facts[OPTIONS].get("password_require_current") is None:
        return not_here("a right of MySQL's")
    known, bad = Purposes(facts, snapshot), frozenset({"SET_ANY_DEFINER", "ALLOW_NONEXISTENT_DEFINER"})
    found = [
        a.name
        for a in facts[GRANTS].people
        if facts[GRANTS].everywhere(a) & bad and Purpose.ADMINISTRATOR not in known.of(a)
    ]
    return holds(not found, ", ".join(some(found)) or "administrators only", "administrators only")


@check(
    "hardening.roles-at-login", Severity.LOW, "Every role is put on at login", rung=Rung.OPEN, control="AC-25",
    references=("CIS MySQL 8.4 7.9",), remedy="SET PERSIST activate_all_roles_on_login = OFF",
)  # fmt: skip
def roles_at_login(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A role that is put on when it is needed protects for the rest of the time. MariaDB puts on the default role alone."""
    seen = facts[OPTIONS].get("activate_all_roles_on_login")
    if seen is None:
        return not_here("a setting of MySQL's")
    return holds(seen in ("OFF", "0"), f"@@activate_all_roles_on_login={seen}", "OFF")


@check(
    "hardening.current-password", Severity.LOW, "A password can be changed without the old one", rung=Rung.OPEN, control="AC-11",
    references=("CIS MySQL 8.0 2.9",), remedy="SET PERSIST password_require_current = ON",
)  # fmt: skip
def current_password(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever finds an open session takes the account over. MariaDB has no such setting."""
    seen = facts[OPTIONS].get("password_require_current")
    if seen is None:
        return not_here("a setting of MySQL's")
    return holds(seen in ("ON", "1"), f"@@password_require_current={seen}", "ON")


@check(
    "hardening.replication-minimal", Severity.HIGH, "Accounts of replicas may do more than replicate", rung=Rung.ENFORCED, control="AC-27",
    references=("CIS MariaDB 10.6 9.3",), remedy="REVOKE … ON *.* FROM NAME",
)  # fmt: skip
def replication_minimal(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Its password lies in clear on every replica (master.info, or mysql.slave_master_info): who reads it there has these rights here."""
    return _minimal(Purpose.REPLICATION, " (policy.hardening.replication)", facts, snapshot)


@check(
    "hardening.replication-certified", Severity.MEDIUM, "Replicas prove themselves by a password alone", rung=Rung.OPEN, control="RP-04",
    strict=True, references=("CIS MariaDB 10.6 2.11", "CIS MariaDB 10.6 9.5"), remedy="ALTER USER NAME REQUIRE X509",
)  # fmt: skip
def replication_certified(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A copied password is good from everywhere; a certificate's key has to be copied too, and ends by itself."""
    mine = [a for a in of_purpose(Purpose.REPLICATION, facts, snapshot) if not a.local]
    if not mine:
        return not_here("no account is known to be for replication")
    found = [f"{a.name} REQUIRE {a.require}" for a in mine if a.require not in ("X509", "SPECIFIED")]
    return holds(not found, "; ".join(some(found)) or "each requires one", "REQUIRE X509, or a subject")


@check(
    "hardening.same-accounts", Severity.HIGH, "Members differ in their accounts", rung=Rung.OPEN, control="AC-28",
    remedy="run the statement that differs on one member: accounts replicate as statements",
)  # fmt: skip
def same_accounts(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Accounts replicate as statements and not as rows, so what was done with wsrep_on=OFF, or written into the tables by hand, is on
    one member alone. Then rights depend on which member answers, and a lock is none."""
    members = snapshot.having(Role.DATABASE)
    known = {one.host.name: one for one in members if not isinstance(one.readings.get(GRANTS.id), Unreadable)}
    if len(known) < len(members):
        raise Unreadable(
            f"not every member says its accounts: {', '.join(sorted({m.host.name for m in members} - known.keys()))}"
        )
    if len(members) == 1:
        return not_here("one member")
    most = Counter(one[GRANTS].accounts for one in members).most_common(1)[0][0]
    usual = next(one for one in members if one[GRANTS].accounts == most)
    found = list(_apart(facts, usual))
    want = f"as on {usual.host.name}"
    return holds(
        not found, "; ".join(some(found)) or f"{len(most)} accounts and roles, the same on {len(members)} members", want
    )


def _apart(here: HostFacts, there: HostFacts) -> Iterator[str]:
    """What this host has otherwise than most. Of passwords only when they were set can be compared."""
    mine, others = _told(here[GRANTS]), _told(there[GRANTS])
    for key in sorted(mine.keys() | others.keys()):
        if mine.get(key) != others.get(key):
            yield f"{key}: {mine.get(key, 'not here')} (on {there.host.name}: {others.get(key, 'not there')})"
    set_here, set_there = here[CHANGED].at, there[CHANGED].at
    for account in sorted(set_here.keys() & set_there.keys()):
        if abs(set_here[account] - set_there[account]) > _AN_HOUR:
            yield f"'{account[0]}'@'{account[1]}': its password was set at another time than on {there.host.name}"


def _told(grants: Grants) -> dict[str, str]:
    found: dict[str, str] = {}
    for a in grants.accounts:
        state = [a.require, *(["locked"] if a.locked else []), *(f"{w.plugin}/{w.secret}" for w in a.ways)]
        roles = [f"role {user}" for user, _ in a.roles]
        found[a.name] = " ".join([*state, *roles, *(f"proxy {p}" for p in a.proxies)])
        found |= holdings(a)
    return found


@check(
    "hardening.monitors-minimal", Severity.MEDIUM, "Accounts of monitors may do more than look", rung=Rung.ENFORCED, control="AC-29",
    remedy="REVOKE … ON *.* FROM NAME",
)  # fmt: skip
def monitors_minimal(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Its password lies on the monitor's host, often for many to read. Whether a member is well shows without any right on data."""
    return _minimal(Purpose.MONITOR, " (policy.hardening.monitors)", facts, snapshot)


@check(
    "hardening.balancer-checks", Severity.HIGH, "A balancer's health check has rights, or comes from anywhere", rung=Rung.ENFORCED,
    control="AC-30", remedy="RENAME USER 'NAME'@'%' TO 'NAME'@'BALANCER'; REVOKE …",
)  # fmt: skip
def balancer_checks(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """HAProxy's mysql-check has no password to give, so everybody is let in as this account: it must have no right at all, and be
    good from the balancer alone."""
    asked = checkers(snapshot)
    mine = of_purpose(Purpose.CHECK, facts, snapshot)
    if not mine:
        return not_here("no HAProxy logs in to ask a member (mysql-check)")
    found = [f"{a.name} has rights: {', '.join(holdings(a).values())}" for a in mine if a.grants or a.roles]
    found += [
        f"{a.name} is good from more than {', '.join(sorted(asked[a.user]))}"
        for a in mine
        if a.host not in asked[a.user]
    ]
    return holds(not found, "; ".join(some(found)) or said(mine), "no rights, and the balancer's address as host")


@check(
    "hardening.backup-minimal", Severity.MEDIUM, "Accounts of backups may do more than copy", rung=Rung.ENFORCED, control="BK-02",
    remedy="REVOKE … ON *.* FROM NAME",
)  # fmt: skip
def backup_minimal(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A job that runs at night with its password in a file needs to read, to lock and to see where the log stands; nothing else."""
    return _minimal(Purpose.BACKUP, " (policy.hardening.backups)", facts, snapshot)


CHECKS = (
    definers_missing, definers_privileged, definers_by_choice, roles_at_login, current_password, replication_minimal,
    replication_certified, same_accounts, monitors_minimal, balancer_checks, backup_minimal,
)  # fmt: skip
