"""Galvan's option file: read back by itself, and by another reader that knows only the server's own rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvan.cluster import optionfile
from galvan.cluster.optionfile import Entry, Key
from galvan.edges.fake import options
from galvan.model import BadInput, Unreadable

WRITABLE = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp")) | st.sampled_from("\t\\#;='\" "), max_size=20
).filter(lambda value: not ("'" in value and '"' in value))
SAID = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=20)
TIP = st.sampled_from(["client_tls", "replication_tls", "hardening"])
KEYS = st.tuples(st.sampled_from(["mysqld", "sst", "client"]), st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True))
ENTRIES = st.dictionaries(KEYS, st.builds(Entry, WRITABLE, TIP, SAID), max_size=6)


@given(WRITABLE)
def test_a_value_comes_back_out_of_its_quotes(value: str) -> None:
    assert optionfile.unquoted(optionfile.quoted(value)) == value


@given(WRITABLE)
def test_the_server_reads_the_value_that_was_meant(value: str) -> None:
    read = dict(options.read(f"[mysqld]\nssl_cipher = {optionfile.quoted(value)}\n", ("mysqld",)))
    assert read == {"ssl_cipher": value}


@given(ENTRIES)
def test_a_file_is_read_back_as_it_was_written(entries: dict[Key, Entry]) -> None:
    assert optionfile.parse(optionfile.render(entries)) == entries


@given(ENTRIES)
def test_writing_it_again_changes_no_byte(entries: dict[Key, Entry]) -> None:
    text = optionfile.render(entries)
    assert optionfile.render(optionfile.parse(text)) == text


@given(ENTRIES)
def test_the_server_reads_the_options_that_were_meant(entries: dict[Key, Entry]) -> None:
    read = dict(options.read(optionfile.render(entries), ("mysqld",)))
    assert read == {
        optionfile.same(name): entry.value for (section, name), entry in entries.items() if section == "mysqld"
    }


@pytest.mark.parametrize("value", ["two\nlines", "a\rb", "both ' and \""])
def test_what_no_quoting_can_carry_is_refused(value: str) -> None:
    with pytest.raises(BadInput):
        optionfile.quoted(value)


@given(ENTRIES.filter(bool), SAID.filter(lambda said: bool(said.strip()) and said[0] not in "#["), st.integers(0, 30))
def test_a_line_of_somebody_else_is_not_taken_for_ours(entries: dict[Key, Entry], said: str, place: int) -> None:
    lines = optionfile.render(entries).splitlines()
    lines.insert(min(place, len(lines)), said.replace(" = ", "="))
    with pytest.raises(Unreadable, match="was not written by Galvan"):
        optionfile.parse("\n".join(lines))


def test_an_empty_file_is_no_file() -> None:
    assert optionfile.render({}) == ""
    assert optionfile.parse("") == {}


def test_what_my_print_defaults_says() -> None:
    said = "--ssl-cert=/a\n--SSL_CERT=/b\n--loose-ssl-ca=/c\n--skip-name-resolve\n--a=b=c\nnot an option\n"
    assert optionfile.printed(said) == {"ssl_cert": "/b", "ssl_ca": "/c", "skip_name_resolve": "ON", "a": "b=c"}
