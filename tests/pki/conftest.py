"""One authority of each kind for all tests: making one stretches its passphrase for 0.2 s."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pki_requests import NOW, PASSPHRASE, OpenSsl

from galvan.pki.authority import Authority, Unlocked, _authority_certificate, create, unlock
from galvan.pki.names import full_name
from galvan.pki.places import Place


@pytest.fixture(scope="session")
def cluster() -> Authority:
    return create("cluster", "shop", PASSPHRASE, 1095, NOW)


@pytest.fixture(scope="session")
def client() -> Authority:
    return create("client", "shop", PASSPHRASE, 1095, NOW)


@pytest.fixture(scope="session")
def signer(cluster: Authority) -> Unlocked:
    return unlock(cluster, PASSPHRASE)


@pytest.fixture(scope="session")
def client_signer(client: Authority) -> Unlocked:
    return unlock(client, PASSPHRASE)


@pytest.fixture
def verify(tmp_path: Path) -> OpenSsl:
    """`openssl verify` at the test's time, as strict as openssl can be."""

    def run(leaf: str, ca: str, purpose: str, at: float = NOW) -> subprocess.CompletedProcess[str]:
        (tmp_path / "leaf.pem").write_text(leaf)
        (tmp_path / "ca.pem").write_text(ca)
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-attime", f"{at:.0f}", "-no-CApath"]
        command += ["-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that nobody may enter; pytest's own are closed."""
    path = Path(tempfile.mkdtemp(prefix="galvan-pki-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def place(home: Path) -> Place:
    return Place(f"{home}/galvan/cluster", (f"{home}/galvan", f"{home}/galvan/cluster"))


@pytest.fixture
def now_signer() -> Unlocked:
    """An authority of today, because openssl looks at the clock."""
    key, now = ec.generate_private_key(ec.SECP256R1()), time.time()
    return Unlocked(
        "cluster", _authority_certificate(key, full_name("shop", "authority"), 7, now - 300, now + 9e6), key
    )
