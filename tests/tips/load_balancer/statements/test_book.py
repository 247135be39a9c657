"""Learning adds, keeps what a person decided, and drops nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from galvan.model.statements import Book, Kind, Name
from galvan.tips.load_balancer.statements.book import Seen, empty, grown, learn, strangers, together

READ = Seen(
    Name("shop", "shop", "0x00000000000000AA"),
    "SELECT name FROM customers WHERE id = ?",
    5,
    1_764_000_000,
    1_764_000_060,
)
CLEAR = Seen(Name("shop", "shop", "0x00000000000000BB"), "DELETE FROM customers", 1, 1_764_000_000, 1_764_000_000)
NAMES = st.builds(Name, st.sampled_from("ab"), st.sampled_from("st"), st.sampled_from(["0x1", "0x2", "0x3"]))
SEEN = st.builds(
    Seen, NAMES, st.sampled_from([READ.text, CLEAR.text]), st.integers(1, 9), st.just(0), st.integers(0, 9999)
)


def test_what_needs_a_person_is_not_allowed_by_itself() -> None:
    book = learn(Book({}), [READ, CLEAR]).book
    good, bad = book.statements[READ.name], book.statements[CLEAR.name]
    assert (good.allow, good.kind, good.tables, good.seen, good.first) == (
        True,
        Kind.READ,
        ("customers",),
        5,
        "2025-11-24 16:00",
    )
    assert not bad.allow
    assert bad.attention == ("no WHERE: every row is changed or deleted",)


def test_learning_again_keeps_decisions() -> None:
    first = learn(Book({}), [READ, CLEAR]).book
    decided = Book({
        READ.name: replace(first.statements[READ.name], allow=False),
        CLEAR.name: replace(first.statements[CLEAR.name], allow=True),
    })  # fmt: skip
    again = learn(decided, [READ, CLEAR, replace(READ, name=Name("shop", "other", READ.name.digest))])
    assert not again.book.statements[READ.name].allow
    assert again.book.statements[CLEAR.name].allow
    assert again.book.statements[READ.name].seen == 10
    assert again.new == (Name("shop", "other", READ.name.digest),), "another schema is another statement"


@given(st.lists(SEEN, max_size=6), st.lists(SEEN, max_size=6))
def test_nothing_is_dropped_and_nothing_decided_changes(one: list[Seen], two: list[Seen]) -> None:
    first = learn(Book({}), one).book
    second = learn(first, two).book
    assert first.statements.keys() <= second.statements.keys()
    assert all(
        second.statements[n].allow is s.allow and second.statements[n].text == s.text
        for n, s in first.statements.items()
    )
    assert sum(s.seen for s in second.statements.values()) == sum(s.times for s in (*one, *two))


def test_the_same_at_two_hostgroups_is_one() -> None:
    assert together([READ, replace(READ, times=2, last=READ.last + 60)])[READ.name].times == 7


def test_only_what_was_said_in_the_window() -> None:
    later = together([replace(READ, times=8), CLEAR])
    assert {n: s.times for n, s in grown(together([READ]), later).items()} == {READ.name: 3, CLEAR.name: 1}
    assert grown(later, later) == {}


def test_a_balancer_that_began_to_count_anew() -> None:
    assert grown(together([READ]), together([replace(READ, times=2)]))[READ.name].times == 2


def test_strangers_are_of_accounts_that_the_book_names() -> None:
    book = learn(Book({}), [READ, CLEAR]).book
    other = replace(READ, name=Name("report", "shop", "0x1"))
    new = replace(READ, name=Name("shop", "shop", "0x2"))
    assert set(strangers(book, [READ, CLEAR, other, new])) == {CLEAR.name, new.name}


def test_an_empty_book() -> None:
    assert empty(Book({}))
    assert empty(learn(Book({}), [CLEAR]).book)
    assert not empty(learn(Book({}), [READ]).book)
