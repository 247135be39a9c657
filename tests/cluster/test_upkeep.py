"""What else goes on at a host: what refuses a restart, what is only said, and that not knowing is said too."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from galvan.cluster.facts import lines, pairs
from galvan.cluster.upkeep import DATA, HOST, SERVER, memory, remarks, under_way
from galvan.model import Host, HostFacts, Role, Unreadable

QUIET = "backups=\npackages=\nunattended=\nowned=\navailable_kb=21046788\nstart_limit=15min\n"


def host(printed: str = "", osu: str = "TOI", size: str = "25739264") -> HostFacts:
    """`printed`: lines that are not the usual."""
    server = {SERVER.id: pairs(f"osu_method\t{osu}\n"), DATA.id: pairs(f"data_bytes\t{size}\n")}
    said: Mapping[str, object] = {HOST.id: {**lines(QUIET), **lines(printed)}, **server}
    return HostFacts(Host("db1", "10.0.0.1", Role.DATABASE, "db1"), said)


def test_a_quiet_host_may_go() -> None:
    assert [*under_way(host())] == [*remarks(host())] == [*memory(host())] == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (host("backups=mariabackup mysqldump"), "a backup runs on db1 (mariabackup mysqldump)"),
        (host("packages=dpkg"), "a package manager runs on db1 (dpkg)"),
        (host(osu="RSU"), "wsrep_OSU_method is RSU on db1"),
        (
            HostFacts(host().host, {HOST.id: Unreadable("ps is not installed"), SERVER.id: {}}),
            "nobody can say what else runs on db1: ps is not installed",
        ),
    ],
)
def test_what_refuses(facts: HostFacts, told: str) -> None:
    (said,) = under_way(facts)
    assert told in said


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (host("unattended=apt-daily-upgrade.timer"), "db1 upgrades itself (apt-daily-upgrade.timer)"),
        (host("owned=/etc/mysql/mariadb.conf.d/60-galera.cnf"), "60-galera.cnf says that another tool writes it"),
        (host("start_limit=1min 30s", size="120000000000"), "of 120 GB, about 40 minutes"),
        (host("start_limit=soon"), "nobody can say whether its unit would wait"),
        (host(size="NULL"), "nobody can say whether its unit would wait"),
    ],
)
def test_what_is_only_said(facts: HostFacts, told: str) -> None:
    assert [*under_way(facts)] == []
    (said,) = remarks(facts)
    assert told in said


@pytest.mark.parametrize(
    ("printed", "told"), [("available_kb=90000", "db1 has 87 MB"), ("available_kb=", "does not say")]
)
def test_memory_for_performance_schema(printed: str, told: str) -> None:
    (said,) = memory(host(printed))
    assert told in said
