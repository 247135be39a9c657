"""What a statement does, in words; and that nobody guesses."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.model.statements import Kind
from galvan.tips.load_balancer.statements.explain import explain


@pytest.mark.parametrize(
    ("text", "kind", "tables", "says"),
    [
        ("SELECT name FROM customers WHERE id = ?", Kind.READ, ("customers",), "reads customers, the rows that a condition names"),
        ("SELECT a FROM t WHERE b IN (?,?,?,...)", Kind.READ, ("t",), "reads t, the rows that a condition names"),
        ("WITH x AS (SELECT a FROM t) SELECT * FROM x JOIN s.y USING (a)", Kind.READ, ("s.y", "t"), "reads s.y, t"),
        ("SELECT ? INTO @x", Kind.READ, (), "reads no table"),
        ("INSERT INTO t (a,b) VALUES (?,?,?,...),...", Kind.WRITE, ("t",), "adds rows to t"),
        ("REPLACE INTO t (a) VALUES (?)", Kind.WRITE, ("t",), "adds rows to t"),
        ("UPDATE t SET a = ? WHERE b = ?", Kind.WRITE, ("t",), "changes rows of t, the rows that a condition names"),
        ("DELETE FROM t WHERE b = ?", Kind.WRITE, ("t",), "deletes rows of t, the rows that a condition names"),
        ("ALTER TABLE t ADD c INT", Kind.DDL, ("t",), "alters the structure of t"),
        ("GRANT SELECT ON a.* TO b", Kind.DCL, (), "changes who may do what"),
        ("SET PASSWORD = ?", Kind.DCL, (), "changes who may do what"),
        ("SET NAMES utf8mb4", Kind.ADMIN, (), "sets up the session or the server"),
        ("COMMIT", Kind.ADMIN, (), "sets up the session or the server"),
        ("CALL refill(?)", Kind.UNPARSED, (), "begins with CALL; sqlglot cannot read it"),
        ("FLUSH TABLES", Kind.UNPARSED, (), "begins with FLUSH; sqlglot cannot read it"),
        ("HANDLER t OPEN", Kind.UNPARSED, (), "begins with HANDLER; sqlglot cannot read it"),
        ("", Kind.UNPARSED, (), "begins with no word; sqlglot cannot read it"),
    ],
)  # fmt: skip
def test_kinds(text: str, kind: Kind, tables: tuple[str, ...], says: str) -> None:
    said = explain(text)
    assert (said.kind, said.tables, said.says) == (kind, tables, says)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("SELECT a FROM t WHERE b = ?", ()),
        ("UPDATE t SET a = ?", ("every-row",)),
        ("DELETE FROM t", ("every-row",)),
        ("TRUNCATE TABLE t", ("every-row",)),
        ("DELETE FROM t WHERE a = ?", ()),
        ("SELECT a FROM t INTO OUTFILE ?", ("file-out", "unparsed")),
        ("SELECT LOAD_FILE(?)", ("file-in",)),
        ("LOAD DATA INFILE ? INTO TABLE t", ("file-in", "unparsed")),
        ("SELECT SLEEP(?)", ("waits",)),
        ("SELECT BENCHMARK(?,MD5(?))", ("waits",)),
        ("SELECT EXTRACTVALUE(?,?)", ("error-speaks",)),
        ("SELECT a FROM t UNION SELECT ?,?", ("union-constants",)),
        ("SELECT a FROM t UNION SELECT b FROM u", ()),
        ("SELECT table_name FROM information_schema.tables", ("catalogue",)),
        ("SELECT user FROM `mysql`.`user`", ("catalogue",)),
        ("SELECT ?; DROP TABLE t", ("stacked",)),
        ("SELECT a FROM t WHERE b = ?--c", ("comment",)),
        ("DROP USER x", ("rights",)),
        ("CALL p(?)", ("unparsed",)),
    ],
)  # fmt: skip
def test_flags(text: str, flags: tuple[str, ...]) -> None:
    assert tuple(flag.id for flag in explain(text).flags) == flags


@given(st.text(st.sampled_from("SELECT fromwhere?,.()'\"`;-/*#=\n1"), max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_was_said_gets_a_sentence(text: str) -> None:
    said = explain(text)
    assert said.says
    assert (said.kind is Kind.UNPARSED) == any(flag.id == "unparsed" for flag in said.flags)


def test_sqlglots_log_is_left_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("sqlglot").level
    explain("CALL p(?)")
    assert logging.getLogger("sqlglot").level == level
    assert caplog.records == []


def test_sqlglot_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, galvan.app.statements, galvan.cli.parser, galvan.tips.load_balancer.statements.impact\n"
        "print('sqlglot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
