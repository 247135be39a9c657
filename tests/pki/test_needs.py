"""The script that makes a key and a request, run for real by dash and bash."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pki_hosts import SHELLS, make, real, run

from galvan.model import BadInput
from galvan.pki.needs import make_key_and_request
from galvan.pki.places import Place, at


@real
@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_and_a_request_are_made(place: Place, shell: str) -> None:
    done = make(place, shell=shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    key = Path(place.key).stat()
    assert (stat.S_IMODE(key.st_mode), Path(place.key).owner(), Path(place.key).group()) == (0o400, "nobody", "nogroup")
    for directory in place.closed:
        about = Path(directory)
        assert (stat.S_IMODE(about.stat().st_mode), about.owner(), about.group()) == (0o750, "root", "nogroup")
    csr = x509.load_pem_x509_csr(Path(place.request).read_bytes())
    assert csr.is_signature_valid
    assert isinstance(csr.public_key(), ec.EllipticCurvePublicKey)
    assert csr.subject.rfc4514_string() == "CN=db1"
    assert sorted(os.listdir(place.directory)) == ["key.pem", "request.pem"]


@real
def test_parents_that_are_made_stay_open_and_those_there_are_left_alone(home: Path) -> None:
    (home / "etc").mkdir(mode=0o711)
    place = Place(f"{home}/etc/mysql/galvan", (f"{home}/etc/mysql/galvan",))
    assert make(place).returncode == 0
    assert stat.S_IMODE((home / "etc").stat().st_mode) == 0o711
    assert stat.S_IMODE((home / "etc/mysql").stat().st_mode) == 0o755


@real
def test_a_good_key_is_never_made_anew_and_its_mode_is_mended(place: Place) -> None:
    make(place)
    before = Path(place.key).read_bytes()
    os.chmod(place.key, 0o644)
    os.chown(place.key, 0, 0)
    assert make(place).returncode == 0
    assert Path(place.key).read_bytes() == before
    assert stat.S_IMODE(Path(place.key).stat().st_mode) == 0o400
    assert Path(place.key).owner() == "nobody"


@real
@pytest.mark.parametrize("left", ["", "-----BEGIN PRIVATE KEY-----\nMIG\n", "encrypted"])
def test_an_unusable_key_is_kept_aside(place: Place, left: str) -> None:
    Path(place.directory).mkdir(parents=True)
    if left == "encrypted":
        command = [
            "openssl",
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-aes256",
            "-pass",
            "pass:abcd",
        ]
        left = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    Path(place.key).write_text(left)
    Path(place.key + ".making").write_text("a crash left this")
    assert make(place).returncode == 0
    assert Path(place.key + ".unusable").read_text() == left
    assert "PRIVATE KEY" in Path(place.key).read_text()
    assert not Path(place.key + ".making").exists()


@real
def test_renewal_leaves_the_live_key_alone_and_can_be_resumed(place: Place) -> None:
    make(place)
    live, request = Path(place.key).read_bytes(), Path(place.request).read_bytes()
    assert make(place, renew=True).returncode == 0
    new = Path(place.new_key).read_bytes()
    assert new != live
    assert (Path(place.key).read_bytes(), Path(place.request).read_bytes()) == (live, request)
    assert make(place, renew=True).returncode == 0
    assert Path(place.new_key).read_bytes() == new


@real
@settings(max_examples=25, deadline=None)
@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters='"\\', exclude_categories=("C", "Z")),
        min_size=1,
        max_size=20,
    )
)
def test_any_name_arrives_whole_and_breaks_nothing(name: str) -> None:
    home = Path(tempfile.mkdtemp(prefix="galvan-pki-", dir="/tmp"))
    try:
        place = at(f"{home}/x")
        done = make(place, name=name)
        assert (done.returncode, done.stderr) == (0, "")
        csr = x509.load_pem_x509_csr(Path(place.request).read_bytes())
        assert csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
    finally:
        shutil.rmtree(home)


@real
def test_failures_say_at_what_and_stop_a_caller_that_has_no_set_e(place: Place) -> None:
    script = make_key_and_request("cluster", "db1", "nobody:no-such-group", place=place)
    done = run(script)
    assert done.returncode == 1
    assert f"galvan: cannot give {place.closed[0]} to root:no-such-group" in done.stderr
    behind = subprocess.run(
        ["sh"], input=f"if {script.text}\nthen echo passed; fi", capture_output=True, text=True, check=False
    )
    assert "passed" not in behind.stdout
    Path(place.directory).mkdir(parents=True)
    Path(place.key).symlink_to("/etc/hostname")
    assert "symbolic link" in make(place).stderr
    assert Path("/etc/hostname").exists()


@pytest.mark.parametrize("owner", ["mysql", "mysql:", "a b:c", "mysql:mysql;reboot", "-x:y"])
def test_owners_that_are_none(owner: str) -> None:
    with pytest.raises(BadInput):
        make_key_and_request("cluster", "db1", owner)
