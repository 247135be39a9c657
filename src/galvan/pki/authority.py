"""An authority, and the certificates it signs: pure values in, pure values out.

A leaf takes nothing from the request but its public key: who it speaks for is decided by Galvan's plan, not by
whoever could write to the host's request file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from galvan.model import BadInput, Signed
from galvan.pki.names import LONGEST_NAME, clip, full_name, leaf_name, printable, speaks_for
from galvan.pki.places import authority_name
from galvan.pki.sealing import MOST_BYTES, seal

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

SHORTEST_PASSPHRASE = 12  # characters
SKEW = 300  # seconds that a host's clock may be behind ours
LEAST_RSA = 2048
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})  # what every client library of MySQL and MariaDB speaks
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Authority:
    """`key_pem` is encrypted PKCS#8: it is of no use without the passphrase, which is kept elsewhere."""

    name: str
    certificate_pem: str
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """An authority whose key is open; lives for as long as signing takes, and is never stored."""

    name: str
    certificate: x509.Certificate = field(repr=False)
    key: EllipticCurvePrivateKey = field(repr=False)


def create(name: str, cluster: str, passphrase: bytes, days: int, now: float) -> Authority:
    """A new authority. `now`: seconds since the epoch. Raises BadInput for a weak passphrase or an unfit name.

    It carries an Organization because an SST script stumbles over a subject without one, and a random part in its
    common name because Galera refuses a chain whose leaf bears the name of its authority.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_name(name)
    strong(passphrase)
    if days < 1:
        raise BadInput(f"an authority of {days} days would be of no use; its lifetime is at least 1 day")
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    tail = f" {name} authority {serial & 0xFFFFFFFF:08x}"
    cluster = printable(cluster) or "cluster"
    subject = full_name(clip(cluster, LONGEST_NAME), clip(f"Galvan {cluster}", LONGEST_NAME - len(tail)) + tail)
    certificate = _authority_certificate(key, subject, serial, now - SKEW, now + days * DAY)
    return Authority(name, _pem(certificate), seal(key, passphrase))


def _authority_certificate(
    key: EllipticCurvePrivateKey, subject: x509.Name, serial: int, since: float, until: float
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    public = key.public_key()
    return (
        x509.CertificateBuilder(subject, subject, public, serial)
        .not_valid_before(_moment(since))
        .not_valid_after(_moment(until))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def unlock(authority: Authority, passphrase: bytes) -> Unlocked:
    """Raises BadInput where the passphrase does not open the key, or the key is not the certificate's."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    what = f"the authority {authority.name!r}"
    try:
        key = load_pem_private_key(authority.key_pem, passphrase)
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"the passphrase does not open {what} (or its key file is damaged)") from None
    except TypeError:  # the only way that cryptography tells a key in clear
        raise BadInput(f"the key of {what} is not encrypted: put the encrypted one back, and find out why") from None
    try:
        certificate = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    except ValueError:
        raise BadInput(f"the certificate of {what} is damaged") from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise BadInput(f"the key of {what} does not belong to its certificate")
    return Unlocked(authority.name, certificate, key)


def sign(authority: Authority, passphrase: bytes, csr_pem: str, wanted: Signed, now: float) -> str:
    """The leaf as PEM; `unlock` and `issue` in one, for a single signature."""
    return issue(unlock(authority, passphrase), csr_pem, wanted, now)


def issue(authority: Unlocked, csr_pem: str, wanted: Signed, now: float) -> str:
    """The leaf as PEM, good as a server's and as a client's, and never beyond the authority's own end.

    Raises BadInput for a tampered request, a weak key, names that no certificate can hold, and an authority that
    ends within a day.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if wanted.authority != authority.name:
        raise BadInput(f"the certificate is wanted of {wanted.authority!r}, and this authority is {authority.name!r}")
    public = _requested(csr_pem, wanted.csr)
    since, until = _lifetime(authority, wanted, now)
    subject = leaf_name(authority.certificate.subject, wanted.common_name)
    own = x509.SubjectKeyIdentifier.from_public_key(authority.certificate.public_key())
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = _usage(enciphers=isinstance(public, RSAPublicKey))
    leaf = (
        x509.CertificateBuilder(authority.certificate.subject, subject, public, x509.random_serial_number())
        .not_valid_before(_moment(since))
        .not_valid_after(_moment(until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(speaks_for(wanted)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _pem(leaf)


def _requested(csr_pem: str, where: str) -> CertificatePublicKeyTypes:
    """The public key of a request that proves possession of its private key."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        public, genuine = csr.public_key(), csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{where} is not a certificate request that can be read") from None
    if not genuine:
        raise BadInput(f"the signature of {where} does not hold: the request was changed after it was made")
    if isinstance(public, RSAPublicKey):
        if public.key_size < LEAST_RSA:
            raise BadInput(f"{where} asks for an RSA key of {public.key_size} bits; the least is {LEAST_RSA}")
    elif not isinstance(public, EllipticCurvePublicKey) or public.curve.name not in CURVES:
        raise BadInput(f"{where} asks for a kind of key that not every client speaks; use EC P-256, or RSA")
    return public


def _lifetime(authority: Unlocked, wanted: Signed, now: float) -> tuple[float, float]:
    begin = authority.certificate.not_valid_before_utc.timestamp()
    end = authority.certificate.not_valid_after_utc.timestamp()
    if wanted.days < 1:
        raise BadInput(f"a certificate of {wanted.days} days would be of no use; its lifetime is at least 1 day")
    if end - now < DAY:
        raise BadInput(
            f"the authority {authority.name!r} ends on {_moment(end):%Y-%m-%d %H:%M} UTC, too soon to sign anything: "
            "a new authority has to be trusted on every host first"
        )
    if now < begin:
        raise BadInput(
            f"the authority {authority.name!r} begins on {_moment(begin):%Y-%m-%d %H:%M} UTC: is the clock here right?"
        )
    return max(begin, now - SKEW), min(end, now + wanted.days * DAY)


def _usage(*, signs_certificates: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=enciphers,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def strong(passphrase: bytes) -> None:
    if len(passphrase.decode("utf-8", "replace")) < SHORTEST_PASSPHRASE:
        raise BadInput(f"the passphrase is too short for an authority: at least {SHORTEST_PASSPHRASE} characters")
    if len(passphrase) > MOST_BYTES:
        raise BadInput(f"the passphrase is too long: OpenSSL reads at most {MOST_BYTES} bytes")


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _moment(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
