"""JUnit XML, read back by junitparser and by the standard library."""

from __future__ import annotations

import xml.etree.ElementTree as xml

import junitparser
import pytest
from audits import CIPHERS, EPHEMERAL, HOSTILE, OFFERED, REQUIRED, VERSIONS, audit, harmful
from hypothesis import given
from hypothesis import strategies as st

from galvan.app.desk import Audited
from galvan.report import junit
from galvan.report.words import rows


def read(seen: Audited) -> dict[str, junitparser.TestSuite]:
    suites = {suite.name: suite for suite in junitparser.JUnitXml.fromstring(junit.render(seen).encode())}
    for suite in suites.values():
        said = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert said == (suite.tests, suite.failures, suite.errors, suite.skipped)
    return suites


def outcome(suites: dict[str, junitparser.TestSuite], host: str, check: str) -> tuple[str, str]:
    (case,) = (case for case in suites[host] if f" {check} " in case.name)
    return (case.result[0]._tag, case.result[0].message) if case.result else ("pass", "")


def test_a_suite_a_host_and_a_case_a_check() -> None:
    suites = read(audit())
    assert {name: (s.tests, s.failures, s.errors, s.skipped) for name, s in suites.items()} == {
        "cluster": (1, 1, 0, 0), "db1": (4, 1, 0, 2), "db2": (4, 1, 0, 1), "db3": (6, 0, 6, 0), junit.BY_HAND: (1, 0, 0, 1),
    }  # fmt: skip
    assert outcome(suites, "db1", OFFERED) == ("failure", "have_ssl=NO")
    assert outcome(suites, "db1", CIPHERS) == ("pass", "")
    assert outcome(suites, "db1", EPHEMERAL) == ("skipped", "does not apply: have_ssl=NO")
    assert outcome(suites, "db1", VERSIONS) == ("skipped", "off by policy: TLS 1.1 until May; it says fail")
    assert outcome(suites, "db2", REQUIRED) == ("skipped", "accepted by ann until 2099-01-31: an old driver")
    assert outcome(suites, "db3", OFFERED) == ("error", "db3: no answer")


def test_a_failure_says_what_to_do() -> None:
    (text,) = (case.result[0].text for case in read(audit())["db1"] if OFFERED in case.name)
    for word in (
        "seen: have_ssl=NO",
        "want: have_ssl=YES",
        "why: Passwords are",
        "remedy: galvan plan",
        "references: CIS MariaDB 10.6 8.1",
    ):
        assert word in text


def test_the_whole_counts_all() -> None:
    root = xml.fromstring(junit.render(audit()))
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "16", "failures": "3", "errors": "6", "skipped": "4",
    }  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_harmful_words(words: str) -> None:
    seen = harmful(words)
    assert sum(suite.tests for suite in read(seen).values()) == len(rows(seen)) + 1


@given(st.text(st.characters(exclude_categories=())))
def test_any_words(words: str) -> None:
    text = junit.render(harmful(words))
    assert len(xml.fromstring(text.encode()).findall("testsuite/testcase")) == 16
