"""The look at certificates, run for real by dash and bash, and the reading of what it printed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pki_hosts import SHELLS, equip, look, make, real, run

from galvan.model import BadInput, Unreadable
from galvan.pki.authority import Unlocked
from galvan.pki.certificate import describe
from galvan.pki.material import complaints, parse_material
from galvan.pki.needs import judge_material
from galvan.pki.places import Place

WORDS = [
    "@missing /a", "@user mysql", "@user ", "@gid 7", "@gid", "@at /a", "@at brought:client", "/a", "/a/cert.pem", "/a/key.pem",
    "/a/ca.pem", "(none)", "@stat", "755:0:root:root:/a", "400:7:mysql:mysql:/a/key.pem", "444:7:x y:x y:/a/cert.pem",
    "@key /a", "@pem /a/cert.pem", "@pem /a/ca.pem", "@as-user /a", "@as-user brought:client", "reads key", "reads cert",
    "@verify /a", "/a/cert.pem: OK", "error 20 at 0 depth lookup: no issuer", "-----BEGIN PUBLIC KEY-----", "AAAA",
    "-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "@strange", "",
]  # fmt: skip


@real
@pytest.mark.parametrize("shell", SHELLS)
def test_good_material(place: Place, now_signer: Unlocked, shell: str) -> None:
    leaf = equip(place, now_signer)
    found = look(place.directory, f"{place.directory}/none", shell=shell)
    good = found[place.directory]
    assert list(complaints(good)) == []
    assert (good.serves, good.dials, good.key_belongs, good.key_is_private) == ("", "", True, True)
    assert good.readable == {"ca", "cert", "key"}
    said = describe(leaf)
    assert good.leaf == said
    assert good.certificate == leaf
    assert good.authority == Path(place.ca).read_text()
    assert list(complaints(found[f"{place.directory}/none"])) == [f"there is no {place.directory}/none"]


@real
def test_looking_changes_nothing_and_says_the_same_again(place: Place, now_signer: Unlocked) -> None:
    equip(place, now_signer)
    paths = sorted(Path(place.directory).iterdir())
    before = [(p, p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in paths]
    script = judge_material([place.directory], "nobody")
    first, second = run(script), run(script)
    assert first.stdout == second.stdout
    assert [
        (p, p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in sorted(Path(place.directory).iterdir())
    ] == before


@real
def test_no_private_key_is_ever_printed(place: Place, now_signer: Unlocked) -> None:
    leaf = equip(place, now_signer)
    key = Path(place.key).read_text()
    torn = leaf.replace("-----END CERTIFICATE-----\n", "")
    for combined in (leaf + key, key + leaf, torn + key):
        Path(place.certificate).write_text(combined)
        Path(place.ca).write_text(combined)
        out = run(judge_material([place.directory], "nobody")).stdout
        assert "PRIVATE" not in out
        assert all(line not in out for line in key.splitlines()[1:-1])


def spoil_nothing_readable(place: Place) -> None:
    os.chown(place.key, 0, 0)


def spoil_open_key(place: Place) -> None:
    os.chmod(place.key, 0o444)


def spoil_other_key(place: Place) -> None:
    os.rename(place.key, place.key + ".old")
    Path(place.request).unlink()
    make(place)


def spoil_certificate(place: Place) -> None:
    Path(place.certificate).write_text("rubbish\n")


def spoil_key(place: Place) -> None:
    os.truncate(place.key, 60)


def spoil_ca(place: Place) -> None:
    Path(place.ca).unlink()


def spoil_directory(place: Place) -> None:
    os.chown(place.directory, 65534, -1)


def spoil_way_in(place: Place) -> None:
    os.chmod(place.closed[0], 0o700)


@real
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_nothing_readable, "the user nobody cannot read {d}/key.pem (root:root 0400)"),
        (spoil_open_key, "{d}/key.pem may be opened by others than nobody (nobody:nogroup 0444)"),
        (spoil_other_key, "{d}/key.pem does not belong to {d}/cert.pem"),
        (spoil_certificate, "{d}/cert.pem is no certificate that can be read"),
        (spoil_key, "{d}/key.pem is no private key that openssl opens without a passphrase"),
        (spoil_ca, "{d}/ca.pem is missing"),
        (
            spoil_directory,
            "{d} may be changed by others than root (nobody:nogroup 0750): whoever can, decides whom this host trusts",
        ),
        (spoil_way_in, "the user nobody cannot read {d}/ca.pem (root:root 0644)"),
    ],
)
def test_what_is_wrong_is_said(place: Place, now_signer: Unlocked, spoil: object, says: str) -> None:
    equip(place, now_signer)
    spoil(place)  # type: ignore[operator]
    said = list(complaints(look(place.directory)[place.directory]))
    assert says.format(d=place.directory) in said


@real
def test_a_foreign_authority_is_said_for_both_sides_even_if_the_system_trusts_ours(
    home: Path, place: Place, now_signer: Unlocked
) -> None:
    equip(place, now_signer)
    ours = Path(place.ca).read_text()
    other = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=foreign"]
    Path(place.ca).write_text(subprocess.run(other, capture_output=True, text=True, check=True).stdout)
    (home / "trusted").mkdir()
    (home / "trusted" / "ours.pem").write_text(ours)
    subprocess.run(["openssl", "rehash", str(home / "trusted")], check=True)
    control = ["openssl", "verify", "-CAfile", place.ca, place.certificate]
    assert (
        subprocess.run(
            control, env={**os.environ, "SSL_CERT_DIR": f"{home}/trusted"}, capture_output=True, check=False
        ).returncode
        == 0
    )
    bad = look(place.directory, SSL_CERT_DIR=f"{home}/trusted", SSL_CERT_FILE=f"{home}/trusted/ours.pem")[
        place.directory
    ]
    assert bad.serves == bad.dials == "unable to get local issuer certificate"
    assert len(list(complaints(bad))) == 2


@real
def test_a_web_certificate_holds_as_a_servers_only(
    place: Place, now_signer: Unlocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    with monkeypatch.context() as signing:
        signing.setattr(ExtendedKeyUsageOID, "CLIENT_AUTH", ExtendedKeyUsageOID.CODE_SIGNING)
        equip(place, now_signer)
    found = look(place.directory)[place.directory]
    assert found.serves == ""
    assert "certificate purpose" in found.dials


@real
def test_few_processes_and_none_for_what_is_missing(home: Path, place: Place, now_signer: Unlocked) -> None:
    equip(place, now_signer)
    log = home / "log"
    log.touch()
    log.chmod(0o666)
    (home / "bin").mkdir()
    for tool in ("openssl", "stat", "awk", "id", "setpriv", "runuser", "su", "cat", "sed", "grep"):
        if path := shutil.which(tool):
            (home / "bin" / tool).write_text(f'#!/bin/sh\necho {tool} >>{log}\nexec {path} "$@"\n')
            (home / "bin" / tool).chmod(0o755)
    environ = {"PATH": f"{home}/bin:/usr/bin:/bin"}
    look(f"{place.directory}/none", f"{place.directory}/nothing", **environ)
    assert log.read_text() == ""
    look(place.directory, f"{place.directory}/none", **environ)
    assert sorted(log.read_text().split()) == ["awk", "id", *["openssl"] * 2, "setpriv", "stat"]


@real
@pytest.mark.parametrize("tool", ["setpriv", "runuser", "su"])
def test_any_way_to_become_the_user_will_do(home: Path, place: Place, now_signer: Unlocked, tool: str) -> None:
    equip(place, now_signer)
    (home / "bin").mkdir()
    for broken in {"setpriv", "runuser", "su"} - {tool}:
        (home / "bin" / broken).write_text("#!/bin/sh\nexit 1\n")
        (home / "bin" / broken).chmod(0o755)
    found = look(place.directory, PATH=f"{home}/bin:/usr/bin:/bin")[place.directory]
    assert list(complaints(found)) == []
    (home / "bin" / tool).unlink(missing_ok=True)
    (home / "bin" / tool).write_text("#!/bin/sh\nexit 1\n")
    (home / "bin" / tool).chmod(0o755)
    done = run(judge_material([place.directory], "nobody"), PATH=f"{home}/bin:/usr/bin:/bin")
    with pytest.raises(Unreadable, match="could become nobody"):
        parse_material(done.stdout)


@real
def test_a_user_that_is_not_there_is_unreadable(place: Place) -> None:
    make(place)
    with pytest.raises(Unreadable, match="there is no user no-such-user"):
        parse_material(run(judge_material([place.directory], "no-such-user")).stdout)


@pytest.mark.parametrize(
    ("directory", "user"), [("/a b", "mysql"), ("relative", "mysql"), ("/a", "my sql"), ("/a", "-x")]
)
def test_what_never_reaches_a_shell(directory: str, user: str) -> None:
    with pytest.raises(BadInput):
        judge_material([directory], user)


@given(
    st.text() | st.lists(st.sampled_from(WORDS)).map(lambda words: "\n".join(("@galvan-material 2", *words, "@end\n")))
)
def test_rubbish_is_unreadable_or_nothing(text: str) -> None:
    try:
        found = parse_material(text)
    except Unreadable:
        return
    assert text.startswith("@galvan-material 2\n")
    for material in found.values():
        assert list(complaints(material))


@real
def test_what_was_cut_short_is_unreadable(place: Place, now_signer: Unlocked) -> None:
    equip(place, now_signer)
    out = run(judge_material([place.directory], "nobody")).stdout
    lines = out.splitlines(keepends=True)
    for end in range(len(lines)):
        with pytest.raises(Unreadable):
            parse_material("".join(lines[:end]))


@real
def test_an_intermediate_beside_the_leaf_completes_the_chain(home: Path) -> None:
    place = Place(f"{home}/x", (f"{home}/x",))
    make(place)
    script = """
    set -e; cd "$1"; ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    openssl req -x509 $ec -keyout r.key -subj /CN=root -out ca.pem
    openssl req $ec -keyout m.key -subj /CN=middle -out m.csr; echo basicConstraints=CA:TRUE >ext
    openssl x509 -req -in m.csr -CA ca.pem -CAkey r.key -CAcreateserial -extfile ext -out m.pem
    openssl x509 -req -in request.pem -CA m.pem -CAkey m.key -CAcreateserial -out leaf.pem
    cat leaf.pem m.pem >cert.pem; chmod 644 *.pem
    """
    subprocess.run(["bash", "-c", script, "x", place.directory], capture_output=True, check=True)
    found = look(place.directory)[place.directory]
    assert (found.serves, found.dials) == ("", "")
    assert found.certificate.count("BEGIN CERTIFICATE") == 2
