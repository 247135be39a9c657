"""Operators' habits on real hosts: a look before, a window, a canary, a pause, a busy host, and a colleague who rolls back."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from galvan import lab
from galvan.lab.podman import container

from .operator import Operator, hashes, restarts, sit_down, synced

pytestmark = pytest.mark.lab


def state_of(operator: Operator) -> set[Path]:
    return {path for path in (operator.home / "state").rglob("*") if path.is_file()}


@contextmanager
def under_way(host: str, script: str) -> Iterator[None]:
    """Something that goes on at a host, until the block ends."""
    running = subprocess.Popen(["podman", "exec", container(host), "sh", "-c", f"echo $$ >/tmp/under-way; {script}"])
    try:
        yield
    finally:
        lab.execute(host, "pkill -P $(cat /tmp/under-way) || true; kill $(cat /tmp/under-way) 2>/dev/null || true")
        running.wait()


def test_a_check_asks_every_gate_and_changes_nothing(operator: Operator) -> None:
    before, state = hashes(), state_of(operator)
    checked = operator.json("apply", "--check", "--detailed-exitcode", code=2)
    assert len(checked["waves"]) == 20
    assert checked["refused"] == [refused for wave in checked["waves"] for refused in wave["refused"]] == []
    assert (hashes(), state_of(operator)) == (before, state)


def test_outside_of_the_window_nothing_begins(operator: Operator) -> None:
    before, state = hashes(), state_of(operator)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[(time.gmtime().tm_wday + 3) % 7]
    operator.govern(f'{{window: "{day} 02:00-04:00 UTC"}}')
    try:
        for words in (("apply", "--auto-approve"), ("apply", "--check")):
            done = operator.run(*words)
            assert done.returncode == 5, done.stdout + done.stderr
            assert (
                f"outside of the maintenance window ({day} 02:00-04:00 UTC), which opens" in done.stdout + done.stderr
            )
        assert operator.run("apply", "--check", "--outside-window").returncode == 0
    finally:
        operator.govern("{}")
    assert (hashes(), state_of(operator)) == (before, state)


def test_a_limit_that_would_leave_a_mixed_state(operator: Operator) -> None:
    before = hashes()
    for words in (("plan",), ("apply", "--auto-approve")):
        done = operator.run(*words, "--limit", "db1,db2")
        assert done.returncode == 5, done.stdout + done.stderr
        assert "--limit would leave a mixed state: client_tls has to change app1, db3 too" in done.stderr
    assert hashes() == before


def test_a_canary_is_put_back_when_the_operator_says_no(operator: Operator) -> None:
    before, began = hashes(), time.time()
    saved = str(operator.home / "plan.json")
    assert operator.run("plan", "-o", saved).returncode == 0
    terminal, stdin = pty.openpty()
    os.write(terminal, b"no\n")
    done = subprocess.run(
        operator.command("apply", saved, "--canary", "db3", "--soak", "6"), env=operator.environment, stdin=stdin,
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    os.close(terminal)
    os.close(stdin)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "the canary db3 was put back: the operator said no. No other host was restarted" in done.stdout
    assert restarts(began) == {"db1": 0, "db2": 0, "db3": 2}
    assert lab.execute("db3", 'mariadb -N -e "SELECT @@have_ssl"').strip() == "DISABLED"
    assert synced()
    assert operator.json("rollback", "--auto-approve")["status"] == "done"
    assert hashes() == before


def test_a_busy_host_then_a_pause_then_a_colleague_takes_over(operator: Operator, tmp_path: Path) -> None:
    """The first operator's machine is lost in the middle of the second pass; nothing of it is left but what the hosts hold."""
    before, began = hashes(), time.time()
    idle = "(echo 'START TRANSACTION WITH CONSISTENT SNAPSHOT;'; sleep 600) | mariadb"
    with under_way("db2", idle):
        with under_way("db3", "mariabackup --backup --stream=xbstream 2>/dev/null | sleep 300"):
            checked = operator.json("apply", "--check", code=5)
            done = operator.run("apply", "--auto-approve")
        told = [said for wave in checked["waves"] if wave["host"] == "db3" for said in wave["refused"]]
        assert [said for said in told if "a backup runs on db3 (mariabackup)" in said]
        assert done.returncode == 5, done.stdout + done.stderr
        assert "a backup runs on db3 (mariabackup)" in done.stderr
        long_enough()
        done = operator.run("apply", "--auto-approve")
        assert done.returncode == 5, done.stdout + done.stderr
        assert re.search(r"root has been at work on it for \d+ s \(Sleep: a transaction is open\)", done.stderr)
    assert hashes() == before
    ended = operator.json("apply", "--auto-approve", "--pause-after", "first-restart", code=130)
    assert ended["status"] == "paused"
    assert "members take both ways now" in ended["why"].lower()
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1}
    lose_the_machine(operator)
    colleague = sit_down(tmp_path / "colleague", "db2")
    assert not list((colleague.home / "state").rglob("*.key"))
    freed = colleague.run("unlock")
    assert freed.returncode == 0
    assert re.search(r"^db1: \S+ on \S+, run \d+-\d+, since ", freed.stdout, re.M)
    assert colleague.json("rollback", "--auto-approve")["status"] == "done"
    assert hashes() == before
    assert synced()


def long_enough() -> None:
    """Until the transaction on db2 has been open for a minute."""
    age = "mariadb -N -e 'SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM information_schema.INNODB_TRX'"
    end = time.monotonic() + 120
    while int(lab.execute("db2", age)) <= 60:
        assert time.monotonic() < end, "no transaction is open"
        time.sleep(2)


def lose_the_machine(operator: Operator) -> None:
    running = operator.start("resume")
    assert running.stdout
    for line in running.stdout:
        if "second-restart@" in line and "done" in line:
            break
    running.kill()
    running.wait()


def test_data_that_differs_is_named_and_what_is_written_to_is_not_blamed(operator: Operator) -> None:
    lab.execute("db1", "mariadb -e 'CREATE DATABASE habits; CREATE TABLE habits.apart (id INT PRIMARY KEY); "
                "CREATE TABLE habits.same (id INT PRIMARY KEY); CREATE TABLE habits.aria (id INT) ENGINE=Aria; "
                "INSERT INTO habits.apart VALUES (1); INSERT INTO habits.same VALUES (1)'")  # fmt: skip
    lab.execute("db2", "mariadb -e 'SET SESSION wsrep_on=OFF; INSERT INTO habits.apart VALUES (2)'")
    lab.start_load(writers=4)
    try:
        found = operator.json("verify", "--data", code=(3, 4))["data"]
    finally:
        report = lab.stop_load()
        lab.execute("db1", "mariadb -e 'DROP DATABASE habits'")
    verdicts = {table["table"]: (table["verdict"], table["seen"]) for table in found}
    assert verdicts.pop("habits.apart") == ("fail", "differs on db2")
    assert verdicts.pop("habits.same") == ("pass", "the same on 3 members")
    assert verdicts.pop("habits.aria")[0] == "unknown"
    assert verdicts
    assert "fail" not in {verdict for verdict, _ in verdicts.values()}
    assert (report.failed, report.lost) == (0, 0)


# by hand ------------------------------------------------------------------------------------------------------------
@pytest.mark.campaign
def test_the_printed_commands_carry_the_change_out_by_hand(operator: Operator) -> None:
    """Block by block, each where it says; then an audit finds what an apply would have left."""
    done = operator.run("plan", "--commands")
    assert done.returncode == 0, done.stderr
    blocks = re.split(r"^# (here|on (\w+))[^\n]*\n", done.stdout, flags=re.M)
    here = ""
    for where, host, script in zip(blocks[1::3], blocks[2::3], blocks[3::3], strict=True):
        if where == "here":
            here = here or script.split("\n\n## ")[0]  # what names the directories stands before everything
            text = f'set -eu\nscp() {{ command scp -q -F {lab.current().ssh_config} "$@"; }}\n'
            ours = "" if script.startswith(here) else "\n".join(here.splitlines()[:2]) + "\n"
            subprocess.run(
                ["bash", "-c", text + ours + script], check=True, cwd=operator.home,
                env={**os.environ, "passphrase": str(operator.home / "passphrase")},
            )  # fmt: skip
        else:
            lab.execute(host, f"set -eu\n{script}")
    audit = operator.json("audit", code=(0, 4))
    assert audit["rungs"] == {"client_tls": "enforced", "replication_tls": "enforced"}
