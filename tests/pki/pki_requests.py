"""Requests as a host would make them, and what Galvan would want signed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from galvan.model import Signed

NOW = 1_800_000_000.0
PASSPHRASE = b"correct horse battery"
OpenSsl = Callable[..., subprocess.CompletedProcess[str]]


def request(key: object = None, common_name: str = "whatever the host says") -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    csr = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    return csr.public_bytes(Encoding.PEM).decode()


def wanted(**changes: object) -> Signed:
    values: dict[str, object] = {
        "authority": "cluster",
        "csr": "/etc/mysql/galvan/cluster/request.pem",
        "names": ("db1", "db1.example.org"),
        "addresses": ("10.0.3.1", "fd00::1"),
        "common_name": "db1",
        "days": 90,
    }
    return Signed(**(values | changes))  # type: ignore[arg-type]
