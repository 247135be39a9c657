"""The chain from a leaf to a root that is trusted, as OpenSSL builds it for the server and the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from galvan.model import Unreadable

if TYPE_CHECKING:
    from cryptography import x509

T = TypeVar("T", bound="x509.ExtensionType")

LONGEST = 8
_BEGIN = "-----BEGIN CERTIFICATE-----"
_NETSCAPE_TYPE = "2.16.840.1.113730.1.1"


def load(pem: str) -> list[x509.Certificate]:
    """Raises Unreadable where there is no certificate in the text."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Unreadable(f"this is no certificate in PEM: {error}") from None


def first_only(pem: str) -> str:
    """The first certificate of the text: all that a provider before 26.4.8 sends of a chain file."""
    head, begin, rest = pem.partition(_BEGIN)
    return head + begin + rest.partition(_BEGIN)[0]


def chain_of(
    of: x509.Certificate,
    pool: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    now: float | None,
    depth: int = 0,
) -> tuple[x509.Certificate, ...]:
    """A chain of signatures from the leaf to a self-signed trusted certificate; empty where there is none.
    `now` (seconds since the epoch) None leaves lifetimes out."""
    if of in trusted and of.subject == of.issuer:
        return (of,)
    if depth >= LONGEST:
        return ()
    signers = (c for c in pool if c != of and _issued(c, of, depth) and (now is None or _alive(c, now)))
    rests = (chain_of(c, pool, trusted, now, depth + 1) for c in signers)
    return next(((of, *rest) for rest in rests if rest), ())


def trusts(authorities: str, sent: str, now: float | None = None) -> bool:
    """Whether a peer that holds these authorities accepts what is sent to it: a leaf, and maybe intermediates."""
    first, *beside = load(sent)
    trusted = load(authorities)
    return bool(chain_of(first, [*beside, *trusted], trusted, now))


def roots(pem: str) -> frozenset[str]:
    """The SHA-256 of each self-signed certificate: whoever holds one trusts all that is signed under it."""
    from cryptography.hazmat.primitives import hashes

    return frozenset(c.fingerprint(hashes.SHA256()).hex() for c in load(pem) if c.subject == c.issuer)


def belongs(certificate: str, public: str) -> bool:
    """Whether a public key (PEM) is the certificate's; compared as keys, not as text."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return load(certificate)[0].public_key() == load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False


def dials(sent: str, authorities: str) -> str:
    """Why this chain does not hold as a client's, in OpenSSL's sense of the purpose; empty where it does.

    The signatures are openssl's own business (`needs.judge_material` asks it for a server's chain); what is left to
    say of a client is what each certificate on the chain states: X509_PURPOSE_SSL_CLIENT in crypto/x509/v3_purp.c.
    """
    first, *beside = load(sent)
    trusted = load(authorities)
    chain = chain_of(first, [*beside, *trusted], trusted, None)
    if not chain:
        return "no chain leads to a root that is trusted"
    if not all(_states_client(certificate) for certificate in chain) or not _signs(first):
        return "unsuitable certificate purpose"
    return ""


def _states_client(certificate: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    stated = extension(certificate, x509.ExtendedKeyUsage)
    return stated is None or ExtendedKeyUsageOID.CLIENT_AUTH in stated


def _signs(leaf: x509.Certificate) -> bool:
    """A client signs the handshake: a stated usage must let it, and so must the old Netscape extension."""
    from cryptography import x509

    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        return False
    for said in leaf.extensions:
        if said.oid.dotted_string == _NETSCAPE_TYPE and isinstance(said.value, x509.UnrecognizedExtension):
            return bool(said.value.value[-1:] and said.value.value[-1] & 0x80)
    return True


def _issued(above: x509.Certificate, below: x509.Certificate, between: int) -> bool:
    """`between`: how many authorities stand between `above` and the leaf; a path length may forbid them."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        basic = extension(above, x509.BasicConstraints)
        if not basic or not basic.ca or (basic.path_length is not None and basic.path_length < between):
            return False
        below.verify_directly_issued_by(above)
    except (Unreadable, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _alive(certificate: x509.Certificate, now: float) -> bool:
    return certificate.not_valid_before_utc.timestamp() <= now < certificate.not_valid_after_utc.timestamp()


def extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Unreadable(f"the certificate cannot be read: {error}") from None
