"""What a ProxySQL prints, read; and who would be refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tips.load_balancer.statements.proxysql_tables import ADMIN, Tables

from galvan.model import BadInput, Unreadable
from galvan.model.statements import Act, Book, On, Rule
from galvan.tips.load_balancer.statements import maxscale
from galvan.tips.load_balancer.statements.book import learn
from galvan.tips.load_balancer.statements.impact import misses
from galvan.tips.load_balancer.statements.proxysql import LOG, SAID, STANDING, Missed, missed, said, standing

LINES = """\
2026-11-24 19:00:01 Query_Processor.cpp:1942:process_mysql_query(): [WARNING] Firewall detected unknown query with digest 0x37B5362567EE37EF from user shop@10.0.3.7
2026-11-24 19:00:02 Query_Processor.cpp:1942:process_mysql_query(): [WARNING] Firewall detected unknown query with digest 0x37B5362567EE37EF from user shop@10.0.3.7
2026-11-24 19:00:03 MySQL_Monitor.cpp:2:run(): [INFO] nothing of ours
2026-11-24 19:00:04 Query_Processor.cpp:1942:process_mysql_query(): [WARNING] Firewall blocked query with digest 0x00000000000000BB from user od@d@10.0.3.8
2026-11-24 19:00:05 Query_Processor.cpp:1942:process_mysql_query(): [WARNING] Firewall blocked query with digest unknown from user shop@10.0.3.7
"""


def test_the_lines_of_the_error_log() -> None:
    """The form of the line is that of ProxySQL's source (`Firewall %s query with digest %s from user %s@%s`)."""
    assert missed(LINES) == (
        Missed("od@d", "0x00000000000000BB", "10.0.3.8", True, 1),
        Missed("shop", "", "10.0.3.7", True, 1),
        Missed("shop", "0x37B5362567EE37EF", "10.0.3.7", False, 2),
    )


def test_a_line_that_somebody_saw() -> None:
    """Recorded in sysown/proxysql issue 4327."""
    line = (
        "2023-08-17 15:35:45 Query_Processor.cpp:2213:process_mysql_query(): [WARNING] Firewall blocked query with digest "
        "0x7FF99159D3317FED from user dvwa@10.5.1.91\n"
    )
    assert missed(line) == (Missed("dvwa", "0x7FF99159D3317FED", "10.5.1.91", True, 1),)


def test_the_log_is_found_where_there_is_a_proxysql_and_nothing_is_said_elsewhere(tmp_path: Path) -> None:
    script = LOG.query.text.replace("/etc/proxysql.cnf", str(tmp_path / "proxysql.cnf"))
    run = ["/bin/sh", "-c", script]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == ""
    (tmp_path / "proxysql.cnf").write_text(f'datadir="{tmp_path}"\n')
    (tmp_path / "proxysql.log").write_text(LINES)
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.endswith("done\n")
    assert len(out.splitlines()) == 5
    assert missed(out) == missed(LINES)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=30))
@settings(max_examples=80, deadline=None)
def test_accounts_and_statements_are_read_as_they_are(account: str, schema: str, text: str) -> None:
    if "\x00" in account + schema + text or any("\ud800" <= c <= "\udfff" for c in account + schema + text):
        return
    tables = Tables()
    tables.say(account, schema, "0x00000000000000AA", text, 3)
    (row,) = said(tables.run(ADMIN.ask(SAID)))
    assert (row.name.account, row.name.schema, row.text, row.times) == (account, schema, text, 3)


def test_nothing_said_is_no_statement() -> None:
    assert said(Tables().run(ADMIN.ask(SAID))) == ()


@pytest.mark.parametrize("output", ["", "ERROR 1045 (28000): Access denied", "said\t61\t62\t0x1\t1\t1\t1\t63", "said\tzz\t62\t0x1\t1\t1\t1\t63\ndone",
                                    "said\t61\t62\t0x1\tNULL\t1\t1\t63\ndone", "said\t61\t62\tdigest\t1\t1\t1\t63\ndone", "said\tff\t62\t0x1\t1\t1\t1\t63\ndone"])  # fmt: skip
def test_what_is_cut_off_or_odd_is_unreadable(output: str) -> None:
    with pytest.raises(Unreadable):
        said(output)
    with pytest.raises(Unreadable):
        standing(output)


def test_a_row_that_is_not_known_is_unreadable() -> None:
    whole = Tables().run(ADMIN.ask(STANDING))
    assert standing(whole).accounts == ("report", "shop")
    for line in ("hostgroups\tten\t30", "account", "rule\truntime\t1", "allowed\truntime\t61\t\t62\t0\tno digest\t"):
        with pytest.raises(Unreadable):
            standing(whole.replace("done", f"{line}\ndone"))
    with pytest.raises(Unreadable, match="whether its firewall is on"):
        standing("done")


def test_misses_name_who_what_and_where_from() -> None:
    tables = Tables()
    tables.say("shop", "shop", "0x00000000000000AA", "SELECT name FROM customers WHERE id = ?", 4)
    book = learn(Book({}), said(tables.run(ADMIN.ask(SAID)))).book
    tables.say("shop", "shop", "0x37B5362567EE37EF", "DELETE FROM customers", 2)
    tables.say("report", "shop", "0x00000000000000CC", "SELECT 1", 2)
    found = list(misses("lb1", book, said(tables.run(ADMIN.ask(SAID))), missed(LINES)))
    assert [(i.tip, i.host, i.who) for i in found] == [
        ("load_balancer", "lb1", "shop/shop/0x37B5362567EE37EF"),
        ("load_balancer", "lb1", "shop/unknown"),
    ]
    assert found[0].what == "shop in shop: DELETE FROM customers is not in the book; it deletes rows of customers"
    assert found[0].evidence == "said 2 times from 10.0.3.7"
    assert "was refused" in found[1].what


def test_a_line_of_the_log_that_the_book_allows_by_now_is_old() -> None:
    tables = Tables()
    tables.say("shop", "shop", "0x37B5362567EE37EF", "SELECT name FROM customers WHERE id = ?")
    rows = said(tables.run(ADMIN.ask(SAID)))
    logged = [m for m in missed(LINES) if m.digest]
    assert list(misses("lb1", learn(Book({}), rows).book, rows, logged)) == []


def test_what_a_rule_will_block_is_told_before_it_does() -> None:
    tables = Tables()
    tables.say("shop", "shop", "0x00000000000000AA", "select name from customers WHERE id = ?", 4)
    rows = said(tables.run(ADMIN.ask(SAID)))
    book = learn(Book({}), rows).book
    for rule, count in (
        (Rule(Act.BLOCK, "^SELECT .* FROM customers", "never"), 1),
        (Rule(Act.BLOCK, "^SELECT", "never", account="report"), 0),
        (Rule(Act.BLOCK, "^SELECT", "never", schema="other"), 0),
        (Rule(Act.BLOCK, "^SELECT", "nobody counted that", on=On.TEXT), 0),
        (Rule(Act.REDIRECT, "^SELECT", "it goes on", "reader"), 0),
    ):
        found = list(misses("lb1", Book(book.statements, (rule,)), rows))
        assert len(found) == count
        assert all(i.who == "shop/shop/0x00000000000000AA" and "would be blocked: never" in i.what for i in found)


# MaxScale --------------------------------------------------------------------------------------------------------------
def test_maxscales_log_while_it_supervises() -> None:
    """The line is the one in MaxScale's documentation of its firewall filter."""
    log = (
        "2024-11-18 08:01:47   warning: (1) [firewall] (Service); Firewall incident (user@127.0.0.1): DELETE FROM t\n"
        "2024-11-18 08:01:48   warning: (2) [firewall] (Service); Firewall incident (user@127.0.0.1): SELECT a FROM t WHERE b = 'secret'\n"
        "2024-11-18 08:01:49   warning: (2) [firewall] (Service); Firewall incident (user@10.0.3.7): SELECT a FROM t WHERE b = 'other'\n"
    )
    found = list(maxscale.misses("lb1", log))
    assert [(i.who, i.evidence) for i in found] == [
        ("user: DELETE FROM t", "1 lines of its log, from 127.0.0.1"),
        ("user: SELECT a FROM t WHERE b = ?", "2 lines of its log, from 10.0.3.7, 127.0.0.1"),
    ]
    assert "secret" not in str(found)


def test_rules_as_patterns_for_a_maxscale_without_the_module() -> None:
    rules = (
        Rule(Act.BLOCK, "^DROP ", "never", account="shop", on=On.TEXT),
        Rule(Act.REWRITE, "FROM (old)", "renamed", r"FROM \1_$", on=On.TEXT),
    )
    block, rewrite = maxscale.patterns(Book({}, rules))
    assert (block.match, block.user, block.replace) == ("^DROP ", "shop", None)
    assert rewrite.replace == "FROM ${1}_$$"


@pytest.mark.parametrize(
    "rule",
    [
        Rule(Act.REDIRECT, "^SELECT", "reads", "reader"),
        Rule(Act.BLOCK, "^DROP", "never"),
        Rule(Act.BLOCK, "^DROP", "never", schema="shop", on=On.TEXT),
    ],
)
def test_what_a_pattern_cannot_hold(rule: Rule) -> None:
    with pytest.raises(BadInput, match="rule 1"):
        maxscale.patterns(Book({}, (rule,)))
