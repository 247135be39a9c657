"""May a member leave now? Pure questions asked on fresh facts; every refusal is an Unsafe that says why.

Quorum counts votes with weights (`pc.weight`) and arbitrators: a group that loses a member gracefully keeps its
primary component, but the members left must still be able to lose none and go on, so the rest must hold a majority
of the votes there were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from galvan.cluster.arbitrator import PULSE
from galvan.cluster.facts import LONG, MOMENT, STATUS, VARIABLES
from galvan.cluster.links import relayed
from galvan.cluster.upkeep import UPKEEP, under_way
from galvan.model import Blind, HostFacts, Role, Snapshot, State, Unreadable, Unsafe

ABSENCE = 60.0  # seconds that a restarting member is expected to be away, generously
CLOCK_SKEW = 60.0
DISK_KB = 256 * 1024
IF_DEAD = "if that run is dead: galvan resume, galvan rollback, or galvan unlock"


def number(state: State, key: str) -> int:
    """The value as a number; Unreadable where the server does not have it."""
    value = state.get(key)
    if value is None or not str(value).lstrip("-").isdigit():
        raise Unreadable(f"{key} is not known to this server (seen: {value!r})")
    return int(str(value))


def text(state: State, key: str) -> str:
    if key not in state:
        raise Unreadable(f"{key} is not known to this server")
    return str(state[key])


def versions(snapshot: Snapshot) -> dict[str, str]:
    """The server's version on each database host, without the distribution's additions; Unreadable where one is silent."""
    return {f.host.name: text(f[VARIABLES], "version").split("-", 1)[0] for f in snapshot.having(Role.DATABASE)}


def no_way_back(host: str, snapshot: Snapshot) -> Iterator[str]:
    """In mid-upgrade an older member may be handed a newer donor, and mariabackup's scripts of 10.11 and 11.8 do not
    understand each other that way: not even an incremental transfer works, the server aborts and asks again (tried).
    The other direction works, and so does rsync in the one that was tried, from 11.8 to 10.11."""
    seen, method = versions(snapshot), text(snapshot.of(host)[VARIABLES], "wsrep_sst_method")
    newer = [f"{name} ({version})" for name, version in seen.items() if series(version) > series(seen[host])]
    if newer and method == "mariabackup":
        yield (
            f"{host} ({seen[host]}) could not come back if {' or '.join(newer)} became its donor, for mariabackup does not "
            "work from a newer version to an older one: finish the upgrade first (or set wsrep_sst_method=rsync)"
        )


def may_return(snapshot: Snapshot) -> None:
    """Raises Blind where a plan that restarts every member would leave one without a way back."""
    if why := [told for facts in snapshot.having(Role.DATABASE) for told in no_way_back(facts.host.name, snapshot)]:
        raise Blind("; ".join(why))


def series(version: str) -> tuple[int, ...]:
    """
    >>> series("10.11.19") < series("11.8.9"), series("10.11.18") < series("10.11.19")
    (True, False)
    """
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def expected_members(snapshot: Snapshot) -> int:
    return len(snapshot.cluster.having(Role.DATABASE, Role.ARBITRATOR))


def complaints(snapshot: Snapshot) -> Iterator[str]:
    """All that is wrong with the cluster as a whole; empty when every member is where it should be."""
    members = snapshot.having(Role.DATABASE)
    uuids = set()
    for facts in members:
        try:
            yield from _member(facts, expected_members(snapshot))
            uuids.add(text(facts[STATUS], "wsrep_cluster_state_uuid"))
        except Unreadable as why:
            yield f"{facts.host.name} could not be read: {why}"
    if len(uuids) > 1:
        yield f"the members belong to different clusters: {', '.join(sorted(uuids))}"


def _member(facts: HostFacts, size: int) -> Iterator[str]:
    status, name = facts[STATUS], facts.host.name
    if (seen := text(status, "wsrep_cluster_status")) != "Primary":
        yield f"{name} is in a {seen} component, not the primary one"
    if (seen := text(status, "wsrep_local_state_comment")) != "Synced":
        yield f"{name} is {seen}, not Synced"
    if (seen := text(status, "wsrep_ready")) != "ON":
        yield f"{name} says wsrep_ready={seen}"
    if (count := number(status, "wsrep_cluster_size")) != size:
        yield f"{name} counts {count} members where galvan.yaml names {size}"
    if number(status, "wsrep_desync_count"):
        yield f"{name} is desynced (a donor, a backup or an operator holds it)"
    if text(facts[MOMENT], "transfer") != "0":
        yield f"a state transfer runs on {name}"


def not_held(snapshot: Snapshot) -> None:
    """Raises Unsafe where another run holds a member: what else is wrong with the cluster may be that run's own work."""
    if why := [*held(snapshot)]:
        raise Unsafe("nothing was begun: " + "; ".join(why))


def held(snapshot: Snapshot) -> Iterator[str]:
    """Whose run holds members, each said once: a member that is down may be one that it restarts, and is not to be
    started by hand."""
    owners = []
    for facts in snapshot.having(Role.DATABASE):
        with suppress(Unreadable):
            owners.append(owner_of(facts))
    yield from (f"locked by: {owner} ({IF_DEAD})" for owner in dict.fromkeys(owners) if owner)


def owner_of(facts: HostFacts) -> str:
    """Whose run holds this member, and since when; empty where none does."""
    return str(facts[MOMENT].get("lock") or "").strip()


def may_take_down(host: str, snapshot: Snapshot, rate: float = 0.0) -> None:
    """Raise Unsafe unless `host` may leave for a moment. `rate`: committed write sets per second, as seen lately."""
    why = [*complaints(snapshot)] or [*_leaving(host, snapshot, rate), *_ground(snapshot)]
    if why:
        raise Unsafe(f"{host} was not restarted: " + "; ".join(why))


def may_begin(snapshot: Snapshot, restarting: Iterable[str], rate: float = 0.0, quorum: bool = True) -> None:
    """Raise Unsafe where a member that a plan restarts could not leave now: then not even a certificate is made first.
    `quorum`: not asked where an outage was allowed."""
    why = [*complaints(snapshot)] or [
        *_ground(snapshot), *(told for host in restarting for told in _leaving(host, snapshot, rate, quorum))
    ]  # fmt: skip
    if why:
        raise Unsafe("nothing was begun: " + "; ".join(dict.fromkeys(why)))


def behind(facts: HostFacts, snapshot: Snapshot) -> float:
    """Seconds by which a host's clock is behind the clock of this machine, which dates certificates; negative: ahead."""
    moment = facts[PULSE if facts.host.role is Role.ARBITRATOR else MOMENT]
    return snapshot.taken_at - float(text(moment, "clock"))


def may_stop(host: str, snapshot: Snapshot, stopped: Collection[str], rate: float = 0.0) -> None:
    """Raise Unsafe unless `host` may be stopped in an outage that was allowed: the members that are left all serve, and
    none of them is at work. `stopped`: those that are down already. Who is left for quorum is not asked."""
    left = without(snapshot, stopped)
    why = [*complaints(left)]
    if not why:
        why += _ground(left)
        why += [f"{f.host.name}: {text}" for f in left.having(Role.DATABASE) for text in _work(f.host.name, left)]
        why += [*relayed(host, left), *no_way_back(host, left), *_window(host, left, rate)]
    if why:
        raise Unsafe(f"{host} was not stopped: " + "; ".join(why))


def without(snapshot: Snapshot, gone: Collection[str]) -> Snapshot:
    """The cluster as if these hosts were no part of it."""
    hosts = tuple(host for host in snapshot.cluster.hosts if host.name not in gone)
    seen = tuple(facts for facts in snapshot.hosts if facts.host.name not in gone)
    return replace(snapshot, cluster=replace(snapshot.cluster, hosts=hosts), hosts=seen)


def _votes(host: str, snapshot: Snapshot) -> Iterator[str]:
    """Two members without an arbitrator are allowed: a graceful leave lets the other go on alone (an impact says so)."""
    weights = {
        f.host.name: int(str(f[VARIABLES].get("provider.pc.weight", "1"))) for f in snapshot.having(Role.DATABASE)
    }
    total = sum(weights.values()) + len(snapshot.cluster.having(Role.ARBITRATOR))
    if not keeps_quorum(total, weights.get(host, 1)) and expected_members(snapshot) != 2:
        yield f"without it {total - weights.get(host, 1)} of {total} votes are left, which is no majority"


def keeps_quorum(total: int, leaving: int) -> bool:
    """
    >>> keeps_quorum(3, 1), keeps_quorum(2, 1), keeps_quorum(5, 3)
    (True, False, False)
    """
    return 2 * (total - leaving) > total


def _ground(snapshot: Snapshot) -> Iterator[str]:
    clocks = {f.host.name: float(text(f[MOMENT], "clock")) for f in snapshot.having(Role.DATABASE)}
    if max(clocks.values()) - min(clocks.values()) > CLOCK_SKEW:
        late = min(clocks, key=lambda name: clocks[name])
        yield f"the clocks differ by {max(clocks.values()) - min(clocks.values()):.0f} s ({late} is behind)"
    for facts in snapshot.having(Role.DATABASE):
        moment = facts[MOMENT]
        if number(moment, "disk_kb") < DISK_KB:
            yield f"{facts.host.name} has only {number(moment, 'disk_kb') // 1024} MB free under the data directory"
        if number(moment, "bootstrap"):
            yield f"{facts.host.name} has a bootstrap leftover (_WSREP_NEW_CLUSTER in systemd's environment, or wsrep-new-cluster in /run)"
        if text(facts[VARIABLES], "wsrep_cluster_address").strip() in ("gcomm://", ""):
            yield f"{facts.host.name} would bootstrap a second cluster: its wsrep_cluster_address names no member"


def _leaving(host: str, snapshot: Snapshot, rate: float, quorum: bool = True) -> Iterator[str]:
    """What speaks against this member's own absence; an arbitrator holds no data and does no work."""
    if quorum:
        yield from _votes(host, snapshot)
    yield from relayed(host, snapshot)
    if any(f.host.name == host for f in snapshot.having(Role.DATABASE)):
        yield from no_way_back(host, snapshot)
        yield from _work(host, snapshot)
        yield from _window(host, snapshot, rate)


def _work(host: str, snapshot: Snapshot) -> Iterator[str]:
    """Statements and transactions that would be lost or waited for, backups, and whoever else works on the host."""
    facts = snapshot.of(host)
    if LONG.id in facts.readings:
        for _, user, command, seconds, statement in facts[LONG]:
            yield f"{user} has been at work on it for {seconds} s ({command}: {statement})"
    if UPKEEP[0].id in facts.readings:
        yield from under_way(facts)


def _window(host: str, snapshot: Snapshot, rate: float) -> Iterator[str]:
    """Some member must still hold the write sets that `host` will miss, or its return costs a full transfer."""
    if rate <= 0:
        return
    windows = {f.host.name: cached_seconds(f, rate) for f in snapshot.having(Role.DATABASE) if f.host.name != host}
    if windows and max(windows.values()) < ABSENCE:
        best = max(windows, key=lambda name: windows[name])
        yield (
            f"no member caches enough for an incremental transfer: {best} covers {windows[best]:.0f} s at {rate:.0f} "
            f"write sets a second, {ABSENCE:.0f} s are wanted (a larger gcache.size, or a quieter hour)"
        )


def cached_seconds(facts: HostFacts, rate: float) -> float:
    """How long a member that leaves now may stay away before this one has forgotten what it missed.

    What counts is what the ring can hold, not what it holds: until it wraps it holds little and forgets nothing. A
    fifth is left for headers and for write sets that are larger than the average so far.
    """
    status, variables = facts[STATUS], facts[VARIABLES]
    sets = number(status, "wsrep_replicated") + number(status, "wsrep_received")
    each = (number(status, "wsrep_replicated_bytes") + number(status, "wsrep_received_bytes")) / sets if sets else 0
    held = (number(status, "wsrep_last_committed") - number(status, "wsrep_local_cached_downto")) / rate
    ring = size(text(variables, "provider.gcache.size"))
    return max(held, 0.8 * ring / (each * rate)) if each else held


def size(said: str) -> float:
    """
    >>> size("128M"), size("1G"), size("4096")
    (134217728.0, 1073741824.0, 4096.0)
    """
    units = {"K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40}
    number_part, unit = (said[:-1], said[-1].upper()) if said[-1:].upper() in units else (said, "")
    if not number_part.strip().isdigit():
        raise Unreadable(f"gcache.size={said!r} is no size")
    return int(number_part) * units.get(unit, 1.0)


def commit_rate(before: Snapshot, after: Snapshot) -> float:
    """Write sets per second between two looks, over the whole cluster; by the members' own clocks, for a look may have
    waited for logins before it saw anything. 0 where not every member was well in both."""
    if [*complaints(before), *complaints(after)]:
        return 0.0
    rates = [0.0]
    for b, a in zip(before.having(Role.DATABASE), after.having(Role.DATABASE), strict=True):
        seconds = float(text(a[MOMENT], "clock")) - float(text(b[MOMENT], "clock"))
        sets = number(a[STATUS], "wsrep_last_committed") - number(b[STATUS], "wsrep_last_committed")
        rates.append(sets / seconds if seconds > 0 else 0.0)
    return max(rates)
