"""Under which names a server's certificate must be good: also those of the balancers and virtual addresses before it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from galvan.cluster import identity
from galvan.cluster.facts import HOUSE
from galvan.edges.fake import Fake
from galvan.edges.inventory import load
from galvan.engine.gather import gather
from galvan.model import Snapshot

FILE = """\
cluster: shop
hosts:
  db1: {role: database, address: 10.0.0.11, names: [write.example.org]}
  db2: {role: database, address: 10.0.0.12}
  db3: {role: database, address: 10.0.0.13}
  lb1: {role: load_balancer, kind: haproxy, address: 10.0.0.20, names: [db.example.org, 10.0.0.99, "fd00::99"]}
"""


@pytest.fixture
def seen(tmp_path: Path) -> Snapshot:
    file = tmp_path / "galvan.yaml"
    file.write_text(FILE)
    cluster = load(file)
    return asyncio.run(gather(cluster, HOUSE, Fake(cluster)))


def test_a_server_is_good_for_its_balancers_and_virtual_addresses(seen: Snapshot) -> None:
    names, addresses = identity.server(seen.of("db1"), seen)
    assert {"db1", "write.example.org", "localhost", "lb1", "db.example.org"} <= set(names)
    assert {"10.0.0.11", "127.0.0.1", "::1", "10.0.0.20", "10.0.0.99", "fd00::99"} <= set(addresses)
    assert "write.example.org" not in identity.server(seen.of("db2"), seen)[0]


def test_a_member_is_not(seen: Snapshot) -> None:
    """What only clients dial has no place in the certificate that makes a member."""
    names, addresses = identity.member(seen.of("db1"))
    assert not {"db.example.org", "write.example.org", "localhost"} & set(names)
    assert set(addresses) == {"10.0.0.11"}
