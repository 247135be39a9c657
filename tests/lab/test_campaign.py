"""Longer campaigns (`make campaign`); each writes its table under docs/campaigns/."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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


def killed(operator: Operator, first: list[str], chance: random.Random) -> list[str]:
    """One way, killed at most once in each wave, at a moment drawn by chance; resumed after each, to its end."""
    rows: list[str] = []
    words, past = first, set[str]()
    while True:
        running = operator.start(*words)
        wave = next_wave(running, past)
        time.sleep(later := round(chance.uniform(0, 2.5), 2))
        if not wave or running.poll() is not None:
            said = running.stdout.read() if running.stdout else ""
            assert running.wait() == 0, said
            return rows
        running.send_signal(signal.SIGKILL)
        running.wait()
        past.add(wave)
        rows.append(f"| {words[0]} | `{wave}` + {later} s |")
        if operator.json("runs")["runs"][0]["status"] == "done":
            operator.run("resume")  # a rollback that died after its last wave has its notes to put aside
            return rows
        words = ["resume"]


def next_wave(running: subprocess.Popen[str], past: set[str]) -> str:
    """The first wave that it speaks of and that no kill has met; empty where it ends before."""
    assert running.stdout
    for line in running.stdout:
        if (found := re.match(r" *[0-9.]+s +(\S+@\S+|switch \S+)", line)) and found[1] not in past:
            return found[1]
    return ""


@dataclass
class Way:
    """What came of one way, over all rounds."""

    kills: list[str] = field(default_factory=list)
    reports: list[lab.LoadReport] = field(default_factory=list)
    restarts: list[dict[str, int]] = field(default_factory=list)

    def go(self, operator: Operator, words: list[str], chance: random.Random) -> None:
        began = time.time()
        lab.start_load(writers=8)
        try:
            self.kills += killed(operator, words, chance)
        finally:
            report = lab.stop_load()
        assert (report.failed, report.lost, report.equal) == (0, 0, True), report
        self.reports.append(report)
        self.restarts.append(restarts(began))

    def line(self, name: str, end: str) -> str:
        total = {
            word: sum(getattr(r, word) for r in self.reports)
            for word in ("acknowledged", "failed", "lost", "ambiguous")
        }
        gap = max(r.longest_gap for r in self.reports)
        counts = "; ".join(str(counted) for counted in self.restarts)
        cells = (name, len(self.reports), len(self.kills), *total.values(), f"{gap:.2f} s", counts, end)
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def test_twenty_kills_on_the_way_up_and_twenty_on_the_way_down(home: Path) -> None:
    seed = int(os.environ.get("GALVAN_SEED") or time.time())
    print(f"GALVAN_SEED={seed}")
    chance = random.Random(seed)
    lab.down()
    lab.up()
    operator, up, down, proofs = sit_down(home), Way(), Way(), 0
    before = hashes()
    while min(len(up.kills), len(down.kills)) < KILLS:
        up.go(operator, ["apply", "--auto-approve", "--watch", "16"], chance)
        seen = operator.json("verify", "--write-marker")
        assert {p["verdict"] for p in seen["proofs"]} == {"pass"}
        proofs = len(seen["proofs"])
        down.go(operator, ["rollback", "--auto-approve"], chance)
        assert hashes() == before
    _write("kills.md", f"{len(up.kills)} kills (SIGKILL) of Galvan on the way up and {len(down.kills)} on the way down, eight writers writing", [
        f"Seed {seed}: `GALVAN_SEED={seed} make campaign` draws the same moments.", "",
        "| command | killed at |", "|---|---|", *up.kills, *down.kills, "",
        "| way | rounds | kills | transactions | failed | lost | ambiguous | longest gap | restarts per host | end |",
        "|---|---|---|---|---|---|---|---|---|---|",
        up.line("up", f"proven, {proofs} proofs each time"), down.line("down", "every file as before each time"),
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
