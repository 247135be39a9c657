"""MariaDB's `client_ed25519`: proves a password by a signature over the server's nonce.

It is Ed25519 (RFC 8032) with one change: the signing key is not expanded from a 32-byte seed but from the password of
any length, so that no library's `sign` fits. Plain integers, not constant in time: it signs once, for a probe.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
D = -121665 * pow(121666, -1, P) % P
Point: TypeAlias = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T

_Y = 4 * pow(5, -1, P) % P
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE: Point = (_X, _Y, 1, _X * _Y % P)


def sign(password: str, nonce: bytes) -> bytes:
    """The 64 bytes that answer the server's 32-byte nonce."""
    seed = hashlib.sha512(password.encode()).digest()
    secret = (int.from_bytes(seed[:32], "little") & ((1 << 254) - 8)) | (1 << 254)
    public = _pack(_times(secret, BASE))
    once = int.from_bytes(hashlib.sha512(seed[32:] + nonce).digest(), "little") % L
    commitment = _pack(_times(once, BASE))
    challenge = int.from_bytes(hashlib.sha512(commitment + public + nonce).digest(), "little")
    return commitment + ((once + challenge * secret) % L).to_bytes(32, "little")


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(factor: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = _add(total, point)
        point, factor = _add(point, point), factor >> 1
    return total


def _pack(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")
