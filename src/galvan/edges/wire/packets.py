"""The MySQL protocol as bytes: the few packets that a probe needs, pure and without a password in clear.

Unreadable is raised where a peer speaks something else.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TypeAlias

from galvan.edges.wire import ed25519
from galvan.model import Unreadable

LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, SSL, TRANSACTIONS = 0x1, 0x4, 0x200, 0x800, 0x2000
SECURE_CONNECTION, PLUGIN_AUTH = 0x8000, 0x80000
WANTED = LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
UTF8MB4 = 45
LARGEST = 1 << 24

NATIVE, CACHING, ED25519 = "mysql_native_password", "caching_sha2_password", "client_ed25519"


@dataclass(frozen=True, slots=True)
class Greeting:
    version: str
    capabilities: int
    plugin: str
    salt: bytes

    @property
    def offers_tls(self) -> bool:
        return bool(self.capabilities & SSL)


@dataclass(frozen=True, slots=True)
class ServerError:
    number: int
    text: str

    def __str__(self) -> str:
        return f"ERROR {self.number}: {self.text}"


@dataclass(frozen=True, slots=True)
class Ok:
    pass


@dataclass(frozen=True, slots=True)
class Switch:
    """The server asks for another authentication plugin."""

    plugin: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class More:
    """Data of the plugin's own conversation."""

    data: bytes


Reply: TypeAlias = Ok | ServerError | Switch | More


def frame(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence & 0xFF]) + payload


def printable(data: bytes) -> str:
    """Text that may stand in a report: no control characters, whatever a peer sent."""
    return "".join(c if c.isprintable() else "." for c in data.decode("utf-8", "replace"))


def server_error(payload: bytes) -> ServerError:
    if len(payload) < 3:
        raise Unreadable("an error packet without a number")
    text = payload[3:]
    if text[:1] == b"#":
        text = text[6:]
    return ServerError(int.from_bytes(payload[1:3], "little"), printable(text))


def greeting(payload: bytes) -> Greeting | ServerError:
    """The server's first packet: protocol 10, or the error by which a server turns a client away at once."""
    if payload[:1] == b"\xff":
        return server_error(payload)
    version, found, rest = payload[1:].partition(b"\0")
    if payload[:1] != b"\x0a" or not found or len(rest) < 15:
        raise Unreadable(f"no MySQL greeting but {printable(payload[:32])!r}")
    salt = rest[4:12]
    capabilities = int.from_bytes(rest[13:15], "little")
    tail = rest[15:]
    plugin = ""
    if len(tail) >= 16:
        capabilities |= int.from_bytes(tail[3:5], "little") << 16
        size = max(13, tail[5] - 8)
        salt += tail[16 : 16 + size]
        plugin = printable(tail[16 + size :].partition(b"\0")[0])
    return Greeting(printable(version), capabilities, plugin or NATIVE, salt[:20])


def ssl_request(capabilities: int) -> bytes:
    flags = (WANTED & capabilities) | PROTOCOL_41 | SSL
    return struct.pack("<IIB23x", flags, LARGEST, UTF8MB4)


def login_request(capabilities: int, user: str, answer: bytes, plugin: str, tls: bool) -> bytes:
    flags = (WANTED & capabilities) | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | (SSL if tls else 0)
    head = struct.pack("<IIB23x", flags, LARGEST, UTF8MB4)
    return head + user.encode() + b"\0" + bytes([len(answer)]) + answer + plugin.encode() + b"\0"


def reply(payload: bytes) -> Reply:
    """What a server answers while a client logs in, or to a statement that returns no rows."""
    kind = payload[:1]
    if kind == b"\x00":
        return Ok()
    if kind == b"\xff":
        return server_error(payload)
    if kind == b"\x01":
        return More(payload[1:])
    if kind == b"\xfe" and len(payload) > 1:
        plugin, _, salt = payload[1:].partition(b"\0")
        return Switch(printable(plugin), salt)
    raise Unreadable(f"an answer that no login brings: {printable(payload[:16])!r}")


def scramble(plugin: str, password: str, salt: bytes) -> bytes:
    """The answer that proves the password without carrying it. Unreadable for a plugin that we do not speak.

    `mysql_clear_password` and its like would send the password itself: never.
    """
    if plugin not in (NATIVE, CACHING, ED25519):
        raise Unreadable(f"the account asks for the plugin {plugin}, which this probe does not speak")
    if not password:
        return b""
    if plugin == ED25519:
        return ed25519.sign(password, salt[:32])
    salt = salt[:20]  # without the closing zero
    if plugin == NATIVE:
        once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - the protocol's own
        mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()  # noqa: S324
    else:
        once = hashlib.sha256(password.encode()).digest()
        mask = hashlib.sha256(hashlib.sha256(once).digest() + salt).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))
