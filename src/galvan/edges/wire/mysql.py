"""A small MySQL/MariaDB client: greet, STARTTLS, log in, send one statement, say goodbye.

Not PyMySQL, because that owns its socket, and a probe has to run over an SSH channel.
"""

from __future__ import annotations

import ssl
from typing import Protocol

from galvan.edges.wire import packets
from galvan.edges.wire.dial import Ended, Line
from galvan.edges.wire.packets import Greeting, More, Ok, ServerError, Switch
from galvan.edges.wire.tls import TlsLine
from galvan.model import Outcome, Unreadable

FAST_OK, FULL = b"\x03", b"\x04"  # of caching_sha2_password
QUIT, QUERY = b"\x01", b"\x03"


class NeedsFull(Unreadable):
    """caching_sha2_password does not know the account yet, and wants the password itself: only over TLS."""


class Pipe(Protocol):
    async def read(self, n: int = ...) -> bytes: ...

    async def write(self, data: bytes) -> None: ...


class Session:
    """One connection to a server, from its greeting on. Make it with `Session.open`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pipe: Pipe = line
        self._buffer = b""
        self._sequence = 0
        self.tls: TlsLine | None = None
        self.greeting: Greeting

    @classmethod
    async def open(cls, line: Line) -> Session:
        """Reads the greeting. A server that turns us away at once, or speaks something else, ends the trial as DEAD."""
        session = cls(line)
        first = packets.greeting(await session._packet())
        if isinstance(first, ServerError):
            raise Ended(Outcome.DEAD, f"the server turned the connection away: {first}")
        session.greeting = first
        return session

    async def start_tls(self, context: ssl.SSLContext, name: str | None = None) -> TlsLine:
        """Asks for TLS and shakes hands. The line comes back even where the handshake failed, in `self.tls`.

        Ends the trial as CLEAR where the server offers none; raises ssl.SSLError where the handshake fails.
        """
        if not self.greeting.offers_tls:
            raise Ended(Outcome.CLEAR, f"the server ({self.greeting.version}) offers no TLS")
        if self._buffer:
            raise Unreadable("the server sent more than a greeting before TLS: somebody else speaks on this line")
        await self._send(packets.ssl_request(self.greeting.capabilities))
        self.tls = TlsLine(self._line, context, name)
        await self.tls.handshake()
        self._pipe = self.tls
        return self.tls

    async def login(self, user: str, password: str) -> Ok | ServerError:
        """Raises Unreadable for a plugin we do not speak, NeedsFull where the password would travel in clear."""
        plugin, salt = self.greeting.plugin, self.greeting.salt
        if plugin not in (packets.NATIVE, packets.CACHING):
            plugin = packets.NATIVE  # the server switches us to what the account really uses
        answer = packets.scramble(plugin, password, salt)
        tls = self.tls is not None
        await self._send(packets.login_request(self.greeting.capabilities, user, answer, plugin, tls))
        while True:
            reply = packets.reply(await self._packet())
            if isinstance(reply, Switch):
                await self._send(packets.scramble(reply.plugin, password, reply.salt))
            elif isinstance(reply, More):
                await self._more(reply.data, password)
            else:
                return reply

    async def query(self, statement: str) -> Ok | ServerError:
        """Sends one statement and reads its answer to the end; rows are read and dropped."""
        self._sequence = 0
        await self._send(QUERY + statement.encode())
        first = await self._packet()
        if first[:1] in (b"\x00", b"\xff"):
            reply = packets.reply(first)
            return reply if isinstance(reply, ServerError) else Ok()
        for _ in range(2):  # the columns, then the rows, each ended by EOF
            while True:
                packet = await self._packet()
                if packet[:1] == b"\xff":
                    return packets.server_error(packet)
                if packet[:1] == b"\xfe" and len(packet) < 9:
                    break
        return Ok()

    async def quit(self) -> None:
        """COM_QUIT, so that the server does not count us as an aborted client."""
        self._sequence = 0
        await self._send(QUIT)

    async def _more(self, data: bytes, password: str) -> None:
        if data == FAST_OK:
            return  # the OK packet follows
        if data != FULL:
            raise Unreadable("the account's plugin asks something that this probe does not know")
        if self.tls is None:
            raise NeedsFull("caching_sha2_password asks for the password itself: not without TLS")
        await self._send(password.encode() + b"\0")

    async def _send(self, payload: bytes) -> None:
        await self._pipe.write(packets.frame(self._sequence, payload))
        self._sequence += 1

    async def _packet(self) -> bytes:
        head = await self._exactly(4)
        self._sequence = head[3] + 1
        return await self._exactly(int.from_bytes(head[:3], "little"))

    async def _exactly(self, n: int) -> bytes:
        while len(self._buffer) < n:
            data = await self._pipe.read(16384)
            if not data:
                raise Unreadable("the server closed the connection" + (" in mid packet" if self._buffer else ""))
            self._buffer += data
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken
