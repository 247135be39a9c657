"""Keys, requests and certificates in memory, and what openssl would print of them. Authorities are made once a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from galvan.cluster import provider
from galvan.edges.fake import options
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
    places = [(d, d, f"{d}/cert.pem", f"{d}/key.pem", f"{d}/ca.pem") for d in there]
    places += _brought(machine, directories) if machine.server else []
    lines = ["@galvan-material 2", *(f"@missing {d}" for d in directories if d not in there)]
    if places:
        lines += [f"@user {user}", f"@gid {gid}"]
        lines += [line for label, *rest in places for line in (f"@at {label}", *rest)]
        lines += ["@stat", *(line for _, d, *files in places for line in _stat(machine.files, d, files, user, gid))]
        for _, _, cert, _, ca in places:
            lines += [line for path in (cert, ca) for line in _pem(machine.files, path)]
        for label, _, *files in places:
            lines += _as_user(machine.files, label, *files)
    return "\n".join([*lines, "@end", ""])


def _brought(machine: Machine, directories: tuple[str, ...]) -> list[tuple[str, str, str, str, str]]:
    """What the option files name, where it is not Galvan's."""
    said = dict(machine.effective(*options.SERVER))
    group = provider.parse(said.get("wsrep_provider_options", ""))
    named = {
        "client": [said.get(f"ssl_{what}", "") for what in ("cert", "key", "ca")],
        "cluster": [group.get(f"socket.ssl_{what}", "") for what in ("cert", "key", "ca")],
    }
    ours = {f"{directory}/cert.pem" for directory in directories}
    return [
        (f"brought:{name}", ca.rpartition("/")[0], cert, key, ca)
        for name, (cert, key, ca) in named.items()
        if cert and cert not in ours
    ]


def _stat(files: Mapping[str, File], directory: str, paths: list[str], user: str, gid: int) -> list[str]:
    said = [f"750:{gid}:root:{user}:{directory}"]
    for path in paths:
        if file := files.get(path):
            owner, _, own = file.owner.partition(":")
            said.append(f"{file.mode:o}:{gid if own == user else 0}:{owner}:{own}:{path}")
    return said


def _pem(files: Mapping[str, File], path: str) -> list[str]:
    return [f"@pem {path}", files[path].content.rstrip("\n")] if path in files else []


def _as_user(files: Mapping[str, File], label: str, cert: str, key: str, ca: str) -> list[str]:
    there = {name: files[path] for name, path in (("ca", ca), ("cert", cert), ("key", key)) if path in files}
    lines = [f"@as-user {label}", *(f"reads {name}" for name in there)]
    if "key" in there:
        lines += [f"@key {label}", _public(there["key"].content).rstrip("\n")]
    if {"ca", "cert"} <= there.keys():
        lines += [f"@verify {label}", _verify(there["cert"].content, there["ca"].content) or f"{cert}: OK"]
    return lines
