"""What goes wrong in the middle: the host is put back or left alone, the run stops and says why, nobody else is touched."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from galvan import lab
from galvan.lab.podman import container

from .operator import Operator, hashes, restarts, synced, wait

pytestmark = pytest.mark.lab
Json = dict[str, Any]
RULE = "nft add table inet wall; nft add chain inet wall in '{ type filter hook input priority 0; }'; nft add rule inet wall in tcp dport 4567 drop; nft add chain inet wall out '{ type filter hook output priority 0; }'; nft add rule inet wall out tcp dport 4567 drop"


def tampered(operator: Operator, change: Callable[[str], str]) -> Path:
    """A saved plan in which db2 gets another option file in its first restart, as if the option did not suit its server."""
    saved = operator.home / "plan.json"
    assert operator.run("plan", "-o", str(saved)).returncode == 0
    plan = json.loads(saved.read_text())
    wave = next(w for w in plan["waves"] if w["id"] == "first-restart@db2")
    for step in wave["steps"]:
        for action in step["do"]:
            if action["kind"] == "put":
                action["content"]["text"] = change(action["content"]["text"])
                step["want"] = {action["path"]: hashlib.sha256(action["content"]["text"].encode()).hexdigest()}
    saved.write_text(json.dumps(plan))
    return saved


def through(operator: Operator, *words: str) -> tuple[Json, Any]:
    """An apply under load, with what the application saw."""
    lab.start_load(writers=4)
    try:
        ended = operator.json("apply", *words, code=(0, 1, 5))
    finally:
        report = lab.stop_load()
    return ended, report


def rolled_back(operator: Operator) -> None:
    ended = operator.json("rollback", "--auto-approve")
    assert ended["status"] == "done", ended


def test_a_server_that_refuses_its_file_is_put_back(operator: Operator) -> None:
    before, began = hashes(), time.time()
    plan = tampered(operator, lambda text: text.replace("socket.dynamic=true", "socket.dynamic=true; socket.no_such=1"))
    ended, report = through(operator, str(plan))
    assert ended["status"] == "stopped"
    assert "db2" in ended["why"]
    assert "was put back as it was" in ended["why"]
    assert synced()
    assert (report.failed, report.lost, report.equal) == (0, 0, True)
    counted = restarts(began)
    assert (counted["db1"], counted["db3"]) == (0, 0)
    rolled_back(operator)
    assert hashes() == before


def test_an_unknown_option_is_seen_before_the_restart(operator: Operator) -> None:
    before, began = hashes(), time.time()
    plan = tampered(
        operator, lambda text: text.replace("[mysqld]\n", '[mysqld]\n# client_tls: planted\nno_such_option = "1"\n')
    )
    ended, report = through(operator, str(plan))
    assert ended["status"] == "stopped"
    assert "no-such-option" in ended["why"]
    assert set(restarts(began).values()) == {0}
    assert (report.failed, report.lost) == (0, 0)
    rolled_back(operator)
    assert hashes() == before


def test_a_file_of_yours_that_shadows_ours_is_named_in_the_plan(operator: Operator) -> None:
    before, began = hashes(), time.time()
    lab.execute("db2", "printf '[mysqld]\\ntls_version=TLSv1.2\\n' >/etc/mysql/mariadb.conf.d/zzz-yours.cnf")
    try:
        planned = operator.json("plan", code=4)
    finally:
        lab.execute("db2", "rm /etc/mysql/mariadb.conf.d/zzz-yours.cnf")
    assert list(planned["refused"]) == ["client_tls"]
    assert "tls_version in [mysqld] in /etc/mysql/mariadb.conf.d/zzz-yours.cnf" in planned["refused"]["client_tls"]
    assert set(restarts(began).values()) == {0}
    assert hashes() == before


def test_a_server_that_does_not_come_back_is_left_alone_and_named(operator: Operator) -> None:
    before, began = hashes(), time.time()
    running = operator.start("apply", "--auto-approve", "--watch", "10")
    assert running.stdout
    for line in running.stdout:
        if "first-restart@db2" in line and "write" in line:
            lab.execute(
                "db2",
                'systemd-run --quiet --collect --unit=wall --on-active=2s --timer-property=AccuracySec=100ms sh -c "'
                + RULE.replace('"', '\\"')
                + '"',
            )
            break
    said = running.stdout.read()
    assert running.wait() == 1, said
    assert "Putting db2 back failed too, it was left alone" in said or "was put back as it was" in said
    counted = restarts(began)
    assert (counted["db1"], counted["db3"]) == (0, 0)
    serving = {h.name: h.state for h in lab.status() if h.role == "database"}
    assert serving["db1"] == serving["db3"] == "Synced"
    lab.execute("db2", "nft delete table inet wall; systemctl restart mariadb")
    wait(synced)
    rolled_back(operator)
    assert hashes() == before


def test_a_host_that_dies_in_the_middle_stops_the_run(operator: Operator) -> None:
    before, began = hashes(), time.time()
    running = operator.start("apply", "--auto-approve", "--watch", "10")
    assert running.stdout
    for line in running.stdout:
        if "first-restart@db2" in line and "restart mariadb" in line:
            subprocess.run(["podman", "kill", container("db2")], check=True, capture_output=True)
            break
    said = running.stdout.read()
    assert running.wait() == 1, said
    assert "db2" in said
    counted = restarts(began) if host_is_up("db2") else {}
    assert counted.get("db1", 0) == counted.get("db3", 0) == 0
    subprocess.run(["podman", "start", container("db2")], check=True, capture_output=True)
    wait(synced)
    assert operator.run("unlock").returncode == 0
    rolled_back(operator)
    assert hashes() == before


def host_is_up(name: str) -> bool:
    return any(host.name == name and host.running for host in lab.status())
