"""Grants as a real server printed them: MariaDB 10.11 with roles, columns, routines, PUBLIC and odd names."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from galvan.cluster.grants import GRANTS, Account, Grants, Level, Secret, decoded, grants, like, unescaped
from galvan.cluster.grants_query import GLOBAL, STATEMENT, native
from galvan.cluster.passwords import TRIED_FIRST
from galvan.edges.wire import ed25519
from galvan.model import Unreadable

PRINTED = (Path(__file__).parent / "grants.txt").read_text()


def seen() -> Grants:
    return grants(PRINTED)


def one(user: str, host: str) -> Account:
    found = seen().of(user, host)
    assert found is not None
    return found


def test_roles_public_and_the_servers_own_are_nobody_who_logs_in() -> None:
    assert [a.name for a in seen().people] == [
        "''@'localhost'", "'n1'@'%'", "'nopw'@'10.%'", "'root'@'localhost'", r"""'we\\\\ird''"na`me%_ü'@'10.0.%'""",
    ]  # fmt: skip


def test_a_way_that_nothing_hashes_to_is_none() -> None:
    root = one("root", "localhost")
    assert {way.plugin: way.secret for way in root.ways} == {
        "mysql_native_password": Secret.UNUSABLE,
        "unix_socket": Secret.NONE,
    }


def test_what_an_account_can_do_counts_the_roles_that_it_can_put_on() -> None:
    assert seen().everywhere(one("n1", "%")) == {"FILE", "SUPER"}
    assert seen().in_schema(one("n1", "%"), "app") == {"FILE", "SUPER", "SELECT"}
    assert [holder.user for holder in seen().sources(one("n1", "%"))] == ["n1", "boss", "reader"]


def test_all_is_all() -> None:
    assert seen().everywhere(one("root", "localhost")) == set(GLOBAL)


def test_levels() -> None:
    found = one("nopw", "10.%")
    assert found.held(Level.TABLE) == {"DROP", "GRANT OPTION", "DELETE HISTORY"}
    assert [(g.place, g.part) for g in found.grants] == [("`app`.`t`", ""), ("`app`.`t`", "a")]
    (routine,) = one("e2", "localhost").grants
    assert (routine.place, routine.privileges) == ("PROCEDURE `app`.`p`", {"EXECUTE"})


def test_super_of_an_older_server_holds_what_was_split_off_it() -> None:
    assert "READ_ONLY ADMIN" in decoded(1 << 15, 0)
    assert decoded(1 << 15, 101119) == {"SUPER"}


@pytest.mark.parametrize("output", ["", "account\tapp\t%\t\t\t0\t\n", "asker\troot@localhost\t\t\t\t\t\n"])
def test_nobody_listed_is_unreadable(output: str) -> None:
    with pytest.raises(Unreadable):
        grants(output)


def test_a_requirement_that_is_not_known_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="requires"):
        grants("asker\troot@localhost\t\t\t\t\t\naccount\tapp\t%\t\t\t0\t9\n")


def test_the_statement_is_one_line_and_lets_no_hash_out() -> None:
    """What is kept of a password stands in comparisons only, and every branch of them is a word."""
    assert "\n" not in STATEMENT
    words = re.findall(r"(?:THEN|ELSE) '(\w+)'", STATEMENT)
    assert set(words) == set(Secret)
    assert GRANTS.stable


@pytest.mark.parametrize("word", ["", "secret", "s3cret"])
def test_forms_of_the_words_that_are_tried(word: str) -> None:
    assert native(word)[0] == "*"
    seed = hashlib.sha512(word.encode()).digest()
    secret = (int.from_bytes(seed[:32], "little") & ((1 << 254) - 8)) | (1 << 254)
    public = ed25519._pack(ed25519._times(secret, ed25519.BASE))
    assert base64.b64encode(public).decode().rstrip("=") == TRIED_FIRST[word]


def test_patterns() -> None:
    assert like("app\\_%", "app_1")
    assert not like("app\\_%", "appx1")
    assert unescaped("a\\\\b\\tc") == "a\\b\tc"
