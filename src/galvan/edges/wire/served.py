"""Which certificate does a port serve? `Served`, for the MySQL port and for the group port."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass

from galvan.edges.wire.dial import Dialer, Ended, at, connected
from galvan.edges.wire.mysql import Session
from galvan.edges.wire.records import clear_leaf, plausible
from galvan.edges.wire.tls import TlsLine, lenient, trusting
from galvan.model import Outcome, Served, Trial

WRONG_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH


@dataclass(frozen=True, slots=True)
class Look:
    """One handshake: the leaf that was served (DER), and what its verification found (0 and "" where it held)."""

    leaf: bytes
    code: int = 0
    problem: str = ""


async def served(dialer: Dialer, vantage: str, asked: Served, timeout: float) -> Trial:
    """MATCHES, or DIFFERS with all that is wrong: fingerprint, chain, name. CLEAR where there is no TLS.

    The handshake is made with verification first. Where that fails, it is made again without, to tell the
    fingerprint, and (for a wrong name) once more without the name, to tell whether the chain holds.
    """
    if not asked.authority:
        await _look(dialer, vantage, asked, lenient(), timeout)  # ends as CLEAR where there is no TLS at all
        return Trial(Outcome.DEAD, "TLS is served, and no authority is kept here that it could be checked against")
    try:
        strict, chain_only = trusting(asked.authority, True), trusting(asked.authority, False)
        strict.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=asked.name)
    except (ssl.SSLError, ValueError) as error:
        return Trial(Outcome.DEAD, f"the authority or the name given cannot be checked against: {error}")
    first = await _look(dialer, vantage, asked, strict, timeout)
    if not first.code:
        return judge(asked, first.leaf, "", "")
    leaf = (await _look(dialer, vantage, asked, lenient(), timeout)).leaf
    if first.code not in WRONG_NAME:
        return judge(asked, leaf, first.problem, "")
    again = await _look(dialer, vantage, asked, chain_only, timeout)
    return judge(asked, leaf, again.problem, first.problem)


def judge(asked: Served, leaf: bytes, chain: str, name: str) -> Trial:
    """Pure: compares what was served with what was asked for."""
    seen = hashlib.sha256(leaf).hexdigest()
    want = asked.sha256.replace(":", "").lower()
    wrong = []
    if seen != want:
        wrong.append(f"fingerprint: serves sha256 {seen}, expected {want}")
    if chain:
        wrong.append(f"chain: {chain}")
    if name:
        wrong.append(f"name: {name}")
    where = at(asked.address, asked.port)
    if wrong:
        return Trial(Outcome.DIFFERS, f"{where}: " + "; ".join(wrong))
    return Trial(Outcome.MATCHES, f"{where} serves sha256 {seen}, which chains to the authority and names {asked.name}")


async def _look(dialer: Dialer, vantage: str, asked: Served, context: ssl.SSLContext, timeout: float) -> Look:
    async with connected(dialer, vantage, asked.address, asked.port, timeout) as line:
        if asked.group:
            return await _shake(TlsLine(line, context, asked.name))
        session = await Session.open(line)
        try:
            return _through(await session.start_tls(context, asked.name))
        except ssl.SSLCertVerificationError as error:
            return Look(b"", error.verify_code, error.verify_message)


async def _shake(tls: TlsLine) -> Look:
    """At the group port: a TLS 1.3 client is through before the member asks for its certificate; with TLS 1.2 the
    member's refusal comes within the handshake, but after its own certificate was sent in clear and verified."""
    try:
        await tls.handshake()
    except ssl.SSLCertVerificationError as error:
        return Look(b"", error.verify_code, error.verify_message)
    except ssl.SSLError as error:
        heard = bytes(tls.heard)
        if heard and not plausible(heard[:5]):
            raise Ended(Outcome.CLEAR, f"no TLS: the member answered with {len(heard)} bytes of clear text") from None
        if (leaf := clear_leaf(heard)) and tls.alert(error):
            return Look(leaf)
        raise
    return _through(tls)


def _through(tls: TlsLine) -> Look:
    leaf = tls.leaf()
    if not leaf:
        raise Ended(Outcome.DEAD, "the handshake went through without a certificate")
    return Look(leaf)
