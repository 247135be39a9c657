"""What is tried with the account itself, from where the server's own user stands, and as somebody who has no rights on the host."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import HostFacts, Outcome, Proof, Question, Role, Rummage, Snapshot, Transfer, Weight
from galvan.tips.sst_account.facts import AUTH, Behind
from galvan.tips.sst_account.table import Kind, row_of

TIP = "sst_account"
_REFUSED, _FOUND = frozenset({Outcome.REFUSED}), frozenset({Outcome.ACCEPTED})
_NOBODY = "'galvan-nobody'@'localhost'"
_DENIED = frozenset({1044, 1045, 1142, 1227})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(Role.DATABASE):
        host = facts.host.name
        yield Proof(
            f"sst_account.stranger@{host}", TIP, f"who has no rights on {host} finds no secret of transfers", host, host,
            Rummage(host), _REFUSED, Rummage(host, living=True), _FOUND,
        )  # fmt: skip
        if row_of(facts).kind in (Kind.NAMED, Kind.ALL) and facts[AUTH].behind is not Behind.UNSET:
            yield from _as_it(facts)
        yield Proof(
            f"sst_account.processes@{host}", TIP, "no process and no log shows the secret while a transfer runs", host, host,
            Transfer(host, "processes"), frozenset({Outcome.MATCHES}), Transfer(host, "ran"), _FOUND, Weight.INVASIVE,
        )  # fmt: skip


def _as_it(facts: HostFacts) -> Iterator[Proof]:
    host, seen = facts.host.name, facts[AUTH]
    user = seen.server if seen.user == "root" else seen.user
    must = Question(
        host, "SHOW MASTER STATUS; SELECT COUNT(*) FROM information_schema.INNODB_TRX", _DENIED, as_transfer=True
    )
    for stem, statement, through, claim in (
        ("reads-no-table", "SELECT COUNT(*) FROM mysql.user", frozenset[int](), "reads no table"),
        ("writes-no-file", "SELECT 1 INTO OUTFILE '/galvan/nowhere/at-all'", frozenset({1, 1290}), "writes no file"),
    ):
        yield Proof(
            f"sst_account.{stem}@{host}", TIP, f"the account of transfers {claim} on {host}", host, host,
            Question(host, statement, _DENIED, through, as_transfer=True), _REFUSED, must, _FOUND,
        )  # fmt: skip
    yield Proof(
        f"sst_account.makes-no-account@{host}", TIP, f"the account of transfers makes no account on {host}", host, host,
        Question(host, f"CREATE USER {_NOBODY} ACCOUNT LOCK; DROP USER {_NOBODY}", _DENIED, as_transfer=True), _REFUSED, must,
        _FOUND, Weight.INVASIVE,
    )  # fmt: skip
    yield Proof(
        f"sst_account.by-it@{host}", TIP, f"{host} gets its data by the account that is named, which is not root's", host, host,
        Transfer(host, "account", user=user), frozenset({Outcome.MATCHES}), Transfer(host, "ran"), _FOUND,
        Weight.INVASIVE,
    )  # fmt: skip
