"""What an audit can say of the door and of those behind it by reading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galvan.cluster.answer import PORT
from galvan.cluster.behind import is_haproxy
from galvan.cluster.facts import SESSIONS, STATUS
from galvan.cluster.identity import answers_to
from galvan.cluster.walls import WALL
from galvan.model import (
    Blind,
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
from galvan.tips.load_balancer import kinds, speaking
from galvan.tips.load_balancer.facts import ANSWER, ASKER, LAID, LIMITS
from galvan.tips.load_balancer.haproxy.conf import HAPROXY, Balancer, Line, Section, address_of, ways
from galvan.tips.load_balancer.haproxy.render import block, loose_sockets, served
from galvan.tips.load_balancer.keepalived.checks import carried, shared_address
from galvan.tips.load_balancer.steps import ASKED, beside, door, endpoint, members_of, minimal, wanted

NO_BALANCER = not_here("galvan.yaml names no balancer")


def _balancers(snapshot: Snapshot) -> bool:
    return bool(snapshot.cluster.having(Role.LOAD_BALANCER))


def _haproxy(facts: HostFacts) -> Balancer | None:
    """None where this balancer is another. Raises Unreadable where it is to be HAProxy and is not there."""
    if not is_haproxy(facts.host):
        return None
    seen = facts[HAPROXY]
    if not seen.version:
        raise Unreadable(f"HAProxy is not installed on {facts.host.name}")
    return seen


@check(
    "load_balancer.health-honest",
    Severity.HIGH,
    "A member's health answer is not to be trusted",
    rung=Rung.READY,
    control="LB-08",
)
def health_honest(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A balancer that only asks whether a port is open sends applications to members that are joining, cut off from the others, or
    feeding another one. The answer on port 9200 must be 200 of a Synced member and nothing else, from an account that may do nothing."""
    if not _balancers(snapshot):
        return NO_BALANCER
    said, state = facts[ANSWER], str(facts[STATUS].get("wsrep_local_state_comment"))
    code = [*said.split(), "", ""][1]
    serves = (
        state == "Synced"
        and facts[STATUS].get("wsrep_cluster_status") == "Primary"
        and facts[STATUS].get("wsrep_ready") == "ON"
    )
    if not said:
        return Judgement(Verdict.FAIL, f"nobody answers on port {PORT}", "200 from a Synced member, else 503")
    if serves != (code == "200"):
        return Judgement(
            Verdict.FAIL, f"it says {code} and the member is {state}", "200 from a Synced member, else 503"
        )
    account = str(facts[ASKER].get("account") or "")
    if account and not minimal(account):
        return Judgement(Verdict.FAIL, account, f"{ASKED}, USAGE")
    laid = facts[LAID]
    missing = [key for key, value in wanted(endpoint(facts, snapshot)).items() if laid.get(key) != value]
    return holds(
        not missing,
        f"port {PORT} is served by {laid.get('by') or 'nobody'}, it says {code} ({state})",
        "Galvan's answer, as the policy wants it",
    )


@check("load_balancer.checks-state", Severity.HIGH, "The balancer does not ask whether a member serves", rung=Rung.READY, control="LB-08",
       role=Role.LOAD_BALANCER)  # fmt: skip
def checks_state(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A port that takes connections says nothing of Galera: a member out of the primary component takes them too."""
    seen = _haproxy(facts)
    if seen is None:
        return speaking.HEALTH(facts, snapshot)
    blind = sorted(
        f"{section.kind} {section.name}: {server.words[1]}"
        for section in _leading(seen, snapshot)
        for server in section.having("server")
        if not _asks(section, server, seen)
    )
    return holds(
        not blind, "; ".join(blind[:4]) or "each is asked by HTTP", "option httpchk and `check` for every member"
    )


def _leading(seen: Balancer, snapshot: Snapshot) -> Iterator[Section]:
    """Every section that names members as its servers, Galvan's own among them."""
    for way in ways(seen.all, members_of(snapshot)):
        yield from served(way)


def _asks(section: Section, server: Line, seen: Balancer) -> bool:
    defaults = [line for s in seen.all if s.kind == "defaults" for line in s.lines]
    lines = [*defaults, *section.lines]
    http = any(line.words[:2] == ("option", "httpchk") for line in lines)
    asked = any("check" in line.words for line in [server, *(x for x in lines if x.words[0] == "default-server")])
    return http and asked


@check(
    "load_balancer.queue-and-caps",
    Severity.MEDIUM,
    "Nothing holds an overload back",
    rung=Rung.READY,
    control="LB-06",
    role=Role.LOAD_BALANCER,
)
def queue_and_caps(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Without a limit for each member a crowd of clients reaches the server itself: it says `Too many connections` to
    everyone, administrators included. With one they wait at the door, and for no longer than `timeout queue`."""
    seen = _haproxy(facts)
    if seen is None:
        return speaking.CAPS(facts, snapshot)
    told: list[str] = []
    for section in _leading(seen, snapshot):
        servers = section.having("server")
        told += [f"{section.name}/{s.words[1]} has no maxconn" for s in servers if _cap(section, s) is None]
        if not _queue(section, seen):
            told.append(f"{section.kind} {section.name} has no timeout queue")
        told += _too_many(section, snapshot)
    return holds(
        not told,
        "; ".join(told[:4]) or "capped and queued",
        "maxconn for each member below its max_connections, and timeout queue",
    )


def _cap(section: Section, server: Line) -> int | None:
    for line in (server, *section.having("default-server")):
        if "maxconn" in line.words[:-1]:
            said = line.words[line.words.index("maxconn") + 1]
            return int(said) if said.isdigit() and int(said) else None
    return None


def _queue(section: Section, seen: Balancer) -> bool:
    defaults = [s for s in seen.all if s.kind == "defaults"]
    return any(s.having("timeout", "queue") for s in (section, *defaults))


def _too_many(section: Section, snapshot: Snapshot) -> list[str]:
    told = []
    for server in section.having("server"):
        address, cap = address_of(server), _cap(section, server)
        for member in snapshot.having(Role.DATABASE):
            most = str(member[LIMITS].get("max_connections") or "")
            if address in answers_to(member) and cap is not None and most.isdigit() and cap >= int(most):
                told.append(f"{section.name}/{server.words[1]} takes {cap}, and {member.host.name} no more than {most}")
    return told


@check(
    "load_balancer.commands-closed",
    Severity.HIGH,
    "Others than root may command the balancer",
    rung=Rung.READY,
    control="LB-04",
    role=Role.LOAD_BALANCER,
)
def commands_closed(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever reaches HAProxy's socket or its statistics page with `admin` can take members out or read who is connected."""
    seen = _haproxy(facts)
    if seen is None:
        return speaking.CLOSED(facts, snapshot)
    told = [f"line {number}: {seen.lines[number - 1].strip()}" for number in loose_sockets(seen)]
    for section in seen.owners:
        page = section.having("stats", "enable") or section.having("stats", "uri")
        binds = [
            line.words[1]
            for line in section.having("bind")
            if not re.match(r"(127\.|localhost|\[?::1\]?:|/)", line.words[1])
        ]
        if page and binds and not section.having("stats", "auth"):
            told.append(f"{section.kind} {section.name}: a statistics page without a password at {', '.join(binds)}")
    return holds(not told, "; ".join(told[:3]) or "root only", "stats socket in mode 600, no open statistics page")


@check(
    "load_balancer.one-way-in",
    Severity.MEDIUM,
    "Applications reach members past the door",
    rung=Rung.ENFORCED,
    control="NW-02",
)
def one_way_in(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever dials a member directly is not queued, not drained and not filtered. The firewall tip shuts that way."""
    if not _balancers(snapshot):
        return NO_BALANCER
    known = {
        a for host in snapshot.cluster.hosts if host.role is not Role.APPLICATION for a in (host.address, *host.names)
    }
    past = sorted({s.who for s in facts[SESSIONS] if s.client and s.client not in known})
    wall = str(facts[WALL].get("wall") or "")
    if wall.startswith("shut"):
        return Judgement(Verdict.PASS, f"wall={wall}", "only balancers reach the server's port")
    said = f"connected past the door now: {', '.join(past[:3])}" if past else "no wall keeps anyone from it"
    return Judgement(Verdict.FAIL, said, "only balancers reach the server's port (galvan plan --tip firewall)")


@check(
    "load_balancer.as-wanted",
    Severity.MEDIUM,
    "The door is not the one that the policy wants",
    rung=Rung.READY,
    control="LB-06",
    role=Role.LOAD_BALANCER,
)
def as_wanted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A member that was added later stands behind no door, and a limit that was changed in galvan.yaml holds nobody back yet."""
    seen = _haproxy(facts)
    if seen is None:
        return speaking.LASTING(facts, snapshot)
    if not seen.block:
        return not_here("there is no door of Galvan's here")
    try:
        wanted_lines = block(door(facts, snapshot, seen))
    except Blind as why:
        raise Unreadable(str(why)) from why
    differs = [line for line in wanted_lines if line not in seen.block] + [
        line for line in seen.block if line not in wanted_lines
    ]
    said = f"differs: {differs[0].strip()}" if differs else "the same lines"
    return holds(tuple(wanted_lines) == seen.block, said, "the lines that the policy renders")


@check(
    "load_balancer.old-doors",
    Severity.MEDIUM,
    "There is another way in beside the door",
    rung=Rung.ENFORCED,
    control="LB-06",
    role=Role.LOAD_BALANCER,
)
def old_doors(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What comes in elsewhere passes no queue and no cap, and after a failover it may write to another member than the door does."""
    seen = _haproxy(facts)
    if seen is None:
        return speaking.ONE_DOOR(facts, snapshot)
    others = [f"{way.front.kind} {way.front.name}" for way in beside(seen, snapshot)]
    return holds(not others, ", ".join(others) or "none", "one door")


@check(
    "load_balancer.redundant",
    Severity.LOW,
    "The door is a single machine",
    rung=Rung.OPEN,
    control="LB-09",
    role=Role.LOAD_BALANCER,
)
def redundant(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Where the only balancer stops everyone stops. Only said: the second machine is yours to give. Where two of them are a pair, the
    address has to be carried by one of them at this moment."""
    there = snapshot.having(Role.LOAD_BALANCER)
    for other in there:
        if _haproxy(other) is None:  # a second one that nobody can look at is none
            kinds.there(other)
    if pair := snapshot.cluster.policy.load_balancer.pair:
        return carried(snapshot, pair)
    return holds(len(there) > 1, f"{len(there)} in galvan.yaml", "two or more")


CHECKS = (
    health_honest, checks_state, queue_and_caps, commands_closed, as_wanted, shared_address, old_doors, one_way_in, redundant,
)  # fmt: skip
