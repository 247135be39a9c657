"""The prober over ssh: trials live with the operator and dial through the vantage host (`direct-tcpip`)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TypeAlias

from galvan.cluster.arbitrator import RUNNING
from galvan.cluster.facts import VARIABLES
from galvan.cluster.identity import server_port
from galvan.cluster.provider import yes
from galvan.cluster.quote import literal, sh
from galvan.edges import access, asking, ondisk, rummage, witness
from galvan.edges.ssh import Ssh
from galvan.edges.wire import OperatorDialer, Sink, Source, Wire
from galvan.edges.wire.dial import at, connected
from galvan.edges.wire.mysql import Session
from galvan.edges.wire.scan import here
from galvan.model import (
    Access,
    Attempt,
    Capture,
    Cluster,
    Host,
    HostFacts,
    Listening,
    OnDisk,
    Outcome,
    Question,
    Role,
    Rummage,
    Runnable,
    Scan,
    SecretRef,
    Sql,
    Transfer,
    Trial,
    Unreadable,
)

OPERATOR = "operator"
SCHEMA = "galvan_probe"
_SCHEMA = (
    f"CREATE DATABASE IF NOT EXISTS {SCHEMA}; "
    f"CREATE TABLE IF NOT EXISTS {SCHEMA}.marker (host VARCHAR(80) PRIMARY KEY, said TEXT, at TIMESTAMP(6))"
)

Rehearse: TypeAlias = Callable[[str], Coroutine[None, None, witness.Recorded]]
_RUNNABLE = """
set -- {{programs}}
setpriv --reuid {{user}} --regid {{user}} --init-groups sh -c '
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin; for p; do command -v "$p"; done; true' sh "$@"
"""


class SshProber:
    """Answers every attempt. Markers are written only where `may_mark` says so; the engine leaves such proofs out otherwise.
    `rehearse` forces a full transfer on a host."""

    def __init__(
        self, cluster: Cluster, ssh: Ssh, secret: Callable[[SecretRef], str], rehearse: Rehearse | None = None
    ) -> None:
        self._cluster, self._ssh, self._secret, self._rehearse = cluster, ssh, secret, rehearse
        self._rehearsed: dict[str, asyncio.Task[witness.Recorded]] = {}
        self._marking, self._marked = asyncio.Lock(), False
        self._ports: dict[str, int] = {}
        self._dialled: dict[str, str] = {}
        self._wire = Wire(self, secret, self._run, self._record, self._mark, ask=self._ask)

    async def attempt(self, vantage: str, attempt: Attempt) -> Trial:
        if isinstance(attempt, Listening):
            return await self._listening(attempt)
        if isinstance(attempt, Question):
            return await self._question(attempt)
        if isinstance(attempt, OnDisk):
            await self._row(self._host(attempt.host), attempt.marker)
            return ondisk.answer(await self._run(attempt.host, ondisk.script(attempt, SCHEMA)))
        if isinstance(attempt, Transfer):
            return await self._transfer(attempt)
        if isinstance(attempt, Rummage):
            return await self._rummage(attempt)
        if isinstance(attempt, Runnable):
            return await self._runnable(attempt)
        if isinstance(attempt, Access):
            return await self._access(attempt)
        if isinstance(attempt, Scan) and vantage == OPERATOR:
            attempt = await self._known_targets(attempt)
        return await self._wire.attempt(vantage, attempt)

    async def dial(self, vantage: str, address: str, port: int, timeout: float) -> tuple[Source, Sink]:
        if vantage == OPERATOR:
            return await OperatorDialer().dial(vantage, await self._known_here(address), port, timeout)
        import asyncssh

        connection = await self._ssh.connect(self._host(vantage))
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await connection.open_connection(address, port, encoding=None)
        except asyncssh.ChannelOpenError as why:
            if why.code == asyncssh.OPEN_CONNECT_FAILED and "refused" in str(why).lower():
                raise ConnectionRefusedError(str(why)) from why
            if why.code == asyncssh.OPEN_CONNECT_FAILED and "timed out" in str(why).lower():
                raise TimeoutError(str(why)) from why
            raise Unreadable(f"{vantage} cannot dial {at(address, port)}: {why}") from why
        except asyncssh.Error as why:
            raise Unreadable(f"{vantage} cannot dial {at(address, port)}: {why}") from why
        return _Bytes(reader), writer

    async def _known_here(self, address: str) -> str:
        """A name that only the hosts can resolve is dialled at the address where ssh reached its host."""
        if address not in self._dialled:
            host = next((host for host in self._cluster.hosts if host.address == address), None)
            try:
                await asyncio.get_running_loop().getaddrinfo(address, None)
                peer = None
            except OSError:
                peer = (await self._ssh.connect(host)).get_extra_info("peername") if host else None
            self._dialled[address] = str(peer[0]) if peer else address
        return self._dialled[address]

    async def _known_targets(self, asked: Scan) -> Scan:
        try:
            address, control = await self._known_here(asked.address), await self._known_here(asked.control[0])
        except Unreadable:  # neither the name nor its host: the scan says so itself
            return asked
        return replace(asked, address=address, control=(control, asked.control[1]))

    def _host(self, name: str) -> Host:
        return next(host for host in self._cluster.hosts if host.name == name)

    async def _listening(self, asked: Listening) -> Trial:
        """From the running provider, not from a silent connection: one of those stalls a cluster in dynamic mode."""
        host = self._host(asked.host)
        fact = RUNNING if host.role is Role.ARBITRATOR else VARIABLES
        try:
            output = (await self._ssh.read(host, [fact]))[fact.id]
            if isinstance(output, Unreadable):
                return Trial(Outcome.DEAD, str(output))
            seen = fact.parse(output)
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))
        said = f"socket.ssl={seen.get('provider.socket.ssl')}, listening at {seen.get('provider.gmcast.listen_addr')}"
        strict = seen.get("listener") == "ssl" and yes(str(seen.get("provider.socket.ssl")))
        return Trial(Outcome.ENCRYPTED if strict else Outcome.CLEAR, said)

    async def _question(self, asked: Question) -> Trial:
        try:
            return asking.answer(asked, await self._run(asked.host, asking.script(asked)))
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))

    async def _rummage(self, asked: Rummage) -> Trial:
        try:
            return rummage.answer(asked, *await self._ssh.exec(self._host(asked.host), rummage.script(asked), 30.0))
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))

    async def _transfer(self, asked: Transfer) -> Trial:
        """Forced once a host, whoever asks first."""
        if self._rehearse is None:
            return Trial(
                Outcome.DEAD, f"no transfer was forced on {asked.host} (galvan verify --force-sst {asked.host})"
            )
        if asked.host not in self._rehearsed:
            self._rehearsed[asked.host] = asyncio.create_task(self._rehearse(asked.host))
        try:
            return witness.judged(asked, await self._rehearsed[asked.host])
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))

    async def _runnable(self, asked: Runnable) -> Trial:
        script = sh(_RUNNABLE, user=asked.user, programs=asked.programs).text
        try:
            out, err, code = await self._ssh.exec(self._host(asked.host), script, 30.0)
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))
        if code:
            return Trial(Outcome.DEAD, f"{asked.host}: nobody could become {asked.user}: {err.strip()}")
        found = out.split()
        return Trial(
            Outcome.ACCEPTED if found else Outcome.REFUSED,
            f"{asked.user} on {asked.host} can run {', '.join(found)}" if found
            else f"{asked.user} on {asked.host} can run none of {', '.join(asked.programs)}",
        )  # fmt: skip

    async def _access(self, asked: Access) -> Trial:
        script = access.question(asked).text
        try:
            out, err, code = await self._ssh.exec(self._host(asked.host), script, 30.0)
        except Unreadable as why:
            return Trial(Outcome.DEAD, str(why))
        return access.answer(asked, out, err, code)

    async def _run(self, vantage: str, script: str) -> str:
        out, err, _ = await self._ssh.exec(self._host(vantage), script, 30.0)
        return out + err

    async def _ask(self, vantage: str, script: bytes, limit: float) -> tuple[str, str, int]:
        if vantage == OPERATOR:
            return await here(vantage, script, limit)
        out, err, code = await self._ssh.run(self._host(vantage), script, limit)
        return out.decode(errors="replace"), err.decode(errors="replace"), code

    async def _record(self, host: str, ports: tuple[int, ...], seconds: float) -> bytes:
        """A capture by the host's own tcpdump; Unreadable where it has none: Galvan installs nothing."""
        ports_filter = " or ".join(f"tcp port {port}" for port in ports)
        script = sh(
            "command -v tcpdump >/dev/null || { echo 'tcpdump is not installed' >&2; exit 3; }\n"
            "timeout -s INT {{seconds}} tcpdump -i any -n -U -B 8192 -w - {{filter}} </dev/null 2>/dev/null; true",
            seconds=f"{seconds:g}", filter=ports_filter,
        ).text  # fmt: skip
        out, err, code = await self._ssh.run(self._host(host), script.encode(), seconds + 20)
        if code:
            raise Unreadable(f"{host}: {err.decode(errors='replace').strip()}")
        return out

    async def _mark(self, vantage: str, asked: Capture) -> None:
        """One row through the group's channel, and where the server's port is tapped a statement as a client sends it."""
        host, marker = asked.host, asked.marker
        arbitrates = self._host(host).role is Role.ARBITRATOR  # it takes no statement, and hears the others' rows
        target = self._cluster.having(Role.DATABASE)[0] if arbitrates else self._host(host)
        await self._row(target, marker)
        if (probe := self._cluster.probe) and not arbitrates and await self._port(target) in asked.ports:
            await self._say(vantage, target, marker, probe.user, self._secret(probe.password))

    async def _row(self, target: Host, marker: str) -> None:
        async with self._marking:  # the schema once: its DDL would abort another host's row
            if not self._marked:
                await self._ssh.act(target, Sql(_SCHEMA), "mark")
                self._marked = True
        said = literal(marker)
        row = f"REPLACE INTO {SCHEMA}.marker VALUES ({said}, {said}, NOW(6))"  # noqa: S608 - quoted, and the schema is ours
        await self._ssh.act(target, Sql(row), "mark")

    async def _port(self, host: Host) -> int:
        if host.name not in self._ports:
            said = (await self._ssh.read(host, [VARIABLES]))[VARIABLES.id]
            if isinstance(said, Unreadable):
                raise said
            self._ports[host.name] = server_port(HostFacts(host, {VARIABLES.id: VARIABLES.parse(said)}))
        return self._ports[host.name]

    async def _say(self, vantage: str, host: Host, marker: str, user: str, password: str) -> None:
        """Over TLS where it is offered, as any client would."""
        async with connected(self, vantage, host.address, await self._port(host), 5.0) as line:
            session = await Session.open(line)
            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                await session.start_tls(context)
            except Unreadable:
                pass
            await session.login(user, password)
            await session.query(f"SELECT {literal(marker)}")


class _Bytes:
    """asyncssh's reader with the one method that probes use."""

    def __init__(self, reader: object) -> None:
        self._reader = reader

    async def read(self, n: int = -1, /) -> bytes:
        import asyncssh

        try:
            said: bytes = await self._reader.read(n)  # type: ignore[attr-defined]
            return said
        except asyncssh.Error as why:
            raise OSError(str(why)) from why
