"""Who is let in at the group port: `GroupHello`.

A ClientHello goes out at once: a silent connection would stall a cluster in dynamic mode. And the trial reads before it
judges: with TLS 1.3 a client sees its handshake succeed first, and the refusal afterwards.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from galvan.edges.wire.dial import Dialer, at, connected
from galvan.edges.wire.foreign import present
from galvan.edges.wire.records import HANDSHAKE, Alert, plausible, split
from galvan.edges.wire.sclient import heard_by, script
from galvan.edges.wire.tls import TlsLine, lenient
from galvan.model import GroupHello, Outcome, Trial

WAIT = 2.0  # seconds for the member's word after the handshake
# Alerts by which a server judges a client's certificate. 51, decrypt_error, is what OpenSSL says where an authority of
# the same name but with another key signed it.
REFUSALS = (40, 42, 43, 44, 45, 46, 48, 49, 51, 116)
HANDSHAKE_FAILURE = 40


async def group_hello(
    dialer: Dialer,
    vantage: str,
    asked: GroupHello,
    run: Callable[[str, str], Awaitable[str]],
    timeout: float,
) -> Trial:
    """ACCEPTED where the member talks to us, REFUSED where its alert judges our certificate, CLEAR where it speaks
    plaintext, SILENT where a wall drops the dial. Connected but mute, closed without an alert, or another alert: DEAD.

    A directory or file as credential means keys that never leave their host: openssl runs there, after a hello without a
    certificate from the same vantage has shown that TLS is spoken.
    """
    context = lenient()
    if asked.credential == "foreign":
        present(context)
    first = await _hello(dialer, vantage, asked, context, timeout)
    if asked.credential in ("none", "foreign") or first.outcome is Outcome.CLEAR:
        return first
    heard = heard_by(await run(vantage, script(asked.address, asked.port, asked.credential, asked.key)))
    who = f"{at(asked.address, asked.port)} with {asked.credential} from {vantage}"
    if heard.data:
        return Trial(Outcome.ACCEPTED, f"{who}: the member sent its own handshake message")
    if heard.alert is not None:
        return judge_alert(heard.alert, True, who)
    return Trial(Outcome.DEAD, f"{who}: {heard.problem or 'openssl saw neither data nor an alert'}")


async def _hello(dialer: Dialer, vantage: str, asked: GroupHello, context: ssl.SSLContext, timeout: float) -> Trial:
    credential = {"foreign": "a foreign certificate"}.get(asked.credential, "no certificate")
    who = f"{at(asked.address, asked.port)} with {credential} from {vantage}"
    async with connected(dialer, vantage, asked.address, asked.port, timeout) as line:
        tls = TlsLine(line, context)
        through = False
        try:
            async with asyncio.timeout(timeout):
                await tls.handshake()
            through = True
            async with asyncio.timeout(WAIT):
                data = await tls.read()
        except ssl.SSLError as error:
            return _judge_failure(tls, error, who)
        except TimeoutError:
            if through:
                return Trial(Outcome.DEAD, f"{who}: {tls.agreed()}, then no word within {WAIT:g} s")
            return Trial(Outcome.DEAD, f"{who}: connected, but the hello was not answered within {timeout:g} s")
        if not data:
            return Trial(Outcome.DEAD, f"{who}: closed without an alert")
        return Trial(Outcome.ACCEPTED, f"{who}: {tls.agreed()}, and the member sent {len(data)} bytes to us")


def _judge_failure(tls: TlsLine, error: ssl.SSLError, who: str) -> Trial:
    heard = bytes(tls.heard)
    if heard and not plausible(heard[:5]):
        return Trial(Outcome.CLEAR, f"{who}: a plaintext member answered with {len(heard)} bytes")
    if (alert := tls.alert(error)) is not None:
        met = any(record.kind == HANDSHAKE for record in split(heard)[0])
        return judge_alert(alert, met, who)
    if isinstance(error, ssl.SSLEOFError) or not heard:
        return Trial(Outcome.DEAD, f"{who}: closed without an alert")
    return Trial(Outcome.DEAD, f"{who}: {error}")


def judge_alert(alert: Alert, met: bool, who: str) -> Trial:
    """`met`: the server had answered the hello before. Without that, handshake_failure means that no cipher was
    shared: no certificate was judged."""
    if alert.description in REFUSALS and (met or alert.description != HANDSHAKE_FAILURE):
        return Trial(Outcome.REFUSED, f"{who}: {alert}")
    return Trial(Outcome.DEAD, f"{who}: {alert}: not our certificate was refused")
