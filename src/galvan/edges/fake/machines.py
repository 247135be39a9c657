"""One host in memory: its files, what was kept of them, and the server that reads them when it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from galvan.cluster import provider
from galvan.edges.fake import options
from galvan.edges.fake.walls import Around
from galvan.model import Host

HOME = "/var/lib/galvan"
CONFIG_HOME = "/etc/mysql/mariadb.conf.d"


class Channel(StrEnum):
    """How a member speaks to the others: clear and strict members cannot see each other."""

    PLAIN = "plain"
    DYNAMIC = "dynamic"
    STRICT = "strict"


class Refused(Exception):
    """The server does not start; carries the line of its log."""


@dataclass(slots=True)
class Health:
    """`user`: its system user was made; `runs`: it answers balancers, and does so after a boot."""

    user: bool = False
    runs: bool = False


@dataclass(frozen=True, slots=True)
class File:
    content: str
    mode: int = 0o644
    owner: str = "root:root"


@dataclass(slots=True)
class Server:
    """What runs: the values that were in force when it started, and what SET GLOBAL changed since."""

    variables: dict[str, str] = field(default_factory=dict)
    provider: dict[str, str] = field(default_factory=dict)
    up: bool = True
    state: str = "Synced"
    lag: int = 0  # looks until a member that joined says Synced
    stuck: str = ""  # the state in which it stays for ever
    desync: int = 0
    weight: int = 1
    committed: int = 44_086
    cached_from: int = 1
    write_set: int = 450  # bytes of an average one
    busy: int = 0  # write sets between two looks
    uuid: str = ""  # where it is not the group's
    uptime: int = 4_000
    starts: int = 0
    safe: bool = False  # grastate.dat: it was the last to leave
    crashed: bool = False  # its position is in the redo log only
    logins: dict[str, int] = field(default_factory=dict)
    tls_accepts: int = 0
    paused_ns: int = 0
    histogram: dict[str, int] = field(default_factory=dict)  # statements by the upper bound of their bucket, in seconds
    work: list[tuple[str, str, str, str, str]] = field(default_factory=list)  # rows of server.long

    @property
    def channel(self) -> Channel:
        if not provider.yes(self.provider.get("socket.ssl")):
            return Channel.PLAIN
        return Channel.DYNAMIC if provider.yes(self.provider.get("socket.dynamic")) else Channel.STRICT


@dataclass(slots=True)
class Machine:
    """`refuses`: asked with the effective options at each start; a sentence keeps the server down."""

    host: Host
    files: dict[str, File] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    kept: dict[tuple[str, str], dict[str, File | None]] = field(default_factory=dict)
    server: Server | None = None
    reachable: bool = True
    clock_ahead: float = 0.0
    disk_kb: int = 78_000_000
    bootstrap: int = 0
    transfers: int = 0
    refuses: Callable[[Mapping[str, str]], str] | None = None
    stays_out: Callable[[Mapping[str, str]], str] | None = None  # the state in which it hangs after such a start
    keys_made: int = 0
    address: str = ""  # its own, where galvan.yaml has a name
    upkeep: dict[str, str] = field(default_factory=dict)  # what else goes on there, where it is not the usual
    around: Around = field(default_factory=Around)
    health: Health = field(default_factory=Health)
    shut: set[str] = field(default_factory=set)  # transfer scripts that may not be run
    unheard: frozenset[str] = frozenset()  # members that it has no connection with: another one relays

    def put(self, path: str, file: File, run: str, wave: str) -> None:
        self.keep(path, run, wave)
        self.files[path] = file

    def write(self, path: str, text: str) -> None:
        """As a script of Galvan's does it: root-only, and nothing is kept."""
        self.files[path] = File(text, 0o600)

    def keep(self, path: str, run: str, wave: str) -> None:
        """What was there when this run's wave first touched the path; None where there was nothing."""
        self.kept.setdefault((run, wave), {}).setdefault(path, self.files.get(path))

    def restore(self, path: str, run: str, wave: str) -> bool:
        """From this run's copy, else from that of the run it undoes, else from the latest other run that kept this wave.
        False where nothing was kept."""
        place = self.kept.get((run, wave), {})
        if path not in place:
            place = self.kept.get((run.removeprefix("undo-"), wave), {})
        if path not in place:
            others = [kept for (_, name), kept in reversed(self.kept.items()) if name == wave]
            place = others[0] if others else {}
        if path not in place:
            return False
        if (old := place[path]) is None:
            self.files.pop(path, None)
        else:
            self.files[path] = old
        return True

    def has(self, directory: str) -> bool:
        return directory in self.directories or any(path.startswith(f"{directory}/") for path in self.files)

    def take_away(self, directory: str) -> dict[str, File]:
        gone = {path: self.files.pop(path) for path in list(self.files) if path.startswith(f"{directory}/")}
        self.directories = {d for d in self.directories if d != directory and not d.startswith(f"{directory}/")}
        return gone

    def effective(self, *sections: str) -> list[tuple[str, str]]:
        """Every option of these sections, in the order in which the server's option files are read."""
        paths = sorted(p for p in self.files if p.startswith(f"{CONFIG_HOME}/") and p.endswith(".cnf"))
        return [line for path in paths for line in options.read(self.files[path].content, sections)]

    def start(self, server: Server) -> None:
        """Reads the files and runs with what they say. Raises Refused with the server's last words."""
        lines = self.effective(*options.SERVER)
        config = dict(lines)
        if self.refuses and (why := self.refuses(config)):
            raise Refused(why)
        if unknown := sorted(config.keys() - options.KNOWN):
            raise Refused(f"[ERROR] mariadbd: unknown variable '{unknown[0]}={config[unknown[0]]}'")
        server.provider = options.provider_of(config, self.host.address)
        for key in ("socket.ssl_key", "socket.ssl_cert", "socket.ssl_ca"):
            if provider.yes(server.provider.get("socket.ssl")) and server.provider.get(key, "") not in self.files:
                raise Refused(f"[ERROR] WSREP: Bad value '{server.provider.get(key, '')}' for SSL parameter '{key}'")
        server.variables = options.variables_of(lines, self.host, self.files)
        server.weight = int(server.provider.get("pc.weight", "1"))
        server.up, server.state, server.uptime = True, "Initialized", 1
        server.safe = server.crashed = False
        server.starts += 1
        server.logins, server.tls_accepts, server.work, server.desync = {}, 0, [], 0
        server.paused_ns, server.histogram = 0, dict.fromkeys(server.histogram, 0)
        server.stuck = self.stays_out(config) if self.stays_out else ""
