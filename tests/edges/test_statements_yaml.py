"""statements.yaml: what was written is read again, and what is wrong is said with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.edges.statements import read, read_if_there, render, write
from galvan.model import BadInput
from galvan.model.statements import Act, Book, Kind, Learnt, Name, On, Rule

FILE = r"""
learnt_with: [proxysql 2.7]
accounts:
  shop:
  - digest: '0x37B5362567EE37EF'
    schema: shop
    text: SELECT name FROM customers WHERE id = ?
    kind: read
    tables: [customers]
    seen: 120
    first: 2026-11-20 10:02
    last: 2026-11-24 19:40
    allow: true
  - digest: 0x00000000000000BB
    schema: ''
    text: DELETE FROM customers
    kind: write
    allow: no
    attention: ['no WHERE: every row is changed or deleted']
rules:
- block: ^DROP
  reason: nothing is dropped through the door
- rewrite: SELECT (\w+) FROM stock
  to: SELECT \1 FROM store
  reason: the table has another name now
  account: shop
- redirect: ^SELECT .* FOR UPDATE
  to: writer
  reason: it locks
  on: text
"""
READ = Learnt(
    Name("shop", "shop", "0x37B5362567EE37EF"), "SELECT name FROM customers WHERE id = ?", Kind.READ, ("customers",), 120,
    "2026-11-20 10:02", "2026-11-24 19:40", True,
)  # fmt: skip
CLEAR = Learnt(
    Name("shop", "", "0x00000000000000BB"), "DELETE FROM customers", Kind.WRITE, allow=False,
    attention=("no WHERE: every row is changed or deleted",),
)  # fmt: skip
RULES = (
    Rule(Act.BLOCK, "^DROP", "nothing is dropped through the door"),
    Rule(
        Act.REWRITE,
        r"SELECT (\w+) FROM stock",
        "the table has another name now",
        r"SELECT \1 FROM store",
        "shop",
        on=On.TEXT,
    ),
    Rule(Act.REDIRECT, "^SELECT .* FOR UPDATE", "it locks", "writer", on=On.TEXT),
)
BOOK = Book({READ.name: READ, CLEAR.name: CLEAR}, RULES, ("proxysql 2.7",))


def put(folder: Path, text: str) -> Path:
    (folder / "statements.yaml").write_text(text)
    return folder / "statements.yaml"


def test_the_file_as_a_person_writes_it(tmp_path: Path) -> None:
    assert read(put(tmp_path, FILE)) == BOOK


def test_written_and_read_again(tmp_path: Path) -> None:
    write(tmp_path / "statements.yaml", BOOK)
    assert read(tmp_path / "statements.yaml") == BOOK
    assert [path.name for path in tmp_path.iterdir()] == ["statements.yaml"]


def test_what_was_seen_again_changes_two_lines() -> None:
    again = replace(READ, seen=130, last="2026-11-25 08:00")
    one, two = (
        render(BOOK).splitlines(),
        render(replace(BOOK, statements={CLEAR.name: CLEAR, again.name: again})).splitlines(),
    )
    assert [line.strip() for line in two if line not in one] == ["seen: 130", "last: 2026-11-25 08:00"]
    assert len(one) == len(two)


def test_no_file_is_an_empty_book_for_learning_alone(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "none.yaml") == Book({})
    with pytest.raises(BadInput, match="galvan lb firewall learn"):
        read(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    assert read(put(tmp_path, text)) == Book({})


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("rules:", "rule:", 20, "unknown field; known here: learnt_with, accounts, rules"),
        ("    kind: read", "    kin: read", 8, "unknown field"),
        ("    kind: read", "    kind: maybe", 8, "'maybe' is not one of"),
        ("    kind: read\n", "", 5, "a statement needs kind"),
        ("    allow: true\n", "", 5, "a statement needs allow"),
        ("allow: true", "allow: perhaps", 13, "neither true nor false"),
        ("    seen: 120", "    seen: many", 10, "'many' is no number"),
        ("'0x37B5362567EE37EF'", "0x37", 5, "cannot stand here; for example: '0x37B5362567EE37EF'"),
        ("first: 2026-11-20 10:02", "first: yesterday", 11, "cannot stand here"),
        ("0x00000000000000BB\n    schema: ''", "'0x37B5362567EE37EF'\n    schema: shop", 14, "stands twice for shop in 'shop'"),
        ("    schema: shop", "    schema: shop\n    schema: shop", 7, "given twice"),
        ("  reason: it locks\n", "", 27, "needs its reason"),
        ("  reason: it locks", "  reason: ' '", 27, "needs its reason"),
        ("- block: ^DROP", "- block: ^DROP(", 21, "is no regular expression"),
        ("- block: ^DROP", "- block: '.*'", 21, "holds for an empty text"),
        ("- block: ^DROP", "- block: ''", 21, "an empty pattern"),
        ("- block: ^DROP", "- block: (?P<a>DROP)", 21, "is read differently by a balancer"),
        ("- block: ^DROP", "- forbid: ^DROP", 21, "unknown field"),
        ("- block: ^DROP", "- block: ^DROP\n  to: writer", 21, "a block goes nowhere"),
        ("- block: ^DROP", "- block: ^DROP\n  redirect: ^DROP", 21, "a rule is one of"),
        ("  to: writer\n", "", 27, "a redirect needs `to`"),
        ("  to: writer", "  to: nowhere", 28, "is not one of reader, writer"),
        ("SELECT \\1 FROM store", "SELECT \\3 FROM store", 23, "names group 3, and the pattern has 1"),
        ("  account: shop", "  account: shop\n  on: digest", 27, "a rewrite changes the text"),
        ("- redirect: ^SELECT", "- block: ^DROP\n  reason: again\n- redirect: ^SELECT", 27, "stands here twice"),
        ("accounts:\n  shop:", "accounts: [shop]\nold:\n  shop:", 0, "line"),
        ("accounts:", "accounts:\n  : ", 0, "line"),
        ("accounts:", "accounts: {", 0, "line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert FILE.count(old) >= 1
    path = put(tmp_path, FILE.replace(old, new, 1).lstrip("\n") if not line else FILE.replace(old, new, 1))
    with pytest.raises(BadInput) as why:
        read(path)
    assert says in str(why.value)
    if line:
        assert f"{path} line {line}: " in str(why.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "statements.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"statements\.yaml cannot be read"):
        read(tmp_path / "statements.yaml")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        write(tmp_path / "none" / "statements.yaml", BOOK)


WORDS = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("'\"#:-{}[]!&*|>%@`\n\t "), max_size=12)


@given(WORDS.filter(bool), WORDS, WORDS, st.lists(WORDS, max_size=2), WORDS)
@settings(max_examples=120, deadline=None)
def test_any_words_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, account: str, schema: str, text: str, tables: list[str], reason: str
) -> None:
    one = replace(READ, name=Name(account, schema, READ.name.digest), text=text, tables=tuple(tables))
    book = Book({one.name: one}, (Rule(Act.BLOCK, "^X", f"r{reason}", account=account, schema=schema),))
    path = tmp_path_factory.mktemp("book") / "statements.yaml"
    write(path, book)
    assert read(path) == book
