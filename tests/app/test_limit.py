"""`--limit`: Ansible's patterns over names, roles, kinds and groups; a part that means nobody is an error that helps."""

from __future__ import annotations

import pytest

from galvan.app.limit import chosen
from galvan.model import Cluster, Host, Role, WrongUsage

CLUSTER = Cluster(
    "shop",
    (
        Host("db1", "10.0.0.1", Role.DATABASE, "db1", groups=("wsrep_nodes", "west")),
        Host("db2", "10.0.0.2", Role.DATABASE, "db2.example.org", groups=("wsrep_nodes", "east")),
        Host("db3", "fd00::3", Role.DATABASE, "db3", groups=("wsrep_nodes", "east")),
        Host("lb1", "10.0.0.9", Role.LOAD_BALANCER, "lb1", kind="haproxy"),
    ),
)
ALL = {"db1", "db2", "db3", "lb1"}


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], set()),
        (["db1"], {"db1"}),
        (["db1,db2"], {"db1", "db2"}),
        (["db1", "lb1"], {"db1", "lb1"}),
        (["db1:db2"], {"db1", "db2"}),
        (["db*"], {"db1", "db2", "db3"}),
        (["db?"], {"db1", "db2", "db3"}),
        (["db[12]"], {"db1", "db2"}),
        (["*"], ALL),
        (["all"], ALL),
        (["!db3"], {"db1", "db2", "lb1"}),
        (["all:!lb1"], {"db1", "db2", "db3"}),
        (["!db3,db*"], {"db1", "db2"}),
        (["database"], {"db1", "db2", "db3"}),
        (["load_balancer"], {"lb1"}),
        (["haproxy"], {"lb1"}),
        (["wsrep_nodes:&east"], {"db2", "db3"}),
        (["wsrep_nodes:&east:!db3"], {"db2"}),
        (["database,!west"], {"db2", "db3"}),
        (["db2.example.org"], {"db2"}),
        (["10.0.0.1"], {"db1"}),
        (["fd00::3"], {"db3"}),
        (["fd00::3,db1"], {"db1", "db3"}),
        (["~db[23]$"], {"db2", "db3"}),
        ([" db1 , db2 "], {"db1", "db2"}),
    ],
)
def test_a_pattern_means_these_hosts(patterns: list[str], names: set[str]) -> None:
    assert chosen(CLUSTER, patterns) == names


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("db4", ["db4", "did you mean", "db1", "There are db1, db2, db3, lb1"]),
        ("databse", ["did you mean database"]),
        ("!db9", ["db9", "did you mean"]),
        ("zebra", ["zebra", "no host, role or group of shop", "haproxy"]),
        ("application", ["no host of shop has this role"]),
        ("db1,!db1", ["leaves no host"]),
        ("west:&east", ["leaves no host"]),
        ("", ["names no host"]),
        (",", ["names no host"]),
        ("~db(", ["no regular expression"]),
    ],
)
def test_a_part_that_means_nobody_is_wrong_usage(pattern: str, words: list[str]) -> None:
    with pytest.raises(WrongUsage) as why:
        chosen(CLUSTER, [pattern])
    assert [word for word in words if word not in str(why.value)] == []
