"""Law 1: the reading connection sends the known queries and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from practice import run

from galvan.app.change import FACTS as PLANNED
from galvan.app.desk import ALL_FACTS
from galvan.cluster.facts import GATE, HOUSE, LONG, SESSIONS, STATUS, VARIABLES
from galvan.edges.connections import Connections
from galvan.edges.ssh import SshReader
from galvan.model import Cluster, Fact, GalvanError, Host, Role, Shell, Sql
from galvan.tips import TIPS

HOST = Host("db1", "192.0.2.1", Role.DATABASE, "db1")
WRITES = (
    "INSERT",
    "UPDATE ",
    "DELETE",
    "ALTER",
    "DROP",
    "SET GLOBAL",
    "FLUSH",
    "GRANT",
    "REVOKE",
    "KILL",
    "CREATE",
    "TRUNCATE",
)


class Silent(Connections):
    """Never dials; remembers what it was about to send."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def exec(self, host: Host, text: str, limit: float) -> tuple[str, str, int]:
        self.sent.append(text)
        return "", "", 0


def reader(wire: Silent, known: Sequence[Fact[Any]] = ALL_FACTS) -> SshReader:
    return SshReader(Cluster("shop", (HOST,), ssh_config=("/dev/null",)), known, wire)


@pytest.fixture
def wire() -> Silent:
    return Silent()


@pytest.mark.parametrize(
    "query",
    [
        Sql("SET GLOBAL require_secure_transport = ON"),
        Sql("DROP DATABASE shop"),
        Shell("systemctl stop mariadb"),
        Shell("echo unit=mariadb"),
        Sql(VARIABLES.query.text + " "),
        Shell(VARIABLES.query.text),
    ],
)
def test_an_unknown_query_is_refused_before_anything_is_sent(wire: Silent, query: Shell | Sql) -> None:
    reads = reader(wire)
    with pytest.raises(GalvanError, match="not one of the known queries, so it was not sent to db1"):
        run(reads.read(HOST, [STATUS, Fact("x.unknown", query, str), VARIABLES]))
    assert wire.sent == []


def test_a_known_name_does_not_help_an_unknown_query(wire: Silent) -> None:
    reads = reader(wire)
    with pytest.raises(GalvanError, match=r"server\.variables"):
        run(reads.read(HOST, [Fact(VARIABLES.id, Sql("SELECT SLEEP(100)"), str)]))
    assert wire.sent == []


def test_what_was_fixed_when_it_was_made_stays_fixed(wire: Silent) -> None:
    known = [VARIABLES]
    reads = reader(wire, known)
    known.append(STATUS)
    with pytest.raises(GalvanError, match=r"server\.status"):
        run(reads.read(HOST, [STATUS]))


def test_every_fact_of_a_tip_a_gate_or_a_plan_is_known() -> None:
    known = {fact.query for fact in ALL_FACTS}
    asked = (*(fact for tip in TIPS for fact in tip.facts), *GATE, *HOUSE, LONG, SESSIONS, *PLANNED.values())
    assert {fact.id for fact in asked if fact.query not in known} == set()


def test_a_reader_has_no_way_to_act() -> None:
    assert not hasattr(SshReader, "act")


def test_no_known_statement_changes_anything() -> None:
    for fact in ALL_FACTS:
        if isinstance(fact.query, Sql):
            assert fact.query.text.removeprefix("/*M! ").startswith(("SELECT ", "SHOW GLOBAL "))
            first = fact.query.text.upper().split("RLIKE")[0]
            assert not any(first.startswith(word) or f"; {word}" in first for word in WRITES)
            assert ";" not in fact.query.text


def test_facts_that_share_a_name_share_a_query() -> None:
    by_id: dict[str, Fact[Any]] = {}
    for fact in ALL_FACTS:
        assert by_id.setdefault(fact.id, fact).query == fact.query


def test_what_a_host_did_not_say_is_unreadable_and_asked_twice(wire: Silent) -> None:
    reads = reader(wire)
    found = run(reads.read(HOST, [VARIABLES, STATUS]))
    assert all("the host stopped answering" in str(why) for why in found.values())
    assert len(wire.sent) == 2


def test_a_host_that_moved_is_another_host(wire: Silent) -> None:
    reads = reader(wire)
    run(reads.read(replace(HOST, address="192.0.2.2"), [VARIABLES]))
    assert VARIABLES.query.text in wire.sent[0]
