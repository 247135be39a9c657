"""Connections over asyncssh, with the user's own ssh configuration, agent and known hosts; one a host, kept until the end.

Traps of asyncssh that this file answers: only `~/.ssh/config` is read unless both files are named; `UserKnownHostsFile
none` would switch host-key checking off, so it is refused; its import looks for liboqs by running programs.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galvan.model import Cluster, Host, Unreachable

if TYPE_CHECKING:
    import asyncssh

HANDSHAKES = 8
"""Handshakes in flight: sshd drops bursts beyond MaxStartups (10 by default)."""
PATIENCE = 15.0
AS_ROOT = "sh -c 'if [ -O / ]; then exec sh; else exec sudo -n sh; fi'"
"""The exec: root stays root, others go through sudo without a password."""
FIRST_CIPHER = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Put before asyncssh's own order, whose first choice costs Python twice as much; only where the user chose none."""
_UNCHECKED = re.compile(r"^\s*userknownhostsfile[\s=]+none\b", re.I | re.M)


class UnknownKey(Unreachable):
    """The host's key is in no known_hosts file, or differs from the one there."""


class Connections:
    """Opened when first needed, or ahead of need by `dial`."""

    def __init__(self, cluster: Cluster) -> None:
        load_asyncssh()
        self._config = [str(Path(p).expanduser()) for p in cluster.ssh_config] or default_config()
        self._texts = [Path(file).read_text(errors="replace") for file in self._config if Path(file).is_file()]
        self._connections: dict[str, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._handshakes = asyncio.Semaphore(HANDSHAKES)

    def dial(self, host: Host) -> asyncio.Task[asyncssh.SSHClientConnection]:
        """Begins to connect; a connection that is closed or failed is begun anew."""
        task = self._connections.get(host.name)
        if task is None or (task.done() and (task.cancelled() or task.exception() or task.result().is_closed())):
            task = self._connections[host.name] = asyncio.create_task(self._open(host))
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
        import asyncssh

        connection = await self.connect(host)
        try:
            done = await connection.run(AS_ROOT, input=text, timeout=limit, encoding="utf-8", errors="replace")
        except (TimeoutError, asyncssh.Error, OSError) as why:
            self._connections.pop(host.name, None)
            connection.abort()
            raise Unreachable(
                f"{host.name}: the connection broke while it worked ({type(why).__name__} {why})"
            ) from why
        return str(done.stdout), str(done.stderr), done.returncode if done.returncode is not None else 255

    async def _open(self, host: Host) -> asyncssh.SSHClientConnection:
        import asyncssh

        given: dict[str, Any] = {"username": host.user} if host.user else {}
        if not self._mentions("ciphers"):
            given["encryption_algs"] = FIRST_CIPHER
        if host.port:
            given["port"] = host.port
        try:
            async with self._handshakes:
                if self._unchecked(host, given):
                    raise Unreachable(
                        f"{host.name}: UserKnownHostsFile none switches host-key checking off; name a file"
                    )
                return await asyncssh.connect(
                    host.ssh, config=self._config, connect_timeout=PATIENCE, login_timeout=PATIENCE, **given
                )
        except asyncssh.HostKeyNotVerifiable as why:
            raise UnknownKey(
                f"{host.name}: its ssh host key is not in known_hosts ({why}); galvan init shows it and asks"
            ) from why
        except (TimeoutError, asyncssh.Error, OSError) as why:
            text = str(why) or type(why).__name__
            raise Unreachable(f"{host.name} ({host.ssh}) did not let us in over ssh: {text}") from why

    def _mentions(self, word: str) -> bool:
        return any(word in text.lower() for text in self._texts)

    def _unchecked(self, host: Host, given: dict[str, Any]) -> bool:
        """Only where the word stands in a file is it worth asking whether it holds for this host."""
        import asyncssh

        if not any(_UNCHECKED.search(text) for text in self._texts) and not self._mentions("include"):
            return False
        return asyncssh.SSHClientConnectionOptions(host=host.ssh, config=self._config, **given).known_hosts is None


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


def default_config() -> list[str]:
    """The user's file first (the first value wins, as in OpenSSH); asyncssh alone would leave out the system's."""
    return [str(path) for path in (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config")) if path.is_file()]
