"""The keys of encryption at rest: how they are kept on the operator's side, and the file in which a server reads them.

Pure. A key is 32 random bytes, and is kept sealed as the authorities' keys are: in the one kind of private key that is
nothing but 32 bytes. `openssl pkey -in 1.key -noout -text` shows it, on a day when Galvan is not at hand.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence

from galvan.model import BadInput
from galvan.pki.places import BASE
from galvan.pki.sealing import seal

SIZE = 32
DIRECTORY = f"{BASE}/at-rest"
PASSWORD = f"{DIRECTORY}/filekey.key"
"""What opens the key file. Both lie on the host, so whoever is root there has the keys: they protect disks, snapshots and copies."""


def key_path(numbers: Sequence[str]) -> str:
    """The key file is named after the newest key in it: the server reads it at a start, and so tells which keys it knows."""
    return f"{DIRECTORY}/keys-{max(map(int, numbers))}.enc"


def made() -> bytes:
    return os.urandom(SIZE)


def sealed(key: bytes, passphrase: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return seal(Ed25519PrivateKey.from_private_bytes(key), passphrase)


def opened(pem: bytes, passphrase: bytes) -> bytes:
    """Raises BadInput for another passphrase, and for a file that is no such key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError):
        raise BadInput("the passphrase does not open the key of encryption at rest that is kept here") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput("what is kept as a key of encryption at rest is none")
    return key.private_bytes_raw()


def fingerprint(number: int, key: bytes) -> str:
    """By which a key is told from another, on a host as well (`at_rest.facts`); says nothing about 32 random bytes."""
    return hashlib.sha256(f"galvan-at-rest:{number};{key.hex()}".encode()).hexdigest()[:16]


def key_file(keys: Mapping[int, bytes], password: str) -> bytes:
    """As `openssl enc -aes-256-cbc -md sha1 -pass file:…` writes it, which is what file_key_management reads.

    The salt comes from what is written, so the same keys make the same file on every host.
    """
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    text = "".join(f"{number};{key.hex()}\n" for number, key in sorted(keys.items())).encode()
    salt = hmac.digest(password.encode(), text, "sha256")[:8]
    stretched = last = b""
    while len(stretched) < 48:
        last = hashlib.sha1(last + password.encode() + salt, usedforsecurity=False).digest()
        stretched += last
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(stretched[:32]), modes.CBC(stretched[32:48])).encryptor()
    return b"Salted__" + salt + encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()
