"""Longer campaigns (`make campaign`); each writes its table under docs/campaigns/."""

from __future__ import annotations

import itertools
import os
import random
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

KILLS = 20
"""Each way. `GALVAN_SEED=N make campaign` runs the same moments again."""

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


def moments(chance: random.Random) -> Iterator[tuple[int, float]]:
    """After how many lines of progress, and how many seconds later; few lines, since each resume begins where it was."""
    for _ in range(KILLS):
        yield chance.randint(1, 4), round(chance.uniform(0, 2.5), 2)


def killed(operator: Operator, first: list[str], chance: random.Random) -> list[str]:
    """Kills the command at each moment and resumes it; the last resume runs to its end."""
    rows, words = [], first
    for lines, later in moments(chance):
        running = operator.start(*words)
        said = last_of(running, lines)
        time.sleep(later)
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        rows.append(f"| {words[0]} | `{said}` + {later} s |")
        words = ["resume"]
    ended = operator.json("resume") if running.returncode else {"status": "done"}
    assert ended["status"] == "done", ended
    return rows


def last_of(running: subprocess.Popen[str], lines: int) -> str:
    """The last of so many lines about waves, or of all that came; without its time stamp."""
    assert running.stdout
    of_waves = (line for line in running.stdout if re.match(r" *[0-9.]+s +(\S+@|switch )", line))
    said = [*itertools.islice(of_waves, lines)] or [""]
    return " ".join(said[-1].split()[1:])[:80]


def test_twenty_kills_on_the_way_up_and_twenty_on_the_way_down(home: Path) -> None:
    seed = int(os.environ.get("GALVAN_SEED") or time.time())
    print(f"GALVAN_SEED={seed}")
    chance = random.Random(seed)
    lab.down()
    lab.up()
    operator = sit_down(home)
    before, began = hashes(), time.time()
    lab.start_load(writers=8)
    try:
        rows = killed(operator, ["apply", "--auto-approve", "--watch", "16"], chance)
    finally:
        up = lab.stop_load()
    counted = restarts(began)
    seen = operator.json("verify", "--write-marker")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}
    assert (up.failed, up.lost, up.equal) == (0, 0, True), up
    kills_up = len(rows)
    began = time.time()
    lab.start_load(writers=8)
    try:
        rows += killed(operator, ["rollback", "--auto-approve"], chance)
    finally:
        down = lab.stop_load()
    back = restarts(began)
    assert (down.failed, down.lost, down.equal) == (0, 0, True), down
    assert hashes() == before
    assert min(kills_up, len(rows) - kills_up) == KILLS, (
        "it ended before it was killed often enough: take other moments"
    )
    _write("kills.md", f"{len(rows)} kills (SIGKILL) of Galvan in one climb and one rollback, eight writers writing", [
        f"Seed {seed}: `GALVAN_SEED={seed} make campaign` draws the same moments.", "",
        "| command | killed at |", "|---|---|", *rows, "",
        "| way | transactions | failed | lost | ambiguous | longest gap | restarts per host | end |", "|---|---|---|---|---|---|---|---|",
        f"| up | {up.acknowledged} | {up.failed} | {up.lost} | {up.ambiguous} | {up.longest_gap:.2f} s | {counted} | proven, {len(seen['proofs'])} proofs |",
        f"| down | {down.acknowledged} | {down.failed} | {down.lost} | {down.ambiguous} | {down.longest_gap:.2f} s | {back} | every file as before |",
    ])  # fmt: skip


def test_an_rsync_cluster_makes_both_transfers_at_every_height(home: Path) -> None:
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
