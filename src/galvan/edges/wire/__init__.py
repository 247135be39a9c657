"""The wire: what an outsider finds at a port. Opens connections, reads, judges; changes nothing.

`Wire` answers attempts with trials. Whatever fails on the way is a trial too, never a traceback and never a pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import assert_never

from galvan.edges.wire import capture, group, noted, scan, served, server
from galvan.edges.wire.dial import Dialer, Ended, OperatorDialer, Sink, Source
from galvan.model import (
    Access,
    Attempt,
    Capture,
    ClientHello,
    GalvanError,
    GroupHello,
    Listening,
    Login,
    Noted,
    OnDisk,
    Outcome,
    Question,
    Rummage,
    Runnable,
    Scan,
    SecretRef,
    Served,
    Transfer,
    Trial,
)

__all__ = ["Dialer", "OperatorDialer", "Sink", "Source", "Wire"]

DIAL = 5.0  # seconds for one connection
LIMIT = 20.0  # seconds for a whole trial (a Served makes three connections)
MARGIN = 30.0  # seconds on top of a recording: to start it, to bring it here, to write the marker


class Wire:
    """The prober of the wire.

    secret: the value of a named secret, asked at the moment of use.
    run: (vantage, script) → what a POSIX shell script printed on that host.
    record: (host, ports, seconds) → a libpcap capture of these TCP ports.
    mark: (vantage, what is recorded) → writes its marker into the database there, and says it over a server's port from the vantage.
    ask: (vantage, script, seconds) → what a long POSIX shell script printed on that host or here, its errors, its status.
    Each may raise GalvanError, OSError or TimeoutError: the trial is then DEAD, with the reason.
    """

    def __init__(
        self,
        dialer: Dialer,
        secret: Callable[[SecretRef], str],
        run: Callable[[str, str], Awaitable[str]],
        record: Callable[[str, tuple[int, ...], float], Awaitable[bytes]],
        mark: Callable[[str, Capture], Awaitable[None]],
        *,
        ask: scan.Ask = scan.here,
        dial_timeout: float = DIAL,
        limit: float = LIMIT,
        seconds: float = capture.SECONDS,
    ) -> None:
        self._dialer, self._secret = dialer, secret
        self._run, self._record, self._mark, self._ask = run, record, mark, ask
        self._dial, self._limit, self._seconds = dial_timeout, limit, seconds

    async def attempt(self, vantage: str, attempt: Attempt) -> Trial:
        """Tries it once from `vantage` (a Capture is taken on the host in it, and the marker said from the vantage)."""
        limit = self._seconds + MARGIN if isinstance(attempt, Capture) else self._limit
        if isinstance(attempt, Scan):
            limit = scan.patience(attempt) + 2 * MARGIN
        try:
            async with asyncio.timeout(limit):
                return await self._attempt(vantage, attempt)
        except Ended as end:
            return end.trial
        except TimeoutError:
            return Trial(Outcome.DEAD, f"the trial was begun, but did not end within {limit:g} s")
        except (OSError, EOFError) as error:  # ssl.SSLError is an OSError
            return Trial(Outcome.DEAD, f"{type(error).__name__}: {error}")
        except GalvanError as error:
            return Trial(Outcome.DEAD, str(error))

    async def _attempt(self, vantage: str, attempt: Attempt) -> Trial:
        if isinstance(attempt, Login):
            return await server.login(self._dialer, vantage, attempt, self._secret, self._dial)
        if isinstance(attempt, ClientHello):
            return await server.hello(self._dialer, vantage, attempt, self._dial)
        if isinstance(attempt, Served):
            return await served.served(self._dialer, vantage, attempt, self._dial)
        if isinstance(attempt, GroupHello):
            return await group.group_hello(self._dialer, vantage, attempt, self._run, self._dial)
        if isinstance(attempt, Capture):

            async def mark(asked: Capture) -> None:
                await self._mark(vantage, asked)

            return await capture.capture(attempt, self._record, mark, self._seconds)
        if isinstance(attempt, Scan):
            return await scan.scan(self._dialer, vantage, attempt, self._ask)
        if isinstance(attempt, Noted):
            return await noted.noted(self._dialer, vantage, attempt, self._run, self._dial)
        if isinstance(attempt, Access | Listening | OnDisk | Question | Rummage | Runnable | Transfer):
            return Trial(Outcome.DEAD, f"{type(attempt).__name__} is asked on the host, not on the wire")
        assert_never(attempt)
