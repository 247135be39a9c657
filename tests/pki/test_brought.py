"""What an option file of the owner names, found by the look itself: run for real, with option files as words."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from pki_hosts import SHELLS, equip, real, run

from galvan.pki.authority import Unlocked
from galvan.pki.material import Material, complaints, parse_material
from galvan.pki.needs import judge_material
from galvan.pki.places import Place


def look(home: Path, galvans: Place, *defaults: str, shell: str = "sh") -> dict[str, Material]:
    """`defaults`: what my_print_defaults prints on the host."""
    (home / "bin").mkdir(exist_ok=True)
    printer = home / "bin" / "my_print_defaults"
    printer.write_text(
        f"#!/bin/sh\n[ \"$*\" = --mysqld ] || exit 1\nprintf '%s\\n' {shlex.join(defaults) or chr(39) * 2}\n"
    )
    printer.chmod(0o755)
    script = judge_material([galvans.directory], "nobody", brought=True)
    done = run(script, shell, PATH=f"{home}/bin:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return dict(parse_material(done.stdout))


@pytest.fixture
def theirs(home: Path, now_signer: Unlocked) -> Path:
    """Material of the owner's, in a directory whose name shells trip over."""
    made = Place(f"{home}/made", (f"{home}/made",))
    equip(made, now_signer)
    odd = home / 'it\'s "odd" $(x) *'
    os.rename(made.directory, odd)
    os.chown(odd, 0, 65534)
    return odd


@real
@pytest.mark.parametrize("shell", SHELLS)
def test_both_channels_are_found_and_judged(home: Path, place: Place, theirs: Path, shell: str) -> None:
    provider = "; ".join(f"socket.ssl_{what} = {theirs}/{what}.pem" for what in ("key", "cert", "ca"))
    found = look(
        home, place, "--loose-ssl-cert=/old", f"--ssl_cert={theirs}/cert.pem", f"--ssl-key={theirs}/key.pem",
        f"--SSL-CA={theirs}/ca.pem", f"--wsrep-provider-options=gcache.size=1G; {provider};", "--skip-name-resolve", shell=shell,
    )  # fmt: skip
    assert set(found) == {place.directory, "brought:client", "brought:cluster"}
    for label in ("brought:client", "brought:cluster"):
        one = found[label]
        assert list(complaints(one)) == []
        assert (one.serves, one.dials, one.key_belongs, one.brought) == ("", "", True, True)
        assert one.name == f"{theirs}/cert.pem"
        assert one.directory == str(theirs)
    assert not found[place.directory].present


@real
def test_what_is_galvans_is_not_the_owners(home: Path, place: Place, now_signer: Unlocked) -> None:
    equip(place, now_signer)
    found = look(home, place, f"--ssl-cert={place.certificate}", f"--ssl-key={place.key}", f"--ssl-ca={place.ca}")
    assert set(found) == {place.directory}
    assert look(home, place, "--datadir=/x").keys() == {place.directory}


@real
def test_paths_begin_at_the_data_directory(home: Path, place: Place, theirs: Path) -> None:
    found = look(home, place, f"--datadir={theirs}/", "--ssl-cert=cert.pem", "--ssl-key=key.pem", "--ssl-ca=ca.pem")
    assert list(complaints(found["brought:client"])) == []
    assert found["brought:client"].paths["key"] == f"{theirs}/key.pem"


@real
def test_pxc_puts_its_own_files_into_the_provider(home: Path, place: Place, theirs: Path) -> None:
    """pxc-encrypt-cluster-traffic: the server's files where they are named, else what it made in the data directory."""
    on = "--pxc-encrypt-cluster-traffic=ON"
    named = look(
        home, place, on, f"--ssl-cert={theirs}/cert.pem", f"--ssl-key={theirs}/key.pem", f"--ssl-ca={theirs}/ca.pem"
    )
    assert named["brought:cluster"].paths == named["brought:client"].paths
    for old, new in (("cert", "server-cert"), ("key", "server-key")):
        os.rename(theirs / f"{old}.pem", theirs / f"{new}.pem")
    made = look(home, place, on, f"--datadir={theirs}")
    assert list(complaints(made["brought:cluster"])) == []
    assert "brought:client" not in made
    assert "brought:cluster" not in look(home, place, "--pxc-encrypt-cluster-traffic=OFF", f"--datadir={theirs}")


@real
def test_without_an_authority_the_provider_trusts_its_own_certificate(home: Path, place: Place, theirs: Path) -> None:
    found = look(
        home, place, f"--wsrep_provider_options=socket.ssl_cert={theirs}/cert.pem;socket.ssl_key={theirs}/key.pem"
    )
    assert found["brought:cluster"].paths["ca"] == f"{theirs}/cert.pem"
    assert "does not hold as a server's" in " ".join(complaints(found["brought:cluster"]))


@real
@pytest.mark.parametrize(
    ("defaults", "says"),
    [
        (("--ssl-cert=/d/cert.pem", "--ssl-key=/d/key.pem"), "no option file names an authority beside /d/cert.pem and /d/key.pem"),
        (("--ssl-cert=/d/cert.pem", "--ssl-ca=/d/ca.pem"), "no option file names a key beside /d/cert.pem and /d/ca.pem"),
        (("--ssl-cert=/d/none.pem", "--ssl-key=/d/key.pem", "--ssl-ca=/d/ca.pem"), "/d/none.pem is missing"),
        (("--ssl-cert=/d", "--ssl-key=/d/key.pem", "--ssl-ca=/d/ca.pem"), "the user nobody cannot read /d (root:nogroup 0750)"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_said(
    home: Path, place: Place, now_signer: Unlocked, defaults: tuple[str, ...], says: str
) -> None:
    theirs = Place(f"{home}/d", (f"{home}/d",))
    equip(theirs, now_signer)
    said = [word.replace("/d", theirs.directory) for word in defaults]
    found = look(home, place, *said)
    assert says.replace("/d", theirs.directory) in list(complaints(found["brought:client"]))


@real
def test_the_mysql_user_may_own_what_the_owner_brought(home: Path, place: Place, theirs: Path) -> None:
    options = (f"--ssl-cert={theirs}/cert.pem", f"--ssl-key={theirs}/key.pem", f"--ssl-ca={theirs}/ca.pem")
    os.chown(theirs, 65534, 65534)
    assert list(complaints(look(home, place, *options)["brought:client"])) == []
    os.chmod(theirs, 0o777)
    assert "may be changed by others than root and nobody" in " ".join(
        complaints(look(home, place, *options)["brought:client"])
    )
    os.chmod(theirs, 0o755)
    os.chown(theirs / "key.pem", 0, 0)
    (said,) = complaints(look(home, place, *options)["brought:client"])
    assert said == f"the user nobody cannot read {theirs}/key.pem (root:root 0400)"
