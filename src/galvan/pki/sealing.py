"""A private key encrypted at rest: PKCS#8 with PBES2, scrypt and AES-256-CBC, readable by any OpenSSL since 1.1.

`cryptography` writes PKCS#8 with 2,048 rounds of PBKDF2 and offers no way to ask for more: a graphics card tries
millions of passphrases a second against that. The frame below is fixed, so writing it takes a few lines; opening
it is left to `cryptography`. `openssl pkey -in cluster.key` opens it too, on a day when Galvan is not at hand.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MOST_BYTES = 1023  # OpenSSL reads no longer passphrase

_COST, _BLOCK, _LANES = 2**14, 8, 5  # 16 MiB: OpenSSL refuses above 32 MiB when it reads a key
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES256_CBC = bytes.fromhex("060960864801650304012a")


def seal(key: EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: bytes) -> bytes:
    """The key as `ENCRYPTED PRIVATE KEY` PEM; takes about 0.2 s, which is the point."""
    from cryptography.hazmat.primitives import padding, serialization
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    clear = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, start = os.urandom(16), os.urandom(16)
    secret = hashlib.scrypt(passphrase, salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=2**26, dklen=32)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    sealed = encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()
    stretch = _der(_SEQUENCE, _der(_OCTETS, salt), _number(_COST), _number(_BLOCK), _number(_LANES))
    scheme = _der(
        _SEQUENCE,
        _der(_SEQUENCE, _SCRYPT, stretch),
        _der(_SEQUENCE, _AES256_CBC, _der(_OCTETS, start)),
    )
    frame = _der(_SEQUENCE, _der(_SEQUENCE, _PBES2, scheme), _der(_OCTETS, sealed))
    text = base64.b64encode(frame)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, b"-----END ENCRYPTED PRIVATE KEY-----", b""))


def _number(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body
