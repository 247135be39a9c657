"""The page, read back by the standard library's parser: whole, escaped, and in need of nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from audits import CHECKS, HOSTILE, MANUAL, OFFERED, REQUIRED, audit, harmful
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.report import html
from galvan.report.words import rows, short, visible

VOID = {"meta", "br"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.pres: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            self.pres.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        if "pre" in self.open:
            self.pres[-1] += data

    def attribute(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.tags if name in attrs]


def test_it_holds_every_row_and_every_section() -> None:
    page = Page(html.render(audit()))
    text = " ".join(" ".join(page.texts).split())
    for word in (
        "Audit of shop", "2026-11-27 22:00 UTC", "profile baseline", "3 fail (2 critical, 1 low)", "db3 could not be reached:", "How high each tip stands",
        "What is open", "Hosts and controls", "Not counted, by the policy", "accepted by ann until 2099-01-31: an old driver", "TLS 1.1 until May",
        "For a person to judge", MANUAL[0].look, "STIG MADB-10-004900", "galvan plan --tip client_tls", "client_tls.strictest",
    ):  # fmt: skip
        assert word in text
    cells = [attrs["aria-label"] for tag, attrs in page.tags if "dot" in str(attrs.get("class")).split()]
    assert sorted(cells) == sorted(row.status for row in rows(audit()))


def test_ids_are_unique_and_every_link_leads_to_one() -> None:
    page = Page(html.render(audit()))
    ids = page.attribute("id")
    assert sorted(ids) == sorted({*ids}) == sorted({row.finding.check for row in rows(audit())})
    assert {link.removeprefix("#") for link in page.attribute("href")} == set(ids)


def test_it_needs_no_script_and_nothing_from_elsewhere() -> None:
    text = html.render(audit())
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    assert not re.search(r"https?:|//\w|@import|url\(", text)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "src"]
    assert "default-src 'none'" in page.attribute("content")[2]


def test_what_is_open_is_said_once_for_a_host_out_of_reach() -> None:
    page = html.render(audit())
    opened = page[page.index("What is open") : page.index("Hosts and controls")]
    assert re.findall(r'<details id="([^"]+)"', opened) == [OFFERED, "policy.risk-expired"]


def test_nothing_found_is_said() -> None:
    page = html.render(audit((), accepted=(), off=(), unreachable={}, misfits=(), manual=()))
    assert "Nothing that was looked at is open." in page
    assert "Not counted" not in page


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_harmful_words_stay_words(words: str) -> None:
    page, plain = Page(html.render(harmful(words))), Page(html.render(harmful("plain")))
    shape = [(tag, sorted(attrs)) for tag, attrs in page.tags]
    assert len(shape) <= len(plain.tags)
    assert {tag for tag, _ in shape} == {tag for tag, _ in plain.tags} - ({"p"} - {tag for tag, _ in shape})
    assert {attribute for _, attrs in shape for attribute in attrs} <= {
        attribute for _, attrs in plain.tags for attribute in attrs
    }
    seen = short(visible(words), 20_000).replace("\r\n", "\n")
    assert seen in page.pres


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=())))
def test_any_words_stay_words(words: str) -> None:
    page = Page(html.render(harmful(words)))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(html.render(harmful("plain"))).tags}
    assert set(page.attribute("id")) == {row.finding.check for row in rows(harmful("plain"))}


def test_a_check_that_is_gone_can_still_be_shown() -> None:
    assert REQUIRED in html.render(audit(checks={id: check for id, check in CHECKS.items() if id != REQUIRED}))
