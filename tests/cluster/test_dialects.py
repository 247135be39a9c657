"""Percona XtraDB Cluster and MySQL-wsrep are named as data only: what is here is what their documentation shows."""

from __future__ import annotations

import pytest

from galvan.cluster.dialects import Dialect, changeable, dialect
from galvan.cluster.facts import VARIABLES
from galvan.model import Blind, Cluster, Host, HostFacts, Role, Snapshot, State, Unreadable

SAID = {
    Dialect.MARIADB: {"version": "10.11.19-MariaDB-0+deb12u1", "version_comment": "Debian 12", "wsrep_on": "ON"},
    Dialect.PXC: {
        "version": "8.0.36-28.1",
        "version_comment": "Percona XtraDB Cluster (GPL), Release rel28, Revision bfb687f, WSREP version 26.1.4.3",
        "wsrep_on": "ON",
    },
    Dialect.MYSQL: {
        "version": "8.0.35", "version_comment": "MySQL Community Server - (GPL), wsrep_26.15", "wsrep_on": "ON",
    },
}  # fmt: skip


def snapshot(**said: object) -> Snapshot:
    hosts = tuple(Host(name, "10.0.0.1", Role.DATABASE, name) for name in said)
    facts = tuple(HostFacts(host, {VARIABLES.id: said[host.name]}) for host in hosts)
    return Snapshot(Cluster("shop", hosts), facts, {}, 0.0)


@pytest.mark.parametrize(("kind", "said"), SAID.items())
def test_a_server_names_its_kind(kind: Dialect, said: State) -> None:
    assert dialect(said) is kind


def test_a_server_of_no_known_kind() -> None:
    with pytest.raises(Unreadable, match="none that Galvan knows"):
        dialect({"version": "8.4.3", "version_comment": "MySQL Community Server - GPL"})


@pytest.mark.parametrize("kind", [Dialect.PXC, Dialect.MYSQL])
def test_what_was_never_changed_for_real_is_not_changed(kind: Dialect) -> None:
    with pytest.raises(Blind, match=f"db2 runs {kind} 8.0.3.*: Galvan audits it, and does not change it yet"):
        changeable(snapshot(db1=SAID[Dialect.MARIADB], db2=SAID[kind]))


def test_mariadb_is_changed_and_a_silent_member_is_for_others_to_name() -> None:
    changeable(snapshot(db1=SAID[Dialect.MARIADB], db2=Unreadable("down")))
