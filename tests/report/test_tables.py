"""CSV and Markdown, read back by the standard library and by markdown-it."""

from __future__ import annotations

import csv
import io

import pytest
from audits import CIPHERS, HOSTILE, MANUAL, OFFERED, REQUIRED, VERSIONS, audit, harmful
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from galvan.app.catalogue import CHECKS
from galvan.app.desk import Audited
from galvan.report import csv as sheet
from galvan.report import markdown
from galvan.report.words import rows, visible


def table(seen: Audited) -> list[dict[str, str]]:
    text = sheet.render(seen)
    text.encode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_for_each_check_on_each_host() -> None:
    found = table(audit())
    assert len(found) == len(rows(audit())) + 1
    assert [(row["check"], row["host"]) for row in found if row["status"] == "manual"] == [("client_tls.keys-kept", "")]
    by_place = {(row["check"], row["host"]): row for row in found}
    first = by_place[OFFERED, "db1"]
    assert (first["status"], first["seen"], first["want"], first["control"]) == (
        "fail",
        "have_ssl=NO",
        "have_ssl=YES",
        "TL-01",
    )
    assert first["references"] == "CIS MariaDB 10.6 8.1; STIG MADB-10-004900"
    assert by_place[REQUIRED, "db2"]["status"] == "accepted"
    assert (by_place[REQUIRED, "db2"]["owner"], by_place[REQUIRED, "db2"]["until"]) == ("ann", "2099-01-31")
    assert (by_place[VERSIONS, "db1"]["status"], by_place[VERSIONS, "db1"]["verdict"]) == ("off", "fail")
    assert by_place[CIPHERS, "db1"]["status"] == "pass"


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_sheet_holds_harmful_words_and_no_formula(words: str) -> None:
    found = table(harmful(words))
    assert len(found) == len(rows(audit())) + 1
    assert {row["seen"].removeprefix("'") for row in found if row["host"]} == {visible(words).removeprefix("'")}
    assert not [cell for row in found for cell in row.values() if cell[:1] in tuple("=+-@\t")]


@given(st.text(st.characters(exclude_categories=())))
def test_a_sheet_holds_any_words(words: str) -> None:
    assert len(table(harmful(words))) == len(rows(audit())) + 1


def tokens(text: str) -> list[Token]:
    text.encode()
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def inline(found: list[Token]) -> list[Token]:
    return [child for token in found for child in token.children or ()]


def test_a_page_with_its_tables() -> None:
    found = tokens(markdown.render(audit()))
    assert [found[n + 1].content for n, token in enumerate(found) if token.type == "heading_open"] == [
        "Audit of shop", "Rungs", "Findings", "Not counted", "For a person to judge",
    ]  # fmt: skip
    words = " ".join(token.content for token in inline(found))
    for word in (
        OFFERED,
        "have_ssl=NO",
        "db1, db2",
        "accepted by ann until 2099-01-31: an old driver",
        "TLS 1.1 until May",
        MANUAL[0].look,
    ):
        assert word in words
    assert "off by policy" in words


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_page_holds_harmful_words_and_no_markup(words: str) -> None:
    found, plain = tokens(markdown.render(harmful(words))), tokens(markdown.render(harmful("plain")))
    assert [token.type for token in found] == [token.type for token in plain]
    kinds = {token.type for token in [*found, *inline(found)]}
    assert kinds.isdisjoint({"html_inline", "html_block", "link_open", "image", "fence", "softbreak", "hardbreak"})


@given(st.text(st.characters(exclude_categories=())))
def test_a_page_holds_any_words(words: str) -> None:
    found, plain = tokens(markdown.render(harmful(words))), tokens(markdown.render(harmful("plain")))
    assert [token.type for token in found] == [token.type for token in plain]
    assert {token.type for token in inline(found)} <= {
        "text",
        "code_inline",
        "strong_open",
        "strong_close",
        "text_special",
    }


def test_the_checks_as_a_page() -> None:
    found = tokens(markdown.checks(CHECKS.values(), MANUAL))
    assert sum(token.type == "tr_open" for token in found) == len(CHECKS) + len(MANUAL) + 2
