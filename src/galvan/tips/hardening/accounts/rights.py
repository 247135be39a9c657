"""What accounts may do that only an administrator should: one check for each right, as the benchmarks count them.

PUBLIC is asked too: what it may do, everybody may. A right that a role brings counts for whoever can put the role on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from galvan.cluster.grants import GRANT_OPTION, GRANTS, Account, Level, like
from galvan.cluster.quote import identifier
from galvan.model import Check, HostFacts, Judgement, Rung, Severity, Snapshot, check, holds
from galvan.tips.hardening.accounts.purpose import NEEDS, PIECES_OF_SUPER, Purpose, Purposes
from galvan.tips.hardening.accounts.words import some

_WAYS_OUT = (
    "name the account in policy.hardening.administrators, monitors, backups or replication if it needs it; in applications, and Galvan "
    "takes it away; or REVOKE it"
)  # fmt: skip
WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "TRIGGER", "INDEX"})
_READS_AND_WRITES = WRITES | {"SELECT", "EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE VIEW", "EVENT"}


@dataclass(frozen=True, slots=True)
class Right:
    stem: str
    control: str
    severity: Severity
    title: str
    privileges: frozenset[str]
    why: str
    references: tuple[str, ...] = ()


def everybody(facts: HostFacts, snapshot: Snapshot) -> Iterator[tuple[Account, frozenset[Purpose]]]:
    """Who is no administrator and no business of another tip, and PUBLIC."""
    known = Purposes(facts, snapshot)
    for account in facts[GRANTS].accounts:
        if account.public:
            yield account, frozenset()
        elif account.enters:
            mine = known.of(account)
            if not mine & {Purpose.ADMINISTRATOR, Purpose.TRANSFER}:
                yield account, mine


def _needed(mine: frozenset[Purpose]) -> frozenset[str]:
    return frozenset().union(*(NEEDS.get(purpose, frozenset()) for purpose in mine))


def _through(account: Account, facts: HostFacts, privileges: frozenset[str]) -> str:
    """The role that brings it, where it is not the account's own."""
    own, *roles = facts[GRANTS].sources(account)
    if own.held(Level.GLOBAL) & privileges:
        return ""
    return next((f" by the role {role.name}" for role in roles if role.held(Level.GLOBAL) & privileges), "")


def holders(facts: HostFacts, snapshot: Snapshot, privileges: frozenset[str]) -> Iterator[str]:
    for account, mine in everybody(facts, snapshot):
        if found := (facts[GRANTS].everywhere(account) & privileges) - _needed(mine):
            name = "PUBLIC" if account.public else account.name
            yield f"{name}: {', '.join(sorted(found))}{_through(account, facts, found)}"


def _of(right: Right) -> Check:
    def judge(facts: HostFacts, snapshot: Snapshot) -> Judgement:
        found = list(holders(facts, snapshot, right.privileges))
        return holds(
            not found, "; ".join(some(found)) or "administrators only", _WAYS_OUT if found else "administrators only"
        )

    judge.__doc__ = right.why
    first = sorted(right.privileges)[0] if len(right.privileges) > 1 else next(iter(right.privileges))
    return check(
        f"hardening.{right.stem}", right.severity, right.title, rung=Rung.ENFORCED, control=right.control, references=right.references,
        remedy=f"REVOKE {first} ON *.* FROM NAME",
    )(judge)  # fmt: skip


RIGHTS = (
    Right(
        "rights-everywhere", "AC-14", Severity.HIGH, "Accounts may read or change every schema", _READS_AND_WRITES,
        "On *.* lies the server's own schema too: who may read it has every password's hash, who may write it makes himself an "
        "administrator. An application needs its own schemas.",
        ("CIS MariaDB 10.6 5.1",),
    ),
    Right(
        "rights-files", "AC-15", Severity.HIGH, "Accounts may read and write files of the host", frozenset({"FILE"}),
        "LOAD_FILE reads what the server's user can read, its private keys included, and INTO OUTFILE puts a program where "
        "somebody runs it. One injected statement is enough.",
        ("CIS MariaDB 10.6 5.2",),
    ),
    Right(
        "rights-processes", "AC-16", Severity.MEDIUM, "Accounts see what all others do", frozenset({"PROCESS"}),
        "The process list shows whole statements, with what they hold of passwords and people. A monitor needs it, an application not.",
        ("CIS MariaDB 10.6 5.3",),
    ),
    Right(
        "rights-super", "AC-17", Severity.CRITICAL, "Accounts hold an administrator's rights", PIECES_OF_SUPER,
        "SUPER and what was split off it change settings while the server runs, write past read_only, act under another definer, and with "
        "older servers even run a command on every member through a setting of the state transfer.",
        ("CIS MariaDB 10.6 5.4",),
    ),
    Right(
        "rights-shutdown", "AC-18", Severity.HIGH, "Accounts may stop the server", frozenset({"SHUTDOWN"}),
        "Stopping members one after the other ends in an outage, and nothing else stands in its way.",
        ("CIS MariaDB 10.6 5.5",),
    ),
    Right(
        "rights-accounts", "AC-19", Severity.HIGH, "Accounts may make accounts", frozenset({"CREATE USER", "CREATE ROLE", "DROP ROLE"}),
        "Who can make an account, or give another one a new password, stays in after his own is locked.",
        ("CIS MariaDB 10.6 5.6",),
    ),
    Right(
        "rights-replication", "AC-21", Severity.MEDIUM, "Accounts may copy every change", frozenset({"REPLICATION SLAVE"}),
        "It reads the whole binary log: every row that is written from now on, of all schemas.",
        ("CIS MariaDB 10.6 5.8",),
    ),
)  # fmt: skip


@check(
    "hardening.rights-to-grant", Severity.HIGH, "Accounts may hand on their rights", rung=Rung.ENFORCED, control="AC-20",
    references=("CIS MariaDB 10.6 5.7", "dev-sec mysql-baseline db-06"), remedy="REVOKE GRANT OPTION ON PLACE FROM NAME",
)  # fmt: skip
def rights_to_grant(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who may give rights away cannot be kept in by taking away his own: he gave them to another name before."""
    found = [
        f"{'PUBLIC' if account.public else account.name} on {grant.place}"
        for account, _ in everybody(facts, snapshot)
        for grant in facts[GRANTS].grants(account)
        if GRANT_OPTION in grant.privileges
    ]
    return holds(
        not found, "; ".join(some(found)) or "administrators only", _WAYS_OUT if found else "administrators only"
    )


@check(
    "hardening.rights-in-all-schemas", Severity.MEDIUM, "Accounts have rights in schemas by a pattern that covers all", rung=Rung.ENFORCED,
    control="AC-22", references=("CIS MariaDB 10.6 5.9",), remedy="GRANT … ON `SCHEMA`.* TO NAME; REVOKE … ON `%`.* FROM NAME",
)  # fmt: skip
def rights_in_all_schemas(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A grant on the schema `%` is one on every schema, those that are made tomorrow too."""
    found = [
        f"{'PUBLIC' if account.public else account.name}: {', '.join(sorted(grant.privileges))} on {grant.place}"
        for account, _ in everybody(facts, snapshot)
        for grant in facts[GRANTS].grants(account)
        if grant.level is Level.SCHEMA and "%" in grant.schema and like(grant.schema, "mysql")
    ]
    return holds(not found, "; ".join(some(found)) or "none", "schemas by their names")


@check(
    "hardening.rights-on-server-tables", Severity.HIGH, "Accounts may write the server's own tables", rung=Rung.ENFORCED, control="AC-26",
    references=("STIG MADB-10-000600", "STIG MADB-10-002600"), remedy="REVOKE … ON mysql.TABLE FROM NAME",
)  # fmt: skip
def rights_on_server_tables(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A row in mysql.plugin or mysql.func loads a library with the next start, one in the table of accounts makes an
    administrator, one in mysql.wsrep_allowlist lets a stranger join."""
    found = [
        f"{'PUBLIC' if account.public else account.name}: {', '.join(sorted(bad))} on {identifier(grant.schema)}.{grant.name or '*'}"
        for account, _ in everybody(facts, snapshot)
        for grant in facts[GRANTS].grants(account)
        if grant.schema == "mysql" and grant.level is not Level.ROUTINE and (bad := grant.privileges & WRITES)
    ]
    return holds(not found, "; ".join(some(found)) or "administrators only", "administrators only")


CHECKS = (*(_of(right) for right in RIGHTS), rights_to_grant, rights_in_all_schemas, rights_on_server_tables)
