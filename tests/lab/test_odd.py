"""Both tips on a cluster where no path, port, name or spelling is the usual one, up under load and down again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from galvan import lab
from galvan.cluster import provider
from galvan.cluster.precedence import READING, reading
from galvan.lab import odd
from galvan.model import Shell

from .operator import Operator, hashes, synced
from .test_rollout import OPEN_FINDINGS

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
GROUND = {"odd": True}

SERVER = {"mysqld", "server", "mariadb", "mariadbd", "galera"}
PLACES = {
    "db1": "/etc/mysql/zz-site.d/zz-galvan.cnf",
    "db2": "/srv/mysql.conf/zz-galvan.cnf",
    "db3": "/etc/mysql/mariadb.conf.d/zz-galvan.cnf",
}
"""In the last directory that each server reads."""


@pytest.fixture(scope="module")
def untouched(operator: Operator) -> dict[str, str]:
    return hashes("/srv/mysql.conf")


def effective(host: str) -> Mapping[str, str]:
    """The provider's options as the host's option files say them."""
    said = lab.execute(host, "my_print_defaults --mysqld | grep -i 'wsrep[-_]provider[-_]options=' | tail -n 1")
    return provider.parse(said.partition("=")[2].strip())


def test_nothing_is_where_a_manual_would_have_it(operator: Operator, untouched: dict[str, str]) -> None:
    for host in lab.current().databases:
        assert lab.execute(host.name, "ls -d /var/lib/mysql /run/mysqld/mysqld.sock 2>/dev/null || true") == ""
        assert f":{odd.port(lab.current(), host)}\n" in lab.execute(host.name, "ss -Hltn | awk '{print $4}'")
    text = operator.file.read_text()
    assert "address: db1" in text
    assert "address: db2" in text


def test_files_are_walked_as_the_server_reads_them(operator: Operator) -> None:
    """Option by option the same as the server's own tool says, on three hosts that include their files in three ways."""
    assert isinstance(READING.query, Shell)
    for host in lab.current().databases:
        walked = lab.execute(host.name, READING.query.text)
        events = [line.split("\t") for line in walked.splitlines()]
        mine = [event[2] for event in events if event[0] == "option" and event[1].split("-")[0] in SERVER]
        said = lab.execute(host.name, "my_print_defaults --mysqld | sed 's/^--//; s/=.*//'").split()
        assert mine == said
        assert reading(walked).home == PLACES[host.name]


def test_the_audit_finds_what_it_finds_elsewhere(operator: Operator, untouched: dict[str, str]) -> None:
    seen = operator.json("audit")
    assert {f["check"] for f in seen["findings"] if f["verdict"] == "fail"} == OPEN_FINDINGS
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]
    proofs = operator.json("verify", "--write-marker", code=3)["proofs"]
    assert {p["verdict"] for p in proofs} == {"fail"}


def test_a_later_word_of_somebody_else_is_refused_in_the_plan(operator: Operator, untouched: dict[str, str]) -> None:
    """After the last include of db3's my.cnf stands something else already; now also an option that Galvan needs."""
    lab.execute(
        "db3", "cp -p /etc/mysql/my.cnf /root/my.cnf; printf '[mariadbd]\\ntls-version=TLSv1.2\\n' >>/etc/mysql/my.cnf"
    )
    try:
        refused = operator.run("plan")
    finally:
        lab.execute("db3", "mv /root/my.cnf /etc/mysql/my.cnf")
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert (
        "on db3 the server reads tls_version in [mariadbd] in /etc/mysql/my.cnf after"
        in refused.stdout + refused.stderr
    )
    assert operator.run("plan").returncode == 0


def test_up_under_load_and_proven(operator: Operator, untouched: dict[str, str]) -> None:
    before = {host: effective(host) for host in PLACES}
    lab.start_load(writers=8)
    try:
        ended = operator.json("apply", "--auto-approve", "--watch", "16")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert ended["restarts_per_host"] == {"db1": 2, "db2": 2, "db3": 2}
    for host, path in PLACES.items():
        assert lab.execute(host, f"ls {path}").strip() == path
        now = {key: value for key, value in effective(host).items() if not key.startswith("socket.")}
        assert now == dict(before[host])
    proofs = operator.json("verify", "--write-marker")["proofs"]
    assert {p["verdict"] for p in proofs} == {"pass"}, [p for p in proofs if p["verdict"] != "pass"]
    assert set(operator.json("audit", "--fail-on", "low")["rungs"].values()) == {"proven"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0


def test_down_again(operator: Operator, untouched: dict[str, str]) -> None:
    ended = operator.json("rollback", "--auto-approve")
    assert ended["status"] == "done", ended
    assert hashes("/srv/mysql.conf") == untouched
    assert set(operator.json("audit")["rungs"].values()) == {"open"}
    assert synced()
