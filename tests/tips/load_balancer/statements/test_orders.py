"""What is said to a ProxySQL: SQLite takes it, it can be said twice, and the way back leads back."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tips.load_balancer.statements.proxysql_tables import ADMIN, MARK, Tables

from galvan.cluster.quote import proxysql as filled
from galvan.cluster.quote import sqlite
from galvan.model import BadInput, Stage, remaining
from galvan.model.statements import Act, Book, Kind, Learnt, Name, On, Rule
from galvan.tips.load_balancer.statements.orders import DETECTING, FIRST, LAST, PROTECTING, modes, told, wanted
from galvan.tips.load_balancer.statements.proxysql import STANDING, Standing, standing
from galvan.tips.load_balancer.statements.steps import cut_short, disagreements, drift, obstacles, release, state, step

READ = Learnt(
    Name("shop", "shop", "0x00000000000000AA"), "SELECT name FROM customers WHERE id = ?", Kind.READ, allow=True
)
REFUSED = Learnt(Name("shop", "shop", "0x00000000000000BB"), "DELETE FROM customers", Kind.WRITE, allow=False)
RULES = (
    Rule(Act.REDIRECT, r"^SELECT .* FOR UPDATE", "it locks", "writer"),
    Rule(Act.REWRITE, r"SELECT \* FROM stock", "too much", "SELECT id FROM stock", "shop", on=On.TEXT),
    Rule(Act.BLOCK, r"^DROP\b", "it's never dropped here", schema="shop"),
)
BOOK = Book({one.name: one for one in (READ, REFUSED)}, RULES)
SHAPES = (
    r"DELETE FROM mysql_firewall_whitelist_(rules|users) WHERE client_address = '' AND comment = 'galvan'",
    r"DELETE FROM mysql_query_rules WHERE rule_id BETWEEN 11 AND 99 AND substr\(comment, 1, 8\) = 'galvan: '",
    r"INSERT OR REPLACE INTO mysql_firewall_whitelist_users \([a-zI, _]+\) VALUES \(1, L, L, L, L\)",
    r"INSERT OR REPLACE INTO mysql_firewall_whitelist_rules \([a-zIN, _]+\) VALUES \(1, L, L, L, \d+, L, L\)",
    r"INSERT INTO mysql_query_rules \([a-zINf, _]+\) VALUES \((L|\d+)(, (L|\d+))*\)",
    r"(LOAD|SAVE) MYSQL (FIREWALL|QUERY RULES|VARIABLES) TO (RUNTIME|DISK)",
    r"UPDATE global_variables SET variable_value = '(true|false)' WHERE variable_name = 'mysql-firewall_whitelist_enabled'",
)
LITERAL = re.compile(r"'(?:[^']|'')*'|CAST\(X'[0-9A-F]*' AS TEXT\)")
ODD = st.text(st.sampled_from("a'\"\\;-#/*%ä\n{}`\x1f"), max_size=12).map(lambda text: text.replace("\x1f", ""))


def look(tables: Tables) -> Standing:
    return standing(tables.run(ADMIN.ask(STANDING)))


def known(statement: str) -> bool:
    shape = re.sub(r"(VALUES \(.*\))$", lambda m: LITERAL.sub("L", m.group()), statement)
    return any(re.fullmatch(pattern, shape) for pattern in SHAPES)


def test_every_statement_is_of_a_known_shape() -> None:
    for mode in (DETECTING, PROTECTING):
        statements = told(wanted(BOOK, look(Tables()), mode))
        assert [s for s in statements if not known(s)] == []


def test_detecting_and_then_protecting_leaves_what_the_book_says() -> None:
    tables = Tables()
    for mode, stage in ((DETECTING, Stage.DOOR), (PROTECTING, Stage.PROTECT)):
        one = step("lb1", BOOK, look(tables), mode, ADMIN)
        assert one.stage is stage
        assert remaining(one, one.before)
        tables.run(one.do[0])
        assert remaining(one, state(look(tables))) == {}
        first = list(tables.db.iterdump())
        tables.run(one.do[0])
        assert list(tables.db.iterdump()) == first, "said twice is said once"
        assert drift("lb1", BOOK, look(tables), ADMIN) == ()
        assert modes(look(tables).runtime) == {"shop": mode, "report": "OFF"}
    users = tables.rows("SELECT username, mode FROM runtime_mysql_firewall_whitelist_users ORDER BY 1")
    assert users == [("report", "OFF"), ("shop", "PROTECTING")], "who is in no row would be refused"
    rules = tables.rows("SELECT username, schemaname, digest FROM disk.mysql_firewall_whitelist_rules")
    assert rules == [("shop", "shop", READ.name.digest)]


def test_what_was_held_to_is_let_go_and_others_rows_stay() -> None:
    tables = Tables()
    first = list(tables.db.iterdump())
    for mode in (DETECTING, PROTECTING):
        tables.run(step("lb1", BOOK, look(tables), mode, ADMIN).do[0])
    off = release("lb1", look(tables), ADMIN)
    assert remaining(off, off.before)
    tables.run(off.do[0])
    assert remaining(off, state(look(tables))) == {}
    assert list(tables.db.iterdump()) == first, "nothing of it is left"
    tables.run(off.undo[0])
    assert modes(look(tables).runtime) == {"shop": PROTECTING, "report": "OFF"}
    others = "INSERT INTO mysql_firewall_whitelist_users (active, username, client_address, mode, comment) VALUES (1, 'x', '', 'OFF', 'ours')"
    tables.run(ADMIN.tell([others, "LOAD MYSQL FIREWALL TO RUNTIME", "SAVE MYSQL FIREWALL TO DISK"]))
    assert "stays on" in release("lb1", look(tables), ADMIN).title


def test_the_rules_stand_in_the_order_that_makes_blocks_hold() -> None:
    tables = Tables()
    tables.run(step("lb1", BOOK, look(tables), PROTECTING, ADMIN).do[0])
    rows = tables.rows(
        "SELECT rule_id, username, schemaname, match_digest, match_pattern, replace_pattern, destination_hostgroup, error_msg, apply FROM runtime_mysql_query_rules ORDER BY 1"
    )
    assert rows == [
        (11, "shop", None, None, r"/\*M!", None, None, "blocked: a hidden comment", 1),
        (12, None, "shop", r"^DROP\b", None, None, None, "blocked: it's never dropped here", 1),
        (13, "shop", None, None, r"SELECT \* FROM stock", "SELECT id FROM stock", None, None, 0),
        (14, None, None, r"^SELECT .* FOR UPDATE", None, None, 10, None, 1),
    ]


def test_nobody_notices_that_it_detects() -> None:
    assert wanted(BOOK, look(Tables()), DETECTING).rules == ()


@pytest.mark.parametrize(
    ("sql_mode", "words"),
    [
        ("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", ()),
        ("", ()),
        ("STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES", ("NO_BACKSLASH_ESCAPES",)),
        ("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,ANSI", ("ANSI_QUOTES",)),
        ("ORACLE", ("ANSI_QUOTES",)),
    ],
)
def test_where_a_member_reads_a_text_in_another_way(sql_mode: str, words: tuple[str, ...]) -> None:
    assert tuple(said.split(":")[0] for said in disagreements(sql_mode)) == words


def test_the_way_back_leads_to_what_was_there() -> None:
    tables = Tables()
    tables.everywhere(
        "mysql_firewall_whitelist_users",
        "INSERT INTO mysql_firewall_whitelist_users VALUES (1, 'shop', '', 'OFF', 'by Ann')",
    )
    tables.everywhere(
        "mysql_firewall_whitelist_rules",
        f"INSERT INTO mysql_firewall_whitelist_rules VALUES (1, 'shop', '', 'shop', 0, '{READ.name.digest}', 'by Ann')",
    )
    tables.everywhere("mysql_query_rules", "INSERT INTO mysql_query_rules (rule_id, active, match_digest, apply) VALUES (200, 1, '^SELECT', 1)")  # fmt: skip
    first = list(tables.db.iterdump())
    one = step("lb1", BOOK, look(tables), DETECTING, ADMIN)
    tables.run(one.do[0])
    assert list(tables.db.iterdump()) != first
    tables.run(one.undo[0])
    assert list(tables.db.iterdump()) == first


def test_an_account_with_a_row_of_its_own_keeps_it() -> None:
    tables = Tables()
    tables.everywhere(
        "mysql_firewall_whitelist_users",
        "INSERT INTO mysql_firewall_whitelist_users VALUES (1, 'report', '', 'PROTECTING', 'by Ann')",
    )
    tables.run(step("lb1", BOOK, look(tables), DETECTING, ADMIN).do[0])
    assert modes(look(tables).runtime)["report"] == "PROTECTING"


@pytest.mark.parametrize(
    ("table", "statement", "says"),
    [
        ("mysql_query_rules", "INSERT INTO mysql_query_rules (rule_id, active, apply) VALUES (50, 1, 0)", "rule 50 lies among"),
        ("mysql_query_rules", "INSERT INTO mysql_query_rules (rule_id, active, apply) VALUES (2, 1, 1)", "rule 2 ends the search"),
        (
            "mysql_firewall_whitelist_users",
            "INSERT INTO mysql_firewall_whitelist_users VALUES (1, 'shop', '10.0.3.7', 'OFF', '')",
            "outranks the book",
        ),
        ("mysql_users", "UPDATE mysql_users SET fast_forward = 1 WHERE username = 'shop'", "shop has fast_forward"),
        ("global_variables", "UPDATE global_variables SET variable_value = 'false' WHERE variable_name = 'mysql-query_digests'", "is off"),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_said(table: str, statement: str, says: str) -> None:
    tables = Tables()
    assert list(obstacles(BOOK, look(tables), PROTECTING)) == []
    tables.everywhere(table, statement)
    assert any(says in why for why in obstacles(BOOK, look(tables), PROTECTING))


def test_what_lies_in_memory_alone_is_not_loaded_along() -> None:
    tables = Tables()
    tables.db.execute("INSERT INTO mysql_query_rules (rule_id, active, apply) VALUES (200, 1, 1)")
    assert any("changed in memory" in why for why in obstacles(BOOK, look(tables), DETECTING))


def test_another_version_makes_other_digests() -> None:
    seen = look(Tables())
    learnt = replace(BOOK, learnt_with=seen.learnt_with)
    assert list(obstacles(learnt, seen, DETECTING)) == []
    older = replace(seen, variables={**seen.variables, "admin-version": "2.5.5-10-g195bd70"})
    assert any("learn again" in why for why in obstacles(learnt, older, DETECTING))


def test_a_statement_of_which_the_end_is_held_to_nothing_is_named() -> None:
    long = replace(READ, text="SELECT " + "a," * 1200 + "b FROM t WHERE id = ?")
    assert cut_short(Book({long.name: long}), look(Tables())) == (str(long.name),)
    assert cut_short(BOOK, look(Tables())) == ()


def test_more_rules_than_there_is_room_for() -> None:
    many = tuple(Rule(Act.BLOCK, f"^X{n}", "no") for n in range(LAST - FIRST + 2))
    with pytest.raises(BadInput, match="room for 89"):
        wanted(Book({READ.name: READ}, many), look(Tables()), PROTECTING)


def test_a_redirect_needs_one_pair_of_hostgroups() -> None:
    with pytest.raises(BadInput, match="where one is needed"):
        wanted(BOOK, replace(look(Tables()), hostgroups=()), DETECTING)


@given(ODD)
@settings(max_examples=200, deadline=None)
def test_a_literal_is_one_text_for_sqlite_and_hides_no_quote_from_the_client(value: str) -> None:
    literal = sqlite(value)
    assert sqlite3.connect(":memory:").execute(f"SELECT {literal}").fetchall() == [(value,)]
    assert LITERAL.fullmatch(literal)
    assert "\\" not in literal
    assert "\n" not in literal


@given(ODD, ODD, ODD)
@settings(max_examples=60, deadline=None)
def test_no_account_schema_or_reason_breaks_out(account: str, schema: str, reason: str) -> None:
    tables = Tables()
    name = Name(f"x{account}", schema, "0x00000000000000AA")
    book = Book(
        {name: replace(READ, name=name)}, (Rule(Act.BLOCK, f"^{re.escape(reason)}x", f"r{reason}", account=account),)
    )
    one = step("lb1", book, look(tables), PROTECTING, ADMIN)
    assert all(known(s) for s in one.do[0].text.split(MARK))  # type: ignore[union-attr]
    tables.run(one.do[0])  # type: ignore[arg-type]
    assert remaining(one, state(look(tables))) == {}
    assert tables.rows("SELECT username, schemaname FROM runtime_mysql_firewall_whitelist_rules") == [
        (name.account, schema)
    ]


def test_a_template_takes_numbers_as_numbers() -> None:
    assert filled("SELECT {{a}}, {{b}}", a=3, b="3") == "SELECT 3, '3'"
