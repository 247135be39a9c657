"""What ProxySQL shows is read as it is, and what has another form is not read at all.

The rows are those of real servers, as they were printed in sysown/proxysql 1883 (members led to the offline hostgroup), 2671 (a
reserve that is shunned in the writers' hostgroup) and 4461 (the pool), in the form of the client's batch mode.
"""

from __future__ import annotations

import pytest
from proxysql_schema import Tables

from galvan.cluster.balancer import Server
from galvan.cluster.proxysql import SERVERS, drained, readied, servers, set_state
from galvan.model import BadInput, Unreadable
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL, STATEMENTS, VARIABLES, proxysql

SECRETS = (
    "s3cret-admin",
    "s3cret-stats",
    "s3cret-monitor",
    "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
    "clear-password",
)
LOGIN = "login\tdefault\t127.0.0.1:6032\nfront\tno\t0123456789ab\nkept\tno\n"


def tables(own_table: bool = True) -> Tables:
    made = Tables(own_table)
    made.base.executemany(
        "INSERT INTO global_variables VALUES (?, ?)",
        [(name, "") for name in VARIABLES]
        + [
            ("admin-version", "2.7.1-19-g5cc418b" if own_table else "2.5.5-10-g195bd70"),
            ("admin-admin_credentials", f"admin:admin;radmin:{SECRETS[0]}"), ("admin-stats_credentials", f"viewer:{SECRETS[1]}"),
            ("mysql-monitor_password", SECRETS[2]), ("admin-cluster_username", ""), ("admin-cluster_password", ""),
        ],
    )  # fmt: skip
    made.base.execute(
        "UPDATE global_variables SET variable_value = 'monitor' WHERE variable_name = 'mysql-monitor_username'"
    )
    made.base.execute("INSERT INTO mysql_galera_hostgroups VALUES (10, 30, 20, 40, 1, 3, 1, 100, NULL)")
    for host in ("192.168.153.85", "192.168.153.86"):
        made.base.execute("INSERT INTO mysql_servers (hostgroup_id, hostname, use_ssl) VALUES (10, ?, 0)", (host,))
    made.base.executemany(
        "INSERT INTO mysql_users (username, password) VALUES (?, ?)",
        [("app", SECRETS[3]), ("old", SECRETS[4]), ("nobody", "")],
    )
    made.saved()
    return made


@pytest.mark.parametrize("own_table", [True, False])
def test_all_is_asked_in_statements_that_the_tables_answer(own_table: bool) -> None:
    said = tables(own_table).ask(STATEMENTS)
    state = proxysql(LOGIN + said)
    assert state["default.admin"] == "yes"
    assert state["default.stats"] == state["default.monitor"] == state["default.own"] == state["default.peers"] == "no"
    assert state["galera.10"] == "30 20 40 1 3 1 100"
    assert state["server.192.168.153.85:3306"] == "0 0 1000 1000"
    assert state["user.app"] == "1 0 1 1 0 10000 0 hashed"
    assert str(state["user.old"]).endswith(" clear")
    assert str(state["user.nobody"]).endswith(" empty")
    assert state["taken"] == "0 10"
    assert {
        state[f"{way}.{what}"]
        for way in ("unsaved", "unloaded")
        for what in ("servers", "galera", "users", "variables")
    } == {"0"}


def test_no_password_and_no_hash_is_printed() -> None:
    said = tables().ask(STATEMENTS)
    assert [secret for secret in SECRETS if secret in said] == []


def test_what_is_only_in_memory_is_seen() -> None:
    made = tables()
    made.run(["UPDATE mysql_servers SET use_ssl = 1 WHERE port = 3306", "UPDATE global_variables SET variable_value = 'x:y' WHERE variable_name = 'admin-stats_credentials'"])  # fmt: skip
    state = proxysql(LOGIN + made.ask(STATEMENTS))
    assert (state["unsaved.servers"], state["unsaved.variables"], state["unsaved.users"]) == ("4", "2", "0")


def test_a_list_that_only_looks_like_the_default_is_none() -> None:
    made = tables()
    made.run(
        [
            "UPDATE global_variables SET variable_value = 'xadmin:admin;admin:admin2' WHERE variable_name = 'admin-admin_credentials'"
        ]
    )
    assert proxysql(LOGIN + made.ask(STATEMENTS))["default.admin"] == "no"


def test_nothing_where_none_is_installed() -> None:
    assert proxysql("") == {}
    assert servers("") == ()
    for fact in (PROXYSQL, SERVERS):
        assert fact.query.text.startswith("command -v proxysql >/dev/null || [ -e /etc/proxysql.cnf ] || exit 0\n")


def _without(said: str, kind: str) -> str:
    return "".join(line for line in said.splitlines(True) if not line.startswith(kind))


@pytest.mark.parametrize(
    "kind",
    [
        "version",
        "login",
        "front",
        "done",
        "taken",
        "default\tadmin",
        "unsaved\tusers",
        "user\tapp",
        "server\t",
        "galera",
    ],
)
def test_what_is_missing_is_not_made_up(kind: str) -> None:
    with pytest.raises(Unreadable):
        proxysql(_without(LOGIN + tables().ask(STATEMENTS), kind))


@pytest.mark.parametrize(
    "line",
    [
        "server\tdb1\t3306\t0\n",
        "ERROR 1045 (28000): ProxySQL Error: Access denied\n",
        "user\ta\t1\t0\t1\t1\t0\t9\t0\todd\n",
    ],
)
def test_what_has_another_form_is_not_read(line: str) -> None:
    with pytest.raises(Unreadable):
        proxysql(LOGIN + tables().ask(STATEMENTS) + line)


GALERA = "galera\t10\t30\t20\t40\n"


def told(*rows: str) -> str:
    lines = [GALERA, *rows]
    return "".join(lines) + f"done\t{sum(row.startswith('server') for row in rows)}\t\t\t\n"


def test_a_member_is_one_server_wherever_proxysql_keeps_it() -> None:
    output = told(
        "server\t10\tdb1\t3306\tONLINE\n", "server\t10\tdb2\t3306\tSHUNNED\n", "server\t30\tdb2\t3306\tONLINE\n",
        "server\t40\tdb3\t3306\tONLINE\n", "server\t5\told\t3307\tOFFLINE_SOFT\n", "pool\t10\tdb1\t3306\t186\n", "pool\t30\tdb2\t3306\t4\n",
        "pool\t10\tdb2\t3306\t1\n", "pool\t10\tgone\t3306\t3\n",
    )  # fmt: skip
    assert servers(output) == (
        Server("10", "db1:3306", "db1", "UP", 186, True), Server("10", "db2:3306", "db2", "UP", 5, False),
        Server("10", "db3:3306", "db3", "DOWN", 0, False), Server("5", "old:3307", "old", "DRAIN", 0, False),
    )  # fmt: skip


def test_members_that_the_monitor_led_away_are_down() -> None:
    """1883: no member could be reached by the monitor."""
    output = told(*(f"server\t40\t192.168.153.{n}\t3306\tONLINE\n" for n in (85, 87, 86)))
    assert {server.status for server in servers(output)} == {"DOWN"}


@pytest.mark.parametrize(
    "output",
    [
        "server\t10\tdb1\t3306\tONLINE\n",
        GALERA + "server\t10\tdb1\t3306\tONLINE\ndone\t2\t\t\t\n",
        GALERA + "server\t10\tdb1\t3306\tSLEEPING\ndone\t1\t\t\t\n",
        "ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1'\n",
    ],
)
def test_servers_of_another_form_are_not_read(output: str) -> None:
    with pytest.raises(Unreadable):
        servers(output)


def cluster(*rows: tuple[int, str, str]) -> Tables:
    """Memory as SAVE MYSQL SERVERS TO MEMORY leaves it: a shunned reserve is written down as ONLINE."""
    made = Tables()
    made.base.execute("INSERT INTO mysql_galera_hostgroups VALUES (10, 30, 20, 40, 1, 1, 0, 0, 'mine')")
    made.base.executemany("INSERT INTO mysql_servers (hostgroup_id, hostname, status) VALUES (?, ?, ?)", rows)
    return made


def state_of(made: Tables) -> list[tuple[int, str, str]]:
    return sorted(made.base.execute("SELECT hostgroup_id, hostname, status FROM mysql_servers").fetchall())


def active(made: Tables) -> tuple[int, str]:
    found: tuple[int, str] = made.base.execute("SELECT active, comment FROM mysql_galera_hostgroups").fetchone()
    return found


WHOLE = (
    (10, "db1", "ONLINE"),
    (10, "db2", "ONLINE"),
    (10, "db3", "ONLINE"),
    (30, "db1", "ONLINE"),
    (30, "db2", "ONLINE"),
)


def test_a_drained_writer_hands_over_in_the_same_load() -> None:
    made = cluster(*WHOLE)
    made.run(drained(10, "db3:3306"))
    assert state_of(made) == [
        (10, "db1", "SHUNNED"),
        (10, "db2", "ONLINE"),
        (10, "db3", "OFFLINE_SOFT"),
        (30, "db1", "ONLINE"),
    ]
    assert active(made) == (0, "mine [drained by galvan]")
    again = state_of(made)
    made.run(drained(10, "db3:3306"))
    assert (state_of(made), active(made)) == (again, (0, "mine [drained by galvan]"))
    made.run(readied(10, "db3:3306"))
    assert state_of(made) == [
        (10, "db1", "SHUNNED"), (10, "db2", "ONLINE"), (10, "db3", "SHUNNED"), (30, "db1", "ONLINE"), (30, "db3", "ONLINE"),
    ]  # fmt: skip
    assert active(made) == (1, "mine")


def test_a_drained_reserve_leaves_the_writer_alone() -> None:
    made = cluster(*WHOLE)
    made.run(drained(10, "db1:3306"))
    assert state_of(made) == [
        (10, "db1", "OFFLINE_SOFT"), (10, "db2", "SHUNNED"), (10, "db3", "ONLINE"), (30, "db1", "OFFLINE_SOFT"), (30, "db2", "ONLINE"),
    ]  # fmt: skip
    made.run(readied(10, "db1:3306"))
    assert state_of(made) == [
        (10, "db1", "SHUNNED"), (10, "db2", "SHUNNED"), (10, "db3", "ONLINE"), (30, "db1", "ONLINE"), (30, "db2", "ONLINE"),
    ]  # fmt: skip


def test_the_monitor_looks_again_only_after_the_last_one() -> None:
    made = cluster(*WHOLE)
    made.run((*drained(10, "db1:3306"), *drained(10, "db2:3306"), *readied(10, "db1:3306")))
    assert active(made)[0] == 0
    made.run(readied(10, "db2:3306"))
    assert active(made) == (1, "mine")


def test_what_an_operator_switched_off_stays_off() -> None:
    made = cluster(*WHOLE)
    made.run(
        [
            "UPDATE mysql_galera_hostgroups SET active = 0 WHERE writer_hostgroup = 10",
            *drained(10, "db1:3306"),
            *readied(10, "db1:3306"),
        ]
    )
    assert active(made) == (0, "mine")


def test_all_write_and_all_come_back_as_writers() -> None:
    made = cluster((10, "db1", "ONLINE"), (10, "db2", "ONLINE"))
    made.run(
        ["UPDATE mysql_galera_hostgroups SET max_writers = 2 WHERE writer_hostgroup = 10", *drained(10, "db1:3306")]
    )
    assert state_of(made) == [(10, "db1", "OFFLINE_SOFT"), (10, "db2", "ONLINE")]
    made.run(readied(10, "db1:3306"))
    assert state_of(made) == [(10, "db1", "ONLINE"), (10, "db2", "ONLINE")]


def test_without_galera_hostgroups_only_the_row_is_drained() -> None:
    made = Tables()
    made.base.execute("INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (5, 'db1'), (6, 'db1')")
    made.run(drained(5, "db1:3306"))
    assert state_of(made) == [(5, "db1", "OFFLINE_SOFT"), (6, "db1", "ONLINE")]
    made.run(readied(5, "db1:3306"))
    assert state_of(made) == [(5, "db1", "ONLINE"), (6, "db1", "ONLINE")]


@pytest.mark.parametrize(("server", "state"), [("db1", "drain"), ("db1:x", "ready"), ("db1:3306", "maint")])
def test_what_is_no_server_or_no_state_is_refused(server: str, state: str) -> None:
    with pytest.raises(BadInput):
        set_state("10", server, state)
