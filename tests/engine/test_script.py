"""The one script of a host, run for real by /bin/sh with a server's client of our own making on the PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from galvan.edges import script
from galvan.model import Fact, Shell, Sql, Unreadable

MARK = "5f0c9d2e7a41b836"
CLIENT = r"""#!%s
import os, sys, time
for number, line in ((number, part) for number, line in enumerate(sys.stdin, 1) for part in line.rstrip("\n").split(";")):
    if line.startswith("SELECT CONCAT('"):
        print(line.removeprefix("SELECT CONCAT('").partition("'")[0] + "%%.6f" %% time.time(), flush=True)
    elif line.startswith("SLEEP "):
        time.sleep(float(line.removeprefix("SLEEP ")))
    elif line.startswith("SELECT '"):
        print(line.removeprefix("SELECT '").removesuffix("'"), flush=True)
    elif line.startswith("ROWS "):
        print(line.removeprefix("ROWS ").encode().decode("unicode_escape"), flush=True)
    elif line == "BAD":
        print(f"ERROR 1064 (42000) at line {number}: You have an error in your SQL syntax", file=sys.stderr, flush=True)
    elif line.startswith("TOUCH "):
        open(line.removeprefix("TOUCH "), "w").close()
    elif line == "DIE":
        os.abort()
    elif line == "GONE":
        print("ERROR 2002 (HY000): Can't connect to local server through socket", file=sys.stderr)
        sys.exit(1)
"""


SHELLS = (("/bin/sh",), ("bash", "--posix"))
"""Debian's sh is dash, Red Hat's is bash."""


SHELL: tuple[str, ...] = SHELLS[0]


@pytest.fixture(params=SHELLS, ids=["sh", "bash"], autouse=True)
def shells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SHELL", request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    client = tmp_path / "mariadb"
    client.write_text(CLIENT % sys.executable)
    client.chmod(0o755)
    return tmp_path


def ran(path: Path, facts: Sequence[Fact[Any]], timed: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        SHELL, input=script.render(facts, MARK, timed), capture_output=True, text=True, check=False,
        env={"PATH": f"{path}:{os.environ['PATH']}"},
    )  # fmt: skip


def asked(path: Path, facts: Sequence[Fact[Any]]) -> dict[str, str | Unreadable]:
    done = ran(path, facts)
    return dict(script.read(facts, MARK, done.stdout, done.stderr))


def shell(id: str, text: str) -> Fact[str]:
    return Fact(id, Shell(text), str)


def sql(id: str, text: str) -> Fact[str]:
    return Fact(id, Sql(text), str)


GOOD = (shell("a.one", "echo 1"), shell("a.two", "printf '2\\n\\n3\\n'"), shell("a.nothing", "true"))
ROWS = (sql("b.one", r"ROWS x\ty"), sql("b.two", r"ROWS 1\n2"), sql("b.none", "NOTHING"))
ALL_WELL = {"a.one": "1\n", "a.two": "2\n\n3\n", "a.nothing": "", "b.one": "x\ty\n", "b.two": "1\n2\n", "b.none": ""}


def test_everything_in_one_exec(path: Path) -> None:
    assert asked(path, (*GOOD, *ROWS)) == ALL_WELL


def test_order_does_not_matter(path: Path) -> None:
    assert asked(path, (ROWS[0], GOOD[0], ROWS[1], GOOD[1], GOOD[2], ROWS[2])) == ALL_WELL


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo some; echo no such file >&2; exit 3", "no such file"),
        ("exit 7", "exit status 7"),
        ("no_such_command_here", "not found"),
        ("kill -9 $$", "Killed"),
        ("if true; then echo unfinished", ""),
    ],
)
def test_a_failing_shell_fact_is_unreadable_alone(path: Path, text: str, why: str) -> None:
    found = asked(path, (GOOD[0], shell("a.bad", text), *GOOD[1:], *ROWS))
    bad = found.pop("a.bad")
    assert isinstance(bad, Unreadable)
    assert why in str(bad)
    assert found == ALL_WELL


@pytest.mark.parametrize("text", ["cat", "cat >/dev/null; sh; read x; echo $x", "exec 3<&0; cat <&3"])
def test_a_fact_that_reads_its_input_swallows_nothing(path: Path, text: str) -> None:
    found = asked(path, (shell("a.hungry", text), *GOOD, *ROWS))
    assert found.pop("a.hungry") in ("", "\n")
    assert found == ALL_WELL


@pytest.mark.parametrize(
    "text", ["x=1; PATH=/nowhere; cd /; set -e", "exit 0", "alias echo=false", "exec >/dev/null", "trap 'echo no' EXIT"]
)
def test_a_fact_leaves_the_others_alone(path: Path, text: str) -> None:
    found = asked(path, (shell("a.rude", text), *GOOD, *ROWS))
    found.pop("a.rude")
    assert found == ALL_WELL


def test_a_slow_fact_is_cut_at_its_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "LIMIT", 1)
    found = asked(path, (shell("a.slow", "sleep 30"), *GOOD, *ROWS))
    assert "took longer than its limit" in str(found.pop("a.slow"))
    assert found == ALL_WELL


@pytest.mark.parametrize("place", range(4))
def test_a_failing_statement_is_unreadable_alone(path: Path, place: int) -> None:
    statements = [*ROWS]
    statements.insert(place, sql("b.bad", "BAD"))
    found = asked(path, (*GOOD, *statements))
    bad = found.pop("b.bad")
    assert isinstance(bad, Unreadable)
    assert "error 1064" in str(bad)
    assert found == ALL_WELL


def test_two_failing_statements(path: Path) -> None:
    found = asked(path, (sql("b.bad", "BAD"), *ROWS, sql("b.worse", "BAD"), *GOOD))
    assert all(isinstance(found.pop(id), Unreadable) for id in ("b.bad", "b.worse"))
    assert found == ALL_WELL


def test_a_killed_client_leaves_the_rest_for_another_look(path: Path) -> None:
    facts = (*GOOD, ROWS[0], sql("b.dies", "DIE"), *ROWS[1:])
    found = asked(path, facts)
    assert found == {id: text for id, text in ALL_WELL.items() if id in ("a.one", "a.two", "a.nothing", "b.one")}
    lost = [fact for fact in facts if fact.id not in found and fact.id != "b.dies"]
    assert found | asked(path, lost) == ALL_WELL


def test_a_server_that_does_not_answer_makes_all_statements_unreadable_and_no_shell_fact(path: Path) -> None:
    found = asked(path, (*GOOD, sql("b.first", "GONE"), *ROWS[1:]))
    assert [found[id] for id in ("a.one", "a.two", "a.nothing")] == ["1\n", "2\n\n3\n", ""]
    for id in ("b.first", "b.two", "b.none"):
        assert "the server's client could not ask: ERROR 2002" in str(found[id])


def without_a_client(tmp_path: Path) -> dict[str, str | Unreadable]:
    for tool in ("sh", "timeout", "echo", "printf", "true", "cat"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    text = script.render((*GOOD, *ROWS), MARK).replace(":/usr/sbin:/sbin", "")
    done = subprocess.run(
        ["/bin/sh"], input=text, capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)}
    )  # fmt: skip
    return dict(script.read((*GOOD, *ROWS), MARK, done.stdout, done.stderr))


def test_a_host_without_a_client_still_says_the_rest(tmp_path: Path) -> None:
    found = without_a_client(tmp_path)
    assert [found[id] for id in ("a.one", "a.two", "a.nothing")] == ["1\n", "2\n\n3\n", ""]
    assert not any(isinstance(found.get(fact.id), str) for fact in ROWS)


def test_a_host_without_a_client_says_so(tmp_path: Path) -> None:
    found = without_a_client(tmp_path)
    assert all(isinstance(found.get(fact.id), Unreadable) for fact in ROWS)


@pytest.mark.parametrize(
    "output",
    [
        "@{other} end a.liar 0",
        "@{other} begin a.one",
        "@{mark} end",
        "@content",
        "@@@",
        "@{mark}begin a.one",
        "begin a.one",
    ],
)
def test_marks_in_an_output_confuse_nobody(path: Path, output: str) -> None:
    said = output.format(other="0123456789abcdef", mark=MARK[:-1])
    found = asked(
        path, (shell("a.liar", f"echo '{said}'; echo '{said}' >&2"), *GOOD, sql("b.liar", f"ROWS {said}"), *ROWS)
    )
    assert found.pop("a.liar") == said + "\n"
    assert found.pop("b.liar") == said + "\n"
    assert found == ALL_WELL


def test_the_end_of_another_fact_is_not_an_end(path: Path) -> None:
    """Even with the mark itself, which no output can know."""
    found = asked(path, (shell("a.liar", f"echo '@{MARK} end a.one 0'"), *GOOD, *ROWS))
    assert found.pop("a.liar") == f"@{MARK} end a.one 0\n"
    assert found == ALL_WELL


def test_an_error_of_a_shell_fact_that_looks_like_the_clients(path: Path) -> None:
    text = "echo 'ERROR 1064 (42000) at line 3: not the client' >&2; echo fine"
    found = asked(path, (shell("a.liar", text), *GOOD, *ROWS))
    assert found.pop("a.liar") == "fine\n"
    assert found == ALL_WELL


def test_an_output_without_an_end_of_line(path: Path) -> None:
    assert asked(path, (shell("a.open", "printf 'no end'"), *GOOD))["a.open"] == "no end"


def test_facts_of_one_kind_only(path: Path) -> None:
    assert asked(path, GOOD) == {id: text for id, text in ALL_WELL.items() if id.startswith("a")}
    assert asked(path, ROWS) == {id: text for id, text in ALL_WELL.items() if id.startswith("b")}


def test_each_fact_between_two_looks_at_the_clock_when_asked(path: Path) -> None:
    """The reading is the same, and an error still names its own fact."""
    facts = (
        shell("a.slow", "sleep 0.2; echo 1"),
        shell("a.fails", "exit 3"),
        sql("b.slow", "SLEEP 0.2"),
        sql("b.bad", "BAD"),
        *GOOD,
    )
    plain, timed = ran(path, facts), ran(path, facts, timed=True)
    assert script.seconds(MARK, plain.stdout) == {}
    took = script.seconds(MARK, timed.stdout)
    assert set(took) == {fact.id for fact in facts}
    assert min(took["a.slow"], took["b.slow"]) >= 0.2
    assert max(took["a.one"], took["b.bad"]) < 0.2
    said = [
        {id: str(value) for id, value in script.read(facts, MARK, d.stdout, d.stderr).items()} for d in (plain, timed)
    ]
    assert said[0] == said[1]
    assert "error 1064" in said[1]["b.bad"]


def test_a_clock_without_parts_of_a_second_says_nothing() -> None:
    assert script.seconds(MARK, f"@{MARK} at a.one 1795816800.%N\n@{MARK} at a.one 1795816801.%N\n") == {}


def test_the_server_is_asked_while_the_shell_facts_run(path: Path) -> None:
    """A shell fact that waits for what a statement does."""
    sign = path / "sign"
    waits = shell("a.waits", f"until [ -e {sign} ]; do sleep 0.05; done; echo seen")
    assert asked(path, (waits, *ROWS, sql("b.signs", f"TOUCH {sign}")))["a.waits"] == "seen\n"


def test_more_than_a_pipe_holds(path: Path) -> None:
    """The client is never held up by a slow shell fact: it would be cut at its limit."""
    long, sign = "x" * 300_000, path / "sign"
    waits = shell("a.waits", f"until [ -e {sign} ]; do sleep 0.05; done; echo seen")
    found = asked(path, (waits, sql("b.long", f"ROWS {long}"), sql("b.signs", f"TOUCH {sign}"), *GOOD))
    assert (found["a.waits"], found["b.long"]) == ("seen\n", long + "\n")


def test_an_error_in_the_midst_of_a_shell_facts_line_is_still_the_statements(path: Path) -> None:
    """What a statement that failed printed is never taken for an empty answer, wherever the two errors met."""
    sign = path / "sign"
    text = f"printf 'half a line' >&2; until [ -e {sign} ]; do sleep 0.05; done; sleep 0.2; echo fine"
    found = asked(path, (shell("a.half", text), sql("b.bad", "BAD"), sql("b.signs", f"TOUCH {sign}"), *ROWS))
    assert found["a.half"] == "fine\n"
    assert isinstance(found["b.bad"], Unreadable)
    assert "error 1064" in str(found["b.bad"])
