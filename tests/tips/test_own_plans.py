"""What a plan does, or refuses, on real output of hosts with certificates of the owner's."""

from __future__ import annotations

from typing import Any

import pytest
from practice_cases import TLS, snapshot_of

from galvan.cluster.settle import settle
from galvan.engine.audit import audit
from galvan.engine.plan import Plan, plan
from galvan.model import PutFile, Restart, Rung
from galvan.pki.steps import certify

BOTH = ("client_tls", "replication_tls")
OLD = ["db1", "server.status", "wsrep_provider_version\t4.23", "wsrep_provider_version\t4.7"]
PXC = [
    [host, "server.variables", "socket.ssl_cert = /etc/ssl/shop/cluster/server.pem", "socket.ssl_cert = /var/lib/mysql/server-cert.pem"]
    for host in ("db1", "db2")
]  # fmt: skip
DATADIR = [
    ["db1", "server.variables", f"/etc/ssl/shop/{at}/server.pem", f"/var/lib/mysql/ssl/{at}/server.pem"] for at in ("client", "cluster")
]  # fmt: skip
REFUSED: list[tuple[str, list[list[str]], tuple[str, ...], str]] = [
    ("own-other-authority", [], ("replication_tls",), "db1: db2 would not accept it"),
    ("own-expired", [], BOTH, "it expired on"),
    ("own-not-yet", [], BOTH, "it is not valid before"),
    ("own-wrong-key", [], BOTH, "server.key does not belong to"),
    ("own-server-only", [], BOTH, "does not hold as a client's"),
    ("own-unreadable", [], BOTH, "the user mysql cannot read"),
    ("own-in-datadir", DATADIR, BOTH, "lies in the data directory"),
    ("own-no-authority", [], ("client_tls",), "no option file names an authority"),
    ("own-no-authority", [], ("replication_tls",), "does not hold as a server's"),
    ("", [OLD], ("replication_tls",), "a provider before 26.4.8 sends the leaf alone"),
    ("own-pxc", PXC, ("replication_tls",), "lies in the data directory"),
    ("own-file-differs", [], BOTH, "and the option files name /etc/ssl/new/"),
    ("own-one-only", [], BOTH, "is in use, and no option file names it"),
]
GOES_ON = (
    "own-ends-soon",
    "own-same-key",
    "own-same-authority",
    "own-bundle",
    "own-intermediate-trusted",
    "own-names",
    "own-file-says-no",
)


def made(over: str = "", edit: list[list[str]] | None = None, base: str = "own") -> Plan:
    said: dict[str, Any] = {"from": base, "edit": edit or []} | ({"over": over} if over else {})
    snapshot = snapshot_of(said)
    return plan(audit(snapshot, TLS), snapshot, TLS, Rung.ENFORCED, ("db2", "db1", "lb1"), settle, certify)


@pytest.mark.parametrize(("over", "edit", "tips", "says"), REFUSED, ids=lambda said: str(said)[:40])
def test_what_the_owner_must_mend_is_said(over: str, edit: list[list[str]], tips: tuple[str, ...], says: str) -> None:
    refused = made(over, edit).refused
    for tip in tips:
        assert says in refused[tip]
    assert not [s for w in made(over, edit).waves for s in w.steps if s.tip in refused]


@pytest.mark.parametrize("over", GOES_ON)
def test_what_works_goes_on(over: str) -> None:
    """Findings that stay the owner's to mend, and stand in nobody's way."""
    assert made(over).refused == {}


def test_a_forgotten_dynamic_takes_one_restart_a_host() -> None:
    """The group's part of it: the strict file, then the second pass."""
    steps = [s for w in made().waves for s in w.steps if s.tip == "replication_tls"]
    assert {s.stage.name for s in steps} == {"STAGE_STRICT", "SECOND_RESTART"}
    restarts = [s for s in steps if any(isinstance(action, Restart) for action in s.do)]
    assert {s.host: dict(s.want) for s in restarts} == {"db1": {"listener": "ssl"}, "db2": {"listener": "ssl"}}


@pytest.mark.parametrize("base", ["own", "own-half"])
def test_nothing_of_the_owners_is_written(base: str) -> None:
    plan = made(base=base)
    assert plan.refused == {}
    puts = [a for w in plan.waves for s in w.steps for a in s.do if isinstance(a, PutFile)]
    assert {a.path for a in puts} == {"/etc/mysql/mariadb.conf.d/zz-galvan.cnf"}
    assert max(plan.restarts.values()) == 2


def test_the_host_that_runs_in_clear_text_is_given_what_its_files_name() -> None:
    plan = made(base="own-half")
    (text,) = [
        str(a.content) for w in plan.waves for s in w.steps for a in s.do
        if isinstance(a, PutFile) and w.host == "db2" and w.stage.name == "FIRST_RESTART"
    ]  # fmt: skip
    assert 'ssl_cert = "/etc/ssl/shop/client/server.pem"' in text
    assert "socket.ssl_key=/etc/ssl/shop/cluster/server.key" in text
    assert "socket.dynamic=true" in text
    assert "ssl-mode" not in text, "transfers know the owner's files already: nothing is pinned"


def test_a_file_that_says_no_is_outdone() -> None:
    texts = [
        str(a.content) for w in made("own-file-says-no").waves for s in w.steps for a in s.do if isinstance(a, PutFile)
    ]
    assert any("socket.ssl=yes" in text for text in texts)
