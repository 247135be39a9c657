"""The scripts that take lines out of the owner's files and put them back, on files of every shape; and what a password may be."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.cluster.transferauth import named
from galvan.model import BadInput, Shell
from galvan.tips.sst_account import facts, scripts

SECRET = "correct-horse"
NAMES = ("wsrep_sst_auth", "wsrep-sst-auth", "loose_wsrep_sst_auth", "WSREP_SST_AUTH", "  wsrep_sst-auth ")
AUTH = st.builds(
    lambda name, quote, user, tail: f"{name}={quote}{user}:{SECRET}{quote}{tail}",
    st.sampled_from(NAMES), st.sampled_from(("", '"', "'")), st.sampled_from(("root", "sst")), st.sampled_from(("", "  # by hand", "\r")),
)  # fmt: skip
OTHER = st.sampled_from(
    ("[mysqld]", "[sst]", "", "# wsrep_sst_auth is set elsewhere", "port = 3306", "wsrep_on=ON\t", "x='a b'  ")
)
TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(st.one_of(AUTH, OTHER), min_size=1, max_size=8),
    st.sampled_from(("", "\n")),
)


class Place:
    """A directory in the place of the host's own."""

    def __init__(self, files: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "conf.d").mkdir()
        (self.folder / "my.cnf").write_text(f"[client]\n!includedir {self.folder}/conf.d/\n", newline="")
        for name, text in files.items():
            (self.folder / "conf.d" / name).write_text(text, newline="")

    def run(self, script: Shell) -> str:
        text = script.text.replace("/etc/mysql/my.cnf", f"{self.folder}/my.cnf").replace(
            facts.KEPT, f"{self.folder}/kept"
        )
        done = subprocess.run(
            ["dash", "-eu"], input=f"{{\n{text}\n}} </dev/null\n", capture_output=True, text=True, check=True
        )
        return done.stdout

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(("50-server.cnf", "60-galera.cnf", "99 own.cnf")), TEXT, max_size=3))
def test_what_is_taken_out_comes_back_to_the_byte(texts: dict[str, str]) -> None:
    place = Place(texts)
    try:
        before = place.files()
        place.run(scripts.take_out())
        taken = {name: text for name, text in place.files().items() if not name.startswith("kept/")}
        assert not [name for name, text in taken.items() if SECRET.encode() in text]
        assert all(p.stat().st_mode & 0o077 == 0 for p in place.folder.glob("kept/*"))
        twice = place.files()
        place.run(scripts.take_out())
        assert place.files() == twice
        place.run(scripts.put_back())
        assert place.files() == before
    finally:
        shutil.rmtree(place.folder)


def test_what_was_edited_since_stays() -> None:
    place = Place({"60-galera.cnf": f"[mysqld]\nwsrep_sst_auth = root:{SECRET}\nport=3306\n"})
    place.run(scripts.take_out())
    file = place.folder / "conf.d" / "60-galera.cnf"
    file.write_text(file.read_text().replace("port=3306", "port=3307"))
    file.chmod(0o640)
    place.run(scripts.put_back())
    assert file.read_text() == f"[mysqld]\nwsrep_sst_auth = root:{SECRET}\nport=3307\n"
    assert file.stat().st_mode & 0o777 == 0o640
    shutil.rmtree(place.folder)


def test_galvans_own_file_is_not_touched() -> None:
    own = f"[mysqld]\nwsrep_sst_auth = sst:{SECRET}\n"
    place = Place({facts.OWN: own})
    place.run(scripts.take_out())
    assert (place.folder / "conf.d" / facts.OWN).read_text() == own
    shutil.rmtree(place.folder)


def taken(password: str) -> tuple[str, str]:
    """The value, or why there is none."""
    try:
        return named("sst", password), ""
    except BadInput as why:
        return "", str(why)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_a_password_is_taken_whole_or_refused_with_a_reason(password: str) -> None:
    value, why = taken(password)
    if why:
        assert "cannot be used: it " in why
        assert len(password) < 6 or password not in why
        return
    inner = value[1:-1].replace("\\\\", "\\")
    assert value[0] == value[-1]
    assert inner.split(":", 1) == ["sst", password]
    assert "\n" not in value


@pytest.mark.parametrize("user", ["a:b", "a b", "a'b", "", "a$b", "ä"])
def test_a_user_that_the_scripts_would_not_take_is_refused(user: str) -> None:
    with pytest.raises(BadInput, match="the user of transfers is"):
        named(user, "good")


def test_what_the_generator_makes_is_always_taken() -> None:
    assert named("galvan_sst", string.ascii_letters[:32])


def test_no_statement_of_a_step_holds_a_secret() -> None:
    assert not re.search(r"IDENTIFIED BY", scripts.tell().text)
