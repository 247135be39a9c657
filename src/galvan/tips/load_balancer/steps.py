"""Members say whether they serve, then a door beside the old one, then the old one is closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.answer import ASK, PORT, SCRIPT, SERVICE, UNIT, USER
from galvan.cluster.balancer import BALANCER
from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import may_return
from galvan.cluster.identity import answers_to, is_address, server_port
from galvan.cluster.ownfile import digest as file_digest
from galvan.cluster.quote import sh, sql
from galvan.model import (
    Blind,
    Disruption,
    Finding,
    HostFacts,
    PutFile,
    RestoreFile,
    Role,
    Rung,
    Scope,
    Shell,
    Snapshot,
    Stage,
    State,
    Step,
    Unreadable,
)
from galvan.tips.load_balancer.facts import ASKER, LAID, LIMITS, most_of, share
from galvan.tips.load_balancer.haproxy.conf import HAPROXY, WRITTEN, Balancer, Way, digest, numbers, ways
from galvan.tips.load_balancer.haproxy.edit import lay
from galvan.tips.load_balancer.haproxy.render import (
    READ,
    WRITE,
    Door,
    Member,
    bind_of,
    block,
    loose_sockets,
    on_port,
    put_aside,
)
from galvan.tips.load_balancer.health import Endpoint
from galvan.tips.load_balancer.keepalived import steps as keepalived
from galvan.tips.load_balancer.maxscale import mend as maxscale
from galvan.tips.load_balancer.proxysql import mend as proxysql

TIP = "load_balancer"
ASKED = f"{USER}@localhost"
_SPEAKING = {"proxysql": proxysql.mend, "maxscale": maxscale.mend}
"""Those that speak the protocol themselves."""
_SAID = {"load_balancer.one-way-in", "load_balancer.redundant", "load_balancer.statements"}
"""What is said, and mended elsewhere: by the firewall tip, by a second machine, by `galvan lb firewall`."""


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    if not any(finding.check not in _SAID for finding in failing):
        return
    may_return(snapshot)
    _may(snapshot)
    yield from _account(snapshot)
    for facts in snapshot.having(Role.DATABASE):
        yield from _endpoint(facts, snapshot)
    for facts in snapshot.having(Role.LOAD_BALANCER):
        yield from _balancer(facts, snapshot, to)
    yield from keepalived.mend(snapshot)


def _may(snapshot: Snapshot) -> None:
    """Raises Blind where the policy wants what would cut every client off, or what Galvan cannot do."""
    policy = snapshot.cluster.policy.load_balancer
    for facts in snapshot.having(Role.DATABASE) if policy.client_address else ():
        lets = str(facts[LIMITS].get("proxy_protocol_networks") or "")
        if missing := [
            host.address for host in snapshot.cluster.having(Role.LOAD_BALANCER) if host.address not in lets
        ]:
            raise Blind(
                f"{facts.host.name} would not understand who comes (client_address): add {', '.join(missing)} to "
                f"proxy_protocol_networks there first; it is {lets!r}"
            )


# the answer on 9200 ---------------------------------------------------------------------------------------------
def _account(snapshot: Snapshot) -> Iterator[Step]:
    """Once for the cluster: the statement replicates. It may ask what every account may ask, over the socket and nowhere else."""
    first = snapshot.having(Role.DATABASE)[0]
    seen = str(first[ASKER].get("account") or "")
    if seen:
        if not minimal(seen):
            raise Blind(
                f"the account {USER} is there already, and is not Galvan's: {seen}; rename it, or drop it if nobody needs it"
            )
        return
    plugin = "/*M! VIA unix_socket */ /*!80000 WITH auth_socket */"
    yield Step(
        id=f"{TIP}.account", tip=TIP, host=first.host.name, stage=Stage.ASKER, read=ASKER, before={"account": ""},
        want={"account": f"{ASKED} {_plugin(first)} USAGE"},
        do=(sql(f"CREATE USER IF NOT EXISTS {{{{user}}}}@'localhost' IDENTIFIED {plugin}", user=USER),),
        undo=(sql("DROP USER IF EXISTS {{user}}@'localhost'", user=USER),),
        title=f"an account that may ask and nothing else: '{USER}'@'localhost'", scope=Scope.CLUSTER,
    )  # fmt: skip


def _plugin(facts: HostFacts) -> str:
    return "unix_socket" if dialect(facts[VARIABLES]) is Dialect.MARIADB else "auth_socket"


def minimal(account: str) -> bool:
    """
    >>> minimal("galvan-health@localhost unix_socket USAGE"), minimal("galvan-health@% mysql_native_password SELECT")
    (True, False)
    """
    return account in (f"{ASKED} unix_socket USAGE", f"{ASKED} auth_socket USAGE")


def endpoint(facts: HostFacts, snapshot: Snapshot) -> Endpoint:
    """What this member's answer has to look like. Raises Unreadable where its socket is not known."""
    said = {a for host in snapshot.cluster.having(Role.LOAD_BALANCER) for a in (host.address, *host.names)}
    if not (socket := facts[VARIABLES].get("socket")):
        raise Unreadable(f"{facts.host.name} does not say where its socket is")
    return Endpoint(tuple(sorted(filter(is_address, said))), str(socket), snapshot.cluster.policy.load_balancer.donor)


def wanted(made: Endpoint) -> State:
    return {path: file_digest(content) for path, content, _, _ in made.files} | {
        "enabled": "enabled",
        "active": "active",
    }


def _endpoint(facts: HostFacts, snapshot: Snapshot) -> Iterator[Step]:
    seen, made, name = facts[LAID], endpoint(facts, snapshot), facts.host.name
    want = wanted(made)
    if all(seen.get(key) == value for key, value in want.items()):
        return
    if not seen.get("socat"):
        raise Blind(f"{name} has no socat, with which it would answer on port {PORT}: install it")
    old = str(seen.get("by") or "")
    if old == SERVICE:
        old = ""
    if old and not (old.endswith(".socket") or (old.endswith(".service") and "inetd" not in old)):
        raise Blind(
            f"port {PORT} of {name} is served by {old}, which may serve more than that: take it out of there first"
        )
    kept = Stage.HEALTH.at(name)
    files = [PutFile(path, content, mode=mode, owner=owner) for path, content, mode, owner in made.files]
    yield Step(
        id=f"{TIP}.health@{name}", tip=TIP, host=name, stage=Stage.HEALTH, read=LAID,
        before={key: seen.get(key) for key in want}, want=want,
        do=(_user(), *files, _start(old)),
        undo=(_stop(old), RestoreFile(UNIT, kept), RestoreFile(SCRIPT, kept), _leave(bool(seen.get("user")), seen.get("active") == "active")),
        title=f"answer on port {PORT} whether it serves" + (f", instead of {old}" if old else ""), disruption=Disruption.RELOAD,
    )  # fmt: skip


def _user() -> Shell:
    return sh(
        "id -u {{user}} >/dev/null 2>&1 || useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin {{user}}",
        user=USER,
    )


def _start(old: str) -> Shell:
    """The old answer stays where the new one does not come within a few seconds: a balancer must not miss it."""
    return sh(
        f"set -eu\nold={{{{old}}}}\nanswer() {{ {ASK}; }}\nsystemctl daemon-reload\n"
        'before=$([ -z "$old" ] || answer)\n'
        '[ -z "$old" ] || systemctl disable -q --now "$old"\n'
        "systemctl enable -q {{service}}; systemctl restart {{service}}\ntries=0\n"
        "until answer | grep -q '^HTTP/1.1 200 '; do\n  tries=$((tries + 1))\n  [ $tries -lt 40 ] || {\n"
        "    said=$(answer)\n"
        '    case $before in *" 200 "*) ;; *) [ -z "$said" ] || break ;; esac\n'
        '    systemctl disable -q --now {{service}}; [ -z "$old" ] || systemctl enable -q --now "$old"\n'
        '    echo "the new answer on port {{port}} did not come: ${said:-nothing}" >&2; exit 1; }\n'
        "  sleep 0.1\ndone",
        old=old, service=SERVICE, port=PORT,
    )  # fmt: skip


def _stop(old: str) -> Shell:
    return sh(
        'systemctl disable -q --now {{service}} 2>/dev/null || true\n[ -z {{old}} ] || systemctl enable -q --now {{old}}',
        service=SERVICE, old=old,
    )  # fmt: skip


def _leave(there: bool, ran: bool) -> Shell:
    """After the files: what was running before runs again, or the user that was made for it goes."""
    gone = (
        ""
        if there
        else "userdel {{user}} 2>/dev/null || true\nrmdir /usr/local/lib/galvan 2>/dev/null || true\nrm -rf /run/{{user}}\n"
    )
    again = "systemctl enable -q --now {{service}}\n" if ran else ""
    return sh("systemctl daemon-reload\n" + gone + again + "true", user=USER, service=SERVICE)


def _balancer(facts: HostFacts, snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    if facts.host.kind in _SPEAKING:
        balancers = len(snapshot.cluster.having(Role.LOAD_BALANCER))
        rooms = [room(member, balancers) for member in snapshot.having(Role.DATABASE)]
        limit = snapshot.cluster.policy.load_balancer.connections or min(rooms)
        yield from _SPEAKING[facts.host.kind](facts, snapshot, limit, to)
        return
    yield from _doors(facts, snapshot, to)


# the door -------------------------------------------------------------------------------------------------------
def members_of(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(a for facts in snapshot.having(Role.DATABASE) for a in answers_to(facts))


def beside(seen: Balancer, snapshot: Snapshot) -> tuple[Way, ...]:
    """The owner's ways to members past the door: what takes connections at a door's own port is replaced by it."""
    policy = snapshot.cluster.policy.load_balancer
    doors = {policy.door, policy.read_door}
    return tuple(way for way in ways(seen.owners, members_of(snapshot)) if not way.front.ports <= doors)


def door(facts: HostFacts, snapshot: Snapshot, seen: Balancer) -> Door:
    """The door as the policy wants it. Raises Blind where its port is taken by something else."""
    policy, members = snapshot.cluster.policy.load_balancer, members_of(snapshot)
    balancers = len(snapshot.cluster.having(Role.LOAD_BALANCER))
    databases = _order(facts, snapshot)
    made = tuple(
        Member(f.host.name, f.host.address, server_port(f), policy.connections or room(f, balancers)) for f in databases
    )
    standing = next((s for s in seen.ours if s.name == WRITE and policy.door in s.ports), None)
    taken = standing or on_port(seen, policy.door, members)
    loose = set(loose_sockets(seen))
    strict = any(line.number not in loose for s in seen.owners for line in s.having("stats", "socket"))
    return Door(
        snapshot.cluster.name, made, policy, bind_of(taken, facts.host.address),
        max(int(str(f[LIMITS].get("wait_timeout") or 28800)) for f in databases), balancers == 1 or policy.pair is not None,
        not strict,
    )  # fmt: skip


def room(facts: HostFacts, balancers: int) -> int:
    """How many connections one balancer may open to this member, and at least one."""
    return max(1, share(most_of(facts), balancers))


def _order(facts: HostFacts, snapshot: Snapshot) -> list[HostFacts]:
    """Who takes the writes at this balancer comes first, so that a new door moves nobody; an own door keeps its order."""
    databases = list(snapshot.having(Role.DATABASE))
    seen = facts[HAPROXY]
    listed = [line.words[1] for s in seen.ours if s.name == WRITE for line in s.having("server")]
    if sorted(listed) == sorted(f.host.name for f in databases):
        return sorted(databases, key=lambda f: listed.index(f.host.name))
    busy = {server.address: server.sessions for server in facts[BALANCER]}
    return sorted(databases, key=lambda f: -max((busy.get(a, 0) for a in answers_to(f)), default=0))


def _doors(facts: HostFacts, snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    seen = facts[HAPROXY]
    if not seen.version:
        raise Blind(f"{facts.host.name} is to be a balancer (kind: haproxy), and HAProxy is not installed there")
    made, members = door(facts, snapshot, seen), members_of(snapshot)
    lines = block(made)
    doors = {WRITE: made.policy.door, READ: made.policy.read_door}
    proxies = [name for name, port in doors.items() if port]
    taken = [section for name in proxies if (section := on_port(seen, doors[name], members))]
    aside = seen.aside | frozenset(loose_sockets(seen)) | put_aside(seen, taken, members)
    before: State = {"block": digest(seen.block), "aside": numbers(seen.aside)}
    want: State = {"block": digest(lines), "aside": numbers(aside)}
    if before != want:
        yield _edit(facts, Stage.DOOR, seen, before, want, lay(seen.plain, numbers(aside), lines, proxies), seen.block,
                    f"a door for applications at port {made.policy.door}")  # fmt: skip
    if to < Rung.ENFORCED:
        return
    old = [way.front for way in beside(seen, snapshot)]
    if closed := put_aside(seen, old, members) - aside:
        shut: State = {"block": digest(lines), "aside": numbers(aside | closed)}
        names = ", ".join(f"{s.kind} {s.name}" for s in old)
        yield _edit(facts, Stage.OLD_DOOR, seen, want, shut, lay(seen.plain, numbers(aside | closed), lines, proxies), lines,
                    f"close the old way in ({names})")  # fmt: skip


def _edit(
    facts: HostFacts, stage: Stage, seen: Balancer, before: State, want: State, do: Shell, back: Sequence[str], title: str
) -> Step:  # fmt: skip
    name = facts.host.name
    return Step(
        id=f"{TIP}.{stage.name.lower().replace('_', '-')}@{name}", tip=TIP, host=name, stage=stage, read=WRITTEN, before=before,
        want=want, do=(do,), undo=(lay(seen.plain, str(before["aside"]), back),), title=title, disruption=Disruption.RELOAD,
    )  # fmt: skip
