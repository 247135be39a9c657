"""MaxScale's objects for the policy's doors, as values; and the two texts made of them: a file, and the words for maxctrl. Pure.

A value meets a line here and nowhere else. In a file it can hold no end of line, and it stands as it is: MaxScale knows no escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.ownfile import digest
from galvan.model import BadInput, Balancing
from galvan.tips.load_balancer.maxscale.versions import (
    OLDEST,
    Firewall,
    TlsVersions,
    Version,
    ca_name,
    firewall,
    replays_safely,
    said,
    ssl_version,
    tls_versions,
)

MONITOR, SERVICE = "galvan_monitor", "galvan_service"
"""The accounts on the cluster, and the slots of their passwords: `@galvan_monitor@` is filled in on the host, in its encrypted form."""
FILTER = "galvan-firewall"
_NAME = re.compile(r"[A-Za-z0-9_.~-]{1,60}")
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
HEAD = "# Written by Galvan, which writes it anew: what you add here is lost. Passwords were made and encrypted on this host.\n"


@dataclass(frozen=True, slots=True)
class Member:
    """`called`: the server that MaxScale has for it already, by the owner's name. It takes no second one at the same address."""

    name: str
    address: str
    port: int = 3306
    called: str = ""

    @property
    def server(self) -> str:
        return self.called or f"galvan-{self.name}"


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths on the balancer's host, readable by MaxScale. One certificate good as server and as client: MaxScale refuses the wrong use."""

    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Door:
    """What the core knows of a door. `connections`: of one member at this balancer; 0: not known, so no limit is written.
    `monitor`: the owner's, where his servers are used; a server has one monitor. `members_tls`: members speak TLS already. `sharing`: sessions share connections, so that they can wait for one (see `caveats`)."""

    version: Version
    members: tuple[Member, ...]
    policy: Balancing
    tls: Tls
    min_tls: str
    ciphers: str
    connections: int
    members_tls: bool = True
    sharing: bool = False
    filters: tuple[Object, ...] = ()
    monitor: str = ""


@dataclass(frozen=True, slots=True)
class Object:
    """A section of the file, and the same object at run time."""

    name: str
    kind: str  # server, monitor, service, listener, filter
    values: tuple[tuple[str, str], ...]


def name(text: str) -> str:
    """An object's name: it becomes part of an address, and of a file's name. Raises BadInput."""
    if not _NAME.fullmatch(text):
        raise BadInput(f"{text!r} is no name for an object of MaxScale's: letters, digits and _.~- only")
    return text


def value(text: str) -> str:
    """Raises BadInput for what a line cannot hold, what MaxScale would strip (quotes), or take from its environment ($)."""
    if not _VALUE.fullmatch(text) or text[0] in "$\"'":
        raise BadInput(
            f"{text!r} cannot stand in MaxScale's file: no blanks at its ends, no quote or $ first, plain characters only"
        )
    return text


def objects(door: Door) -> tuple[Object, ...]:
    """In the order in which they can be made while MaxScale runs."""
    if door.version < OLDEST:
        raise BadInput(f"MaxScale {said(door.version)} is older than {said(OLDEST)}, for which Galvan writes")
    if not door.members:
        raise BadInput("a door needs a member behind it")
    servers = tuple(_server(door, member) for member in door.members if not member.called)
    monitors = [] if door.monitor else [_monitor(door, [server.name for server in servers])]
    found = [*servers, *monitors, *door.filters]
    found += [
        _service(door, "galvan-service", door.policy.writers == "one"),
        _listener(door, "galvan-listener", "galvan-service", door.policy.door),
    ]
    if door.policy.read_door:
        found += [
            _service(door, "galvan-read", False),
            _listener(door, "galvan-read-listener", "galvan-read", door.policy.read_door),
        ]
    return tuple(found)


def _object(kind: str, called: str, values: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> Object:
    return Object(name(called), kind, tuple((key, value(said)) for key, said in values))


def _tls(door: Door) -> Iterator[tuple[str, str]]:
    yield "ssl", "true"
    yield ca_name(door.version), door.tls.ca
    yield "ssl_cert", door.tls.cert
    yield "ssl_key", door.tls.key
    yield "ssl_version", ssl_version(door.version, door.min_tls)
    yield "ssl_cipher", door.ciphers


def to_members(door: Door) -> Iterator[tuple[str, str]]:
    """How a server is reached over TLS, certificate and name verified."""
    yield from _tls(door)
    yield "ssl_verify_peer_certificate", "true"
    yield "ssl_verify_peer_host", "true"


def _server(door: Door, member: Member) -> Object:
    def values() -> Iterator[tuple[str, str]]:
        yield "address", member.address
        yield "port", str(member.port)
        if door.members_tls:
            yield from to_members(door)
        if door.policy.client_address:
            yield "proxy_protocol", "true"
        if door.connections:
            yield "max_routing_connections", str(door.connections)
            if door.sharing:
                yield "persistpoolmax", str(door.connections)
                yield "persistmaxtime", "10s"

    return _object("server", member.server, values())


def _monitor(door: Door, servers: Sequence[str]) -> Object:
    """With two balancers both must choose the same writer, so the choice may not depend on what each saw before."""
    values = [
        ("module", "galeramon"), ("servers", ",".join(servers)), ("user", MONITOR), ("password", f"@{MONITOR}@"),
        ("monitor_interval", f"{round(door.policy.interval * 1000)}ms"),
        ("available_when_donor", _bool(door.policy.donor)), ("disable_master_failback", _bool(door.policy.pair is None)),
    ]  # fmt: skip
    return _object("monitor", "galvan-monitor", values)


def _service(door: Door, called: str, one: bool) -> Object:
    """One writer: all statements of a session go there, reads too (another member may be a moment behind)."""

    def values() -> Iterator[tuple[str, str]]:
        yield "router", "readwritesplit" if one else "readconnroute"
        if not one:
            yield "router_options", "synced"
        yield "cluster", door.monitor or "galvan-monitor"
        yield "user", SERVICE
        yield "password", f"@{SERVICE}@"
        if door.filters:
            yield "filters", "|".join(each.name for each in door.filters)
        if door.connections:
            yield (
                "max_connections",
                str(door.connections if one and not door.sharing else door.connections * len(door.members)),
            )
        if one:
            yield from _writing(door)

    return _object("service", called, values())


def _writing(door: Door) -> Iterator[tuple[str, str]]:
    yield "max_slave_connections", "0"
    yield "master_reconnection", "true"
    yield "master_failure_mode", "fail_on_write"
    if replays_safely(door.version):
        yield "transaction_replay", "true"
        yield "transaction_replay_timeout", "30s"
        yield "transaction_replay_safe_commit", "true"
    if door.sharing and door.connections:
        yield "lazy_connect", "true"
        yield "idle_session_pool_time", "500ms"
        yield "multiplex_timeout", f"{door.policy.queue_wait}s"


def _listener(door: Door, called: str, service: str, port: int) -> Object:
    return _object(
        "listener", called, [("service", service), ("protocol", "MariaDBClient"), ("port", str(port)), *_tls(door)]
    )


def _bool(yes: bool) -> str:
    return "true" if yes else "false"


def text(found: Sequence[Object]) -> str:
    """Galvan's own file in /etc/maxscale.cnf.d, with slots for passwords. It may hold no [maxscale]: MaxScale refuses that there."""
    parts = []
    for each in found:
        body = "".join(f"{key}={said}\n" for key, said in each.values)
        parts.append(f"[{each.name}]\ntype={each.kind}\n{body}")
    return HEAD + "\n" + "\n".join(parts)


def mark(found: Sequence[Object]) -> str:
    """As the fact DOOR says it of the file that lies there: of the text with every password left out."""
    return str(digest(re.sub(r"(?m)^password=.*$", "password=(made here)", text(found))))[:16]


def core(version: Version, tls: Tls, least: str) -> tuple[tuple[str, str], ...]:
    """What must stand in [maxscale], and so in the main file: the REST interface for this host alone, and over TLS. Only a restart
    brings it into force. In it `ssl_version` was a minimum before it was a list, and its key must be PKCS#8."""
    versions = ssl_version(version, least) if tls_versions(version) is TlsVersions.LIST else least.replace(".", "")
    found = (
        ("admin_host", "127.0.0.1"), ("admin_auth", "true"), ("admin_secure_gui", "true"),
        ("admin_ssl_key", tls.key), ("admin_ssl_cert", tls.cert), (f"admin_{ca_name(version)}", tls.ca), ("admin_ssl_version", versions),
    )  # fmt: skip
    return tuple((key, value(said)) for key, said in found)


def caveats(door: Door) -> tuple[str, ...]:
    """What MaxScale cannot do of the policy, or not in this version. For the plan, in words."""
    said_so = [
        "a listener of MaxScale's takes TLS or clear text, never both: clients move from the old door to the new one"
    ]
    if not replays_safely(door.version):
        said_so.append(
            f"MaxScale {said(door.version)} may do a statement twice when it replays a transaction (mended in 23.08.8, 24.02.4, 25.01.1): "
            "replay stays off, and clients see an error where a member is lost"
        )
    if door.connections and not door.sharing:
        said_so.append(
            f"nobody waits for a free connection: who comes after {door.connections} are taken is refused (1040), whatever `queue` says"
        )
    if door.sharing:
        said_so.append(
            "sessions share connections: LOCK TABLES, GET_LOCK, temporary tables and LAST_INSERT_ID() are not safe; how many wait has no limit"
        )
    if not door.connections:
        said_so.append("how many connections a member has room for is not known: no limit is written")
    if tls_versions(door.version) is TlsVersions.ONLY:
        said_so.append(
            f"MaxScale {said(door.version)} can be given one TLS version only: {door.min_tls} it is, and no newer one"
        )
    if firewall(door.version) is Firewall.REGEX:
        said_so.append(
            f"MaxScale {said(door.version)} has no firewall (25.10 has): it can rewrite what a pattern matches, and cannot learn"
        )
    return tuple(said_so)
