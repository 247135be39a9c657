"""The key file is what the plug-in's own recipe would have made, and a sealed key opens with its passphrase alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from galvan.model import BadInput
from galvan.pki import keyring

PASSPHRASE = b"a passphrase for the tests"


def test_openssl_opens_the_key_file(tmp_path: Path) -> None:
    keys = {1: keyring.made(), 2: keyring.made()}
    (tmp_path / "password").write_text("a password\n")
    (tmp_path / "keys.enc").write_bytes(keyring.key_file(keys, "a password"))
    words = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass", f"file:{tmp_path}/password"]
    done = subprocess.run([*words, "-in", str(tmp_path / "keys.enc")], capture_output=True, text=True, check=True)
    assert done.stdout == f"1;{keys[1].hex()}\n2;{keys[2].hex()}\n"


def test_the_same_keys_make_the_same_file() -> None:
    keys = {1: b"1" * 32}
    assert keyring.key_file(keys, "one") == keyring.key_file(keys, "one")
    assert keyring.key_file(keys, "one") != keyring.key_file(keys, "two")


def test_a_sealed_key_comes_back() -> None:
    key = keyring.made()
    assert keyring.opened(keyring.sealed(key, PASSPHRASE), PASSPHRASE) == key


def test_openssl_opens_a_sealed_key(tmp_path: Path) -> None:
    """The recipe of tip.md, for a day when Galvan is not at hand."""
    key = keyring.made()
    (tmp_path / "1.key").write_bytes(keyring.sealed(key, PASSPHRASE))
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    recipe = "openssl pkey -in 1.key -passin file:passphrase -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \\n'"
    done = subprocess.run(["sh", "-c", recipe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == key.hex()


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(BadInput, match="passphrase does not open"):
        keyring.opened(keyring.sealed(keyring.made(), PASSPHRASE), b"another passphrase")


def test_the_path_tells_the_newest_key() -> None:
    assert keyring.key_path(("1", "2", "10")) == "/etc/mysql/galvan/at-rest/keys-10.enc"
