"""Any host that somebody writes into galvan.yaml is refused with its place, or comes back as it was written."""

from __future__ import annotations

import ipaddress
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.edges.inventory import dump, load
from galvan.model import BadInput, Cluster, Host, Role

ANCHOR = Host("anchor", "192.0.2.1", Role.DATABASE, "anchor")
JUNK = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["null", "yes", "1e3", "~", "a: b", "- x", "'; DROP", "$(reboot)", "a b", "x\ny", "", "0x10", "*", "&a", "!!python"]
)
NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True) | JUNK
ADDRESS = st.ip_addresses().map(str) | JUNK
HOSTS: st.SearchStrategy[Any] = st.builds(
    Host, name=NAME, address=ADDRESS, role=st.sampled_from(Role), ssh=NAME,
    kind=st.sampled_from(["", "haproxy", "proxysql", "maxscale"]) | JUNK, user=st.none() | NAME,
    port=st.none() | st.integers(-5, 70_000), names=st.lists(NAME, max_size=3).map(tuple),
)  # fmt: skip
SAFE = re.compile(r"[A-Za-z0-9._:%@-]*")


def refusal(cluster: Cluster) -> str:
    """Why it was refused; empty where it was taken."""
    try:
        there_and_back(cluster)
    except BadInput as why:
        return str(why)
    return ""


def as_address(said: str) -> str:
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return ""


def there_and_back(cluster: Cluster) -> Cluster:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(dump(cluster))
        file.flush()
        return load(Path(file.name))


@settings(max_examples=300, deadline=None)
@given(HOSTS)
def test_refused_or_the_same(host: Host) -> None:
    if why := refusal(Cluster("shop", (ANCHOR, host))):
        assert "line" in why
        return
    back = there_and_back(Cluster("shop", (ANCHOR, host)))
    address = as_address(host.address) or host.address
    want = replace(host, address=address, user=host.user or None, port=host.port or None)
    assert back.hosts == (ANCHOR, want)


@settings(max_examples=200, deadline=None)
@given(HOSTS)
def test_nothing_comes_in_that_a_shell_would_take_for_more_than_a_word(host: Host) -> None:
    if refusal(Cluster("shop", (ANCHOR, host))):
        return
    back = there_and_back(Cluster("shop", (ANCHOR, host)))
    for said in (
        h for one in back.hosts for h in (one.name, one.address, one.ssh, one.kind, one.user or "", *one.names)
    ):
        assert SAFE.fullmatch(said)


@settings(max_examples=100, deadline=None)
@given(NAME)
def test_the_name_of_a_cluster(name: str) -> None:
    if why := refusal(Cluster(name, (ANCHOR,))):
        assert "line" in why
    else:
        assert there_and_back(Cluster(name, (ANCHOR,))).name == name


def test_the_zone_of_an_address() -> None:
    host = Host("db2", "fe80::1%eth0", Role.DATABASE, "db2")
    assert there_and_back(Cluster("shop", (ANCHOR, host))).hosts[1] == host


@pytest.mark.parametrize("zone", ["'; reboot", "$(id)", "a b"])
def test_a_zone_that_is_no_name_is_refused(zone: str) -> None:
    host = Host("db2", f"fe80::1%{zone}", Role.DATABASE, "db2")
    assert refusal(Cluster("shop", (ANCHOR, host)))


@pytest.mark.parametrize("name", ["db1", "db1.example.org", "DB-1.internal", "a_b"])
def test_a_host_name_may_stand_for_an_address(name: str) -> None:
    host = Host("db2", name, Role.DATABASE, "db2")
    assert there_and_back(Cluster("shop", (ANCHOR, host))).hosts[1] == host


@pytest.mark.parametrize("slip", ["10.0.0.300", "10.0.0", "db1:3306", "db1.", "-db1", "a..b", "db 1", "a" * 64, "1234"])
def test_a_slip_is_no_host_name(slip: str) -> None:
    assert "neither an IP address nor a host name" in refusal(
        Cluster("shop", (ANCHOR, Host("db2", slip, Role.DATABASE, "db2")))
    )


def test_one_name_is_one_host() -> None:
    twins = Cluster(
        "shop",
        (Host("db1", "DB.example.org", Role.DATABASE, "db1"), Host("db2", "db.example.org", Role.DATABASE, "db2")),
    )
    assert "have the same address" in refusal(twins)
