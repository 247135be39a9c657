"""Galvan's lines in haproxy.cfg: whatever the policy, HAProxy itself accepts them, and taking them out leaves the owner's file."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galvan.model import Balancing, Blind
from galvan.tips.load_balancer.haproxy.conf import FILE, PLAIN, Balancer, balancer, digest, numbers, sections, ways
from galvan.tips.load_balancer.haproxy.edit import lay
from galvan.tips.load_balancer.haproxy.render import (
    Door,
    Member,
    block,
    loose_sockets,
    on_port,
    put_aside,
)

STOCK = """\
global
    log /dev/log local0
    stats socket /run/haproxy/admin.sock mode 660 level admin
    user haproxy
    group haproxy
    maxconn 4000

defaults
    log global
    mode http
    timeout connect 5000
    timeout client  50000
    timeout server  50000
"""
OWNED = (
    STOCK
    + """
# the old way in
frontend front_door
    bind *:3306
    mode tcp
    default_backend galera

backend galera
    mode tcp
    balance roundrobin
    server db1 10.0.0.1:3306 check
    server db2 10.0.0.2:3306 check backup

frontend web
    bind *:8080
    default_backend pages

backend pages
    server w1 10.0.1.1:80
"""
)
MEMBERS = frozenset({"10.0.0.1", "10.0.0.2"})
pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed (scripts/prepare lab)")


def accepts(text: str, folder: Path) -> str:
    """What HAProxy says against it."""
    path = folder / "haproxy.cfg"
    path.write_text(text)
    done = subprocess.run(["haproxy", "-c", "-f", str(path)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def read(text: str) -> Balancer:
    plain = subprocess.run(["sh", "-c", f"{PLAIN} | sha256sum"], input=text, capture_output=True, text=True, check=True)
    return balancer(f"version=2.6.12\nplain={plain.stdout.split()[0]}\n---\n{text}")


ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda a: a.compressed))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,40}", fullmatch=True)
PORTS = st.integers(1, 65535)
POLICIES = st.builds(
    Balancing, door=st.integers(1024, 40000), read_door=st.just(0) | st.integers(40001, 65535), writers=st.sampled_from(["one", "all"]),
    connections=st.integers(0, 100_000), queue=st.integers(0, 100_000), queue_wait=st.integers(1, 3600),
    interval=st.floats(0.5, 60), client_address=st.booleans(),
)  # fmt: skip
LISTS = st.lists(
    st.builds(Member, NAMES, ADDRESSES, PORTS, st.integers(1, 100_000)),
    min_size=1,
    max_size=7,
    unique_by=lambda m: m.name,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=POLICIES,
    members=LISTS,
    idle=st.integers(1, 31_536_000),
    sticky=st.booleans(),
    socket=st.booleans(),
    owner=st.sampled_from(["", STOCK, OWNED]),
)
def test_haproxy_accepts_what_any_policy_renders(
    policy: Balancing, members: list[Member], idle: int, sticky: bool, socket: bool, owner: str, tmp_path: Path
) -> None:  # fmt: skip
    lines = block(Door("c", tuple(members), policy, "*", idle, sticky, socket))
    assert accepts(owner + "".join(f"{line}\n" for line in lines), tmp_path) == ""


def test_a_name_that_haproxy_cannot_bear_is_refused() -> None:
    with pytest.raises(Blind, match="can name no server"):
        block(Door("c", (Member("db 1", "10.0.0.1", 3306, 5),), Balancing()))


def script_for(path: Path, text: str) -> str:
    """The same script for a file of this test's, which no running HAProxy reads."""
    changed = text.replace(FILE, str(path)).replace("/var/lib/galvan/haproxy", str(path.parent / "kept"))
    return changed.replace("systemctl is-active -q haproxy || exit 0", "exit 0")


def laid(path: Path, aside: frozenset[int], lines: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    seen = read(path.read_text())
    text = lay(seen.plain, numbers(aside), lines).text
    return subprocess.run(["sh", "-c", script_for(path, text)], capture_output=True, text=True, check=False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=POLICIES, members=LISTS, comments=st.lists(st.from_regex(r"# [ -~]{0,30}", fullmatch=True), max_size=4))
def test_what_goes_in_comes_out_byte_for_byte(
    policy: Balancing, members: list[Member], comments: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "haproxy.cfg"
    owner = OWNED + "".join(f"{line}\n" for line in comments if not line.startswith("# galvan"))
    path.write_text(owner)
    path.chmod(0o640)
    seen = read(owner)
    fronts = [s for s in seen.owners if s.name == "front_door"]
    aside = put_aside(seen, fronts, MEMBERS)
    lines = block(Door("c", tuple(members), policy))
    done = laid(path, aside, lines)
    assert done.returncode == 0, done.stderr
    after = read(path.read_text())
    assert (after.block, after.aside, after.plain) == (lines, aside, seen.plain)
    assert not [s for s in after.owners if s.name in ("front_door", "galera")]
    assert [s.name for s in after.owners if s.kind == "frontend"] == ["web"]
    again = laid(path, aside, lines)
    assert (again.returncode, again.stderr) == (0, "")
    assert laid(path, frozenset(), ()).returncode == 0
    assert path.read_text() == owner
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_somebody_edited_since_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(OWNED)
    text = lay(read(OWNED).plain, "", ("# galvan: begin", "# galvan: end")).text
    path.write_text(OWNED + "# mine\n")
    done = subprocess.run(["sh", "-c", script_for(path, text)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "plan again" in done.stderr
    assert path.read_text() == OWNED + "# mine\n"
    assert [p.name for p in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_lines_that_haproxy_refuses_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(OWNED)
    done = laid(path, frozenset(), ("# galvan: begin", "listen x", "    bind nowhere", "# galvan: end"))
    assert done.returncode == 1
    assert "HAProxy does not accept it" in done.stderr
    assert path.read_text() == OWNED


# what stands there already -----------------------------------------------------------------------------------------
def test_ways_to_members_are_found() -> None:
    found = tuple(sections(enumerate(OWNED.splitlines(), 1)))
    (way,) = ways(found, MEMBERS)
    assert (way.front.name, [b.name for b in way.backs], way.front.ports) == (
        "front_door",
        ["galera"],
        frozenset({3306}),
    )


def test_a_door_of_the_owners_is_taken_over_with_the_backend_that_nobody_else_needs() -> None:
    seen = read(OWNED)
    taken = on_port(seen, 3306, MEMBERS)
    assert taken is not None
    out = [
        seen.lines[n - 1].split()[:2] for n in sorted(put_aside(seen, [taken], MEMBERS)) if seen.lines[n - 1].split()
    ]
    assert ["frontend", "front_door"] in out
    assert ["backend", "galera"] in out
    assert ["frontend", "web"] not in out


@pytest.mark.parametrize(
    ("port", "line", "said"),
    [
        (8080, "", "does not lead to members"),
        (3306, "    bind *:3399", "more ports than 3306"),
        (3306, "    acl office src 10.9.0.0/16", "would not do"),
        (3306, "    use_backend pages if { src 10.9.0.1 }", "would not do"),
    ],
)
def test_what_more_hangs_on_is_its_owners_business(port: int, line: str, said: str) -> None:
    text = OWNED.replace("    bind *:3306\n", f"    bind *:3306\n{line}\n")
    with pytest.raises(Blind, match=re.escape(said)):
        on_port(read(text), port, MEMBERS)


def test_sockets_for_others_than_root_are_seen() -> None:
    text = STOCK.replace("mode 660", "mode 666") + "global\n    stats socket ipv4@127.0.0.1:9999 level admin\n"
    seen = read(text)
    assert [seen.lines[n - 1].split()[2] for n in loose_sockets(seen)] == [
        "/run/haproxy/admin.sock",
        "ipv4@127.0.0.1:9999",
    ]
    assert loose_sockets(read(STOCK)) == ()


def test_a_digest_of_nothing_is_empty() -> None:
    assert (digest(()), len(digest(("a",)))) == ("", 16)
