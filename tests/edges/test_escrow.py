"""Keys of encryption at rest on the operator's side: made once, sealed, and missed when they are gone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from galvan.edges.authorities import Authorities
from galvan.edges.escrow import Escrow, fingerprints, numbers_in
from galvan.model import BadInput, SecretRef

KEYS = SecretRef("at-rest:keys:1,2")


def escrow(home: Path, passphrase: str = "a passphrase for the tests") -> Escrow:
    return Escrow(home / "at-rest", Authorities(home / "authorities", "lab", lambda: passphrase))


def test_what_is_made_stays(tmp_path: Path) -> None:
    escrow(tmp_path).ensure(["1", "2"])
    before, content = fingerprints(tmp_path / "at-rest"), escrow(tmp_path).reveal(KEYS)
    escrow(tmp_path).ensure(["1", "2", "3"])
    assert fingerprints(tmp_path / "at-rest")[:2] == before
    assert [number for number, _ in fingerprints(tmp_path / "at-rest")] == ["1", "2", "3"]
    assert escrow(tmp_path).reveal(KEYS) == content


def test_nobody_else_may_open_the_files(tmp_path: Path) -> None:
    escrow(tmp_path).ensure(["1"])
    assert stat.S_IMODE((tmp_path / "at-rest").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "at-rest").glob("*.key")} == {0o600}


def test_a_hosts_file_is_bytes_that_survive_as_text(tmp_path: Path) -> None:
    escrow(tmp_path).ensure(["1", "2"])
    assert escrow(tmp_path).reveal(KEYS).encode("utf-8", "surrogateescape").startswith(b"Salted__")


def test_a_lost_key_is_not_made_again(tmp_path: Path) -> None:
    escrow(tmp_path).ensure(["1", "2"])
    (tmp_path / "at-rest" / "1.key").unlink()
    with pytest.raises(BadInput, match=r"1\.key is missing"):
        escrow(tmp_path).ensure(["1", "2"])


@pytest.mark.parametrize("lost", ["filekey", "2"])
def test_nor_is_what_opens_the_file(tmp_path: Path, lost: str) -> None:
    escrow(tmp_path).ensure(["1", "2"])
    (tmp_path / "at-rest" / f"{lost}.key").unlink()
    with pytest.raises(BadInput, match="put it back"):
        escrow(tmp_path).ensure(["3"])


def test_another_passphrase_makes_nothing(tmp_path: Path) -> None:
    escrow(tmp_path).ensure(["1", "2"])
    with pytest.raises(BadInput, match="passphrase"):
        escrow(tmp_path, "another passphrase for the tests").ensure(["3"])
    assert len(fingerprints(tmp_path / "at-rest")) == 2


def test_a_weak_passphrase_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="passphrase"):
        escrow(tmp_path, "short").ensure(["1"])
    assert not fingerprints(tmp_path / "at-rest")


def test_a_reference_tells_its_keys() -> None:
    assert numbers_in(KEYS) == ("1", "2")
    assert numbers_in(SecretRef("at-rest:filekey")) == ()
    assert numbers_in(SecretRef("file:/etc/keys:1")) == ()
