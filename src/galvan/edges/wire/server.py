"""Trials at the MySQL port: `Login` and `ClientHello`."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from galvan.edges.wire.dial import Dialer, Ended, at, connected
from galvan.edges.wire.mysql import NeedsFull, Session
from galvan.edges.wire.packets import Ok, ServerError
from galvan.edges.wire.records import PROTOCOL_VERSION
from galvan.edges.wire.tls import VERSIONS, lenient, only
from galvan.model import ClientHello, Login, Outcome, SecretRef, Trial

REFUSALS = (1045, 1698, 3159, 4151, 3118)
"""Access denied; insecure transport prohibited; the account is locked, MariaDB's and MySQL's. All are said after the login was read."""


async def login(
    dialer: Dialer, vantage: str, asked: Login, secret: Callable[[SecretRef], str], timeout: float
) -> Trial:
    """ACCEPTED or REFUSED by the server, CLEAR where TLS was asked for and is not offered, else DEAD.

    MySQL's caching_sha2_password can only judge a login without TLS once it has seen one with TLS; where that is
    missing, one login over TLS is made first (which changes nothing but the server's cache).
    """
    password = secret(asked.password) if asked.password else ""
    try:
        return await _once(dialer, vantage, asked, password, timeout)
    except NeedsFull:
        over_tls = replace(asked, tls=True)
        try:
            warmed = await _once(dialer, vantage, over_tls, password, timeout)
        except Ended as end:
            warmed = end.trial
        if warmed.outcome is not Outcome.ACCEPTED:
            return Trial(Outcome.DEAD, f"the same login over TLS, needed first, brought: {warmed.seen}")
        return await _once(dialer, vantage, asked, password, timeout)


async def _once(dialer: Dialer, vantage: str, asked: Login, password: str, timeout: float) -> Trial:
    async with connected(dialer, vantage, asked.address, asked.port, timeout) as line:
        session = await Session.open(line)
        way = "without TLS"
        if asked.tls:
            way = f"over {(await session.start_tls(lenient())).agreed()}"
        reply = await session.login(asked.user, password)
        if isinstance(reply, Ok):
            with suppress(OSError):
                await session.quit()
        return judge_login(reply, f"{asked.user} at {at(asked.address, asked.port)} {way}")


def judge_login(reply: Ok | ServerError, who: str) -> Trial:
    """Only an error that refuses this very login is a refusal; any other says that nothing was measured."""
    if isinstance(reply, Ok):
        return Trial(Outcome.ACCEPTED, f"{who}: logged in")
    return Trial(Outcome.REFUSED if reply.number in REFUSALS else Outcome.DEAD, f"{who}: {reply}")


async def hello(dialer: Dialer, vantage: str, asked: ClientHello, timeout: float) -> Trial:
    """Does the server shake hands in this TLS version? Only its alert protocol_version is a REFUSED.

    A server whose library (not its setting) turns the version down answers otherwise, and so may our own library:
    that is DEAD, because changing the library's level would open the door.
    """
    if asked.version not in VERSIONS:
        return Trial(Outcome.DEAD, f"{asked.version} is no TLS version that can be offered")
    try:
        context = only(asked.version)
    except (ssl.SSLError, ValueError) as error:
        return Trial(Outcome.DEAD, f"our own library cannot offer {asked.version}: {error}")
    async with connected(dialer, vantage, asked.address, asked.port, timeout) as line:
        session = await Session.open(line)
        try:
            tls = await session.start_tls(context)
        except ssl.SSLError as error:
            return _judge_failure(session, asked.version, error)
        return Trial(Outcome.ACCEPTED, f"{at(asked.address, asked.port)} speaks {tls.agreed()}")


def _judge_failure(session: Session, version: str, error: ssl.SSLError) -> Trial:
    alert = session.tls.alert(error) if session.tls else None
    if alert is None:
        return Trial(Outcome.DEAD, f"{version}: no alert came: our own library, or a closed line, ended it ({error})")
    if alert.description == PROTOCOL_VERSION:
        return Trial(Outcome.REFUSED, f"{version}: {alert}")
    return Trial(Outcome.DEAD, f"{version}: {alert}: it was not the server's tls_version that refused")
