"""How much the server takes: of wrong passwords, of connections, of silence. And what it asks of a new password."""

from __future__ import annotations

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.hardening import versions
from galvan.tips.hardening.facts import PLUGINS
from galvan.tips.hardening.files import FILES
from galvan.tips.hardening.settings import shown

REUSE_SINCE = (10, 7)


def server(facts: HostFacts) -> versions.Server:
    return versions.server(text(facts[VARIABLES], "version"), str(facts[VARIABLES].get("version_comment", "")))


def _number(facts: HostFacts, name: str) -> float | None:
    seen = shown(facts, name)
    try:
        return None if seen is None else float(seen)
    except ValueError:
        raise Unreadable(f"@@{name}={seen} is no number") from None


@check(
    "hardening.guessing", Severity.MEDIUM, "Passwords may be guessed without end", rung=Rung.ENFORCED, control="CF-20",
    references=("CIS MySQL 8.0 2.18",), remedy="SET GLOBAL max_password_errors, and the same in the option file; MySQL: the connection_control plug-ins",
)  # fmt: skip
def guessing(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A server that answers every wrong password at once is tried a million times a night. After so many errors in a row
    MariaDB takes no more logins of that account until FLUSH PRIVILEGES; each right password counts from nought again."""
    most = snapshot.cluster.policy.hardening.password_errors
    if (errors := _number(facts, "max_password_errors")) is not None:
        return holds(errors <= most, f"@@max_password_errors={errors:.0f}", f"at most {most}")
    name = "connection_control_failed_connections_threshold"
    tries = _number(facts, name)
    return holds(
        tries is not None and tries > 0,
        f"@@{name}={tries:.0f}" if tries is not None else "no connection_control",
        f"@@{name} above 0",
    )


@check(
    "hardening.password-rules", Severity.HIGH, "Any password will do", rung=Rung.ENFORCED, control="AC-09",
    references=("CIS MariaDB 10.6 7.4", "STIG MADB-10-003700"), remedy="plugin_load_add=simple_password_check with a minimal length; MySQL: validate_password",
)  # fmt: skip
def password_rules(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Nobody stops an account named like its password, until one is created over the weekend."""
    least = snapshot.cluster.policy.hardening.password_length
    length = _number(facts, "simple_password_check_minimal_length")
    if length is not None:
        strict = shown(facts, "strict_password_validation") or "OFF"
        seen = f"@@simple_password_check_minimal_length={length:.0f}, @@strict_password_validation={strict}"
        return holds(length >= least and strict == "ON", seen, f"at least {least}, ON")
    for name in ("validate_password.length", "validate_password_length"):
        if (asked := _number(facts, name)) is not None:
            return holds(asked >= least, f"@@{name}={asked:.0f}", f"at least {least}")
    found = [name for name in facts[PLUGINS] if name.endswith("password_check")]
    return holds(
        False, f"no rule on length: {', '.join(found) or 'no such plug-in is loaded'}", f"at least {least} characters"
    )


@check(
    "hardening.password-dictionary", Severity.LOW, "Words out of a dictionary are passwords", rung=Rung.OPEN, control="AC-09",
    references=("CIS MariaDB 10.6 7.4",), remedy="install the distribution's cracklib plug-in for MariaDB, then plugin_load_add=cracklib_password_check", strict=True,
)  # fmt: skip
def password_dictionary(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Length and digits alone let Password1234! through, which is in every list that attackers try."""
    if server(facts).maker != "mariadb":
        return not_here("validate_password has a dictionary of its own")
    if "cracklib_password_check" in facts[PLUGINS]:
        return holds(True, "cracklib_password_check is loaded", "loaded")
    there = "cracklib_password_check" in facts[FILES].libraries
    words = facts[FILES].dictionaries
    seen = (
        "not loaded"
        + ("" if there else "; its library is not installed")
        + ("" if words else "; no dictionary is installed")
    )
    return holds(False, seen, "cracklib_password_check is loaded")


@check(
    "hardening.password-reuse", Severity.LOW, "An old password may come back", rung=Rung.OPEN, control="AC-10",
    references=("CIS MySQL 8.0 2.8",), remedy="plugin_load_add=password_reuse_check, tried on a test cluster first; MySQL: password_history and password_reuse_interval",
)  # fmt: skip
def password_reuse(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A password that was changed because it leaked is set again a month later, by habit."""
    seen = server(facts)
    if seen.maker == "mariadb":
        if seen.number < REUSE_SINCE:
            return not_here(f"MariaDB {seen} has no such plug-in; 10.7 has")
        there = "password_reuse_check" in facts[PLUGINS]
        return holds(
            there, f"password_reuse_check is {'' if there else 'not '}loaded", "password_reuse_check is loaded"
        )
    history, days = _number(facts, "password_history"), _number(facts, "password_reuse_interval")
    if history is None or days is None:
        return not_here(f"MySQL {seen} keeps no history of passwords")
    return holds(
        history >= 5 or days >= 365,
        f"@@password_history={history:.0f}, @@password_reuse_interval={days:.0f}",
        "5 passwords, or 365 days",
    )


@check(
    "hardening.connections", Severity.MEDIUM, "One account may take all connections", rung=Rung.OPEN, control="CF-17",
    references=("CIS MariaDB 10.6 8.3", "STIG MADB-10-000100"), remedy="SET GLOBAL max_user_connections to what the largest pool needs", strict=True,
)  # fmt: skip
def connections(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A pool that runs wild leaves none for the other applications. The balancer's caps hold back the sum, not the one."""
    each, most = _number(facts, "max_user_connections") or 0, _number(facts, "max_connections") or 0
    return holds(each > 0, f"@@max_user_connections={each:.0f}, @@max_connections={most:.0f}", "above 0, and planned")


@check(
    "hardening.idle-limits", Severity.LOW, "Silence is waited for without end", rung=Rung.OPEN, control="CF-18",
    references=("STIG MADB-10-006200", "STIG MADB-10-008300"), remedy="SET GLOBAL idle_transaction_timeout to more than the longest pause of an application in a transaction", strict=True,
)  # fmt: skip
def idle_limits(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """An open transaction that nobody ends holds its locks, and in a cluster it makes others' commits fail."""
    names = ("wait_timeout", "interactive_timeout", "idle_transaction_timeout")
    seen = {name: value for name in names if (value := _number(facts, name)) is not None}
    good = all(0 < value <= 28800 for value in seen.values())
    return holds(
        good, ", ".join(f"@@{name}={value:.0f}" for name, value in seen.items()), "each above 0 and at most 28800"
    )


@check(
    "hardening.keepalive", Severity.LOW, "Dead connections are noticed late", rung=Rung.OPEN, control="CF-19",
    references=("STIG MADB-10-004700",), remedy="tcp_keepalive_time=300 in the option file, or the kernel's net.ipv4.tcp_keepalive_time", strict=True,
)  # fmt: skip
def keepalive(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A client whose machine went away keeps its locks until the kernel gives up, after two hours by default."""
    seen = _number(facts, "tcp_keepalive_time")
    return (
        not_here("this server has no tcp_keepalive_time")
        if seen is None
        else holds(seen > 0, f"@@tcp_keepalive_time={seen:.0f}", "above 0")
    )


@check(
    "hardening.block-cipher", Severity.LOW, "AES_ENCRYPT() shows what is alike", rung=Rung.OPEN, control="CF-21",
    references=("CIS MySQL 8.0 2.12",), remedy="block_encryption_mode=aes-256-cbc for new data; what was encrypted under another mode opens only under it", strict=True,
)  # fmt: skip
def block_cipher(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The default, ECB, turns equal blocks into equal blocks: patterns stay to be seen. Galvan does not change it, since
    what applications have stored would not open any more."""
    seen = shown(facts, "block_encryption_mode")
    if seen is None:
        return not_here("this server has no block_encryption_mode")
    return holds(
        not seen.endswith("-ecb") and not seen.startswith("aes-128"),
        f"@@block_encryption_mode={seen}",
        "aes-256-cbc or better",
    )


@check(
    "hardening.binary-log", Severity.MEDIUM, "There is no way back to a moment between backups", rung=Rung.OPEN, control="CF-22",
    references=("CIS MariaDB 10.6 2.1.5", "STIG MADB-10-005000"), remedy="log_bin and binlog_expire_logs_seconds in the option file, and a restart, when the disk has room",
)  # fmt: skip
def binary_log(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A DELETE without WHERE replicates at once to every member. Without a binary log what was written since the last backup is gone."""
    on = shown(facts, "log_bin") or "OFF"
    seconds, days = _number(facts, "binlog_expire_logs_seconds") or 0, _number(facts, "expire_logs_days") or 0
    seen = f"@@log_bin={on}, @@binlog_expire_logs_seconds={seconds:.0f}, @@expire_logs_days={days:g}"
    return holds(on == "ON" and (seconds > 0 or days > 0), seen, "ON, and an end to how long it is kept")


CHECKS = (
    guessing, password_rules, password_dictionary, password_reuse, connections, idle_limits, keepalive, block_cipher, binary_log,
)  # fmt: skip
