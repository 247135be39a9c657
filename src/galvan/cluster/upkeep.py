"""What else goes on at a host: backups, package managers, other tools that own its files, and what its restart needs.

Some of it refuses a restart (`under_way`), some is only said in the plan (`remarks`). What cannot be read is said, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import lines, pairs
from galvan.model import Fact, HostFacts, Shell, Sql, State, Unreadable

PERFORMANCE_SCHEMA_MB = 150
"""What performance_schema takes with MariaDB's own sizes: 98 MB at 151 connections, 142 MB from 500 to 2000 (measured)."""
TRANSFER_MB = 50.0
"""Megabytes a second that a full transfer is taken to move, to say whether the unit would give it the time."""

HOST: Fact[State] = Fact(
    "host.upkeep",
    Shell(
        "command -v ps >/dev/null || { echo 'ps is not installed' >&2; exit 1; }\n"
        "echo backups=$(ps -eo comm= | grep -xE 'mariabackup|mariadb-backup|mariadb-backu|xtrabackup|mysqldump|mariadb-dump|mydumper' | sort -u)\n"
        "echo packages=$(ps -eo comm= | grep -xE 'apt|apt-get|aptitude|dpkg|unattended-upgr|dnf|yum|zypper|packagekitd|rpm' | sort -u)\n"
        "echo unattended=$(for t in apt-daily-upgrade.timer dnf-automatic.timer dnf-automatic-install.timer yum-cron.service; do "
        '[ "$(systemctl is-enabled $t 2>/dev/null)" != enabled ] || echo $t; done)\n'
        "echo owned=$(grep -liE '(managed|generated|controlled) (by )?.*(ansible|puppet|chef|salt|cfengine)|ansible managed' "
        "/etc/mysql/*.conf.d/*.cnf /etc/mysql/*.cnf /etc/my.cnf /etc/my.cnf.d/*.cnf 2>/dev/null)\n"
        "echo available_kb=$(awk '$1==\"MemAvailable:\"{print $2}' /proc/meminfo)\n"
        "for u in mariadb mysql mysqld; do s=$(systemctl show -p TimeoutStartUSec --value $u 2>/dev/null); "
        '[ "$(systemctl show -p LoadState --value $u)" != loaded ] || { echo start_limit=$s; break; }; done'
    ),
    lines,
    stable=False,
)
SERVER: Fact[State] = Fact("server.upkeep", Sql("SELECT 'osu_method', @@GLOBAL.wsrep_OSU_method"), pairs, stable=False)
DATA: Fact[State] = Fact(
    "server.data",
    Sql("SELECT 'data_bytes', SUM(FILE_SIZE) FROM information_schema.INNODB_SYS_TABLESPACES"),
    pairs,
    stable=False,
)
"""MariaDB's name of the table; a server that does not know it cannot say how long a full transfer would take."""
UPKEEP = (HOST, SERVER, DATA)


def under_way(facts: HostFacts) -> Iterator[str]:
    """Why this host should not be restarted now."""
    name = facts.host.name
    try:
        host = facts[HOST]
        if backups := host.get("backups"):
            yield f"a backup runs on {name} ({backups})"
        if packages := host.get("packages"):
            yield f"a package manager runs on {name} ({packages}), which may restart the server itself"
        if facts[SERVER].get("osu_method") == "RSU":
            yield f"wsrep_OSU_method is RSU on {name}: a rolling change of schema is under way"
    except Unreadable as why:
        yield f"nobody can say what else runs on {name}: {why}"


def memory(facts: HostFacts) -> Iterator[str]:
    """Asked where the restart switches performance_schema on."""
    available = str(facts[HOST].get("available_kb") or "")
    if not available.isdigit():
        yield f"{facts.host.name} does not say how much memory is available, and performance_schema takes {PERFORMANCE_SCHEMA_MB} MB"
    elif int(available) < PERFORMANCE_SCHEMA_MB * 1024:
        yield (
            f"{facts.host.name} has {int(available) // 1024} MB of memory available, and performance_schema takes up to "
            f"{PERFORMANCE_SCHEMA_MB} MB (policy: watch_clients: false does without)"
        )


def remarks(facts: HostFacts) -> Iterator[str]:
    """What a DBA wants to know before, and what refuses nothing."""
    name, host = facts.host.name, facts[HOST]
    if timers := host.get("unattended"):
        yield f"{name} upgrades itself ({timers}): hold it while the run lasts, or it may restart the server in between"
    for path in str(host.get("owned") or "").split():
        yield f"{name}: {path} says that another tool writes it; Galvan leaves it alone, and its own zz-galvan.cnf wins over it"
    limit, size = seconds(str(host.get("start_limit") or "")), _size(facts)
    if limit is None or not size.replace(".", "").isdigit():
        yield f"{name}: nobody can say whether its unit would wait for a full transfer (TimeoutStartSec {host.get('start_limit')!r})"
    elif float(size) / 1e6 / TRANSFER_MB > limit:
        yield (
            f"{name}: should its return need a full transfer of {float(size) / 1e9:.0f} GB, about {float(size) / 6e7 / TRANSFER_MB:.0f} "
            f"minutes at {TRANSFER_MB:.0f} MB/s, its unit would be killed after {limit / 60:.0f} (TimeoutStartSec)"
        )


def _size(facts: HostFacts) -> str:
    try:
        return str(facts[DATA].get("data_bytes") or "")
    except Unreadable:
        return ""


def seconds(said: str) -> float | None:
    """A time as systemd prints it.

    >>> seconds("15min"), seconds("1min 30s"), seconds("infinity"), seconds("2h"), seconds("soon")
    (900.0, 90.0, inf, 7200.0, None)
    """
    units = {"us": 1e-6, "ms": 1e-3, "min": 60.0, "s": 1.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
    if said == "infinity":
        return float("inf")
    total = 0.0
    for word in said.split():
        unit = next((u for u in units if word.endswith(u) and word[: -len(u)].replace(".", "", 1).isdigit()), None)
        if unit is None:
            return None
        total += float(word[: -len(unit)]) * units[unit]
    return total if said.split() else None
