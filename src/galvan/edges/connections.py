"""Connections over asyncssh, with the user's own ssh configuration, agent and known hosts; one a host, kept until the end.

Hosts behind a bastion share one connection to it. Traps of asyncssh that this file answers: only `~/.ssh/config` is
read unless both files are named; `UserKnownHostsFile none` would switch host-key checking off, so it is refused; its
import looks for liboqs by running programs; left alone with ProxyJump it opens a connection to the bastion for each
host, and a hop that the configuration sends through itself never ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from galvan.edges.ways import Hop, hops_of
from galvan.model import Cluster, Host, SecretRef, Unreachable

if TYPE_CHECKING:
    import asyncssh

HANDSHAKES = 8
"""Handshakes in flight on one way (direct, or through one bastion): sshd drops bursts beyond MaxStartups (10 by default)."""
PATIENCE = 15.0
AS_ROOT = "sh -c 'if [ -O / ]; then exec sh; else exec sudo -n sh; fi'"
"""The exec: root stays root, others go through sudo without a password."""
FIRST_CIPHER = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Put before asyncssh's own order, whose first choice costs Python twice as much; only where the user chose none."""
_UNCHECKED = re.compile(r"^\s*userknownhostsfile[\s=]+none\b", re.I | re.M)


class UnknownKey(Unreachable):
    """The host's key is in no known_hosts file; `alias` is the name by which ssh reaches it."""

    def __init__(self, why: str, alias: str) -> None:
        super().__init__(why)
        self.alias = alias


class Connections:
    """Opened when first needed, or ahead of need by `dial`. `reveal` learns a sudo password at the moment of use."""

    def __init__(self, cluster: Cluster, reveal: Callable[[SecretRef], str] | None = None) -> None:
        load_asyncssh()
        self._config = [_path(p) for p in cluster.ssh_config] or default_config()
        self._texts = [Path(file).read_text(errors="replace") for file in self._config if Path(file).is_file()]
        self._hosts = cluster.hosts
        self._connections: dict[str, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._handshakes: dict[str, asyncio.Semaphore] = {}
        self._reveal = reveal
        self._becoming: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def dial(self, host: Host) -> asyncio.Task[asyncssh.SSHClientConnection]:
        """Begins to connect; a connection that is closed or failed is begun anew."""
        return self._begin(host.name, lambda: self._open(host))

    def _begin(
        self, key: str, make: Callable[[], Coroutine[Any, Any, asyncssh.SSHClientConnection]]
    ) -> asyncio.Task[asyncssh.SSHClientConnection]:
        task = self._connections.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() or task.result().is_closed())):
            task = self._connections[key] = asyncio.create_task(make())
        return task

    async def connect(self, host: Host) -> asyncssh.SSHClientConnection:
        return await asyncio.shield(self.dial(host))

    async def close(self) -> None:
        tasks, self._connections = list(self._connections.values()), {}
        for task in tasks:
            task.cancel() if not task.done() else None
            if task.done() and not task.cancelled() and not task.exception():
                task.result().close()

    async def exec(self, host: Host, text: str, limit: float) -> tuple[str, str, int]:
        """Runs a script as root over stdin. Raises Unreachable; a broken connection is made anew by the next call."""
        out, err, code = await self.run(host, text.encode(), limit)
        return out.decode(errors="replace"), err.decode(errors="replace"), code

    async def run(self, host: Host, script: bytes, limit: float) -> tuple[bytes, bytes, int]:
        """`exec` for output that is no text."""
        import asyncssh

        connection = await self.connect(host)
        try:
            if host.become:
                done: tuple[bytes, bytes, int] = await self._sudo().run(connection, host, host.become, script, limit)
                return done
            ended = await connection.run(AS_ROOT, input=script, timeout=limit, encoding=None)
        except (TimeoutError, asyncssh.Error, OSError) as why:
            self._connections.pop(host.name, None)
            connection.abort()
            raise Unreachable(
                f"{host.name}: the connection broke while it worked ({type(why).__name__} {why})"
            ) from why
        out, err, code = ended.stdout, ended.stderr, ended.returncode
        assert isinstance(out, bytes) and isinstance(err, bytes)  # noqa: PT018 - encoding=None says so
        if code and not out and b"sudo" in err:
            self._complain(host, err)
        return out, err, code if code is not None else 255

    def _sudo(self) -> Any:
        """Loaded by the first host that needs a password."""
        if self._becoming is None:
            from galvan.edges.becoming import Becoming
            from galvan.edges.secrets import Secrets

            self._becoming = Becoming(self._reveal or Secrets(input_allowed=False).reveal)
        return self._becoming

    def _complain(self, host: Host, err: bytes) -> None:
        from galvan.edges.becoming import complaint

        if meaning := complaint(err.decode(errors="replace")):
            raise Unreachable(f"{host.name}: {meaning}")

    async def _open(self, host: Host) -> asyncssh.SSHClientConnection:
        given: dict[str, Any] = {"username": host.user} if host.user else {}
        if host.port:
            given["port"] = host.port
        if host.identity:
            given |= {"client_keys": [_path(host.identity)], "ignore_encrypted": True}
        return await self._login(host.name, host.ssh, given, host.jump, host.identity)

    async def _login(
        self, name: str, alias: str, given: dict[str, Any], jump: str, identity: str
    ) -> asyncssh.SSHClientConnection:
        """`name` is for people, `alias` for the ssh configuration; `given` outranks that configuration."""
        import asyncssh

        if not self._mentions("ciphers"):
            given["encryption_algs"] = FIRST_CIPHER
        way: tuple[Hop, ...] = ()
        options = None
        try:
            if jump or self._worth_asking():
                options = asyncssh.SSHClientConnectionOptions(host=alias, config=self._config, **given)
                if options.known_hosts is None:
                    raise Unreachable(f"{name}: UserKnownHostsFile none switches host-key checking off; name a file")
                way = hops_of(alias, jump or str(options.tunnel or ""), self._configured)
            through = await self._last(way, identity)
            async with self._handshakes.setdefault(str(way), asyncio.Semaphore(HANDSHAKES)):
                return await asyncssh.connect(
                    alias,
                    config=self._config,
                    connect_timeout=PATIENCE,
                    login_timeout=PATIENCE,
                    tunnel=through,
                    **given,
                )
        except (TimeoutError, asyncssh.Error, OSError, ValueError) as why:
            missing = why.filename if isinstance(why, FileNotFoundError) and "known_hosts" not in given else ""
            if missing and (there := self._known_hosts(missing, alias, given)):
                return await self._login(name, alias, given | there, jump, identity)
            raise self._explained(name, why, alias, given, way) from why

    def _known_hosts(self, missing: str, alias: str, given: dict[str, Any]) -> dict[str, Any]:
        """A known_hosts file that is not there knows nobody, as in OpenSSH; asyncssh would fail for want of it."""
        import asyncssh

        files = asyncssh.SSHClientConnectionOptions(host=alias, config=self._config, **given).known_hosts
        if not isinstance(files, list) or missing not in files:
            return {}
        return {"known_hosts": [file for file in files if Path(file).is_file()] or asyncssh.import_known_hosts("")}

    def _explained(
        self, name: str, why: BaseException, alias: str, given: dict[str, Any], way: tuple[Hop, ...]
    ) -> Unreachable:
        import asyncssh

        from galvan.edges.refusals import explain

        given = {key: value for key, value in given.items() if key != "known_hosts"}
        try:
            options = asyncssh.SSHClientConnectionOptions(host=alias, config=self._config, **given)
        except (OSError, ValueError) as wrong:
            return explain(name, wrong, None)
        return explain(name, why, options, way[-1].host if way else "")

    # the way there -------------------------------------------------------------------------------------------
    async def _last(self, way: tuple[Hop, ...], identity: str) -> asyncssh.SSHClientConnection | None:
        """The connection to the last hop, which all hosts behind it share; None where there is no hop."""
        if not way:
            return None
        hop = way[-1]
        for host in self._hosts:
            if (
                not host.jump
                and hop.is_(host)
                and hops_of(host.ssh, self._configured(host.ssh), self._configured) == way[:-1]
            ):
                return await self.connect(host)
        try:
            return await asyncio.shield(self._begin(f"to {way}", lambda: self._hop(way, identity)))
        except UnknownKey:
            raise
        except Unreachable as why:
            raise Unreachable(f"its bastion is out of reach: {why}") from why

    async def _hop(self, way: tuple[Hop, ...], identity: str) -> asyncssh.SSHClientConnection:
        """A hop takes user and port as they were written, else its own words in the ssh configuration, and its keys
        are those, beside the one that was named for the host behind it."""
        import asyncssh

        hop = way[-1]
        given: dict[str, Any] = hop.given()
        if identity:
            own = asyncssh.SSHClientConnectionOptions(host=hop.host, config=self._config, **given).client_keys or ()
            given |= {"client_keys": [*own, _path(identity)], "ignore_encrypted": True}
        before = ",".join(str(one) for one in way[:-1]) or "none"
        return await self._login(hop.host, hop.host, given, before, identity)

    def _configured(self, alias: str) -> str:
        """ProxyJump of an alias in the ssh configuration; empty where there is none."""
        import asyncssh

        if not self._worth_asking():
            return ""
        return str(asyncssh.SSHClientConnectionOptions(host=alias, config=self._config).tunnel or "")

    def _worth_asking(self) -> bool:
        """Asking asyncssh what it makes of the configuration costs milliseconds a host: only where words stand there
        that matter before it connects, or where other files may hold them."""
        return any(_UNCHECKED.search(text) for text in self._texts) or self._mentions("include", "proxyjump")

    def _mentions(self, *words: str) -> bool:
        return any(word in text.lower() for text in self._texts for word in words)


def load_asyncssh() -> None:
    """Imports asyncssh without its search for liboqs, which runs programs for 25 ms of every start and only matters for
    one key exchange that no server insists on (ML-KEM comes from cryptography)."""
    import ctypes.util

    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in ("oqs", "liboqs") else search(name)
    try:
        import asyncssh  # noqa: F401
    finally:
        ctypes.util.find_library = search


def _path(said: str) -> str:
    return str(Path(said).expanduser())


def default_config() -> list[str]:
    """The user's file first (the first value wins, as in OpenSSH); asyncssh alone would leave out the system's."""
    return [str(path) for path in (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config")) if path.is_file()]
