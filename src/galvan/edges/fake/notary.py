"""Keys, requests and certificates in memory, and what openssl would print of them. Authorities are made once a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import File, Machine
from galvan.model import Signed
from galvan.pki import authority as pki

if TYPE_CHECKING:
    from cryptography import x509

_WORDS = b"a cluster in memory only"


@cache
def authority(name: str, cluster: str) -> pki.Unlocked:
    return pki.unlock(pki.create(name, cluster, _WORDS, 1095, time.time()), _WORDS)


@cache
def authority_pem(name: str, cluster: str) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return authority(name, cluster).certificate.public_bytes(Encoding.PEM).decode()


def sign(cluster: str, request: str, wanted: Signed) -> str:
    return pki.issue(authority(wanted.authority, cluster), request, wanted, time.time())


@cache
def key_and_request(host: str, directory: str, number: int) -> tuple[str, str]:
    """The key's and the request's PEM; another number, another key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return pem, request.public_bytes(serialization.Encoding.PEM).decode()


@cache
def _public(pem: str) -> str:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pem.encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def _printed(pem: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    leaf = x509.load_pem_x509_certificate(pem.encode())
    digest = leaf.fingerprint(hashes.SHA256()).hex().upper()
    public = leaf.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return (
        f"sha256 Fingerprint={':'.join(digest[i : i + 2] for i in range(0, len(digest), 2))}\n"
        f"notBefore={_date(leaf.not_valid_before_utc)}\nnotAfter={_date(leaf.not_valid_after_utc)}\n"
        f"serial={leaf.serial_number:X}\nsubject={leaf.subject.rfc4514_string()}\n{public.decode()}"
    )


def _date(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%b} {moment.day:2d} {moment:%H:%M:%S %Y} GMT"


@cache
def _verify(leaf: str, trusted: str) -> str:
    """Empty where the chain holds, else openssl's sentence."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    certificate: x509.Certificate = x509.load_pem_x509_certificate(leaf.encode())
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(trusted.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return "error 20 at 0 depth lookup: unable to get local issuer certificate"
    return ""


def look(machine: Machine, directories: tuple[str, ...], user: str, gid: int) -> str:
    """The whole output of `pki.needs.judge_material`."""
    there = [d for d in directories if machine.has(d)]
    lines = ["@galvan-material 1", *(f"@missing {d}" for d in directories if d not in there)]
    if there:
        stat = [line for d in there for line in _stat(machine.files, d, user, gid)]
        lines += [f"@user {user}", f"@gid {gid}", "@stat", *stat]
        for directory in there:
            lines += _opened(machine.files, directory)
        for directory in there:
            lines += _as_user(machine.files, directory)
    return "\n".join([*lines, "@end", ""])


def _stat(files: Mapping[str, File], directory: str, user: str, gid: int) -> list[str]:
    group = f"{gid}:root:{user}"
    said = [f"750:{group}:{directory}"]
    for name in ("ca", "cert", "key"):
        if file := files.get(f"{directory}/{name}.pem"):
            owner, _, own = file.owner.partition(":")
            said.append(f"{file.mode:o}:{gid if own == user else 0}:{owner}:{own}:{directory}/{name}.pem")
    return said


def _opened(files: Mapping[str, File], directory: str) -> list[str]:
    lines = []
    if cert := files.get(f"{directory}/cert.pem"):
        lines += [f"@x509 {directory}", _printed(cert.content).rstrip("\n")]
    if key := files.get(f"{directory}/key.pem"):
        lines += [f"@key {directory}", _public(key.content).rstrip("\n")]
    for name in ("cert", "ca"):
        if file := files.get(f"{directory}/{name}.pem"):
            lines += [f"@pem {directory}/{name}.pem", file.content.rstrip("\n")]
    return lines


def _as_user(files: Mapping[str, File], directory: str) -> list[str]:
    there = {name: files[path] for name in ("ca", "cert", "key") if (path := f"{directory}/{name}.pem") in files}
    lines = [f"@as-user {directory}", *(f"reads {name}" for name in there)]
    if {"ca", "cert"} <= there.keys():
        wrong = _verify(there["cert"].content, there["ca"].content)
        for purpose in ("sslserver", "sslclient"):
            lines += [f"@verify {purpose} {directory}", wrong or f"{directory}/cert.pem: OK"]
    return lines
