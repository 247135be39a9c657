"""What is tried at the server, as who already got in would try it."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import VARIABLES
from galvan.model import Outcome, Proof, Question, Role, Snapshot

TIP = "hardening"
_REFUSED = frozenset({Outcome.REFUSED})
_ANSWERS = frozenset({Outcome.ACCEPTED})
_NO_LOCAL = frozenset({1148, 3948, 4166})
_NO_TABLE = frozenset({1046, 1049, 1146})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(Role.DATABASE):
        host, _ = facts.host.name, facts[VARIABLES]  # where nobody can look, nobody states what is forbidden
        load = Question(host, "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE galvan_none.none", _NO_LOCAL, _NO_TABLE)
        answers = Question(host, "SELECT 1", frozenset())
        yield Proof(
            f"hardening.no-local-infile@{host}", TIP, f"{host} asks no client for a file", host, host, load, _REFUSED, answers, _ANSWERS,
        )  # fmt: skip
