"""The names in certificates: subjects, DNS names and addresses, and which of them a certificate can hold at all."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from galvan.model import BadInput, Signed

if TYPE_CHECKING:
    from cryptography import x509

LONGEST_NAME = 64  # bytes; X.509 takes no more in a common name or an organization

_LABEL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def full_name(organization: str, common_name: str) -> x509.Name:
    """The organization first: old SST scripts look for the common name behind a comma."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ])  # fmt: skip


def printable(text: str) -> str:
    """Without what SST scripts, which take subjects apart by hand, would trip over."""
    return "".join(c for c in text if c.isprintable() and c not in '"\\').strip()


def clip(text: str, most: int) -> str:
    return text.encode()[:most].decode("utf-8", "ignore").strip()


def leaf_name(authority: x509.Name, common_name: str) -> x509.Name:
    """The subject of a leaf under the authority of that name; raises BadInput where it cannot bear `common_name`."""
    from cryptography.x509.oid import NameOID

    if not common_name or printable(common_name) != common_name:
        raise BadInput(f"{common_name!r} is no common name: it is empty, or holds a quote, backslash or control sign")
    if len(common_name.encode()) > LONGEST_NAME:
        raise BadInput(
            f"the common name {common_name!r} is longer than {LONGEST_NAME} bytes: give a shorter one there, "
            "and keep the long one among the names"
        )
    if common_name in [name.value for name in authority.get_attributes_for_oid(NameOID.COMMON_NAME)]:
        raise BadInput(f"{common_name!r} is the authority's own name: Galera refuses a leaf that bears it")
    organizations = authority.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return full_name(str(organizations[0].value) if organizations else "Galvan", common_name)


def speaks_for(wanted: Signed) -> list[x509.GeneralName]:
    """DNS names and addresses, each by what it is: an address among the names (a virtual IP) becomes an address."""
    from cryptography import x509

    names: list[x509.GeneralName] = []
    for said in dict.fromkeys((*wanted.names, *wanted.addresses)):
        try:
            found: x509.GeneralName = x509.IPAddress(address) if (address := as_address(said)) else _dns(said)
        except (ValueError, UnicodeError):
            raise BadInput(
                f"{said!r} can stand in no certificate: give a DNS name in ASCII (xn-- form), or an address"
            ) from None
        if found not in names:
            names.append(found)
    if not names:
        raise BadInput(f"the certificate of {wanted.common_name!r} would speak for no name and no address")
    return names


def _dns(name: str) -> x509.DNSName:
    from cryptography import x509

    labels = name.removesuffix(".").split(".")
    fits = all(0 < len(label) < 64 and set(label) <= _LABEL for label in (labels[1:] if labels[0] == "*" else labels))
    if not fits or labels == ["*"] or len(name) > 254:
        raise ValueError(name)
    return x509.DNSName(name.removesuffix("."))


def as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None where the text is no address; a zone (`fe80::1%eth0`) is none either, because no certificate can hold it."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else address
