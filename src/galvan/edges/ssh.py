"""Hosts over asyncssh, with the user's own ssh configuration, agent and known hosts.

`SshReader` sends the known facts and nothing else (law 1); `Ssh` also acts. One connection a host, kept until the end.
Traps of asyncssh that this file answers: only `~/.ssh/config` is read unless both files are named; `UserKnownHostsFile
none` would switch host-key checking off, so it is refused.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from galvan.cluster.quote import sh
from galvan.edges import actions, script
from galvan.model import (
    Action,
    Cluster,
    Fact,
    GalvanError,
    Host,
    NotHealed,
    PutFile,
    Restart,
    RestoreFile,
    SecretRef,
    Shell,
    Signed,
    Sql,
    Unreachable,
    Unreadable,
    Unsafe,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncssh

HANDSHAKES = 8
"""Handshakes in flight: sshd drops bursts beyond MaxStartups (10 by default)."""
PATIENCE = 15.0


class UnknownKey(Unreachable):
    """The host's key is in no known_hosts file, or differs from the one there."""


class SshReader:
    """Reads facts; the queries it may send are fixed when it is made."""

    def __init__(self, cluster: Cluster, known: Sequence[Fact[Any]]) -> None:
        load_asyncssh()
        self._config = [str(Path(p).expanduser()) for p in cluster.ssh_config] or default_config()
        self._known = frozenset(fact.query for fact in known)
        self._connections: dict[str, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._handshakes = asyncio.Semaphore(HANDSHAKES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        tasks, self._connections = list(self._connections.values()), {}
        for task in tasks:
            task.cancel() if not task.done() else None
            if task.done() and not task.cancelled() and not task.exception():
                task.result().close()

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        """Every fact of the host in one exec; what a killed session left unread is asked once more."""
        if foreign := [fact.id for fact in facts if fact.query not in self._known]:
            raise GalvanError(f"{', '.join(foreign)}: not one of the known queries, so it was not sent to {host.name}")
        found = dict(await self._ask(host, facts))
        if lost := [fact for fact in facts if fact.id not in found]:
            found |= await self._ask(host, lost)
        return {fact.id: found.get(fact.id, Unreadable(f"{fact.id}: the host stopped answering")) for fact in facts}

    async def _ask(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        mark = secrets.token_hex(8)
        out, err, _ = await self.exec(host, script.render(facts, mark), script.LIMIT * 4.0)
        if "sudo:" in err and mark not in out:
            raise Unreachable(f"{host.name}: {err.strip().splitlines()[-1]} (Galvan needs `sudo -n sh` or root there)")
        return script.read(facts, mark, out, err)

    async def exec(self, host: Host, text: str, limit: float) -> tuple[str, str, int]:
        """Runs a script as root over stdin. Raises Unreachable; a broken connection is made anew by the next call."""
        import asyncssh

        connection = await self.connect(host)
        try:
            done = await connection.run(script.AS_ROOT, input=text, timeout=limit, encoding="utf-8", errors="replace")
        except (TimeoutError, asyncssh.Error, OSError) as why:
            self._connections.pop(host.name, None)
            connection.abort()
            raise Unreachable(
                f"{host.name}: the connection broke while it worked ({type(why).__name__} {why})"
            ) from why
        return str(done.stdout), str(done.stderr), done.returncode if done.returncode is not None else 255

    async def connect(self, host: Host) -> asyncssh.SSHClientConnection:
        task = self._connections.get(host.name)
        if task is None or (task.done() and (task.cancelled() or task.exception() or task.result().is_closed())):
            task = self._connections[host.name] = asyncio.create_task(self._open(host))
        return await asyncio.shield(task)

    async def _open(self, host: Host) -> asyncssh.SSHClientConnection:
        import asyncssh

        given: dict[str, Any] = {"username": host.user} if host.user else {}
        if host.port:
            given["port"] = host.port
        try:
            async with self._handshakes:
                options = asyncssh.SSHClientConnectionOptions(host=host.ssh, config=self._config, **given)
                if options.known_hosts is None:
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


def load_asyncssh() -> None:
    """Imports asyncssh without its search for liboqs, which runs programs for 25 ms of every start and only matters for
    one key exchange that no server insists on (ML-KEM comes from cryptography)."""
    import ctypes.util

    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name == "oqs" else search(name)
    try:
        import asyncssh  # noqa: F401
    finally:
        ctypes.util.find_library = search


def default_config() -> list[str]:
    """The user's file first (the first value wins, as in OpenSSH); asyncssh alone would leave out the system's."""
    return [str(path) for path in (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config")) if path.is_file()]


class Ssh(SshReader):
    """Reads and acts. `resolve` learns a secret's value, `sign` makes the certificate for a request; both at the
    moment of use."""

    def __init__(
        self, cluster: Cluster, known: Sequence[Fact[Any]], run: str,
        resolve: Callable[[SecretRef], str], sign: Callable[[str, Signed], str],
    ) -> None:  # fmt: skip
        super().__init__(cluster, known)
        self._run, self._resolve, self._sign = run, resolve, sign

    async def act(self, host: Host, action: Action, wave: str) -> str:
        """Carries the action out, harmless when done twice. Raises NotHealed, or Unsafe where a restart's gate refused."""
        text, limit = await self._script(host, action, wave)
        out, err, code = await self.exec(host, text, limit)
        if code == actions.REFUSED and isinstance(action, Restart):
            raise Unsafe(f"{host.name} was not restarted: {err.strip() or 'its server did not answer'}")
        if code:
            raise NotHealed(f"{host.name}: {describe(action)} failed: {err.strip() or f'exit status {code}'}")
        return out

    async def _script(self, host: Host, action: Action, wave: str) -> tuple[str, float]:
        match action:
            case Shell():
                return actions.shell(action, self._run), 150.0
            case Sql():
                return actions.statement(action, self._run), 60.0
            case PutFile():
                return actions.put(action, await self._content(host, action), self._run, wave), 60.0
            case RestoreFile():
                return actions.restore(action, self._run), 60.0
            case Restart():
                return actions.restart(action, self._run), actions.STOP_LIMIT + actions.START_LIMIT + 60.0

    async def _content(self, host: Host, action: PutFile) -> str:
        match action.content:
            case str() as text:
                return text
            case SecretRef() as secret:
                return self._resolve(secret)
            case Signed() as wanted:
                request, err, code = await self.exec(host, sh("cat {{csr}} </dev/null", csr=wanted.csr).text, 30.0)
                if code:
                    raise NotHealed(f"{host.name}: the request for a certificate is not there: {err.strip()}")
                return self._sign(request, wanted)


def describe(action: Action) -> str:
    match action:
        case PutFile():
            return f"writing {action.path}"
        case RestoreFile():
            return f"restoring {action.path}"
        case Restart():
            return f"restart of {action.unit}"
        case Sql():
            return f"statement {action.text.split(' IDENTIFIED ')[0][:80]!r}"
        case Shell():
            return f"command {action.text.strip().splitlines()[0][:80]!r}"
