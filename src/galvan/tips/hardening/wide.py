"""What no benchmark of one host sees: versions against what is known of them, members against each other, and what runs against what is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime

from galvan.cluster.asked import VARIABLE_NAMES
from galvan.cluster.facts import CONFIG, STATUS, VARIABLES
from galvan.cluster.health import text
from galvan.model import (
    HostFacts,
    Judgement,
    Role,
    Rung,
    Severity,
    Snapshot,
    Unreadable,
    Verdict,
    check,
    holds,
    not_here,
)
from galvan.tips.hardening import versions
from galvan.tips.hardening.facts import RUNTIME
from galvan.tips.hardening.galera import alone
from galvan.tips.hardening.limits import server

_OWN = (
    "hostname", "wsrep_node_name", "wsrep_node_address", "wsrep_sst_receive_address", "wsrep_sst_donor", "wsrep_provider_options", "bind_address", "version",
    "version_comment", "wsrep_cluster_address", "socket", "port", "datadir", "log_bin_basename", "general_log_file", "slow_query_log_file",
    "relay_log_basename", "wsrep_provider_evs_join_retrans_period", "system_time_zone", "plugin_dir", "read_only", "log_error",
)  # fmt: skip
COMPARED = tuple(name for name in VARIABLE_NAMES if name not in _OWN)


@check(
    "hardening.supported-version", Severity.HIGH, "The server's version gets no more fixes", rung=Rung.OPEN, control="CF-01",
    references=("CIS MariaDB 10.6 4.1", "STIG MADB-10-009300"), remedy="upgrade to a series that is maintained",
)  # fmt: skip
def supported_version(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The next hole in it stays open. A distribution may mend an old series for longer: then accept this by its date."""
    seen, today = server(facts), _today(snapshot)
    last = versions.known()["support"].get(seen.maker, {}).get(seen.series)
    if last is None:
        return Judgement(
            Verdict.UNKNOWN,
            f"{seen.maker} {seen}: the list of {versions.known()['as_of']} does not have this series",
            "a series that is maintained",
        )
    return holds(
        last >= today.isoformat(),
        f"{seen.maker} {seen}: {seen.series} is maintained until {last}",
        "a series that is maintained",
    )


@check(
    "hardening.known-holes", Severity.CRITICAL, "The server has holes that are known", rung=Rung.OPEN, control="CF-02",
    references=("CIS MariaDB 10.6 4.1",), remedy="upgrade, one host after the other",
)  # fmt: skip
def known_holes(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Some of them let any member, or any account with FILE or SUPER, run commands on every host. TLS between members keeps
    strangers away from the first kind, and nothing but the fix from the second."""
    seen = server(facts)
    if seen.maker != "mariadb" or seen.enterprise:
        return Judgement(
            Verdict.UNKNOWN,
            f"{facts[VARIABLES]['version']}: the list knows MariaDB's community releases only",
            "its own release notes",
        )
    found = [*versions.holes(seen)]
    return holds(not found, "; ".join(found) or f"{seen}: none of the list of {versions.known()['as_of']}", "none")


@check(
    "hardening.list-fresh", Severity.LOW, "The list of known holes is old", rung=Rung.OPEN, control="CF-02",
    remedy="a newer Galvan",
)  # fmt: skip
def list_fresh(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What was found after the list was made is not in it, so a clean answer says less each month."""
    if server(facts).maker != "mariadb":
        return not_here("the list knows MariaDB's community releases only")
    made, most = date.fromisoformat(versions.known()["as_of"]), int(versions.known()["good_for_days"])
    age = (_today(snapshot) - made).days
    return holds(age <= most, f"the list is of {made}, {age} days old", f"at most {most} days")


@check(
    "hardening.provider-version", Severity.HIGH, "The Galera library is old, or another one on each host", rung=Rung.OPEN, control="CF-03",
    remedy="upgrade the Galera library on each host, and restart one after the other",
)  # fmt: skip
def provider_version(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Before 26.4.8 there is no way to TLS without an outage, and chains of certificates are sent without their middle."""
    if said := alone(facts):
        return said
    seen = {f.host.name: _provider(f) for f in snapshot.having(Role.DATABASE)}
    mine, least = seen[facts.host.name], versions.known()["provider"]["least"]
    others = [f"{host} has {version}" for host, version in seen.items() if version != mine]
    old = tuple(map(int, mine.split("."))) < tuple(map(int, least.split(".")[1:]))
    return holds(
        not old and not others, ", ".join([f"{mine} here", *others]), f"{least} or later, and one on all hosts"
    )


def _provider(facts: HostFacts) -> str:
    """Without the first number, which says for which protocol it was made: 26.4.23 shows itself as 4.23."""
    said = text(facts[STATUS], "wsrep_provider_version").partition("(")[0]
    if not re.fullmatch(r"[\d.]*\d", found := said.removeprefix("26.").removeprefix("25.")):
        raise Unreadable(f"the provider calls its version {said!r}")
    return found


@check(
    "hardening.hosts-alike", Severity.MEDIUM, "A host is set otherwise than the others", rung=Rung.OPEN, control="CF-23",
    remedy="the same option files on all hosts",
)  # fmt: skip
def hosts_alike(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever wants in tries each member, and the weakest lets him: replication hands on what he does there."""
    members = snapshot.having(Role.DATABASE)
    text(facts[VARIABLES], "version")
    if len(members) < 2:
        return not_here("there is one host")
    differs = []
    for name in COMPARED:
        values = {member.host.name: str(member[VARIABLES].get(name)) for member in members}
        counts = Counter(values.values())
        mine = values[facts.host.name]
        rivals = {value for value, count in counts.items() if value != mine and count >= counts[mine]}
        if rivals:
            said = ", ".join(f"{value} on {host}" for host, value in values.items() if value in rivals)
            differs.append(f"{name}={mine} here, {said}")
    return holds(
        not differs,
        "; ".join(differs[:6]) or f"{len(COMPARED)} settings are the same as on the others",
        "the same on all hosts",
    )


@check(
    "hardening.settings-last", Severity.MEDIUM, "The next start brings other settings", rung=Rung.OPEN, control="CF-24",
    remedy="write into the option file what runs, or restart, whichever of the two is meant",
)  # fmt: skip
def settings_last(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """SET GLOBAL is gone with the next restart, which comes at a time when nobody thinks of it; and a line that was written
    and never read protects nobody."""
    config, seen = facts[CONFIG], facts[VARIABLES]
    differs = [
        f"{name}={seen[name]} runs, {config[name]} is written"
        for name in _written(facts)
        if not _same(name, str(seen[name]), str(config[name]))
    ]
    differs += [
        f"{name}={value} was set while it ran, and is written nowhere"
        for name, value in facts[RUNTIME].items()
        if name not in config and name in COMPARED
    ]
    return holds(not differs, "; ".join(differs[:6]) or "what is written runs", "what runs is what is written")


def _written(facts: HostFacts) -> Iterator[str]:
    return (name for name in COMPARED if name in facts[CONFIG] and name in facts[VARIABLES])


_BOOLEAN = {"1": "ON", "TRUE": "ON", "YES": "ON", "0": "OFF", "FALSE": "OFF", "NO": "OFF", "": ""}
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


def _same(name: str, runs: str, written: str) -> bool:
    """
    >>> _same("local_infile", "OFF", "0"), _same("max_connections", "1024", "1K"), _same("sql_mode", "A,B", "b,a")
    (True, True, True)
    """
    runs, written = runs.strip().rstrip("/").upper(), written.strip().rstrip("/").upper()
    if name == "log_bin":
        return (runs == "ON") == (written not in ("0", "OFF"))
    if written[:-1].isdigit() and written[-1:] in _UNITS:
        written = str(int(written[:-1]) * _UNITS[written[-1]])
    if "," in runs or "," in written:
        return set(runs.split(",")) == set(written.split(","))
    if runs.replace(".", "").isdigit() and written.replace(".", "").isdigit() and float(runs) == float(written):
        return True
    return _BOOLEAN.get(runs, runs) == _BOOLEAN.get(written, written)


def _today(snapshot: Snapshot) -> date:
    return datetime.fromtimestamp(snapshot.taken_at, UTC).date()


CHECKS = (supported_version, known_holes, list_fresh, provider_version, hosts_alike, settings_last)
