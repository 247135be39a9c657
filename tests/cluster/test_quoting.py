"""No value breaks out of its quoting: a real /bin/sh, and a tokenizer of SQL literals that knows nothing of ours."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.cluster import quote
from galvan.model import BadInput

ODD = st.text(st.sampled_from("a'\"\\$`!*?[]{}()<>|&;#~ \t\n-=%/"), max_size=12)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"), max_size=30)
VALUE = ODD | TEXT


def said_by_sh(script: str) -> bytes:
    return subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, check=True).stdout


@settings(max_examples=120, deadline=None)
@given(VALUE)
def test_a_value_is_one_word_byte_for_byte(value: str) -> None:
    assert said_by_sh(quote.sh("printf '%s\\n' {{value}}", value=value).text) == value.encode() + b"\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUE, max_size=6))
def test_a_sequence_is_one_word_each(values: list[str]) -> None:
    script = quote.sh(
        "set -- {{values}}\nprintf '%s\\n' $#\nfor word do printf '%s\\n' \"$word\"; done", values=values
    ).text
    assert said_by_sh(script) == b"".join(text.encode() + b"\n" for text in (str(len(values)), *values))


@settings(max_examples=40, deadline=None)
@given(VALUE, VALUE)
def test_a_value_that_looks_like_a_place_for_one_stays_a_value(one: str, two: str) -> None:
    script = quote.sh("printf '%s\\n' {{one}} {{two}}", one="{{two}}" + one, two=two).text
    assert said_by_sh(script) == f"{{{{two}}}}{one}\n{two}\n".encode()


@given(st.sampled_from([chr(n) for n in (*range(9), *range(11, 32), 127)]), VALUE)
def test_control_characters_are_refused(control: str, value: str) -> None:
    with pytest.raises(BadInput):
        quote.sh("echo {{value}}", value=value + control)
    with pytest.raises(BadInput):
        quote.literal(control + value)


def test_no_value_ends_the_here_document_that_carries_its_statement() -> None:
    assert "\n" not in quote.literal("a\n@sql\nreboot\n")


# SQL -----------------------------------------------------------------------------------------------------------------
ESCAPES = {"0": "\0", "'": "'", '"': '"', "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "\\": "\\"}


def tokens(statement: str) -> list[tuple[str, str]]:
    """("text", …) and ("literal", its value), as MariaDB's manual has it: '' and backslashes inside single quotes."""
    found, plain, place = [], "", 0
    while place < len(statement):
        if statement[place] != "'":
            plain += statement[place]
            place += 1
            continue
        found, plain = [*found, ("text", plain)], ""
        value, place = _literal(statement, place + 1)
        found.append(("literal", value))
    return [*found, ("text", plain)]


def _literal(statement: str, place: int) -> tuple[str, int]:
    value = ""
    while True:
        char = statement[place]  # IndexError: a literal without an end
        if char == "\\":
            following = statement[place + 1]
            value += ESCAPES.get(following, following)
            place += 2
        elif char == "'" and statement[place + 1 : place + 2] == "'":
            value, place = value + "'", place + 2
        elif char == "'":
            return value, place + 1
        else:
            value, place = value + char, place + 1


@given(VALUE)
def test_a_literal_is_one_literal_of_the_same_value(value: str) -> None:
    assert tokens(quote.literal(value)) == [("text", ""), ("literal", value), ("text", "")]


@given(VALUE, VALUE)
def test_a_statement_keeps_its_shape_whatever_it_is_given(user: str, host: str) -> None:
    statement = quote.sql("ALTER USER {{user}}@{{host}} REQUIRE SSL", user=user, host=host).text
    assert tokens(statement) == [
        ("text", "ALTER USER "), ("literal", user), ("text", "@"), ("literal", host), ("text", " REQUIRE SSL"),
    ]  # fmt: skip
