"""What Python says of a chain as a client's is what openssl says of it: tried on certificates of every sort."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from galvan.pki.chain import belongs, dials, first_only, roots, trusts

SERVER, CLIENT, ANY = (
    ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)  # fmt: skip
PURPOSES = {"none stated": None, "both": [SERVER, CLIENT], "server": [SERVER], "client": [CLIENT], "any": [ANY]}
USAGES = {"none stated": None, "signs": (True, False), "enciphers": (False, True)}
NETSCAPE = {"none": None, "client": b"\x03\x02\x07\x80", "server": b"\x03\x02\x06\x40"}
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "middle", "leaf", "other")}
openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def make(
    name: str, above: str, *, purposes: list[x509.ObjectIdentifier] | None = None, usage: tuple[bool, bool] | None = None,
    netscape: bytes | None = None,
) -> str:  # fmt: skip
    now = datetime.fromtimestamp(time.time(), UTC)
    signer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, said)]) for said in (above, name))
    builder = (
        x509.CertificateBuilder(signer, subject, KEYS[name].public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(name in ("root", "middle", "other"), None), critical=True)
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if usage is not None:
        signs, enciphers = usage
        builder = builder.add_extension(
            x509.KeyUsage(signs, False, enciphers, False, False, False, False, False, False), critical=True
        )
    if netscape is not None:
        oid = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, netscape), critical=False)
    return builder.sign(KEYS[above], hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def as_client(home: Path, sent: str, trusted: str) -> bool:
    (home / "sent.pem").write_text(sent)
    (home / "ca.pem").write_text(trusted)
    ask = ["openssl", "verify", "-purpose", "sslclient", "-no-CApath", "-CAfile", str(home / "ca.pem")]
    ask += ["-untrusted", str(home / "sent.pem"), str(home / "sent.pem")]
    environ = {"PATH": "/usr/bin:/bin", "SSL_CERT_DIR": "/nonexistent", "SSL_CERT_FILE": "/nonexistent"}
    return subprocess.run(ask, capture_output=True, env=environ, check=False).returncode == 0


@openssl
@pytest.mark.parametrize("middle", PURPOSES)
@pytest.mark.parametrize("leaf", PURPOSES)
def test_purposes_are_openssls(tmp_path: Path, leaf: str, middle: str) -> None:
    root = make("root", "root")
    sent = make("leaf", "middle", purposes=PURPOSES[leaf]) + make("middle", "root", purposes=PURPOSES[middle])
    assert (dials(sent, root) == "") is as_client(tmp_path, sent, root)


@openssl
@pytest.mark.parametrize(("usage", "netscape"), list(itertools.product(USAGES, NETSCAPE)))
def test_usages_are_openssls(tmp_path: Path, usage: str, netscape: str) -> None:
    root = make("root", "root")
    sent = make("leaf", "root", usage=USAGES[usage], netscape=NETSCAPE[netscape])
    assert (dials(sent, root) == "") is as_client(tmp_path, sent, root)


@openssl
def test_trust_is_openssls(tmp_path: Path) -> None:
    """Down to a root only, in a bundle of two too; without the intermediate, or under another's root, never."""
    root, other, middle, leaf = (
        make("root", "root"),
        make("other", "other"),
        make("middle", "root"),
        make("leaf", "middle"),
    )
    for sent, trusted, good in (
        (leaf + middle, root, True), (leaf + middle, other + root, True), (leaf, root, False), (leaf, root + middle, True),
        (leaf + middle, other, False), (leaf + middle, middle, False),
    ):  # fmt: skip
        assert as_client(tmp_path, sent, trusted) is good
        assert trusts(trusted, sent) is good
        assert (dials(sent, trusted) == "") is good


def test_an_old_provider_sends_the_leaf_alone() -> None:
    leaf, middle = make("leaf", "middle"), make("middle", "root")
    assert first_only(leaf + middle).strip() == leaf.strip()
    assert first_only(leaf) == leaf


def test_roots_are_the_self_signed_ones() -> None:
    root, other, middle = make("root", "root"), make("other", "other"), make("middle", "root")
    assert len(roots(root + middle)) == 1
    assert roots(root + other) & roots(other + middle) == roots(other)


def test_a_key_belongs_by_what_it_is() -> None:
    def public(name: str) -> str:
        return KEYS[name].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert belongs(make("leaf", "root"), public("leaf"))
    assert not belongs(make("leaf", "root"), public("root"))
    assert not belongs(make("leaf", "root"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
