"""The counts, and everything that is not in them; what a person reads at a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from audits import CIPHERS, HOSTILE, OFFERED, REQUIRED, VERSIONS, audit, harmful
from hypothesis import given
from hypothesis import strategies as st

from galvan.app.catalogue import CHECKS, TITLES, looks_at
from galvan.report import shapes, text
from galvan.report.words import rows, short, summary, visible


def test_the_summary_says_what_it_does_not_count() -> None:
    assert summary(audit()) == [
        "3 fail (2 critical, 1 low), 6 could not be looked at, 3 pass, 1 accepted by policy",
        f"off by policy: {VERSIONS} (TLS 1.1 until May), fails on db1",
        f"with the policy's own severity: {CIPHERS} (high)",
        "not asked for by the profile baseline: client_tls.strictest",
        "for a person to judge, and in no count: 1 control",
    ]


def test_many_that_are_not_asked_for_are_counted() -> None:
    names = tuple(f"t.{n}" for n in range(6))
    assert "not asked for by the profile baseline: 6 checks (galvan checks lists them)" in summary(
        audit(not_asked=names)
    )


def test_nothing_is_missing_from_the_rows() -> None:
    seen = audit()
    found = rows(seen)
    assert len(found) == len(seen.findings) + len(seen.accepted) + len(seen.off)
    assert [row.status for row in found] == ["fail"] * 3 + ["unknown"] * 6 + ["accepted", "off"] + ["pass"] * 3 + [
        "n/a"
    ]
    assert (found[0].finding.check, found[0].host) == (OFFERED, "db1")


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_visible_can_be_written_anywhere(words: str) -> None:
    shown = visible(words)
    shown.encode()
    assert {unicodedata.category(character) for character in shown if character not in "\n\t"}.isdisjoint(
        {"Cc", "Cs", "Zl", "Zp"}
    )
    assert not set(shown) & set("\u200b\u200e\u202a\u202e\u2066\u2069\ufeff")
    assert visible(shown) == shown


def test_what_is_short_says_how_much_is_missing() -> None:
    assert short("x" * 100, 100) == "x" * 100
    assert short("x" * 101, 100).endswith("x … (101 characters in all)")
    assert len(short("x" * 101, 100)) == 100


def test_what_the_policy_sets_aside_is_shown_on_request() -> None:
    assert text.set_aside(audit()).rows == (
        ("accepted", "high", REQUIRED, "db2", "have_ssl=NO", "accepted by ann until 2099-01-31: an old driver"),
        ("off", "high", VERSIONS, "db1", "have_ssl=NO", "off by policy: TLS 1.1 until May; it says fail"),
    )


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_host_cannot_drive_a_terminal(words: str) -> None:
    seen = harmful(words)
    for table in (text.findings(seen.findings, seen.unreachable, True), text.set_aside(seen)):
        assert not [cell for row in table.rows for cell in row if "\x1b" in cell or "\x9b" in cell or "\u202e" in cell]


def test_the_times_of_facts_the_slowest_first() -> None:
    assert text.timings(audit()).rows == (("db1", "all", "200.0 ms"), ("db1", "server.variables", "4.2 ms"))
    assert shapes.audit(audit())["timings"] == {"db1": {"all": 200.0, "server.variables": 4.2}}
    assert "timings" not in shapes.audit(audit(seconds={}))


def test_the_document_holds_what_is_set_aside_and_explains_what_it_names() -> None:
    said = shapes.audit(audit())
    assert said["accepted"] == len(said["suppressed"]) == 1
    assert (
        said["suppressed"][0] | {"owner": "ann", "until": "2099-01-31", "reason": "an old driver"}
        == said["suppressed"][0]
    )
    assert [(one["check"], one["reason"]) for one in said["off"]] == [(VERSIONS, "TLS 1.1 until May")]
    assert (said["profile"], said["not_asked"]) == ("baseline", ["client_tls.strictest"])
    assert said["manual"][0]["id"] == "client_tls.keys-kept"
    assert {finding["check"] for finding in said["findings"]} == set(said["checks"])
    assert said["checks"][OFFERED]["references"] == ["CIS MariaDB 10.6 8.1", "STIG MADB-10-004900"]


def test_an_explanation_has_risk_evidence_remedy_and_references() -> None:
    seen = audit()
    fact = looks_at(CHECKS[OFFERED])
    assert fact is not None
    said = "\n".join(text.explain(seen.checks[OFFERED], TITLES["client_tls"], fact.query))
    for word in (
        "why        Passwords",
        "the server is asked, first of all:",
        "SHOW GLOBAL VARIABLES",
        "remedy     galvan plan",
        "references CIS MariaDB 10.6 8.1, STIG",
    ):
        assert word in said
    assert "manual" in "\n".join(text.explain_manual(seen.manual[0], "title"))
