"""TLS over any byte stream: Python's `ssl` with memory buffers, so that it also runs through an SSH channel."""

from __future__ import annotations

import ssl
import warnings
from typing import Final

from galvan.edges.wire.dial import Line
from galvan.edges.wire.records import Alert, clear_alert, named_alert

VERSIONS: Final = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def lenient() -> ssl.SSLContext:
    """TLS 1.2 or later to anybody: for trials that ask whether a door opens, not who stands behind it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def only(version: str) -> ssl.SSLContext:
    """Offers one version and no other; below 1.2 also the ciphers that the local library would not offer by itself.

    Raises KeyError for a version that is not in `VERSIONS`, and ssl.SSLError or ValueError where the local library
    was built without it.
    """
    wanted = VERSIONS[version]
    context = lenient()
    if wanted < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python warns that the old versions are deprecated: that is why we ask
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = wanted
    return context


def trusting(authority: str, check_name: bool) -> ssl.SSLContext:
    """Trusts only the PEM `authority`. Raises ssl.SSLError or ValueError where that is no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_name
    context.load_verify_locations(cadata=authority)
    return context


class TlsLine:
    """A client's TLS session on a `Line`. `heard` holds the raw bytes that the far side sent since TLS began."""

    KEEP = 65536

    def __init__(self, line: Line, context: ssl.SSLContext, name: str | None = None) -> None:
        self._line = line
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.heard = bytearray()

    async def handshake(self) -> None:
        """Raises ssl.SSLError (an alert, a failed verification, an early end) or OSError."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                await self._flush()  # our own alert, so that the far side's log says what happened
                raise
            else:
                await self._flush()
                return

    async def read(self, n: int = 16384) -> bytes:
        """Decrypted bytes; b"" where the far side ended without an alert. Raises ssl.SSLError for an alert."""
        while True:
            try:
                return self._session.read(n)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def write(self, data: bytes) -> None:
        self._session.write(data)
        await self._flush()

    def alert(self, error: ssl.SSLError) -> Alert | None:
        """What the far side said: from its own clear record, or (under keys) by OpenSSL's symbolic reason."""
        return clear_alert(bytes(self.heard)) or named_alert(error.reason)

    def agreed(self) -> str:
        """Version and cipher, like `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
        cipher = self._session.cipher()
        return f"{self._session.version()} {cipher[0] if cipher else ''}".strip()

    def leaf(self) -> bytes | None:
        """DER of the certificate that was served, where the handshake got through."""
        return self._session.getpeercert(binary_form=True)

    async def _feed(self) -> None:
        data = await self._line.read()
        self.heard += data[: max(0, self.KEEP - len(self.heard))]
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._line.write(self._outgoing.read())
