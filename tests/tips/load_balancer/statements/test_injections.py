"""Injections of the usual families, put into the parameters of an application's statements, against a book learnt from these.

The digests are ProxySQL's own (`injected.toml` says of which version); whether `approximate` agrees with it is another test.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from galvan.model.statements import Name
from galvan.tips.load_balancer.statements import book as books
from galvan.tips.load_balancer.statements.digest import approximate
from galvan.tips.load_balancer.statements.explain import explain
from galvan.tips.load_balancer.statements.orders import HIDDEN

SAID = tomllib.loads((Path(__file__).parent / "injected.toml").read_text())
ORDINARY: dict[str, dict[str, str]] = SAID["ordinary"]
INJECTED: list[dict[str, Any]] = SAID["injected"]
FAMILIES = {
    "tautology", "union", "stacked", "comment", "blind-time", "blind-boolean", "error", "out-of-band", "second-order", "encoding",
}  # fmt: skip
BOOK = {one["digest"] for one in ORDINARY.values()}
OTHER = ("encoding", "1\x0bOR\x0c1=1")
"""ProxySQL leaves a vertical tab where it stands; `approximate` takes it for a space."""


def whole(one: dict[str, Any]) -> str:
    return ORDINARY[one["into"]]["said"].replace("{}", one["value"])


def name_of(one: dict[str, Any]) -> str:
    return f"{one['family']}-{one['into']}-{one['value'][:24]}"


def seen(text: str, number: int = 0) -> books.Seen:
    """The digest's number is ProxySQL's; here the words stand for it."""
    return books.Seen(Name("shop", "shop", text), text, 1, number, number)


def test_each_family_is_there() -> None:
    assert {one["family"] for one in INJECTED} == FAMILIES
    assert len([one for one in INJECTED if "same" not in one]) >= 60


def test_every_ordinary_statement_may_pass() -> None:
    made = books.learn(books.Book({}), [seen(one["digest"]) for one in ORDINARY.values()])
    assert [one for one in made.book.statements.values() if not one.allow] == []


@pytest.mark.parametrize("one", [one for one in INJECTED if "same" not in one], ids=name_of)
def test_an_injection_is_not_in_the_book(one: dict[str, Any]) -> None:
    book = books.learn(books.Book({}), [seen(each["digest"]) for each in ORDINARY.values()]).book
    assert one["digest"] not in BOOK
    assert set(books.strangers(book, [seen(one["digest"])])) == {Name("shop", "shop", one["digest"])}


def test_what_stays_the_same_statement_is_known_and_why() -> None:
    """An honest list. `value`: it never left its literal, or says the same. `logic`: the statement is the ordinary one, and a
    firewall of statements cannot see that its value asks for more. `hidden`: a hole, and the guard is what closes it."""
    same = [one for one in INJECTED if "same" in one]
    assert all(one["digest"] in BOOK for one in same)
    kinds = {one["same"] for one in same}
    assert kinds == {"value", "logic", "hidden"}
    assert sorted(one["value"] for one in same if one["same"] == "logic") == ["%", "18446744073709551615"]


@pytest.mark.parametrize("one", INJECTED, ids=name_of)
def test_the_guard_blocks_what_is_hidden_and_nothing_else(one: dict[str, Any]) -> None:
    """Held against the text as it was sent: ProxySQL's match_pattern."""
    assert bool(re.search(HIDDEN, whole(one), re.IGNORECASE)) is ("/*M!" in one["value"])
    if one.get("same") == "hidden":
        assert re.search(HIDDEN, whole(one), re.IGNORECASE)


@pytest.mark.parametrize("one", INJECTED, ids=name_of)
def test_the_approximation_is_near(one: dict[str, Any]) -> None:
    agrees = approximate(whole(one)) == one["digest"]
    assert agrees is ((one["family"], one["value"]) != OTHER)


@pytest.mark.parametrize("one", ORDINARY.values(), ids=ORDINARY)
def test_the_approximation_of_ordinary_statements(one: dict[str, str]) -> None:
    assert approximate(one["said"].replace("{}", one["with"])) == one["digest"]


def test_were_they_said_while_it_learns_a_person_is_asked_about_most() -> None:
    """A window in which an intruder is at work would teach his statements, too: what looks like his is not allowed by itself.
    The others look like anybody's, and only a person who knows the application can tell."""
    new = [one for one in INJECTED if "same" not in one]
    asked = [one for one in new if explain(one["digest"]).flags]
    unasked = {one["family"] for one in new if not explain(one["digest"]).flags}
    assert len(asked) >= 40
    assert "stacked" not in unasked
    assert "blind-time" not in unasked
