"""Replication TLS by an outage on real hosts, and back. The tests of this file build on each other, in order."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from galvan import lab

from .operator import Operator, hashes, restarts, synced

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
UNMARK = "systemctl is-active -q mariadb || sed -i 's/^safe_to_bootstrap: 1/safe_to_bootstrap: 0/' /var/lib/mysql/grastate.dat"
LEFT = "ls /run/mariadb-wsrep-new-cluster /run/mysqld/wsrep-new-cluster 2>/dev/null; systemctl show-environment | grep _WSREP_NEW_CLUSTER=. || true"


@pytest.fixture(scope="module")
def untouched(operator: Operator) -> dict[str, str]:
    operator.govern("{route: rebootstrap}")
    return hashes()


def is_whole(report: Any) -> None:
    """An outage fails transactions; it loses none that was acknowledged, and leaves the members equal."""
    assert (report.lost, report.unexpected, report.equal, report.unread) == (0, 0, True, ()), report


def no_second_cluster_lies_ready() -> None:
    assert [lab.execute(host.name, LEFT).strip() for host in lab.current().databases] == ["", "", ""]


def test_it_is_not_planned_until_it_is_allowed(operator: Operator, untouched: dict[str, str]) -> None:
    refused = operator.json("plan", "--tip", "replication_tls", code=4)
    assert "--allow-outage" in refused["refused"]["replication_tls"]
    assert refused["waves"] == []
    allowed = operator.json("plan", "--allow-outage")
    assert allowed["outage_s"] > 0
    assert {h: n for h, n in allowed["restarts_per_host"].items() if n} == {"db1": 1, "db2": 1, "db3": 1}
    checked = operator.json("apply", "--check", "--allow-outage")
    assert (checked["refused"], [w["refused"] for w in checked["waves"] if w["refused"]]) == ([], [])
    assert hashes() == untouched


def test_killed_while_nobody_serves_and_gone_on(operator: Operator, untouched: dict[str, str]) -> None:
    """The mark that Galera left on the last host is taken away too: then the positions alone have to say who goes first."""
    began = time.time()
    lab.start_load(writers=4)
    try:
        running = operator.start("apply", "--allow-outage", "--auto-approve", "--watch", "20")
        assert running.stdout
        said = ""
        for line in running.stdout:
            said += line
            if "nobody serves from now on" in line:
                break
        assert "stop-clear@db1" in said.splitlines()[-1], said
        until_down("db1")
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        for host in lab.current().databases:
            lab.execute(host.name, UNMARK)
        ended = operator.json("resume")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    is_whole(report)
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1} == ended["restarts_per_host"]
    assert 0 < ended["outage_s"] < ended["duration_s"] + 120
    no_second_cluster_lies_ready()
    assert synced()


def until_down(host: str) -> None:
    for _ in range(100):
        if lab.execute(host, "systemctl is-active mariadb || true").strip() in ("inactive", "activating"):
            return
        time.sleep(0.1)
    raise AssertionError(f"{host} was not stopped")


def test_the_ends_are_proven(operator: Operator) -> None:
    seen = operator.json("verify")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}, [p for p in seen["proofs"] if p["verdict"] != "pass"]
    assert set(operator.json("audit")["rungs"].values()) == {"proven"}
    assert operator.run("plan", "--detailed-exitcode").returncode == 0


def test_the_way_back_is_an_outage_too(operator: Operator, untouched: dict[str, str]) -> None:
    refused = operator.run("rollback", "--auto-approve")
    assert refused.returncode == 5, refused.stdout + refused.stderr
    assert "--allow-outage" in refused.stderr
    began = time.time()
    lab.start_load(writers=4)
    try:
        ended = operator.json("rollback", "--auto-approve", "--allow-outage")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert ended["outage_s"] > 0
    is_whole(report)
    assert hashes() == untouched
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1}
    no_second_cluster_lies_ready()
    assert synced()
