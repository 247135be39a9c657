"""Longer campaigns (`make campaign`); each writes its table under docs/campaigns/."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from galvan import lab

from .operator import Operator, hashes, restarts, sit_down, synced

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
TABLES = Path(__file__).parents[2] / "docs" / "campaigns"

UP = (
    (r"prepare@db3 +certificate", 0.1), (r"first-restart@db2 +restart", 1.5), (r"first-restart@db1 +drained", 2.0),
    (r"second-restart@db3 +restart", 0.6), (r"accounts@db1 +ALTER", 0.0),
)  # fmt: skip
DOWN = (
    (r"back-refuse@db3 +undo", 0.0), (r"back-accounts@db1 +undo", 0.1), (r"back-second-restart@db2 +restart", 1.5),
    (r"back-first-restart@db3 +restart", 3.0), (r"back-prepare@db2 +undo", 0.1),
)  # fmt: skip
"""When the process is killed: after the line that matches, and so many seconds later."""

STOPS = (
    "prepare@db1",
    "first-restart@db2",
    "first-restart@db1",
    "stage-strict@db1",
    "second-restart@db2",
    "second-restart@db1",
    "refuse@db1",
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "operator"
    lab.down()


def until(running: subprocess.Popen[str], pattern: str) -> str:
    """The lines up to the one that matches."""
    assert running.stdout
    said = ""
    for line in running.stdout:
        said += line
        if re.search(pattern, line):
            return said
    raise AssertionError(f"it ended before {pattern!r}:\n{said[-3000:]}")


def killed(operator: Operator, first: list[str], moments: tuple[tuple[str, float], ...]) -> list[str]:
    """Kills the command at each moment and resumes it; the last resume runs to its end."""
    rows, words = [], first
    for pattern, later in moments:
        running = operator.start(*words)
        until(running, pattern)
        time.sleep(later)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        rows.append(f"| {words[0]} | `{pattern.replace(' +', ' ')}` + {later} s |")
        words = ["resume"]
    ended = operator.json("resume")
    assert ended["status"] == "done", ended
    return rows


def test_five_kills_on_the_way_up_and_five_on_the_way_down(home: Path) -> None:
    if lab.running():
        lab.down()
    lab.up()
    operator = sit_down(home)
    before, began = hashes(), time.time()
    lab.start_load(writers=8)
    try:
        rows = killed(operator, ["apply", "--auto-approve", "--watch", "16"], UP)
    finally:
        up = lab.stop_load()
    counted = restarts(began)
    seen = operator.json("verify", "--write-marker")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}
    assert (up.failed, up.lost, up.equal) == (0, 0, True), up
    began = time.time()
    lab.start_load(writers=8)
    try:
        rows += killed(operator, ["rollback", "--auto-approve"], DOWN)
    finally:
        down = lab.stop_load()
    back = restarts(began)
    assert (down.failed, down.lost, down.equal) == (0, 0, True), down
    assert hashes() == before
    _write("kills.md", "Ten kills (SIGKILL) of Galvan in one climb and one rollback, eight writers writing", [
        "| command | killed at |", "|---|---|", *rows, "",
        "| way | transactions | failed | lost | ambiguous | longest gap | restarts per host | end |", "|---|---|---|---|---|---|---|---|",
        f"| up | {up.acknowledged} | {up.failed} | {up.lost} | {up.ambiguous} | {up.longest_gap:.2f} s | {counted} | proven, {len(seen['proofs'])} proofs |",
        f"| down | {down.acknowledged} | {down.failed} | {down.lost} | {down.ambiguous} | {down.longest_gap:.2f} s | {back} | every file as before |",
    ])  # fmt: skip


def test_an_rsync_cluster_makes_both_transfers_at_every_height(home: Path) -> None:
    if lab.running():
        lab.down()
    lab.up(sst="rsync")
    operator = sit_down(home)
    lab.execute("db3", "printf '[mysqld]\\nwsrep_sst_donor=db2\\n' >/etc/mysql/mariadb.conf.d/61-donor.cnf")
    lab.start_load(writers=4)
    rows, words = [], ["apply", "--auto-approve", "--watch", "16"]
    try:
        for stop in STOPS:
            running = operator.start(*words)
            until(running, rf"{stop} +done")
            running.send_signal(signal.SIGINT)
            assert running.stdout
            said = running.stdout.read()
            assert running.wait() in (0, 130), said
            rows.append(f"| after {stop} | {transfer(wipe=False)} | {transfer(wipe=True)} |")
            words = ["resume"]
        if running.returncode == 130:
            assert operator.json("resume")["status"] == "done"
    finally:
        report = lab.stop_load()
    assert (report.lost, report.equal) == (0, True), report
    seen = operator.json("verify")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}
    _write("rsync-transfers.md", "IST and SST of an rsync cluster at every height of the rollout, four writers writing", [
        "| height | IST | SST |", "|---|---|---|", *rows, "",
        f"{report.acknowledged} transactions, {report.failed} failed, {report.lost} lost; all nodes equal: {report.equal}.",
    ])  # fmt: skip


def transfer(wipe: bool) -> str:
    """db3 leaves and comes back, with its data (IST) or without (SST); what its log calls it, and how long it took."""
    began = time.monotonic()
    at = time.time()
    gone = "rm -rf /var/lib/mysql/*" if wipe else "sleep 2"
    lab.execute("db3", f"systemctl stop mariadb; {gone}; systemctl start mariadb")
    while not synced():
        assert time.monotonic() - began < 180, "db3 did not come back"
        time.sleep(0.5)
    log = lab.execute("db3", f"journalctl -u mariadb -o cat --no-pager --since @{int(at)}")
    nothing = "Local state: 00000000-0000-0000-0000-000000000000:-1" in log
    assert nothing == wipe, log[-3000:]
    assert wipe or "Receiving IST" in log, log[-3000:]
    return f"joined in {time.monotonic() - began:.0f} s"


def _write(name: str, title: str, lines: list[str]) -> None:
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / name).write_text(
        f"# {title}\n\nMade by `make campaign` on {time.strftime('%Y-%m-%d')}.\n\n" + "\n".join(lines) + "\n"
    )
