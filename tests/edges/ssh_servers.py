"""ssh servers in this process, each with a key of its own: they count logins, run scripts, and forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh


class Server(asyncssh.SSHServer):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        if not self._machine.forwards:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "forwarding is off")
        return True

    def begin_auth(self, username: str) -> bool:
        self._machine.users.append(username)
        return True


class Machine:
    """One host. `users`: who logged in or tried to, one for each connection."""

    def __init__(self, name: str, folder: Path, forwards: bool = True) -> None:
        self.name, self.folder, self.forwards = name, folder, forwards
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.users: list[str] = []
        self.port = 0

    async def listen(self, allowed: Path) -> asyncssh.SSHAcceptor:
        acceptor = await asyncssh.create_server(
            lambda: Server(self), "127.0.0.1", 0, server_host_keys=[self.key], process_factory=lambda process: _run(process),
            authorized_client_keys=str(allowed),
        )  # fmt: skip
        self.port = acceptor.get_port()
        return acceptor

    def known(self, key: asyncssh.SSHKey | None = None) -> str:
        public = (key or self.key).export_public_key().decode().strip()
        return f"[127.0.0.1]:{self.port} {public}\n"

    def block(self, *more: str) -> str:
        """The host's part of an ssh configuration."""
        lines = (f"Host {self.name}", "HostName 127.0.0.1", f"Port {self.port}", *more)
        return "\n    ".join(lines) + "\n"


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    script = await process.stdin.read()
    child = await asyncio.create_subprocess_exec("sh", "-c", process.command or "true", stdin=-1, stdout=-1, stderr=-1)
    out, err = await child.communicate(script.encode() if isinstance(script, str) else script)
    process.stdout.write(out.decode())  # type: ignore[arg-type]
    process.stderr.write(err.decode())  # type: ignore[arg-type]
    process.exit(child.returncode or 0)


@asynccontextmanager
async def machines(folder: Path, *names: str) -> AsyncIterator[Sequence[Machine]]:
    """They let in the key `FOLDER/id`; `FOLDER/known_hosts` knows them all."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(folder / "id"))
    key.write_public_key(str(folder / "allowed"))
    made = [Machine(name, folder) for name in names]
    acceptors = [await machine.listen(folder / "allowed") for machine in made]
    (folder / "known_hosts").write_text("".join(machine.known() for machine in made))
    try:
        yield made
    finally:
        for acceptor in acceptors:
            acceptor.close()
