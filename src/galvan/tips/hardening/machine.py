"""What an audit can say of the host beneath the server: its account, its processes, its shell's memory, its clock."""

from __future__ import annotations

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, Unreadable, check, holds, not_here
from galvan.tips.hardening.files import FILES
from galvan.tips.hardening.host import MACHINE

_POWERFUL = {"sudo", "wheel", "admin", "root", "docker", "lxd", "disk", "shadow"}


def _said(facts: HostFacts, name: str) -> str:
    """Raises Unreadable where the host did not say."""
    seen = facts[MACHINE].get(name)
    if seen is None:
        raise Unreadable(f"the host does not say its {name.replace('_', ' ')}: the server's process was not found")
    return str(seen).strip()


@check(
    "hardening.service-account", Severity.HIGH, "The server runs with rights of an administrator", rung=Rung.READY, control="OS-02",
    references=("CIS MariaDB 10.6 1.2", "dev-sec mysql-conf-03"), remedy="user=mysql in the option file; mysql in no group and no sudoers line of administrators",
)  # fmt: skip
def service_account(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever breaks into the server then owns the host, and its neighbours in the same container runtime."""
    user, groups, sudo = _said(facts, "user"), set(_said(facts, "groups").split()) & _POWERFUL, _said(facts, "sudo")
    bad = [f"it runs as {user}"] if user == "root" else []
    bad += [f"mysql is in {', '.join(sorted(groups))}"] if groups else []
    bad += [f"mysql may use sudo ({sudo})"] if sudo else []
    return holds(not bad, "; ".join(bad) or f"it runs as {user}", "an account of its own, without sudo")


@check(
    "hardening.no-shell", Severity.MEDIUM, "The server's account may log in", rung=Rung.READY, control="OS-05",
    references=("CIS MariaDB 10.6 1.5",), remedy="usermod --shell /usr/sbin/nologin mysql",
)  # fmt: skip
def no_shell(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A key that is planted in its home is a way in that no list of administrators shows."""
    seen = _said(facts, "account")
    return holds(
        seen.endswith(("/nologin", "/false")), f"the shell of mysql is {seen or '(empty: /bin/sh)'}", "nologin or false"
    )


@check(
    "hardening.histories", Severity.LOW, "What administrators typed is kept", rung=Rung.OPEN, control="OS-03",
    references=("CIS MariaDB 10.6 1.3",), remedy="look at them, then: ln -sf /dev/null ~/.mariadb_history; Galvan deletes none",
)  # fmt: skip
def histories(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Statements with passwords and customers' data stay in the home directory, and in its backups."""
    found = facts[FILES].places.get("history", ())
    return holds(not found, ", ".join(found) or "none", "none, or links to /dev/null")


@check(
    "hardening.environment", Severity.HIGH, "A password stands in a process's environment", rung=Rung.OPEN, control="OS-04",
    references=("CIS MariaDB 10.6 1.4", "dev-sec mysql-conf-09"), remedy="an option file of mode 0600 instead of MYSQL_PWD",
)  # fmt: skip
def environment(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Children inherit it, crash reports print it, and root's tools show it."""
    found = _said(facts, "environment")
    return holds(not found, f"MYSQL_PWD in {found}" if found else "no process has MYSQL_PWD", "none")


@check(
    "hardening.profiles", Severity.MEDIUM, "A shell's start-up file sets a password", rung=Rung.OPEN, control="OS-06",
    references=("CIS MariaDB 10.6 1.6",), remedy="take MYSQL_PWD out; an option file of mode 0600 instead",
)  # fmt: skip
def profiles(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Each shell and each of its children has it then, and so has the backup of the home directory."""
    found = facts[FILES].places.get("profile", ())
    return holds(not found, ", ".join(found) or "no start-up file sets MYSQL_PWD", "none")


@check(
    "hardening.command-line", Severity.HIGH, "A password stands on a command line", rung=Rung.OPEN, control="OS-13",
    references=("CIS MariaDB 10.6 2.3",), remedy="an option file of mode 0600 instead of --password",
)  # fmt: skip
def command_line(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Everyone on the host sees it in ps, and so does whatever collects processes."""
    found = _said(facts, "shown")
    return holds(not found, found or "no process shows one", "none")


@check(
    "hardening.sandbox", Severity.LOW, "Nothing holds a broken server in", rung=Rung.OPEN, control="OS-07",
    references=("CIS MariaDB 10.6 1.7",), remedy="a drop-in of the unit with NoNewPrivileges, ProtectSystem, ProtectHome",
)  # fmt: skip
def sandbox(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The unit of the distribution takes away the home directories and the capabilities; a start by hand or an old script does not."""
    found = {
        "NoNewPrivileges": _said(facts, "no_new_privileges") == "1", "mounts of its own": _said(facts, "own_mounts") == "yes",
        "seccomp": _said(facts, "seccomp") == "2", "container": _said(facts, "container") == "yes",
    }  # fmt: skip
    there = [name for name, yes in found.items() if yes]
    return holds(
        bool(there),
        ", ".join(there) or "none of NoNewPrivileges, mounts of its own, seccomp, container",
        "at least one",
    )


@check(
    "hardening.one-server", Severity.LOW, "Several servers run on one host", rung=Rung.OPEN, control="OS-08",
    references=("CIS MariaDB 10.6 2.2", "dev-sec mysql-conf-02"), remedy="a host for each, or say so in the documentation of the host",
)  # fmt: skip
def one_server(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """They share a user, so who breaks into one has the files of the other; and an audit of one says nothing of the other."""
    count = _said(facts, "servers")
    return holds(count == "1", f"{count} server processes", "1")


@check(
    "hardening.clock", Severity.LOW, "The clock is not kept, or not in UTC", rung=Rung.OPEN, control="OS-14",
    references=("STIG MADB-10-007600",), remedy="chrony or systemd-timesyncd; timedatectl set-timezone UTC, and a restart", strict=True,
)  # fmt: skip
def clock(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Logs of several hosts are read side by side, and certificates begin and end by the clock."""
    zone = text(facts[VARIABLES], "system_time_zone")
    kept = (
        "kept by the host beneath"
        if _said(facts, "container") == "yes"
        else f"synchronised: {_said(facts, 'synchronised')}"
    )
    return holds(
        zone in ("UTC", "Etc/UTC", "UCT") and not kept.endswith("no"),
        f"@@system_time_zone={zone}, {kept}",
        "UTC, synchronised",
    )


@check(
    "hardening.fips", Severity.MEDIUM, "FIPS mode is wanted and off", rung=Rung.OPEN, control="OS-15",
    references=("STIG MADB-10-004400", "CIS MySQL 8.4 2.19"), remedy="fips-mode-setup --enable, and a reboot",
)  # fmt: skip
def fips(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Only where a rule asks for it (policy: hardening: fips): then OpenSSL takes approved algorithms only."""
    seen = str(facts[MACHINE].get("fips", ""))
    if not snapshot.cluster.policy.hardening.fips:
        return not_here("the policy does not ask for it")
    return holds(seen == "1", f"/proc/sys/crypto/fips_enabled is {seen or 'absent'}", "1")


CHECKS = (
    service_account, no_shell, histories, environment, profiles, command_line, sandbox, one_server, clock, fips,
)  # fmt: skip
