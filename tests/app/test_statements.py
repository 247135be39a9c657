"""`galvan lb firewall`: learn, decide, detect, protect; what refuses, what is said, which exit codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.tips.load_balancer.statements.proxysql_tables import ADMIN, Tables

from galvan import cli
from galvan.app import protecting, statements
from galvan.app.desk import Desk, sit_down
from galvan.cli import lb
from galvan.edges.statements import read
from galvan.model import Action, Fact, Host, NotHealed, Shell, Unreadable
from galvan.tips.load_balancer.statements.proxysql import LOG

FILE = """
cluster: shop
hosts:
  db1: {role: database, address: 10.0.0.1}
  lb1: {role: load_balancer, address: 10.0.1.1, kind: proxysql}
  lb2: {role: load_balancer, address: 10.0.1.2, kind: proxysql}
"""
READ = ("shop", "shop", "0x00000000000000AA", "SELECT name FROM customers WHERE id = ?")
CLEAR = ("shop", "shop", "0x00000000000000BB", "DELETE FROM customers")
NEW = ("shop", "shop", "0x00000000000000CC", "SELECT price FROM items WHERE id = ?")


@dataclass
class Remote:
    """Two balancers' tables, and what their applications say while time goes by."""

    tables: dict[str, Tables]
    dark: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    log: str = ""
    script: list[tuple[str, tuple[str, str, str, str]]] = field(default_factory=list)

    async def __aenter__(self) -> Remote:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        if host.name in self.dark:
            raise Unreadable(f"{host.name} does not answer")
        found = {}
        for fact in facts:
            assert isinstance(fact.query, Shell)
            found[fact.id] = self.log if fact.id == LOG.id else self.tables[host.name].run(fact.query)
        return found

    async def act(self, host: Host, action: Action, wave: str) -> str:
        assert isinstance(action, Shell)
        if host.name in self.broken:
            raise NotHealed(f"{host.name}: the client failed")
        return self.tables[host.name].run(action)

    async def sleep(self, seconds: float) -> None:
        for host, said in self.script:
            self.tables[host].say(*said)
        self.script = []
        self.now += seconds

    now: float = 0.0


@dataclass
class Office:
    folder: Path
    remote: Remote

    def run(self, *words: str) -> int:
        return cli.run(["lb", "firewall", *words, "--cluster", str(self.folder / "galvan.yaml")])

    def learn(self, *said: tuple[str, tuple[str, str, str, str]]) -> int:
        self.remote.script = list(said)
        return self.run("learn", "--window", "20")

    @property
    def book(self) -> Path:
        return self.folder / "statements.yaml"

    def modes(self, host: str = "lb1") -> dict[str, str]:
        rows = self.remote.tables[host].rows("SELECT username, mode FROM runtime_mysql_firewall_whitelist_users")
        return {str(account): str(mode) for account, mode in rows}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "galvan.yaml").write_text(FILE)
    remote = Remote({"lb1": Tables(), "lb2": Tables()})

    @asynccontextmanager
    async def hands(*_: object) -> AsyncIterator[Remote]:
        yield remote

    monkeypatch.setattr(statements, "SshReader", lambda *_: remote)
    monkeypatch.setattr(protecting, "hands", hands)
    monkeypatch.setattr(statements.asyncio, "sleep", remote.sleep)
    monkeypatch.setattr(statements.time, "monotonic", lambda: remote.now)
    monkeypatch.setattr(lb, "DOORS", {"proxysql": ADMIN})
    return Office(tmp_path, remote)


def test_a_whole_climb(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.remote.tables["lb1"].say("shop", "shop", "0x0000000000000001", "SELECT 1")
    assert office.learn(("lb1", READ), ("lb2", READ), ("lb2", NEW)) == cli.OK
    said = capsys.readouterr().out
    assert "2 statements of 1 accounts, 0 s to go" in said
    book = read(office.book)
    assert {str(n): one.seen for n, one in book.statements.items()} == {
        "shop/shop/0x00000000000000AA": 2, "shop/shop/0x00000000000000CC": 1,
    }, "what was said before the window is not learnt"  # fmt: skip
    assert book.learnt_with == ("proxysql 2.7", "mysql-query_digests_grouping_limit=3")

    assert office.run("protect", "--auto-approve") == cli.GATE
    assert "not watched yet" in capsys.readouterr().err
    assert office.run("detect", "--auto-approve") == cli.OK
    assert office.modes("lb1") == office.modes("lb2") == {"shop": "DETECTING", "report": "OFF"}
    assert "not in the book, so held to nothing: report" in capsys.readouterr().out

    assert office.run("protect", "--auto-approve") == cli.GATE, (
        "SELECT 1 was said before the window, and nobody decided on it"
    )
    said = capsys.readouterr().out
    assert "shop/shop/0x0000000000000001" in said
    assert office.modes() == {"shop": "DETECTING", "report": "OFF"}
    words = ("protect", "--auto-approve", "--accept-impact", "shop/shop/0x0000000000000001")
    assert office.run(*words) == cli.OK
    assert office.modes("lb1") == office.modes("lb2") == {"shop": "PROTECTING", "report": "OFF"}
    assert office.run(*words) == cli.OK
    assert "nothing to change" in capsys.readouterr().out


def test_learning_again_keeps_what_was_decided(office: Office) -> None:
    office.learn(("lb1", READ), ("lb1", CLEAR))
    first = read(office.book)
    assert [one.allow for one in first.statements.values()] == [True, False]
    office.book.write_text(office.book.read_text().replace("allow: false", "allow: true"))
    assert office.learn(("lb1", CLEAR), ("lb1", NEW)) == cli.OK
    assert [one.allow for one in read(office.book).statements.values()] == [True, True, True]


def test_what_was_counted_before_is_learnt_on_request(office: Office) -> None:
    office.remote.tables["lb1"].say(*READ, 7)
    assert office.run("learn", "--window", "1", "--all") == cli.OK
    assert [one.seen for one in read(office.book).statements.values()] == [7]


def test_learning_tells_machines(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.remote.script = [("lb1", READ), ("lb1", CLEAR)]
    assert office.run("learn", "--window", "1", "--format", "json") == cli.OK
    said = json.loads(capsys.readouterr().out)
    assert said["new"] == ["shop/shop/0x00000000000000AA", "shop/shop/0x00000000000000BB"]
    assert said["not_allowed"] == ["shop/shop/0x00000000000000BB"]


def test_a_balancer_that_does_not_answer(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.learn(("lb1", READ))
    office.remote.dark = {"lb2"}
    for words in (("learn", "--window", "1"), ("detect",), ("status",)):
        assert office.run(*words) == cli.INCOMPLETE
        said = capsys.readouterr()
        assert "lb2 does not answer" in said.out + said.err
    assert office.modes() == {}


def test_without_a_book_or_with_an_empty_one(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run("protect") == cli.ERROR
    assert "galvan lb firewall learn" in capsys.readouterr().err
    office.learn(("lb1", CLEAR))
    for what in ("detect", "protect"):
        assert office.run(what, "--auto-approve") == cli.GATE
        assert "allows no statement" in capsys.readouterr().err


def test_nothing_is_done_without_approval(office: Office) -> None:
    office.learn(("lb1", READ))
    assert office.run("detect", "--no-input") == cli.GATE
    assert office.modes() == {}


def test_one_that_fails_puts_all_back(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.learn(("lb1", READ))
    office.remote.broken = {"lb2"}
    assert office.run("detect", "--auto-approve") == cli.ERROR
    said = capsys.readouterr()
    assert "lb2: the client failed" in said.err
    assert "put back to what stood there" in said.out
    assert "could not be put back" in said.out, "the broken one is told, too"
    assert office.modes() == {}
    assert office.remote.tables["lb1"].rows("SELECT variable_value FROM runtime_global_variables WHERE variable_name LIKE '%enabled'") == [("false",)]  # fmt: skip


def test_one_that_takes_it_and_does_not_stand_so(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.learn(("lb1", READ))
    office.remote.tables["lb1"].deaf = True
    assert office.run("detect", "--auto-approve") == cli.ERROR
    assert "does not stand so" in capsys.readouterr().err


def test_a_statement_that_only_the_log_tells_of_stops_protecting(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.learn(("lb1", READ))
    office.run("detect", "--auto-approve")
    office.remote.log = "[WARNING] Firewall detected unknown query with digest 0xDD from user shop@10.0.3.7\n"
    assert office.run("protect", "--auto-approve") == cli.GATE
    assert "shop/0x00000000000000DD" in capsys.readouterr().out


def test_status(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run("status") == cli.OK
    assert "lb1: no account is watched" in capsys.readouterr().out
    office.learn(("lb1", READ))
    office.run("detect", "--auto-approve")
    office.remote.tables["lb2"].say(*NEW, 3)
    office.book.write_text(office.book.read_text().replace("allow: true", "allow: false"))
    capsys.readouterr()
    assert office.run("status", "--format", "json", "--detailed-exitcode") == cli.CHANGES
    said = json.loads(capsys.readouterr().out)
    one, two = said["balancers"]
    assert one["modes"] == {"shop": "DETECTING", "report": "OFF"}
    assert [miss["who"] for miss in one["misses"]] == ["shop/shop/0x00000000000000AA"]
    assert [miss["who"] for miss in two["misses"]] == ["shop/shop/0x00000000000000CC"]
    assert any(line.startswith("allowed.shop: 1 (") and "nothing" in line for line in one["drift"])
    assert office.run("status") == cli.OK
    assert "shop/shop/0x00000000000000CC" in capsys.readouterr().out


def test_a_haproxy_cannot_read_statements(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    (office.folder / "galvan.yaml").write_text(FILE.replace("kind: proxysql", "kind: haproxy"))
    for what in ("learn", "detect", "protect", "status"):
        assert office.run(what) == cli.USAGE
        said = capsys.readouterr().err
        assert "lb1 is a HAProxy" in said
        assert "ProxySQL, or a MaxScale from 25.10" in said
    (office.folder / "galvan.yaml").write_text(FILE.replace("kind: proxysql", "kind: maxscale"))
    assert office.run("learn") == cli.USAGE
    assert "learns a list of its own" in capsys.readouterr().err


def test_one_haproxy_beside_a_proxysql_is_a_way_around(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.learn(("lb1", READ))
    (office.folder / "galvan.yaml").write_text(FILE.replace("10.0.1.2, kind: proxysql", "10.0.1.2, kind: haproxy"))
    assert office.run("detect", "--auto-approve") == cli.OK
    assert "lb2 is a HAProxy" in capsys.readouterr().out
    assert office.run("protect", "--auto-approve") == cli.GATE
    assert "held to nothing" in capsys.readouterr().err
    assert office.run("protect", "--auto-approve", "--limit", "lb1") == cli.OK


def test_no_balancer_at_all(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run("status", "--limit", "db1") == cli.USAGE
    assert "lives in one" in capsys.readouterr().err


def test_a_build_without_a_way_in(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lb, "DOORS", {})
    assert office.run("learn") == cli.ERROR
    assert "no way into a ProxySQL" in capsys.readouterr().err


def test_two_that_make_digests_in_different_ways(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.remote.tables["lb2"].db.execute("UPDATE runtime_global_variables SET variable_value = '5' WHERE variable_name LIKE '%grouping_limit'")  # fmt: skip
    assert office.learn(("lb1", READ)) == cli.ERROR
    assert "make digests in different ways" in capsys.readouterr().err


def test_the_policy_names_the_file(office: Office, tmp_path: Path) -> None:
    (tmp_path / "galvan.yaml").write_text(FILE + "policy: {load_balancer: {statements: said.yaml}}\n")
    desk: Desk = sit_down(tmp_path / "galvan.yaml")
    assert statements.path_of(desk, tmp_path) == tmp_path / "said.yaml"
