"""Settings as needs: at once where the server takes them while it runs, else with the first restart. Modes of files as steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import Finding, HostFacts, Need, Rung, Setting, Snapshot, Stage, Step
from galvan.tips.hardening import modes
from galvan.tips.hardening.auditing import EVENTS
from galvan.tips.hardening.facts import PLUGINS
from galvan.tips.hardening.files import EXCHANGE, FILES, LOGS

TIP = "hardening"
_ORDER = (
    "REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "IGNORE_BAD_TABLE_OPTIONS", "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION", "NO_DIR_IN_CREATE", "POSTGRESQL", "ORACLE", "MSSQL", "DB2", "MAXDB", "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS", "NO_FIELD_OPTIONS", "MYSQL323", "MYSQL40", "ANSI", "NO_AUTO_VALUE_ON_ZERO", "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO", "TRADITIONAL", "NO_AUTO_CREATE_USER", "HIGH_NOT_PRECEDENCE", "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH", "EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL",
)  # fmt: skip
"""The order in which the server itself shows its modes."""


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    for host in dict.fromkeys(finding.host for finding in failing if finding.host):
        facts = snapshot.of(host)
        checks = [f.check for f in failing if f.host == host]
        changes = dict.fromkeys(_CHANGES[check] for check in checks if check in _CHANGES)
        needs = [need for change in changes for need in change(facts, snapshot)]
        if any(need.value == f"{LOGS}/server_audit.log" for need in needs):
            yield from modes.make(facts, LOGS)
        yield from (need for need in needs if to >= Rung.ENFORCED or need.stage is not Stage.REFUSE)
        yield from modes.mend(facts, checks)


Change = Callable[[HostFacts, Snapshot], Iterator[Setting]]


def _live(name: str, value: str, reason: str, stage: Stage = Stage.REFUSE) -> Change:
    def change(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
        if name in facts[VARIABLES]:
            yield Setting(facts.host.name, "mysqld", name, value, stage, TIP, reason, live=True)

    return change


def _start(facts: HostFacts, name: str, value: str, reason: str, *shows: tuple[str, str]) -> Setting:
    """What takes a restart. With nothing in `shows` it is written, and no restart is made for it alone."""
    return Setting(facts.host.name, "mysqld", name, value, Stage.FIRST_RESTART, TIP, reason, shows=shows)


def _strict_mode(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    modes_ = {mode for mode in text(facts[VARIABLES], "sql_mode").split(",") if mode} | {"STRICT_TRANS_TABLES"}
    value = ",".join(sorted(modes_, key=_ORDER.index))
    yield from _live("sql_mode", value, "wrong values are refused and not bent")(facts, snapshot)


def _old_passwords(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    for name, value in (("secure_auth", "ON"), ("old_passwords", "0")):
        yield from _live(name, value, "no passwords of the kind before MySQL 4.1")(facts, snapshot)


def _guessing(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    most = str(snapshot.cluster.policy.hardening.password_errors)
    yield from _live("max_password_errors", most, "nobody guesses passwords without end")(facts, snapshot)


def _verbosity(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    for name in ("log_warnings", "log_error_verbosity"):
        yield from _live(name, "2", "refused logins are written down", Stage.PREPARE)(facts, snapshot)


def _file_exchange(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    reason = "the server reads and writes rows in one directory of its own"
    yield _start(facts, "secure_file_priv", EXCHANGE, reason, ("secure_file_priv", f"{EXCHANGE}/"))


def _symbolic_links(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    yield _start(facts, "symbolic_links", "OFF", "no table is a link to another place", ("have_symlink", "DISABLED"))


def _password_rules(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    plugin, least = "simple_password_check", str(snapshot.cluster.policy.hardening.password_length)
    reason, name = "the least that a new password may have", f"{plugin}_minimal_length"
    yield from _live("strict_password_validation", "ON", "no hash that nobody could judge", Stage.PREPARE)(
        facts, snapshot
    )
    if plugin in facts[PLUGINS]:
        yield from _live(name, least, reason)(facts, snapshot)
    elif plugin in facts[FILES].libraries:
        yield _start(facts, "plugin_load_add", plugin, "passwords have rules")
        yield _start(facts, name, least, reason, (name, least))


def _password_dictionary(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    """Only where its library and a dictionary are installed: without words it lets no password through."""
    plugin, found = "cracklib_password_check", facts[FILES]
    if plugin in found.libraries and found.dictionaries and plugin not in facts[PLUGINS]:
        words = found.dictionaries[0].rpartition(".pwd")[0]
        yield _start(facts, "plugin_load_add", plugin, "no words out of a dictionary as passwords")
        yield _start(facts, f"{plugin}_dictionary", words, "the distribution's words", (f"{plugin}_dictionary", words))


def _audit(facts: HostFacts, snapshot: Snapshot) -> Iterator[Setting]:
    """MariaDB's plug-in. The file comes first: what is loaded from mysql.plugin can be unloaded by whoever may write there."""
    policy, found = snapshot.cluster.policy.hardening, facts[FILES]
    if "server_audit" not in found.libraries:
        return
    values = {"server_audit_events": ",".join(EVENTS), "server_audit_output_type": policy.audit}
    if policy.audit_exclude:
        values["server_audit_excl_users"] = ",".join(policy.audit_exclude)
    if policy.audit == "file":
        values |= {
            "server_audit_file_path": f"{_logs(facts)}/server_audit.log",
            "server_audit_file_rotate_size": "10000000",
        }
    loaded = "server_audit" in facts[PLUGINS]
    if not loaded:
        yield _start(facts, "plugin_load_add", "server_audit", "the audit log")
    yield _start(
        facts, "server_audit", "FORCE_PLUS_PERMANENT", "nobody unloads it, and without it the server does not start"
    )
    for name, value in {**values, "server_audit_logging": "ON"}.items():
        reason = "logins, changes of tables and of rights are written down"
        if loaded and facts[VARIABLES].get(name) == value:
            continue
        if loaded:
            yield from _live(name, value, reason, Stage.PREPARE)(facts, snapshot)
        else:
            yield _start(facts, name, value, reason, (name, value))


def _logs(facts: HostFacts) -> str:
    """The distribution's directory for the server's logs, or the one that is made."""
    return next((path for path, seen in facts[FILES].of("error") if seen.directory and seen.owner == "mysql"), LOGS)


_CHANGES: dict[str, Change] = {
    "hardening.local-infile": _live("local_infile", "OFF", "no client is asked for its own files"),
    "hardening.general-log": _live("general_log", "OFF", "statements are not written down in clear text"),
    "hardening.replication-debug": _live("wsrep_debug", "NONE", "no passwords in the error log", Stage.PREPARE),
    "hardening.strict-mode": _strict_mode,
    "hardening.old-passwords": _old_passwords,
    "hardening.guessing": _guessing,
    "hardening.verbosity": _verbosity,
    "hardening.file-exchange": _file_exchange,
    "hardening.symbolic-links": _symbolic_links,
    "hardening.password-rules": _password_rules,
    "hardening.password-dictionary": _password_dictionary,
    "hardening.audit-log": _audit,
    "hardening.audit-pinned": _audit,
    "hardening.audit-events": _audit,
    "hardening.audit-exceptions": _audit,
    "hardening.audit-rotation": _audit,
}
