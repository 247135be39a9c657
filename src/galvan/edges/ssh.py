"""The two ways to a host: `SshReader` sends the known facts and nothing else (law 1); `Ssh` also acts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from galvan.cluster.arbitrator import UNIT
from galvan.cluster.quote import sh
from galvan.edges import actions, garb, script
from galvan.edges.connections import Connections
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
    Sealed,
    SecretRef,
    Shell,
    Signed,
    Sql,
    Unreadable,
    Unsafe,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class SshReader:
    """Reads facts; the queries it may send are fixed when it is made, and it can do nothing else.

    `connections`: closed at the end, unless they were given. `seconds`: receives how long each fact took, by host and
    fact, and under no fact the whole exec.
    """

    def __init__(
        self, cluster: Cluster, known: Sequence[Fact[Any]], connections: Connections | None = None,
        seconds: dict[tuple[str, str], float] | None = None,
    ) -> None:  # fmt: skip
        self._known = frozenset(fact.query for fact in known)
        self._seconds = seconds
        self._connections, self._given = connections or Connections(cluster), connections is not None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._given:
            await self._connections.close()

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        """Every fact of the host in one exec; what a killed session left unread is asked once more."""
        if foreign := [fact.id for fact in facts if fact.query not in self._known]:
            raise GalvanError(f"{', '.join(foreign)}: not one of the known queries, so it was not sent to {host.name}")
        found = dict(await self._ask(host, facts))
        if lost := [fact for fact in facts if fact.id not in found]:
            found |= await self._ask(host, lost)
        return {fact.id: found.get(fact.id, Unreadable(f"{fact.id}: the host stopped answering")) for fact in facts}

    async def _ask(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        mark, timed, began = secrets.token_hex(8), self._seconds is not None, time.perf_counter()
        out, err, _ = await self._connections.exec(host, script.render(facts, mark, timed), script.LIMIT * 15.0)
        if self._seconds is not None:
            self._seconds[host.name, ""] = time.perf_counter() - began
            self._seconds |= {(host.name, id): seconds for id, seconds in script.seconds(mark, out).items()}
        return script.read(facts, mark, out, err)


class Ssh(SshReader):
    """Reads and acts. `resolve` learns a secret's value, `sign` makes the certificate for a request; both at the
    moment of use."""

    def __init__(
        self, cluster: Cluster, known: Sequence[Fact[Any]], run: str,
        resolve: Callable[[SecretRef], str], sign: Callable[[str, Signed], str], connections: Connections | None = None,
    ) -> None:  # fmt: skip
        super().__init__(cluster, known, connections)
        self._run, self._resolve, self._sign, self._cluster = run, resolve, sign, cluster
        self.exec, self.run, self.connect = self._connections.exec, self._connections.run, self._connections.connect

    async def act(self, host: Host, action: Action, wave: str) -> str:
        """Carries the action out, harmless when done twice. Raises NotHealed, or Unsafe where a restart's gate refused."""
        text, limit = await self._script(host, action, wave)
        out, err, code = await self.exec(host, text, limit)
        if code == actions.REFUSED and isinstance(action, Restart):
            raise Unsafe(f"{host.name} was not {action.how.done}: {err.strip() or 'its server did not answer'}")
        if code:
            raise NotHealed(f"{host.name}: {describe(action)} failed: {err.strip() or f'exit status {code}'}")
        return out

    async def act_anew(self, host: Host, action: Action, wave: str) -> str:
        """One that was open before proves nothing about who may come in now."""
        text, limit = await self._script(host, action, wave)
        async with Connections(self._cluster) as connections:
            out, err, code = await connections.exec(host, text, limit)
        if code:
            raise NotHealed(f"{host.name}: {describe(action)} failed: {err.strip() or f'exit status {code}'}")
        return out

    async def _script(self, host: Host, action: Action, wave: str) -> tuple[str, float]:
        match action:
            case Shell():
                return actions.shell(action, self._run), action.limit + 30.0
            case Sql():
                return actions.statement(action, self._run), 60.0
            case PutFile():
                return actions.put(action, await self._content(host, action), self._run, wave), 60.0
            case RestoreFile():
                return actions.restore(action, self._run), 60.0
            case Restart():
                text = garb.restart(action, self._run) if action.unit == UNIT else actions.restart(action, self._run)
                return text, actions.STOP_LIMIT + action.limit + 60.0

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
            case Sealed() as sealed:
                return await self._seal(host, sealed)

    async def _seal(self, host: Host, sealed: Sealed) -> str:
        """The certificate goes to the source and ciphertext comes back: nobody on the way can open it."""
        source = next(known for known in self._cluster.hosts if known.name == sealed.source)
        recipient, err, code = await self.exec(host, sh("cat {{path}} </dev/null", path=sealed.recipient).text, 30.0)
        if code:
            raise NotHealed(f"{host.name}: the certificate to seal for is not there: {err.strip()}")
        content, err, code = await self.exec(source, actions.seal(sealed.script, recipient), 60.0)
        if code:
            raise NotHealed(f"{source.name}: what {host.name} needs could not be sealed: {err.strip()}")
        return content


def describe(action: Action) -> str:
    match action:
        case PutFile():
            return f"writing {action.path}"
        case RestoreFile():
            return f"restoring {action.path}"
        case Restart():
            return f"{action.how} of {action.unit}"
        case Sql():
            return f"statement {action.text.split(' IDENTIFIED ')[0][:80]!r}"
        case Shell():
            return f"command {action.text.strip().splitlines()[0][:80]!r}"
