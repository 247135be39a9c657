"""Galvan's part of keepalived: whatever the policy, keepalived itself accepts it; taking it out leaves the owner's file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galvan.model import Pair
from galvan.tips.load_balancer.keepalived.conf import CONFIG, KEEPALIVED, MAIN, SCRIPT, keepalived
from galvan.tips.load_balancer.keepalived.edit import BLOCK, take_out
from galvan.tips.load_balancer.keepalived.render import ASK, Side, config

LINK = next((name for _, name in socket.if_nameindex() if name != "lo"), "")
"""Of this machine: keepalived takes none that is not there, and not the loopback."""
needed = pytest.mark.skipif(
    os.geteuid() != 0 or not LINK or not shutil.which("keepalived"),
    reason="needs root, a network and keepalived (scripts/prepare lab)",
)
OWNED = """\
global_defs {
    router_id HERE
    script_user nobody
}
vrrp_instance web {
    interface @link@
    virtual_router_id 51
    authentication {
        auth_type PASS
        auth_pass s3cret99
    }
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress {
        192.0.2.77/24
    }
}
"""
FOUR, SIX = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda a: a.compressed)
SIDES = st.one_of(
    st.builds(Side, st.builds(Pair, each, st.just(LINK), st.integers(0, 255)), each, each, st.booleans())
    for each in (FOUR, SIX)
).filter(lambda side: len({side.pair.address, side.own, side.other}) == 3)


@pytest.fixture(scope="module")
def door() -> Iterator[Path]:
    """A script that only root can change: keepalived looks at each directory above it."""
    path = Path("/etc/keepalived/galvan-test")
    path.write_text(ASK)
    path.chmod(0o500)
    yield path
    path.unlink()


@needed
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(side=SIDES, routed=st.sampled_from(["", OWNED]))
def test_keepalived_accepts_what_any_policy_renders(side: Side, routed: str, door: Path, tmp_path: Path) -> None:
    main, ours = tmp_path / "keepalived.conf", tmp_path / "galvan.conf"
    ours.write_text(config(side).replace(SCRIPT, str(door)))
    main.write_text(routed.replace("@link@", LINK) + BLOCK.replace(CONFIG, str(ours)))
    done = subprocess.run(["keepalived", "-t", "-f", str(main)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in done.stderr.splitlines() if str(ours) in line], done.stderr


def test_the_number_comes_from_the_address_where_none_is_named() -> None:
    numbers = [Side(Pair(a, "eth0"), "", "", True).router for a in ("10.0.3.10", "10.0.3.11", "10.0.3.255", "fd00::1")]
    assert len(set(numbers)) == 4
    assert all(1 <= number <= 255 for number in numbers)
    assert Side(Pair("10.0.3.10", "eth0", 7), "", "", True).router == 7


# what lies on the host ----------------------------------------------------------------------------------------------
def here(path: Path, text: str) -> str:
    """The same script for files of this test's, on a host whose keepalived nobody runs."""
    text = text.replace(MAIN, str(path)).replace("/var/lib/galvan/keepalived", str(path.parent / "kept"))
    return text.replace("systemctl stop keepalived", "true").replace("while held; do", "while false; do")


@pytest.mark.parametrize("owners", [None, "", OWNED, OWNED + "# no newline at the end"])
def test_what_goes_in_comes_out_byte_for_byte(owners: str | None, tmp_path: Path) -> None:
    path, kept = tmp_path / "keepalived.conf", tmp_path / "kept"
    kept.mkdir()
    if owners is not None:
        path.write_text(owners)
        path.chmod(0o600)
        shutil.copy2(path, kept / "before")
    text = (owners or "") + ("" if (owners or "\n").endswith("\n") else "\n")
    path.write_text(text + BLOCK)
    script = here(path, take_out(Pair("10.0.3.10", "eth0"), active=False, enabled=True).text)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (path.read_text() if path.exists() else None) == owners
    assert owners is None or path.stat().st_mode & 0o777 == 0o600
    assert {p.name for p in tmp_path.iterdir()} <= {"keepalived.conf", "kept"}, "nothing else is left"


def test_what_its_owner_added_meanwhile_stays(tmp_path: Path) -> None:
    path, kept = tmp_path / "keepalived.conf", tmp_path / "kept"
    kept.mkdir()
    (kept / "before").write_text(OWNED)
    path.write_text(OWNED + BLOCK + "# since\n")
    script = here(path, take_out(Pair("10.0.3.10", "eth0"), active=False, enabled=True).text)
    subprocess.run(["sh", "-c", script], check=True)
    assert path.read_text() == OWNED + "# since\n"


def test_no_password_leaves_the_host_and_every_instance_is_seen(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text(
        "vrrp_instance more { ! a comment\n  interface eth0\n  virtual_router_id 11 # eleven\n}\n"
    )
    (tmp_path / "keepalived.conf").write_text(
        OWNED + "include more.conf\n" + BLOCK.replace("/etc/keepalived", str(tmp_path))
    )
    text = KEEPALIVED.query.text.replace("/etc/keepalived", str(tmp_path))
    said = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False).stdout
    assert "s3cret99" not in said
    seen = keepalived(said.partition("---\n")[0] + "address eth0 10.0.3.1/24\n---\n" + said.partition("---\n")[2])
    assert seen.standing["included"] == "yes"
    assert [(i.name, i.interface, i.router) for i in seen.instances] == [
        ("", "", ""),
        ("web", "@link@", "51"),
        ("more", "eth0", "11"),
    ]
    assert "192.0.2.77" in seen.instances[1].addresses
