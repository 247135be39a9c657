"""Where the prober dials from the operator's own machine: names that only the hosts know, and the server's own port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ssh_servers import machines

from galvan.cluster.facts import VARIABLES
from galvan.edges.prober import OPERATOR, SshProber
from galvan.edges.ssh import Ssh
from galvan.edges.wire import Source
from galvan.model import (
    Action,
    Capture,
    Cluster,
    GalvanError,
    Host,
    Outcome,
    ProbeAccount,
    Role,
    Scan,
    SecretRef,
    Trial,
)

UNKNOWN = Host("db1", "db1.invalid", Role.DATABASE, "db1")  # RFC 2606: nobody resolves it


class Reached:
    """An ssh connection that got through to this machine, and a server that says where it listens."""

    def __init__(self, port: int) -> None:
        self.port, self.acted, self.reads = port, list[Action](), 0

    async def connect(self, host: Host) -> Reached:
        return self

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 22)}[name]

    async def read(self, host: Host, facts: Any) -> dict[str, str]:
        self.reads += 1
        return {VARIABLES.id: f"version\t10.11.19\nport\t{self.port}\n"}

    async def act(self, host: Host, action: Action, wave: str) -> str:
        self.acted.append(action)
        return ""


def served(work: Callable[[SshProber, Reached], Awaitable[Any]]) -> tuple[Reached, int]:
    """Carries `work` out beside a server on some port of this machine; says how often that was dialled."""

    async def main() -> tuple[Reached, int]:
        dialled = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal dialled
            dialled += 1
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            ssh = Reached(server.sockets[0].getsockname()[1])
            cluster = Cluster("shop", (UNKNOWN,), probe=ProbeAccount("app", SecretRef("env:X")))
            await work(SshProber(cluster, ssh, lambda ref: "x"), ssh)  # type: ignore[arg-type]
        return ssh, dialled

    return asyncio.run(main())


def test_a_name_that_is_unknown_here_is_dialled_where_ssh_reached_its_host() -> None:
    async def dial(prober: SshProber, ssh: Reached) -> None:
        source: Source
        source, sink = await prober.dial(OPERATOR, UNKNOWN.address, ssh.port, 5.0)
        assert await source.read(5) == b"hello"
        sink.close()

    assert served(dial)[1] == 1


def test_a_name_of_nobody_stays_unknown() -> None:
    async def dial(prober: SshProber, ssh: Reached) -> None:
        with suppress(OSError):
            await prober.dial(OPERATOR, "other.invalid", ssh.port, 5.0)

    assert served(dial)[1] == 0


def test_the_marker_goes_to_the_servers_own_port_which_is_asked_once() -> None:
    async def mark(prober: SshProber, ssh: Reached) -> None:
        for _ in range(2):
            with suppress(
                OSError, EOFError, GalvanError
            ):  # the server here is none; that it was dialled is what counts
                await prober._mark(OPERATOR, Capture("db1", (ssh.port,), "m"))

    ssh, dialled = served(mark)
    assert dialled == 2
    assert ssh.reads == 1
    assert len(ssh.acted) == 3  # the schema once, a row each


def test_ports_are_scanned_by_the_vantage_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    async def main() -> tuple[Trial, Trial, list[str]]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return await scanned(int(listener.getsockname()[1]))

    async def scanned(listening: int) -> tuple[Trial, Trial, list[str]]:
        async with machines(tmp_path, "db1") as (machine,):
            (tmp_path / "config").write_text(
                machine.block(
                    "User root", f"IdentityFile {tmp_path}/id", "IdentitiesOnly yes", f"UserKnownHostsFile {tmp_path}/known_hosts"
                )
            )  # fmt: skip
            cluster = Cluster(
                "shop", (Host("db1", "192.0.2.1", Role.DATABASE, "db1"),), ssh_config=(str(tmp_path / "config"),)
            )
            async with Ssh(cluster, [], "run", lambda ref: "", lambda name, what: "") as ssh:
                prober = SshProber(cluster, ssh, lambda ref: "")
                ports = ((listening, listening), (machine.port, machine.port))
                asked = Scan("127.0.0.1", ports, frozenset({listening, machine.port}), ("127.0.0.1", listening))
                return await prober.attempt("db1", asked), await prober.attempt("operator", asked), machine.users

    far, near, logins = asyncio.run(main())
    assert far.outcome is near.outcome is Outcome.MATCHES, f"{far.seen}\n{near.seen}"
    assert logins[0] == "root"
