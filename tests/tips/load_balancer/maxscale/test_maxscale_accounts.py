"""MaxScale's accounts on the cluster: little may be done with them, and the member learns what it stores of a password and nothing else.

The digests really go sealed from one directory to another; the server's client is a recorder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from galvan.cluster.sealed import OWN_KEY, SEALED
from galvan.model import Sealed
from galvan.tips.load_balancer.maxscale import accounts
from galvan.tips.load_balancer.maxscale.facts import KEEP
from galvan.tips.load_balancer.maxscale.scripts import DIGESTS

WANTED = accounts.wanted("10.0.3.5", (10, 11, 19))
SECRET = "14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
"""`SELECT PASSWORD('secret')`, as MariaDB's and MySQL's documentation print it."""
WHO = r"'galvan_(monitor|service)'@'10\.0\.3\.5'"
HOW = r"IDENTIFIED (BY PASSWORD|WITH mysql_native_password AS) '\*%s'"
GRAMMAR = re.compile(
    rf"CREATE USER IF NOT EXISTS {WHO} {HOW} REQUIRE NONE ACCOUNT LOCK|ALTER USER {WHO} {HOW} REQUIRE (SSL|X509) ACCOUNT UNLOCK"
    rf"|GRANT (SLAVE MONITOR|REPLICATION CLIENT|SHOW DATABASES) ON \*\.\* TO {WHO}|GRANT SELECT ON mysql\.`[a-z_]+` TO {WHO}"
)


@pytest.mark.parametrize("server", [(10, 4, 1), (10, 5, 9), (10, 11, 19), (11, 8, 9)])
@pytest.mark.parametrize("mariadb", [True, False])
def test_little_may_be_done_with_them(server: tuple[int, int, int], mariadb: bool) -> None:
    for account in accounts.wanted("10.0.3.5", server, mariadb):
        said = list(accounts.statements(account, "SSL", mariadb))
        assert all(GRAMMAR.fullmatch(line) for line in said)
        assert said[0].endswith("ACCOUNT LOCK"), "nobody gets in before it is whole"
        assert said[-1].endswith("REQUIRE SSL ACCOUNT UNLOCK"), "what shows that it is whole comes last"


def test_what_is_made_is_what_is_dropped() -> None:
    assert [statement.text for statement in accounts.drop(WANTED)] == [
        "DROP USER IF EXISTS 'galvan_monitor'@'10.0.3.5'",
        "DROP USER IF EXISTS 'galvan_service'@'10.0.3.5'",
    ]


def run(script: str, root: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    for there, here in ((KEEP, "keep"), (SEALED, "sealed")):
        script = script.replace(there, str(root / here))
    environment = {**os.environ, "PATH": f"{root}:{os.environ['PATH']}"}
    return subprocess.run(["dash", "-eu"], input=script, text=True, capture_output=True, check=check, env=environment)


def test_the_digest_is_the_one_that_a_server_stores(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "galvan_monitor.pw").write_text("secret\n")
    first = run(DIGESTS.text, tmp_path).stdout
    assert re.fullmatch(rf"galvan_monitor {SECRET}\ngalvan_service [0-9A-F]{{40}}\n", first)
    assert run(DIGESTS.text, tmp_path).stdout == first, "the other password is made once"
    assert (tmp_path / "keep" / "galvan_service.pw").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A member with a key of its own, and a client that writes down how it was called and what it was told."""
    run(OWN_KEY.text, tmp_path)
    client = tmp_path / "mariadb"
    client.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/argv\ncat >>{tmp_path}/said\n')
    client.chmod(0o755)
    return tmp_path


def sealed(root: Path, text: str) -> None:
    cert, file = root / "sealed" / "cert.pem", root / "sealed" / "maxscale.digests"
    subprocess.run(
        ["openssl", "cms", "-encrypt", "-aes256", "-binary", "-outform", "PEM", "-out", str(file), str(cert)],
        input=text, text=True, check=True,
    )  # fmt: skip


def test_the_member_makes_both_of_what_was_sealed(member: Path) -> None:
    put = accounts.put_digests("lb1")
    assert isinstance(put.content, Sealed)
    assert (put.content.source, put.content.recipient, put.mode) == ("lb1", f"{SEALED}/cert.pem", 0o600)
    printed = run(put.content.script.text, member).stdout
    sealed(member, printed)
    run(accounts.make(WANTED, "SSL").text, member)
    digests = dict(line.split() for line in printed.splitlines())
    made = [
        line.replace("%s", digests[account.user]) + ";"
        for account in WANTED
        for line in accounts.statements(account, "SSL")
    ]
    assert (member / "said").read_text().splitlines() == ["SET SESSION sql_mode='';", *made]
    assert not any(digest in (member / "argv").read_text() for digest in digests.values())


@pytest.mark.parametrize(
    "text", ["", f"galvan_monitor {SECRET}\n", f"galvan_monitor {SECRET}\ngalvan_service '; DROP\n", f"galvan_monitor {SECRET[1:]}\ngalvan_service {SECRET}\n"]
)  # fmt: skip
def test_what_is_no_whole_digest_is_never_said(member: Path, text: str) -> None:
    sealed(member, text)
    done = run(accounts.make(WANTED, "SSL").text, member, check=False)
    assert done.returncode == 1
    assert "holds no digest for" in done.stderr
    assert not (member / "said").exists()
