"""`Noted`: does the server write down who knocked? A name that nobody has is said at its door, and looked for in its log."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

from galvan.cluster.quote import sh
from galvan.edges.wire.dial import Dialer, Ended, at, connected
from galvan.edges.wire.mysql import Session
from galvan.edges.wire.packets import Ok
from galvan.edges.wire.tls import lenient
from galvan.model import Noted, Outcome, Trial, Unreadable

_WAIT = 1.0  # seconds for a log that is written a moment later


async def noted(
    dialer: Dialer, vantage: str, asked: Noted, run: Callable[[str, str], Awaitable[str]], timeout: float
) -> Trial:
    """MATCHES where the name stands in the log, DIFFERS where it does not; DEAD where the server never read the login."""
    name = f"galvan-{secrets.token_hex(6)}"
    async with connected(dialer, vantage, asked.address, asked.port, timeout) as line:
        session = await Session.open(line)
        with suppress(Unreadable, Ended):  # where no TLS is offered, it is said in clear text
            await session.start_tls(lenient())
        reply = await session.login(name, "no password of anybody")
        said = "let in" if isinstance(reply, Ok) else str(reply)
    if not asked.log:
        return Trial(
            Outcome.DIFFERS, f"{name} at {at(asked.address, asked.port)}: {said}; there is no audit log to stand in"
        )
    await asyncio.sleep(_WAIT)
    found = (await run(asked.host, _look(asked.log, name))).strip()
    return Trial(
        Outcome.MATCHES if name in found else Outcome.DIFFERS,
        f"{name}: {said}; {asked.log} says: {found[-200:] or 'nothing of it'}",
    )


def _look(log: str, name: str) -> str:
    if log == "syslog":
        return sh(
            "journalctl -t mysql-server_auditing -n 2000 -o cat --no-pager | grep -F {{name}} | head -n 1", name=name
        ).text
    return sh("tail -n 5000 {{log}} 2>/dev/null | grep -F {{name}} | head -n 1", log=log, name=name).text
