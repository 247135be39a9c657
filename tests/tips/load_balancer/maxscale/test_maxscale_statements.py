"""Statements: patterns let through what was said and nothing injected; rule files keep to their lines; a learnt list is never guessed at.

No list written by MaxScale 25.10 could be had, and its form is not documented: the lists here are of several forms that it might have."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.model import BadInput, Unreadable
from galvan.tips.load_balancer.maxscale.render import text
from galvan.tips.load_balancer.maxscale.statements import (
    ALLOWED,
    MISSES,
    Miss,
    Pattern,
    dbfw_rules,
    literal,
    misses,
    module,
    path,
    put,
    read,
    regex_filter,
    set_mode,
    without,
)

SAID = ["SELECT * FROM users WHERE username = ? AND password = ?", "INSERT INTO t VALUES (?)", "SET NAMES utf8mb4"]
FORMS = [
    json.dumps(SAID), json.dumps({"statements": SAID}), json.dumps({"'app'@'%'": SAID}), json.dumps([{"user": "app", "sql": each} for each in SAID]),
    json.dumps({"app": dict.fromkeys(SAID, 3)}), json.dumps({"users": [{"user": "app", "statements": [{"canonical": each} for each in SAID]}]}),
]  # fmt: skip
INJECTED = [
    "SELECT * FROM users WHERE username = '' OR '1'='1' AND password = ''", "SELECT * FROM users WHERE username = 'a' AND password = 'b' OR 1=1",
    "SELECT * FROM users WHERE username = 'a' -- AND password = 'b'", "SELECT * FROM users WHERE username = 'a' AND password = 'b'; DROP TABLE users",
    "SELECT * FROM users WHERE username = 'a' AND password = '' UNION SELECT 1", "SELECT * FROM users WHERE username = 'a' AND password = SLEEP(5)",
    "SELECT * FROM users WHERE username = 'a'/**/AND/**/password = 'b'", "SELECT * FROM users WHERE username = 'a\\' AND password = ' OR 1=1 -- '",
    "SELECT * FROM users WHERE username = 'a' AND password = (SELECT 1)", "SELECT * FROM users WHERE username = 0x61 AND password = 'b' AND 1=1",
]  # fmt: skip
SAME = [
    "SELECT * FROM users WHERE username = 'joe' AND password = 'secret'", "SELECT * FROM users WHERE username = 'it''s' AND password = 'a\\'b'",
    'select  *  from users\nwhere username = "joe" and password = -12.5e3', "SELECT * FROM users WHERE username = NULL AND password = ?",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_statements_are_found_wherever_they_stand(form: str) -> None:
    assert read(form) == set(SAID)
    rest = without(form, [SAID[1]])
    assert read(rest) == {SAID[0], SAID[2]}
    assert without(form, []) == json.dumps(json.loads(form), indent=4, ensure_ascii=False) + "\n"


def test_an_unknown_form_is_said_to_be_unknown() -> None:
    assert read("[]") == read("{}") == frozenset()
    for odd in ("", "not json", '{"a": "b"}', '{"digest": "0x12", "n": 3}'):
        with pytest.raises(Unreadable):
            read(odd)
    with pytest.raises(Unreadable, match="by hand"):
        without(json.dumps({"both": SAID[0], "other": {"said": SAID[1], "too": SAID[2]}}), [SAID[1]])


def test_the_filter_and_its_modes() -> None:
    assert path() == "/var/lib/maxscale/firewall/galvan-firewall-allowed_statements.json"
    assert dict(module(users=["root@localhost"]).values)["mode"] == "idle"
    assert "alter filter galvan-firewall mode=supervise" in set_mode("supervise").text
    assert "learn first" in set_mode("enforce").text
    assert "learn first" not in set_mode("supervise").text
    for wrong in (lambda: set_mode("off"), lambda: module("off"), lambda: module(users=["a\nb"]), lambda: path("../x")):
        with pytest.raises(BadInput):
            wrong()


LOG = """\
2024-11-18 08:01:47   warning: (1) [firewall] (Service); Firewall incident (user@127.0.0.1): DELETE FROM t
2024-11-18 08:01:48   notice : (2) something else
2024-11-18 08:01:49   warning: (3) [firewall] (Service); Firewall incident (app@::ffff:10.0.3.7): SELECT * FROM t1 WHERE a = 'it\\'s topsecret' AND b=42 AND c = "topsecret" OR d = 1.5
2024-11-18 08:01:50   warning: (4) [firewall] (Service); Firewall incident (app@::ffff:10.0.3.7): SELECT * FROM t1 WHERE a = 'other' AND b=7 AND c = "x" OR d = 2
2024-11-18 08:01:51   warning: (5) [firewall] (Service); Firewall incident (app@::ffff:10.0.3.7): SELECT x9 FROM t WHERE h = 0x746f70 AND s = 'topsecret of
several lines'
"""


def test_misses_are_counted_and_their_literals_stay_on_the_host(tmp_path: Path) -> None:
    """The line of MaxScale's documentation of the filter, and two more like it."""
    (tmp_path / "maxscale.log").write_text(LOG)
    script = "maxscale() { :; }\n" + MISSES.query.text.replace("/var/log/maxscale", str(tmp_path))
    done = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True)
    assert "topsecret" not in done.stdout
    assert set(misses(done.stdout)) == {
        Miss("user", "127.0.0.1", "DELETE FROM t", 1), Miss("app", "::ffff:10.0.3.7", "SELECT * FROM t1 WHERE a = ? AND b=? AND c = ? OR d = ?", 2),
        Miss("app", "::ffff:10.0.3.7", "SELECT x9 FROM t WHERE h = ? AND s = ?", 1),
    }  # fmt: skip
    with pytest.raises(Unreadable):
        misses("what is this")


def test_only_a_list_is_put_in_the_lists_place() -> None:
    assert put(FORMS[0]).mode == 0o640
    with pytest.raises(Unreadable):
        put("{")
    assert ALLOWED.parse("") == frozenset()
    assert ALLOWED.parse(FORMS[2]) == set(SAID)


def as_python(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", pattern), re.I)


@pytest.mark.parametrize("statement", SAME)
def test_a_pattern_lets_through_what_was_learnt(statement: str) -> None:
    assert as_python(literal(SAID[0])).fullmatch(statement)


@pytest.mark.parametrize("statement", INJECTED)
def test_a_pattern_lets_nothing_injected_through(statement: str) -> None:
    assert not as_python(literal(SAID[0])).fullmatch(statement)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
        lambda said: said.strip() and "?" not in said
    )
)
def test_a_pattern_means_its_own_letters(statement: str) -> None:
    pattern = literal(statement)
    assert not set(pattern) & set("'\"/\n")
    assert as_python(pattern).fullmatch(statement.strip())


def test_a_refused_statement_becomes_an_error_of_the_server() -> None:
    found = dict(regex_filter(Pattern("no-union", r"union\s+select", "nobody says that")).values)
    assert found["match"] == r"/(?s)\A.*(?:union\s+select).*\z/"
    assert found["replace"].startswith("SIGNAL SQLSTATE '45000'")
    rewritten = dict(regex_filter(Pattern("engine", r"TYPE\s*=", "old words", replace="ENGINE =")).values)
    assert (rewritten["match"], rewritten["replace"]) == (r"/TYPE\s*=/", "ENGINE =")


@given(st.text(min_size=1), st.none() | st.text())
def test_no_rule_leaves_its_line(match: str, replace: str | None) -> None:
    try:
        made = regex_filter(Pattern("x", match, "why", replace))
    except BadInput:
        return
    assert text([made]).count("\n") == len(made.values) + 4


RULE = re.compile(r"""rule [-_A-Za-z0-9]+ match regex ("[^"]*"|'[^']*')""")
USERS = re.compile(r"users( [^ @]+@[^ @]+)+ match any rules( [-_A-Za-z0-9]+)+")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), st.text(min_size=1), st.text())))
def test_rule_files_keep_to_their_grammar(rules: list[tuple[str, str, str]]) -> None:
    """server/modules/filter/dbfwfilter/token.l: a quoted string ends at its quote, whatever stands before it."""
    try:
        said = dbfw_rules([Pattern(*each) for each in rules], ["app@%", "%@10.0.3.7"])
    except BadInput:
        return
    lines = said.split("\n")[:-1]
    assert len(lines) == (2 * len(rules) + 1 if rules else 0)
    for reason, rule in zip(lines[:-1:2], lines[1::2], strict=True) if rules else ():
        assert reason.startswith("# ")
        assert RULE.fullmatch(rule)
    assert not rules or USERS.fullmatch(lines[-1])


@pytest.mark.parametrize(
    "wrong",
    [
        Pattern("a b", "x", ""),
        Pattern("x", "(", ""),
        Pattern("x", "", ""),
        Pattern("x", "a\nb", ""),
        Pattern("x", "a", "", "b"),
    ],
)
def test_what_is_no_rule_is_refused(wrong: Pattern) -> None:
    with pytest.raises(BadInput):
        dbfw_rules([wrong])
    with pytest.raises(BadInput):
        dbfw_rules([Pattern("x", "a", "")], ["app@%' drop"])
