"""Whose the files are, and who may use them. Want is a mode at most: a tighter one is never a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.hardening.files import FILES, Seen
from galvan.tips.hardening.settings import shown

OTHERS, GROUP_WRITE, ALL_WRITE = 0o007, 0o020, 0o022
SERVER = ("mysql", "root")
Fault = Callable[[str, Seen], str]


def _judged(found: Iterable[tuple[str, Seen]], fault: Fault, want: str, nothing: str) -> Judgement:
    seen = dict(found)
    if not seen:
        return not_here(nothing)
    bad = [f"{path} {place}" for path, place in seen.items() if fault(path, place)]
    rest = ", ".join(f"{path} {place}" for path, place in list(seen.items())[:3])
    return holds(not bad, ", ".join(bad[:8]) or rest, want)


def faulty(allowed: int, owners: tuple[str, ...] = SERVER) -> Fault:
    """Some bit beyond `allowed`, or an owner who is none of these."""

    def fault(path: str, seen: Seen) -> str:
        return "" if seen.owner in owners and not seen.mode & ~allowed & 0o777 else path

    return fault


def _log(facts: HostFacts, tag: str) -> list[tuple[str, Seen]]:
    return [(path, seen) for path, seen in facts[FILES].of(tag) if not seen.directory]


@check(
    "hardening.data-directory", Severity.MEDIUM, "Others may look into the data directory", rung=Rung.READY, control="FP-01",
    references=("CIS MariaDB 10.6 3.1", "dev-sec mysql-conf-04", "STIG MADB-10-005600"), remedy="chmod o-rwx on the data directory",
)  # fmt: skip
def data_directory(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The names of schemas and tables are there to be read, and one file that was copied in with a wide mode is open at once."""
    datadir = text(facts[VARIABLES], "datadir").rstrip("/")
    found = dict(facts[FILES].of("data"))
    if datadir not in found:
        raise Unreadable(f"the server keeps its data in {datadir}, and the option files do not say so")
    most = 0o751 if socket_inside(facts) else 0o750
    return _judged(found.items(), faulty(most), f"{most:04o} mysql:mysql or tighter", "")


def socket_inside(facts: HostFacts) -> bool:
    """Where the server's socket lies in its data directory (as on Red Hat's) others have to pass through it."""
    socket = str(facts[VARIABLES].get("socket") or "")
    return socket.startswith(text(facts[VARIABLES], "datadir").rstrip("/") + "/")


@check(
    "hardening.data-files", Severity.HIGH, "Others may read files of the data directory", rung=Rung.READY, control="FP-02",
    references=("dev-sec mysql-conf-05",), remedy="chmod o-rwx on the files",
)  # fmt: skip
def data_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Every row of a table lies in its file, and no account of the server's is asked by who reads that."""
    if not (data := dict(facts[FILES].of("data"))):
        raise Unreadable("the data directory could not be looked at")
    if not any(seen.mode & 0o005 for seen in data.values()):
        return holds(True, ", ".join(f"{path} {seen}" for path, seen in data.items()), "no way in for others")
    bad = [f"{path} {seen}" for path, seen in facts[FILES].of("loose") if seen.mode & OTHERS]
    return holds(not bad, ", ".join(bad[:8]) or "no file there is open to others", "no bit for others")


@check(
    "hardening.binary-log-files", Severity.HIGH, "Others may read the binary log", rung=Rung.READY, control="FP-03",
    references=("CIS MariaDB 10.6 3.2",), remedy="chmod o-rwx on the files",
)  # fmt: skip
def binary_log_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """It holds every row that was written, statement by statement."""
    if (shown(facts, "log_bin") or "OFF") == "OFF":
        return not_here("@@log_bin=OFF")
    return _judged(facts[FILES].of("log_bin"), faulty(0o660), "0660 mysql:mysql or tighter", "no file of it was found")


@check(
    "hardening.error-log-file", Severity.MEDIUM, "Others may read the error log", rung=Rung.READY, control="FP-04",
    references=("CIS MariaDB 10.6 3.3", "dev-sec mysql-conf-06"), remedy="chmod o-rwx on the file",
)  # fmt: skip
def error_log_file(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Failed logins hold what was typed as the user's name, which now and then is a password."""
    return _judged(
        _log(facts, "log_error"), faulty(0o660), "0660 or tighter", "the server writes no error log of its own"
    )


@check(
    "hardening.slow-log-file", Severity.MEDIUM, "Others may read the slow log", rung=Rung.READY, control="FP-05",
    references=("CIS MariaDB 10.6 3.4",), remedy="chmod o-rwx on the file",
)  # fmt: skip
def slow_log_file(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whole statements stand in it, with the values that were in them."""
    if (shown(facts, "slow_query_log") or "OFF") == "OFF":
        return not_here("@@slow_query_log=OFF")
    return _judged(_log(facts, "slow_query_log_file"), faulty(0o660), "0660 or tighter", "no such file was found")


@check(
    "hardening.relay-log-files", Severity.MEDIUM, "Others may read the relay log", rung=Rung.READY, control="FP-06",
    references=("CIS MariaDB 10.6 3.5",), remedy="chmod o-rwx on the files",
)  # fmt: skip
def relay_log_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What a replica has fetched and not applied yet: rows of another server."""
    return _judged(
        facts[FILES].of("relay_log"), faulty(0o660), "0660 mysql:mysql or tighter", "no relay log is configured"
    )


@check(
    "hardening.general-log", Severity.MEDIUM, "Every statement is written down in clear text", rung=Rung.ENFORCED, control="FP-07",
    references=("CIS MariaDB 10.6 3.6",), remedy="SET GLOBAL general_log=OFF, and the same in the option file",
)  # fmt: skip
def general_log(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The general log is for an hour of looking; it holds all data that passes, and nobody rotates it."""
    if (shown(facts, "general_log") or "OFF") != "OFF":
        return holds(False, f"@@general_log=ON, @@general_log_file={shown(facts, 'general_log_file')}", "OFF")
    bad = [f"{path} {seen}" for path, seen in _log(facts, "general_log_file") if seen.mode & OTHERS]
    return holds(not bad, ", ".join(bad) or "@@general_log=OFF", "OFF, and what is left of it closed to others")


@check(
    "hardening.keys-closed", Severity.CRITICAL, "Others may read a private key", rung=Rung.READY, control="FP-08",
    references=("CIS MariaDB 10.6 3.7", "STIG MADB-10-004100"), remedy="chown root:mysql and chmod 0640 on the key",
)  # fmt: skip
def keys_closed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who has the key is the server, or a member, for whoever trusts its certificate."""
    return _judged(
        facts[FILES].of("key"), faulty(0o640), "0640 or tighter, of root or mysql", "no private key is configured"
    )


@check(
    "hardening.authority-key", Severity.CRITICAL, "The key of an authority lies on a database host", rung=Rung.READY, control="FP-09",
    remedy="move it to where certificates are signed, and shred it here",
)  # fmt: skip
def authority_key(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who takes this one host signs certificates for members and clients of his own, for as long as the authority is trusted."""
    found = facts[FILES].places.get("authority", ())
    return holds(not found, ", ".join(found) or "none beside the certificates of the authorities", "none")


@check(
    "hardening.plugin-directory", Severity.HIGH, "Others than root may put plug-ins in", rung=Rung.READY, control="FP-10",
    references=("CIS MariaDB 10.6 3.8",), remedy="chown root:root and chmod go-w on the directory",
)  # fmt: skip
def plugin_directory(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A library that the server's own user can write there is code of an attacker's in the server at the next INSTALL SONAME."""
    asked = (shown(facts, "plugin_dir") or "").rstrip("/")
    found = dict(facts[FILES].of("plugins"))
    if asked not in found:
        raise Unreadable(f"the server loads plug-ins from {asked}, which was not looked at")
    return _judged(found.items(), faulty(0o755, ("root",)), "0755 root:root or tighter", "")


@check(
    "hardening.audit-log-file", Severity.MEDIUM, "Others may read the audit log", rung=Rung.READY, control="FP-11",
    references=("CIS MariaDB 10.6 3.9", "STIG MADB-10-002000"), remedy="chmod o-rwx on the file",
)  # fmt: skip
def audit_log_file(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who may read it learns who comes when, and who may write it takes himself out."""
    return _judged(
        _log(facts, "server_audit_file"),
        faulty(0o660),
        "0660 or tighter",
        "no audit log of the server's own is written",
    )


@check(
    "hardening.option-files", Severity.HIGH, "Others may write the server's option files", rung=Rung.READY, control="FP-13",
    references=("dev-sec mysql-conf-07", "dev-sec mysql-conf-08"), remedy="chown root and chmod go-w on the files",
)  # fmt: skip
def option_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who writes a line there decides what the server loads and as whom it runs, at its next start."""
    return _judged(
        facts[FILES].of("options"),
        faulty(0o755, ("root",)),
        "owned by root, written by nobody else",
        "no option file was found",
    )


@check(
    "hardening.secrets-closed", Severity.HIGH, "Everyone may read a password", rung=Rung.READY, control="FP-14",
    references=("CIS MariaDB 10.6 7.2",), remedy="chown root:mysql and chmod 0640 on the file; or let the account use unix_socket, and the line go",
)  # fmt: skip
def secrets_closed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A password in an option file is as secret as the file. wsrep_sst_auth is usually an account that reads every table."""
    found = facts[FILES]
    bad = [
        f"{option} in {path} {found.seen[path]}"
        for option, path in found.secrets
        if path in found.seen and found.seen[path].mode & OTHERS
    ]
    held = ", ".join(f"{option} in {path}, closed" for option, path in found.secrets)
    return holds(not bad, ", ".join(bad) or held or "no password in any option file", "none that others can read")


@check(
    "hardening.login-files", Severity.MEDIUM, "Others may read an administrator's login", rung=Rung.READY, control="FP-15",
    references=("dev-sec mysql_hardening role",), remedy="chmod 0600 on the file",
)  # fmt: skip
def login_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """~/.my.cnf is where passwords of administrators live."""

    def fault(path: str, seen: Seen) -> str:
        return path if seen.mode & 0o077 else ""

    return _judged(facts[FILES].of("login"), fault, "0600", "no home has one")


@check(
    "hardening.scripts", Severity.HIGH, "Others than root may change what the server runs", rung=Rung.READY, control="FP-16",
    remedy="chown root:root and chmod go-w on the scripts",
)  # fmt: skip
def scripts(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The scripts of state transfers, wsrep_notify_cmd and the health check are run by the server or by root."""
    return _judged(facts[FILES].of("script"), faulty(0o755, ("root",)), "0755 root or tighter", "no script was found")


@check(
    "hardening.exchange-directory", Severity.MEDIUM, "Others may use the directory for exchange", rung=Rung.READY, control="FP-19",
    remedy="chown mysql:mysql and chmod 0750 on the directory",
)  # fmt: skip
def exchange_directory(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What lies in secure_file_priv is loaded into tables, and what is written there is rows of tables."""
    if not (seen := (shown(facts, "secure_file_priv") or "").rstrip("/")) or seen == "NULL":
        return not_here(f"@@secure_file_priv={seen or '(empty)'}")
    found = dict(facts[FILES].of("exchange"))
    if seen not in found:
        raise Unreadable(f"{seen} was not looked at: the option files do not name it")
    return _judged(found.items(), faulty(0o770), "0770 mysql:mysql or tighter", "")


@check(
    "hardening.logs-apart", Severity.LOW, "A full log stops the system", rung=Rung.OPEN, control="FP-18",
    references=("CIS MariaDB 10.6 6.2",), remedy="a filesystem for the logs", strict=True,
)  # fmt: skip
def logs_apart(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Logs grow when something is wrong, and then is when nobody should be locked out by a full disk."""
    return _apart(facts, "log_error", "slow_query_log_file", "general_log_file", "server_audit_file", "log_bin")


@check(
    "hardening.data-apart", Severity.LOW, "The data shares its filesystem with the system", rung=Rung.OPEN, control="OS-01",
    references=("CIS MariaDB 10.6 1.1", "CIS MySQL 8.0 1.1"), remedy="a filesystem for the data directory", strict=True,
)  # fmt: skip
def data_apart(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A table that grows fills / and nobody can log in any more; a /tmp that is filled stops the database."""
    return _apart(facts, "data")


def _apart(facts: HostFacts, *tags: str) -> Judgement:
    found = dict(facts[FILES].of(*tags))
    if not found:
        return not_here("there is none")
    bad = [f"{path} on {seen.mount}" for path, seen in found.items() if seen.mount in ("/", "/var", "/usr")]
    return holds(
        not bad, ", ".join(bad or [f"{path} on {seen.mount}" for path, seen in found.items()]), "not on /, /var or /usr"
    )


CHECKS = (
    data_directory, data_files, binary_log_files, error_log_file, slow_log_file, relay_log_files, general_log, keys_closed,
    authority_key, plugin_directory, audit_log_file, option_files, secrets_closed, login_files, scripts, exchange_directory,
    logs_apart, data_apart,
)  # fmt: skip
