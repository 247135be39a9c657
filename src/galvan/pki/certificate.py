"""What a certificate says, and what is wrong with it, in sentences that a database administrator would say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from galvan.model import Unreadable
from galvan.pki.authority import CURVES, DAY, LEAST_RSA
from galvan.pki.chain import chain_of, extension, load
from galvan.pki.names import as_address

if TYPE_CHECKING:
    from cryptography import x509

SERVER, CLIENT = "server", "client"
WEAK_HASHES = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """`not_before`, `not_after`: seconds since the epoch. `pem` also holds the intermediates that lay beside it."""

    subject: str
    issuer: str
    common_name: str
    issuer_common_name: str
    serial: str
    sha256: str
    not_before: float
    not_after: float
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    purposes: frozenset[str]
    key: str  # as in `EC secp256r1`, `RSA`
    bits: int
    signature: str  # the hash, as in `sha256`
    is_ca: bool
    pem: str = field(repr=False)


def describe(pem: str) -> Leaf:
    """The first certificate of the text; raises Unreadable where there is none, or one that X.509 does not know."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    first = load(pem)[0]
    try:
        sans = extension(first, x509.SubjectAlternativeName)
        basic = extension(first, x509.BasicConstraints)
        key, bits = _key(first)
        return Leaf(
            subject=first.subject.rfc4514_string(),
            issuer=first.issuer.rfc4514_string(),
            common_name=_common_name(first.subject),
            issuer_common_name=_common_name(first.issuer),
            serial=f"{first.serial_number:x}",
            sha256=first.fingerprint(hashes.SHA256()).hex(),
            not_before=first.not_valid_before_utc.timestamp(),
            not_after=first.not_valid_after_utc.timestamp(),
            names=tuple(sans.get_values_for_type(x509.DNSName)) if sans else (),
            addresses=tuple(str(a) for a in sans.get_values_for_type(x509.IPAddress)) if sans else (),
            purposes=_purposes(first),
            key=key,
            bits=bits,
            signature=_signature(first),
            is_ca=bool(basic and basic.ca),
            pem=pem,
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Unreadable(f"the certificate cannot be read: {error}") from None


def problems(
    leaf: Leaf,
    authorities: str | Sequence[str],
    now: float,
    want_names: Sequence[str] = (),
    want_addresses: Sequence[str] = (),
    warn_days: int = 30,
) -> tuple[str, ...]:
    """What is wrong, the worst first; empty where nothing is. `now`: seconds since the epoch.

    `authorities`: PEM texts that are trusted; the chain must reach a self-signed one of them, as OpenSSL and Galera
    demand. Wanted names and addresses are sorted by what they are, so that a virtual address may stand in either.
    """
    return (
        *_time(leaf, now, warn_days),
        *_trust(leaf, [authorities] if isinstance(authorities, str) else authorities, now),
        *_use(leaf),
        *_strength(leaf),
        *_missing(leaf, (*want_names, *want_addresses)),
    )


def _time(leaf: Leaf, now: float, warn_days: int) -> Iterator[str]:
    if now >= leaf.not_after:
        yield f"it expired on {_day(leaf.not_after)}, {_days(now - leaf.not_after)} ago"
    elif now < leaf.not_before:
        yield f"it is not valid before {_day(leaf.not_before)}: is this host's clock right?"
    elif leaf.not_after - now < warn_days * DAY:
        yield f"it ends in {_days(leaf.not_after - now)}, on {_day(leaf.not_after)}"


def _trust(leaf: Leaf, authorities: Sequence[str], now: float) -> Iterator[str]:
    trusted = [certificate for pem in authorities for certificate in load(pem)]
    first, *beside = load(leaf.pem)
    whom = " or ".join(dict.fromkeys(_common_name(c.subject) or c.subject.rfc4514_string() for c in trusted))
    if not chain_of(first, [*beside, *trusted], trusted, None):
        yield f"it does not chain to the authority {whom}: {leaf.issuer or 'nobody'} issued it"
    elif not chain_of(first, [*beside, *trusted], trusted, now):
        yield f"an authority on its chain to {whom} has expired, or is not valid yet"


def _use(leaf: Leaf) -> Iterator[str]:
    if leaf.is_ca:
        yield "it is an authority's certificate, not a host's"
    if SERVER not in leaf.purposes:
        yield "it lacks the purpose serverAuth, so that nobody would accept it from a server"
    if CLIENT not in leaf.purposes:
        yield "it lacks the purpose clientAuth: members also dial each other, so transfers and group traffic would fail"
    if leaf.common_name and leaf.common_name == leaf.issuer_common_name and not leaf.is_ca:
        yield f"it bears the common name of its authority, {leaf.common_name}: Galera refuses such a chain"


def _strength(leaf: Leaf) -> Iterator[str]:
    if leaf.key == "RSA" and leaf.bits < LEAST_RSA:
        yield f"its key is too short: RSA of {leaf.bits} bits, where {LEAST_RSA} are the least"
    elif leaf.key.startswith("EC ") and leaf.key.removeprefix("EC ") not in CURVES:
        yield f"its key lies on a curve that not every client speaks: {leaf.key.removeprefix('EC ')}"
    elif leaf.key == "DSA":
        yield "its key is a DSA key, which TLS no longer takes"
    if leaf.signature in WEAK_HASHES:
        yield f"it is signed with {leaf.signature.upper().replace('SHA', 'SHA-')}, which can be forged"


def _missing(leaf: Leaf, wanted: Sequence[str]) -> Iterator[str]:
    for said in lacking(leaf, wanted):
        yield f"it does not name the address {said}" if as_address(said) else f"it does not name {said}"


def lacking(leaf: Leaf, wanted: Sequence[str]) -> Iterator[str]:
    """The names and addresses that the certificate does not speak for."""
    addresses = {ipaddress.ip_address(address) for address in leaf.addresses}
    for said in dict.fromkeys(wanted):
        address = as_address(said)
        held = any(_covers(name, said) for name in leaf.names) if address is None else address in addresses
        if not held:
            yield said


def _covers(pattern: str, name: str) -> bool:
    """As RFC 6125: a star stands for exactly one label, and only for the first."""
    pattern, name = pattern.lower().removesuffix("."), name.lower().removesuffix(".")
    if pattern.startswith("*.") and "." in name:
        return pattern[2:] == name.split(".", 1)[1]
    return pattern == name


def _purposes(certificate: x509.Certificate) -> frozenset[str]:
    """A certificate that states no purpose may be used for both. `anyExtendedKeyUsage` counts for neither: OpenSSL,
    which decides for server and provider, does not take it."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    stated = extension(certificate, x509.ExtendedKeyUsage)
    if stated is None:
        return frozenset({SERVER, CLIENT})
    known = {ExtendedKeyUsageOID.SERVER_AUTH: SERVER, ExtendedKeyUsageOID.CLIENT_AUTH: CLIENT}
    return frozenset(known[oid] for oid in stated if oid in known)


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    """The algorithm and the bits of the public key; (`unknown`, 0) for a kind that cannot be told."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "unknown", 0
    if isinstance(key, EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.key_size
    if isinstance(key, RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, DSAPublicKey):
        return "DSA", key.key_size
    return type(key).__name__.removesuffix("PublicKey"), 0


def _signature(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        hash = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return hash.name if hash else "built in"


def _common_name(name: x509.Name) -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _days(seconds: float) -> str:
    days = int(seconds // DAY)
    return f"{days} days" if days > 1 else f"{int(seconds // 3600)} hours"
