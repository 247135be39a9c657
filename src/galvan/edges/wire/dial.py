"""How a probe gets a byte stream: the `Dialer`, its plain form for the operator's own machine, and the `Line` above it.

A probe lives with the operator. Where the vantage is another host, the SSH edge supplies a dialer that goes through
`direct-tcpip`; all that is asked of its streams is named in `Source` and `Sink`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from galvan.model import GalvanError, Outcome, Trial, Unreadable

CHUNK = 16384  # bytes asked for in one read


def at(address: str, port: int) -> str:
    """
    >>> at("10.0.0.1", 4567), at("fd00::1", 4567)
    ('10.0.0.1:4567', '[fd00::1]:4567')
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Ended(GalvanError):
    """Ends a trial early with the outcome that it carries; `Wire` turns it back into that trial."""

    def __init__(self, outcome: Outcome, seen: str) -> None:
        super().__init__(seen)
        self.trial = Trial(outcome, seen)


class Source(Protocol):
    async def read(self, n: int = -1, /) -> bytes:
        """Up to n bytes, b"" at the end. May raise OSError, and nothing else that is foreign."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...


class Dialer(Protocol):
    async def dial(self, vantage: str, address: str, port: int, timeout: float) -> tuple[Source, Sink]:
        """A byte stream from `vantage` to address:port within `timeout` seconds.

        Raises ConnectionRefusedError (the far side answered with a reset), TimeoutError (nothing came back) or
        Unreadable (the vantage itself cannot dial: no session, or forwarding is forbidden there).
        """


class OperatorDialer:
    """Dials from the machine that Galvan runs on; knows no other vantage."""

    async def dial(self, vantage: str, address: str, port: int, timeout: float) -> tuple[Source, Sink]:
        if vantage != "operator":
            raise Unreadable(f"{vantage}: only the operator's own machine can be dialled from here")
        async with asyncio.timeout(timeout):
            return await asyncio.open_connection(address, port)


class Line:
    """One open connection. Remembers the first bytes that came in, so that a parser may judge them afterwards."""

    KEEP = 65536  # bytes remembered: a whole TLS handshake fits

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source, self._sink = source, sink
        self.received = bytearray()

    async def read(self, n: int = CHUNK) -> bytes:
        data = await self._source.read(n)
        self.received += data[: max(0, self.KEEP - len(self.received))]
        return data

    async def write(self, data: bytes) -> None:
        self._sink.write(data)
        await self._sink.drain()

    def close(self) -> None:
        with suppress(OSError):
            self._sink.close()


@asynccontextmanager
async def connected(dialer: Dialer, vantage: str, address: str, port: int, timeout: float) -> AsyncIterator[Line]:
    """A line, closed at the end. A dial that fails ends the trial.

    SILENT is said of a dial without any answer only: a wall that drops. A TCP refusal is DEAD, because neither a wall
    that drops nor a server that judges a credential answers so: nothing that a proof asks about was measured.
    """
    where = f"{at(address, port)} from {vantage}"
    try:
        source, sink = await dialer.dial(vantage, address, port, timeout)
    except TimeoutError:
        raise Ended(Outcome.SILENT, f"{where}: no answer to the dial within {timeout:g} s") from None
    except ConnectionRefusedError:
        raise Ended(Outcome.DEAD, f"{where}: connection refused: nothing listens there, or a wall rejects") from None
    except Unreadable as error:
        raise Ended(Outcome.DEAD, f"{where}: the vantage cannot dial: {error}") from None
    except (OSError, ValueError, OverflowError) as error:  # the last two: an address or a port that is none
        raise Ended(Outcome.DEAD, f"{where}: {error}") from None
    line = Line(source, sink)
    try:
        yield line
    finally:
        line.close()
