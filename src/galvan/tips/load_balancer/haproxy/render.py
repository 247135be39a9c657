"""The lines that Galvan adds to haproxy.cfg. Pure: the same wishes give the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.answer import PORT as HEALTH
from galvan.model import Balancing, Blind
from galvan.tips.load_balancer.haproxy.conf import BEGIN, END, Balancer, Section, Way, ways

WRITE, READ = "galvan_write", "galvan_read"
SOCKET = "/run/haproxy/admin.sock"
RETRY = 0.5
"""Seconds between two questions while a member's state is in doubt."""
LONGEST = 24 * 86400
"""HAProxy counts in milliseconds up to 2³¹."""
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_PLAIN = frozenset(
    [
        "listen",
        "frontend",
        "backend",
        "bind",
        "mode",
        "maxconn",
        "default_backend",
        "option",
        "balance",
        "default-server",
        "server",
        "timeout",
        "log",
        "retries",
        "stick",
        "stick-table",
        "http-check",
        "tcp-check",
        "description",
        "fullconn",
        "hash-type",
    ]
)
"""What Galvan's own sections do in its place; a section with anything else is its owner's business."""


@dataclass(frozen=True, slots=True)
class Member:
    """`connections`: how many of them this balancer may open to it."""

    name: str
    address: str
    port: int
    connections: int


@dataclass(frozen=True, slots=True)
class Door:
    """`members`: the one that takes the writes first; `idle`: seconds that a session may say nothing (the members' own
    wait_timeout decides that); `sticky`: one writer is remembered, so that a member that comes back does not become a second."""

    cluster: str
    members: tuple[Member, ...]
    policy: Balancing
    bind: str = "*"
    idle: int = 28800
    sticky: bool = True
    socket: bool = False  # a socket for its operator has to be opened


def block(door: Door) -> tuple[str, ...]:
    for member in door.members:
        if not _NAME.fullmatch(member.name):
            raise Blind(f"HAProxy can name no server {member.name!r}")
    return (
        f"{BEGIN} (cluster {door.cluster}; edit galvan.yaml instead, or take this out with galvan rollback)",
        *_global(door),
        *_listen(WRITE, door, door.policy.door, door.policy.writers == "one"),
        *(_listen(READ, door, door.policy.read_door, False) if door.policy.read_door else ()),
        END,
    )


def _global(door: Door) -> Iterator[str]:
    if door.socket:
        yield "global"
        yield f"    stats socket {SOCKET} mode 600 level admin"


def _listen(name: str, door: Door, port: int, one: bool) -> Iterator[str]:
    policy = door.policy
    yield f"listen {name}"
    yield f"    bind {door.bind}:{port}"
    yield "    mode tcp"
    yield "    log global"
    yield "    option tcplog"
    yield "    option dontlognull"
    yield "    option clitcpka"
    yield "    option srvtcpka"
    yield "    option redispatch 1"
    yield "    retries 3"
    yield "    timeout connect 5s"
    yield f"    timeout queue {policy.queue_wait}s"
    yield f"    timeout client {min(door.idle + 60, LONGEST)}s"
    yield f"    timeout server {min(door.idle + 60, LONGEST)}s"
    yield "    timeout check 5s"
    yield f"    balance {'roundrobin' if one else 'leastconn'}"
    if one and door.sticky:
        yield "    stick-table type ip size 1"
        yield "    stick on dst"
    yield "    option httpchk OPTIONS /"
    yield "    http-check expect status 200"
    milli = f"inter {policy.interval * 1000:.0f}ms fastinter {RETRY * 1000:.0f}ms downinter {max(1.0, policy.interval / 2) * 1000:.0f}ms"
    proxy = " send-proxy-v2" if policy.client_address else ""
    queue = f" maxqueue {policy.queue}" if policy.queue else ""
    yield f"    default-server check port {HEALTH} {milli} rise 2 fall 3{queue} on-marked-down shutdown-sessions{proxy}"
    for number, member in enumerate(door.members):
        spare = " backup" if one and number else ""
        yield f"    server {member.name} {_at(member.address)}:{member.port} maxconn {member.connections}{spare}"


def _at(address: str) -> str:
    return f"[{address}]" if ":" in address else address


# what stands there already ----------------------------------------------------------------------------------------
def on_port(seen: Balancer, port: int, members: frozenset[str]) -> Section | None:
    """The owner's section that takes connections at this port, where it leads to members. Raises Blind where the port is
    another's, or where more hangs on the section than Galvan's own would do."""
    taken = next((s for s in seen.owners if s.kind in ("frontend", "listen") and port in s.ports), None)
    if taken is None:
        return None
    way = next((w for w in ways(seen.owners, members) if w.front is taken), None)
    where = f"{taken.kind} {taken.name}"
    if way is None:
        raise Blind(
            f"port {port} is taken by {where}, which does not lead to members: choose another (load_balancer: door)"
        )
    if len(taken.ports) > 1 or len(taken.having("bind")) > 1:
        raise Blind(f"{where} takes connections at more ports than {port}: give each a section of its own first")
    for line in taken.lines + tuple(line for back in way.backs for line in back.lines):
        if line.words[0] not in _PLAIN or (line.words[0] == "bind" and len(line.words) > 2):
            raise Blind(
                f"{where} says `{' '.join(line.words)}` (line {line.number}), which a section of Galvan's would not do: choose "
                "another port for the new door (load_balancer: door), or take that line out first"
            )
    return taken


def put_aside(seen: Balancer, fronts: Sequence[Section], members: frozenset[str]) -> frozenset[int]:
    """The lines of these sections, and of the backends that nobody else leads to."""
    gone = {id(front) for front in fronts}
    backs = [w.backs for w in ways(seen.owners, members) if id(w.front) in gone]
    others = {name for s in seen.owners if id(s) not in gone for name in s.leads_to}
    unused = [back for group in backs for back in group if back.name not in others]
    return frozenset(n for section in (*fronts, *unused) for n in section.numbers)


def loose_sockets(seen: Balancer) -> tuple[int, ...]:
    """Lines that open HAProxy's commands to more than root (and its group): a file mode for others, or a port."""
    found = []
    for section in seen.owners:
        for line in section.having("stats", "socket"):
            said = dict(zip(line.words, line.words[1:], strict=False))
            if not line.words[2].startswith(("/", "unix@")) or int(said.get("mode", "0")[-1:] or 0) & 2:
                found.append(line.number)
    return tuple(found)


def bind_of(section: Section | None, address: str) -> str:
    """Where the door is opened: as the one before it was, else on every address of the family that the members have."""
    if section and section.having("bind"):
        return section.having("bind")[0].words[1].rpartition(":")[0] or "*"
    return "[::]" if ":" in address else "*"


def served(way: Way) -> tuple[Section, ...]:
    """Where its servers are named."""
    return tuple(s for s in (way.front, *way.backs) if s.having("server"))
