"""A credential that no cluster trusts: an authority and a leaf of its own, made for one trial and then forgotten."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec


def make() -> bytes:
    """PEM of a P-256 key, a leaf for both purposes, and the authority that signed it; valid for an hour."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "galvan probe: a foreign authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "galvan probe: a foreign leaf")])
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    authority = (
        _hour(issuer, issuer, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root, SHA256())
    )
    leaf = (
        _hour(subject, issuer, key)
        .add_extension(both, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(root, SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return secret + leaf.public_bytes(pem) + authority.public_bytes(pem)


def present(context: ssl.SSLContext) -> None:
    """Gives `context` a fresh foreign credential. Python's ssl loads from a file only: it lives for this call, 0600."""
    with tempfile.TemporaryDirectory(prefix="galvan-") as folder:
        path = Path(folder, "foreign.pem")
        path.touch(mode=0o600)
        path.write_bytes(make())
        context.load_cert_chain(path)


def _hour(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    import datetime

    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )
