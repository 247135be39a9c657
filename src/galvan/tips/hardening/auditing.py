"""Who remembers what was done: the audit log, and the server's other logs."""

from __future__ import annotations

from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, check, holds, not_here
from galvan.tips.hardening.facts import COUNTED, PLUGINS, Plugin
from galvan.tips.hardening.host import MACHINE
from galvan.tips.hardening.settings import shown

EVENTS = ("CONNECT", "QUERY_DDL", "QUERY_DCL")
_NONE = "no audit plug-in is at work"


def plugin(facts: HostFacts) -> Plugin | None:
    """MariaDB's server_audit, or the audit_log of MySQL's and Percona's."""
    found = facts[PLUGINS]
    return found.get("server_audit") or found.get("audit_log")


@check(
    "hardening.audit-log", Severity.HIGH, "Nobody writes down who came and what was changed", rung=Rung.READY, control="AU-01",
    references=("CIS MariaDB 10.6 6.4", "STIG MADB-10-000500"), remedy="plugin_load_add=server_audit and server_audit_logging=ON; MySQL and Percona: their audit_log",
)  # fmt: skip
def audit_log(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """After a theft the first question is who logged in and when. Without an audit log nobody knows, and nobody can say
    what was not taken."""
    loaded = plugin(facts)
    if "server_audit" in facts[PLUGINS]:
        logging, active = shown(facts, "server_audit_logging"), facts[COUNTED].get("Server_audit_active")
        seen = f"@@server_audit_logging={logging}, Server_audit_active={active}"
        return holds(logging == "ON" and active == "ON", seen, "ON, ON")
    if loaded:
        policy = shown(facts, "audit_log_policy")
        return holds(
            loaded.status == "ACTIVE" and policy != "NONE",
            f"audit_log is {loaded.status}, @@audit_log_policy={policy}",
            "ACTIVE, and a policy",
        )
    return holds(False, "neither server_audit nor audit_log is loaded", "one of them, logging")


@check(
    "hardening.audit-pinned", Severity.MEDIUM, "The audit log can be switched off from within", rung=Rung.READY, control="AU-02",
    references=("CIS MariaDB 10.6 6.5", "CIS MySQL 8.0 6.8"), remedy="server_audit=FORCE_PLUS_PERMANENT in the option file, and a restart",
)  # fmt: skip
def audit_pinned(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The first thing that an intruder with an administrator's rights says is UNINSTALL SONAME."""
    if not (loaded := plugin(facts)):
        return not_here(_NONE)
    return holds(loaded.load == "FORCE_PLUS_PERMANENT", f"LOAD_OPTION={loaded.load}", "FORCE_PLUS_PERMANENT")


@check(
    "hardening.audit-events", Severity.MEDIUM, "The audit log leaves out what matters", rung=Rung.READY, control="AU-03",
    references=("STIG MADB-10-009400", "CIS MySQL 8.0 6.5"), remedy="SET GLOBAL server_audit_events='CONNECT,QUERY_DDL,QUERY_DCL', and the same in the option file",
)  # fmt: skip
def audit_events(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Logins, changes of tables and changes of rights are the least. All queries are more than most disks can take, and
    they bring customers' data into the log."""
    if (seen := shown(facts, "server_audit_events")) is not None:
        said = {event.strip().upper() for event in seen.split(",")} - {""}
        missing = [
            event
            for event in EVENTS
            if said and event not in said and not (event.startswith("QUERY") and "QUERY" in said)
        ]
        return holds(not missing, f"@@server_audit_events={seen or '(empty: all)'}", f"at least {','.join(EVENTS)}")
    if (policy := shown(facts, "audit_log_policy")) is not None:
        return holds(
            policy in ("ALL", "LOGINS", "QUERIES"),
            f"@@audit_log_policy={policy}",
            "ALL, or LOGINS with a filter for DDL and DCL",
        )
    return not_here(_NONE)


@check(
    "hardening.audit-exceptions", Severity.MEDIUM, "Somebody is left out of the audit log", rung=Rung.READY, control="AU-04",
    remedy="policy: hardening: audit_exclude names who may be left out; SET GLOBAL server_audit_excl_users to it",
)  # fmt: skip
def audit_exceptions(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A health check that logs in twice a second may be left out, where the policy names it. Anybody else left out is a
    hole, and an account that was named by an intruder is one on purpose."""
    allowed = set(snapshot.cluster.policy.hardening.audit_exclude)
    out, only = (shown(facts, f"server_audit_{kind}_users") for kind in ("excl", "incl"))
    if out is None:
        out = shown(facts, "audit_log_exclude_accounts")
        only = ""
    if out is None:
        return not_here(_NONE)
    strange = sorted({user.strip() for user in out.split(",")} - {""} - allowed)
    seen = [f"left out: {', '.join(strange)}"] if strange else []
    seen += [f"nobody but {only}"] if only else []
    return holds(
        not seen,
        "; ".join(seen) or f"left out: {out or 'nobody'}",
        f"nobody but {', '.join(sorted(allowed)) or 'nobody'}",
    )


@check(
    "hardening.audit-off-host", Severity.MEDIUM, "The audit log stays on the host that it accuses", rung=Rung.OPEN, control="AU-05",
    references=("STIG MADB-10-012400",), remedy="policy: hardening: {audit: syslog}, and a syslog that sends; or a shipper that reads the file",
)  # fmt: skip
def audit_off_host(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who became root takes the last page out. Whether what is sent arrives anywhere is for a person to see."""
    kind = (shown(facts, "server_audit_output_type", "audit_log_handler") or "").upper()
    if not kind and plugin(facts) is None:
        return not_here(_NONE)
    shippers = str(facts[MACHINE].get("shippers", "")).strip()
    return holds(
        kind == "SYSLOG" or bool(shippers),
        f"it goes to {kind or 'a file'}; shippers that run: {shippers or 'none'}",
        "syslog, or a shipper",
    )


@check(
    "hardening.audit-rotation", Severity.LOW, "The audit log grows until the disk is full", rung=Rung.OPEN, control="AU-06",
    references=("STIG MADB-10-007300",), remedy="SET GLOBAL server_audit_file_rotate_size and server_audit_file_rotations",
)  # fmt: skip
def audit_rotation(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """And with rotations of a few megabytes an intruder rolls his own traces out by failing to log in for a minute."""
    if (shown(facts, "server_audit_output_type") or "").upper() == "SYSLOG":
        return not_here("it goes to syslog")
    size, kept = (
        shown(facts, "server_audit_file_rotate_size", "audit_log_rotate_on_size"),
        shown(facts, "server_audit_file_rotations"),
    )
    if size is None:
        return not_here(_NONE)
    good = size != "0" and kept != "0" and int(size) * int(kept or 1) >= 50_000_000
    return holds(good, f"{size} bytes, {kept or 'any number of'} files", "rotated, and at least 50 MB in all")


@check(
    "hardening.audit-strategy", Severity.LOW, "Audit events may be lost", rung=Rung.OPEN, control="AU-07",
    references=("CIS MySQL 8.0 6.7",), remedy="audit_log_strategy=SEMISYNCHRONOUS, and a restart",
)  # fmt: skip
def audit_strategy(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With PERFORMANCE, MySQL drops events when its buffer is full, which a flood of statements brings about."""
    if (seen := shown(facts, "audit_log_strategy")) is None:
        return not_here("this server's audit log has no strategy")
    return holds(
        seen in ("SYNCHRONOUS", "SEMISYNCHRONOUS"), f"@@audit_log_strategy={seen}", "SYNCHRONOUS or SEMISYNCHRONOUS"
    )


@check(
    "hardening.error-log", Severity.MEDIUM, "Errors are written nowhere", rung=Rung.OPEN, control="AU-08",
    references=("CIS MariaDB 10.6 6.1",), remedy="log_error in the option file, or a lasting journal (mkdir /var/log/journal), and a restart",
)  # fmt: skip
def error_log(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Crashes, refused logins and failed transfers are told there once. A server that systemd started writes into the
    journal, which is good where the journal outlives a reboot."""
    seen = shown(facts, "log_error") or ""
    if seen and seen != "stderr":
        return holds(True, f"@@log_error={seen}", "a file, or a lasting journal")
    unit, journal = (str(facts[MACHINE].get(name, "")) for name in ("unit", "journal"))
    return holds(
        bool(unit) and journal == "lasting",
        f"@@log_error=(empty): to the {journal} journal of {unit or 'nobody'}",
        "a file, or a lasting journal",
    )


@check(
    "hardening.verbosity", Severity.LOW, "Refused logins are not written down", rung=Rung.READY, control="AU-09",
    references=("CIS MariaDB 10.6 6.3", "CIS MySQL 8.0 6.3"), remedy="SET GLOBAL log_warnings=2 (MySQL: log_error_verbosity=2), and the same in the option file",
)  # fmt: skip
def verbosity(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Below 2 the error log is silent about logins that were refused and connections that broke off."""
    for name in ("log_warnings", "log_error_verbosity"):
        if (seen := shown(facts, name)) is not None:
            return holds(seen.isdigit() and int(seen) >= 2, f"@@{name}={seen}", "at least 2")
    return not_here("this server has neither log_warnings nor log_error_verbosity")


@check(
    "hardening.raw-passwords", Severity.HIGH, "Passwords are logged as they are typed", rung=Rung.OPEN, control="AU-10",
    references=("CIS MySQL 8.0 6.4",), remedy="take log_raw out, and restart",
)  # fmt: skip
def raw_passwords(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """MySQL replaces passwords in its logs by hashes, unless log_raw tells it not to."""
    if (seen := shown(facts, "log_raw")) is None:
        return not_here("this server has no log_raw")
    return holds(seen == "OFF", f"@@log_raw={seen}", "OFF")


CHECKS = (
    audit_log, audit_pinned, audit_events, audit_exceptions, audit_off_host, audit_rotation, audit_strategy, error_log, verbosity,
    raw_passwords,
)  # fmt: skip
