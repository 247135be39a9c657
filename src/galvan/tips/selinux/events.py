"""What happens to a member in its life that SELinux should know: the seed's list, each thing with what makes it happen. Pure.

An event is tried on one host at a time. What cannot happen there is named with why, and is not taken for tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.facts import VARIABLES
from galvan.cluster.quote import sh, sql
from galvan.model import Action, HostFacts, Shell, Snapshot, Sql, Unreadable
from galvan.tips.selinux.facts import PATHS

PATIENCE = 100
"""Seconds of a backup that are enough: what is opened at its beginning is opened for all tables."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A stop and a start, and what is done in between: `here` on the host itself, `elsewhere` on another member. `options`: what
    the server is started with beside its own; `after`: what makes it as it is without them."""

    options: str = ""
    here: Shell | None = None
    elsewhere: Sql | None = None
    after: Sql | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """`do` is done while the server runs; `passes` restart it, through the gates of every restart."""

    id: str
    title: str
    do: tuple[Action, ...] = ()
    passes: tuple[Pass, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    host: str
    event: str
    why: str


_MISSED = Pass(elsewhere=Sql("FLUSH PRIVILEGES"))
"""A statement that every member carries out and that changes nothing: the member that is away has something to be told."""
_DUMP = "d=$(command -v mariadb-dump || command -v mysqldump) || exit 0\ntimeout {{s}} nice $d --single-transaction --all-databases >/dev/null || [ $? -eq 124 ]"
_BACKUP = 'b=$(command -v mariabackup || command -v mariadb-backup || command -v xtrabackup) || exit 0\nt=$(mktemp -d); trap \'rm -rf "$t"\' EXIT\ntimeout {{s}} nice $b --backup --stream=xbstream --target-dir="$t" >/dev/null 2>"$t.said" || [ $? -eq 124 ] || { tail -n 2 "$t.said" >&2; rm -f "$t.said"; exit 1; }; rm -f "$t.said"'
_ASK = "command -v socat >/dev/null || exit 0\nprintf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 10 socat -t5 - TCP:127.0.0.1:9200 >/dev/null || true"
_ROTATED = "rm -f {{data}}/galvan_rehearsal.0* {{data}}/galvan_rehearsal.index {{data}}/galvan_rehearsal.state"
_EMPTIED = "[ ! -e {{data}}/grastate.dat ] || mv {{data}}/grastate.dat {{data}}/grastate.dat.rehearsal"
EVENTS = ("slow-log", "binlog", "tls-reload", "check-9200", "backup-mysqldump", "backup-mariabackup", "ist", "sst")


def events(facts: HostFacts, snapshot: Snapshot, chosen: Sequence[str] = ()) -> Iterator[Event | Skipped]:
    """Cheap ones first. Raises Unreadable."""
    for name in EVENTS:
        if chosen and name not in chosen:
            continue
        match name:
            case "slow-log":
                yield _slow_log(facts)
            case "binlog":
                yield _binlog(facts)
            case "tls-reload":
                seen = facts[VARIABLES].get("have_ssl")
                yield Event(name, "the server reads its certificate anew", (Sql("FLUSH SSL"),)) if seen == "YES" else Skipped(
                    facts.host.name, name, f"have_ssl={seen}: there is no certificate to read")  # fmt: skip
            case "check-9200":
                yield Event(name, "a balancer asks on port 9200", (Shell(_ASK),))
            case "backup-mysqldump":
                yield Event(name, "a logical backup", (sh(_DUMP, s=PATIENCE),))
            case "backup-mariabackup":
                yield Event(name, "a physical backup", (sh(_BACKUP, s=PATIENCE),))
            case "ist":
                yield Event(name, "a restart, and what it missed is sent to it", passes=(_MISSED,))
            case _:
                yield from _transfers(facts, snapshot)


def _slow_log(facts: HostFacts) -> Event:
    on = str(facts[PATHS].get("slow_query_log")).upper() in ("ON", "1")
    said = "SET SESSION long_query_time=0; SELECT 1; FLUSH LOCAL SLOW LOGS"
    if not on:
        said = f"SET GLOBAL slow_query_log=ON; SET SESSION slow_query_log=ON; {said}; SET GLOBAL slow_query_log=OFF"
    return Event("slow-log", "the slow log is on and off", (Sql(said),))


def _binlog(facts: HostFacts) -> Event:
    """A log that replicas follow is never switched off: statements without it would be lost to them."""
    if str(facts[PATHS].get("log_bin")).upper() in ("ON", "1"):
        return Event("binlog", "the binary log begins a new file", (Sql("FLUSH LOCAL BINARY LOGS"),))
    data = str(facts[PATHS].get("datadir")).rstrip("/")
    return Event(
        "binlog", "the binary log is on for one start, and off again",
        passes=(Pass("--log-bin=galvan_rehearsal"), Pass(here=sh(_ROTATED, data=data))),
    )  # fmt: skip


def _transfers(facts: HostFacts, snapshot: Snapshot) -> Iterator[Event | Skipped]:
    """A full copy from the next member by each method that the policy allows: so each host is joiner once, and donor once."""
    members = [f for f in snapshot.hosts if f.host.role is facts.host.role]
    donor = members[(members.index(facts) + 1) % len(members)]
    used = str(facts[PATHS].get("wsrep_sst_method"))
    policy = snapshot.cluster.policy.sst
    for method in dict.fromkeys((policy.method or used, *policy.also)):
        name = f"sst-{method}"
        try:
            node = str(donor[PATHS].get("wsrep_node_name") or donor.host.name)
        except Unreadable as why:
            yield Skipped(facts.host.name, name, f"its donor cannot be asked: {why}")
            continue
        if donor is facts:
            yield Skipped(facts.host.name, name, "there is no other member")
            continue
        if method != "mariabackup" and len(members) < 3:
            yield Skipped(facts.host.name, name, "its donor would serve nobody meanwhile, and no third member is there")
            continue
        data = str(facts[PATHS].get("datadir")).rstrip("/")
        options = f"--wsrep-sst-method={method} --wsrep-sst-donor={node},"  # with underscores a gate would see a transfer in them
        after = sql(
            "SET GLOBAL wsrep_sst_method={{method}}; SET GLOBAL wsrep_sst_donor={{donor}}",
            method=used, donor=str(facts[PATHS].get("wsrep_sst_donor") or ""),
        )  # fmt: skip
        yield Event(
            name,
            f"a full copy from {donor.host.name} by {method}",
            passes=(Pass(options, sh(_EMPTIED, data=data), after=after),),
        )
