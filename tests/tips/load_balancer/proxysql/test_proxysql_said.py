"""Whatever is said to ProxySQL is of the known forms, and the tables as ProxySQL defines them take it."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxysql_grammar import Wrong, check
from proxysql_schema import Tables

from galvan.cluster.proxysql import admin, drained, readied, settled
from galvan.cluster.quote import proxysql, sqlite
from galvan.model import BadInput, Balancing, Blind
from galvan.tips.load_balancer.proxysql import sql
from galvan.tips.load_balancer.proxysql.keep import Rows, dumped
from galvan.tips.load_balancer.proxysql.sql import Groups, Member, Trust

MEMBERS = (Member("10.0.0.1"), Member("10.0.0.2"), Member("db3.example", 3307))
GROUPS = Groups(10, 20, 30, 40)
FILES = Trust("/etc/galvan/proxysql/ca.pem", "/etc/x/cert.pem", "/etc/x/key.pem")
POLICIES = [Balancing(), Balancing(writers="all"), Balancing(read_door=3308), Balancing(writers="all", read_door=3308)]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def everything(policy: Balancing) -> tuple[str, ...]:
    return (
        *sql.galera(GROUPS, policy, 3), *sql.servers(GROUPS, MEMBERS, 290, False), *sql.servers(GROUPS, MEMBERS, 290, True),
        *sql.trust(MEMBERS, FILES, True), *sql.trust(MEMBERS, FILES, False), *sql.variables(sql.ways(policy)),
        *sql.force_tls(("app", "it's", "a\\b")), *sql.refuse_defaults(), *sql.SERVERS, *sql.USERS, *sql.MYSQL_VARIABLES,
        *sql.ADMIN_VARIABLES, *settled(10), *drained(10, "10.0.0.1:3306"), *readied(10, "10.0.0.1:3306"),
    )  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_every_statement_is_of_a_known_form(policy: Balancing) -> None:
    for statement in everything(policy):
        check(statement)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_tables_take_every_statement_and_twice_is_as_once(policy: Balancing) -> None:
    tables = Tables()
    tables.run(everything(policy))
    once = [tables.rows(table) for table in ("mysql_servers", "mysql_galera_hostgroups", "mysql_servers_ssl_params")]
    tables.run(everything(policy))
    assert [tables.rows(t) for t in ("mysql_servers", "mysql_galera_hostgroups", "mysql_servers_ssl_params")] == once


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mysql_servers SET use_ssl = 1",
        "UPDATE mysql_servers SET use_tls = 1 WHERE port = 3306",
        "UPDATE mysql_servers SET use_ssl = '1' WHERE port = 3306",
        "UPDATE mysql_users SET username = 7 WHERE username = 'a'",
        "DELETE FROM mysql_users",
        "DELETE FROM mysql_query_rule WHERE rule_id = 1",
        "INSERT INTO mysql_users (username, pass) VALUES ('a', 'b')",
        "INSERT INTO mysql_users (username) VALUES ('a\\')",
        "INSERT INTO mysql_users (username) VALUES ('a'); DELETE FROM mysql_users WHERE 1 = 1",
        'UPDATE mysql_users SET use_ssl = 1 WHERE username = "a"',
        "UPDATE mysql_users SET use_ssl = 1 WHERE username = 'a' -- x",
        "LOAD MYSQL SERVERS TO DISK",
        "DROP TABLE mysql_users",
        "UPDATE mysql_users SET use_ssl = (1 WHERE username = 'a'",
    ],
)
def test_the_recogniser_sees_what_is_wrong(statement: str) -> None:
    with pytest.raises(Wrong):
        check(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO mysql_galera_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup) VALUES (0, 1, 0, 3)",
        "INSERT INTO mysql_servers (hostgroup_id, hostname, use_ssl) VALUES (1, 'a', 2)",
        "INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (1, 'a', 70000)",
        "INSERT INTO mysql_users (username, attributes) VALUES ('a', 'no json')",
    ],
)
def test_the_tables_refuse_what_proxysql_refuses(statement: str) -> None:
    check(statement)
    with pytest.raises(sqlite3.IntegrityError):
        Tables().run((statement,))


@given(TEXTS)
def test_a_text_comes_back_as_it_went(value: str) -> None:
    assert sqlite3.connect(":memory:").execute("SELECT " + sqlite(value)).fetchone() == (value,)


@given(TEXTS)
def test_no_text_ends_its_literal_for_sqlite_nor_for_mysqls_client(value: str) -> None:
    said = sqlite(value)
    assert "\n" not in said
    assert "\\" not in said
    check(proxysql("UPDATE mysql_users SET comment = {{it}} WHERE username = {{it}}", it=value))


@pytest.mark.parametrize("value", ["a\0b", "a\x1b", "\x7f"])
def test_a_control_character_is_refused(value: str) -> None:
    with pytest.raises(BadInput):
        sqlite(value)


def test_a_statement_is_one_line() -> None:
    with pytest.raises(BadInput):
        admin(("SELECT 1;\nDELETE FROM mysql_users",))


@given(st.lists(st.tuples(TEXTS.filter(bool), st.one_of(st.none(), st.binary(max_size=60).map(lambda b: b.replace(b"\0", b"x").decode("latin-1")))), max_size=4, unique_by=lambda row: row[0]))  # fmt: skip
def test_what_is_kept_comes_back(users: list[tuple[str, str | None]]) -> None:
    tables = Tables()
    tables.base.executemany("INSERT INTO mysql_users (username, password) VALUES (?, ?)", [*users, ("other", "*AB")] if "other" not in dict(users) else users)  # fmt: skip
    before = tables.rows("mysql_users")
    questions = dumped(Rows("mysql_users", "username", (*(name for name, _ in users), "new")))
    kept = [line for question in questions for line in tables.ask((question,)).splitlines()]
    for statement in kept:
        assert statement.isascii()
        check(statement.removesuffix(";"))
    tables.run(
        [
            f"UPDATE mysql_users SET password = 'changed', use_ssl = 1 WHERE username = {sqlite(name)}"
            for name, _ in users
        ]
    )
    tables.run(["INSERT INTO mysql_users (username) VALUES ('new')"] if "new" not in dict(users) else [])
    tables.run([statement.removesuffix(";") for statement in kept])
    assert tables.rows("mysql_users") == before


def test_hostgroups_are_those_that_are_there_or_four_that_nothing_uses() -> None:
    assert sql.groups_of({"galera.7": "8 9 11 1 1 0 0"}, MEMBERS) == Groups(7, 8, 9, 11)
    assert sql.groups_of({"taken": "0 10 40"}, MEMBERS) == Groups(110, 120, 130, 140)
    with pytest.raises(Blind, match="more than one"):
        sql.groups_of({"galera.7": "8 9 11 1 1 0 0", "galera.1": "2 3 4 1 1 0 0"}, MEMBERS)
    with pytest.raises(Blind, match=r"10\.0\.0\.1:3306"):
        sql.groups_of({"server.10.0.0.1:3306": "0 0 100 100"}, MEMBERS)


def test_the_limit_leaves_room_at_the_member() -> None:
    assert sql.limit(Balancing(), 151, 2) == 70
    assert sql.limit(Balancing(connections=200), 151, 2) == 200
    with pytest.raises(BadInput):
        sql.limit(Balancing(), 11, 2)


def test_loopback_keeps_ports_and_sockets() -> None:
    assert (
        sql.loopback("0.0.0.0:6032;127.0.0.1:6032; /tmp/a.sock;[::]:6033")
        == "127.0.0.1:6032;/tmp/a.sock;127.0.0.1:6033"
    )
    with pytest.raises(BadInput):
        sql.loopback("0.0.0.0")


def test_refused_defaults_leave_the_others() -> None:
    tables = Tables()
    values = {
        "admin-admin_credentials": "admin:admin;radmin:admin;galvan-admin:ab", "admin-stats_credentials": "stats:stats",
    }  # fmt: skip
    tables.base.executemany("INSERT INTO global_variables VALUES (?, ?)", values.items())
    tables.run(sql.refuse_defaults())
    assert dict(tables.rows("global_variables")) == {
        "admin-admin_credentials": "radmin:admin;galvan-admin:ab",
        "admin-stats_credentials": "stats:stats",
    }, "a list without an account of Galvan's stays: nobody could log in"
