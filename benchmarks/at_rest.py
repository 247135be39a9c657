"""What do eight writers feel while a schema of 1 GB that is there is encrypted at rest, one member after another?

The floor is the same load on the same hosts in the minute before anything is changed. A writer's latency is the time between
the beginnings of two of its transactions, less the 5 ms that it rests between them, read from the rows of its ledger. `during` is
the time in which the background threads of one member or another are at work, as `galvan apply` tells it; the two rolling
restarts before are counted in neither. `after` is the minute after the last member is done. Each member's throttle is the default of
the policy, unless GALVAN_BENCH_IOPS says another.

Transactions that fail or are lost end this. Each round begins on fresh hosts; the ratios are medians over the rounds.
Ends with one JSON line. Needs root and podman, and no lab up.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import rollout

from galvan import lab

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "1"))
MEGABYTES = int(os.environ.get("GALVAN_BENCH_MB", "1024"))
IOPS = os.environ.get("GALVAN_BENCH_IOPS", "")
SPAN, REST, TABLES = 60.0, 0.005, 8
FILL = """
mariadb <<'EOF'
CREATE DATABASE IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.t{table} (id INT AUTO_INCREMENT PRIMARY KEY, said VARCHAR(1000) NOT NULL) ENGINE=InnoDB;
USE bench;
{inserts}
EOF"""
INSERT = "INSERT INTO t{table} (said) SELECT CONCAT('galvan-clear-marker ', RPAD(SHA2(RAND(), 512), 900, SHA2(RAND(), 256))) FROM seq_1_to_8000;"
SIZE = "mariadb -N -e \"SELECT SUM(FILE_SIZE) DIV 1048576 FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME LIKE 'bench/%'\""
MARKED = "cat /var/lib/mysql/bench/*.ibd | grep -a -o galvan-clear-marker | wc -l"
ROWS = "mariadb -N -B -e 'SELECT writer, at FROM app.ledger WHERE at BETWEEN {since} AND {until} ORDER BY writer, at'"


@dataclass(frozen=True)
class Felt:
    """In one span of time: committed transactions a second, and latencies in milliseconds."""

    per_second: float
    median: float
    p99: float
    longest: float


def main() -> int:
    if lab.running():
        raise SystemExit("a lab is up, and this benchmark makes its own: take it down first (galvan lab down)")
    rounds = []
    try:
        for number in range(ROUNDS):
            rounds.append(measured())
            for name, felt in rounds[-1].items():
                print(
                    f"round {number + 1}, {name}: {felt.per_second:.0f} transactions a second, median {felt.median:.1f} ms, "
                    f"p99 {felt.p99:.1f} ms, longest {felt.longest:.0f} ms",
                    flush=True,
                )
    finally:
        lab.down()
    ratios = {}
    for name in ("during", "after"):
        ratios[f"throughput_{name}_vs_before"] = rollout.median(
            r[name].per_second / r["before"].per_second for r in rounds
        )
        ratios[f"p99_{name}_vs_before"] = rollout.median(r[name].p99 / r["before"].p99 for r in rounds)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "at_rest", "ratios": ratios, "machine": machine}))
    return 0


def measured() -> dict[str, Felt]:
    lab.down(say=lambda text: None)
    lab.up(say=lambda text: None)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home)
        fill()
        lab.start_load(writers=rollout.WRITERS)
        try:
            time.sleep(rollout.SETTLE)
            spans = {"before": span()}
            spans |= {"during": encrypt(home)}
            spans |= {"after": span()}
            felt = {name: between(*each) for name, each in spans.items()}
        finally:
            report = lab.stop_load()
    if report.lost or report.failed or not report.equal:
        raise SystemExit(f"transactions failed or were lost: {report}")
    left = {host.name: lab.execute(host.name, MARKED).strip() for host in lab.current().databases}
    print(
        f"of {report.acknowledged} transactions none failed; marked rows on the disks afterwards: {left}",
        flush=True,
    )
    return felt


def prepare(home: Path) -> None:
    (home / "passphrase").touch(mode=0o600)
    (home / "passphrase").write_text("a passphrase for the benchmark")
    config = str(lab.current().ssh_config)
    rollout.galvan(home, "init", "db1", "--ssh-config", config, "--application", "app1", "--load-balancer", "lb1")
    hardening = f"{{at_rest: file{', encryption_iops: ' + IOPS if IOPS else ''}}}"
    file = home / "galvan.yaml"
    file.write_text(file.read_text().partition("policy:")[0] + f"policy: {{hardening: {hardening}}}\n")


def fill() -> None:
    """Rows that can be told on the disk, until the schema is as large as it should be."""
    began, table = time.time(), 0
    while (size := int(lab.execute("db1", SIZE).strip().replace("NULL", "0"))) < MEGABYTES:
        lab.execute(
            "db1",
            FILL.format(table=table % TABLES, inserts="\n".join([INSERT.format(table=table % TABLES)] * 4)),
            limit=300,
        )
        table += 1
    print(
        f"a schema of {size} MB in {TABLES} tables, made in {time.time() - began:.0f} s; marked rows: {lab.execute('db1', MARKED).strip()}",
        flush=True,
    )


def span() -> tuple[float, float]:
    began = time.time()
    time.sleep(SPAN)
    return began, time.time()


def encrypt(home: Path) -> tuple[float, float]:
    """When the first member's threads began and the last one's had ended, by what `apply` said as it went."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "galvan",
        "apply",
        "--cluster",
        "galvan.yaml",
        "--tip",
        "hardening",
        "--auto-approve",
        "--watch",
        "1",
    ]
    environment = {
        **os.environ,
        "GALVAN_STATE": str(home / "state"),
        "GALVAN_PASSPHRASE_FILE": str(home / "passphrase"),
    }
    times: dict[str, tuple[float, float]] = {}
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        for line in run.stdout or ():
            said.append(line)
            if match := re.search(r"\s(encrypt@\w+)\s+(.*)", line):
                now = time.time()
                times[match[1]] = (times.get(match[1], (now, now))[0], now)
                print(f"{match[1]} after {now - times[match[1]][0]:.0f} s: {match[2]}", flush=True)
    if run.returncode not in (0, 5) or len(times) != len(lab.current().databases):
        raise SystemExit(
            f"galvan apply ended with {run.returncode}; encrypted were {sorted(times)}:\n{''.join(said[-20:])}"
        )
    return min(since for since, _ in times.values()), max(until for _, until in times.values())


def between(since: float, until: float) -> Felt:
    said = [
        line.split() for line in lab.execute("db1", ROWS.format(since=since, until=until)).splitlines() if line.strip()
    ]
    rows = [(int(writer), float(at)) for writer, at in said]
    waits = sorted(1000 * (b - a - REST) for (who, a), (same, b) in pairwise(rows) if who == same)
    if len(waits) < 100:
        raise SystemExit(f"only {len(waits)} transactions between {since:.0f} and {until:.0f}")
    return Felt(len(rows) / (until - since), waits[len(waits) // 2], waits[int(len(waits) * 0.99)], waits[-1])


if __name__ == "__main__":
    sys.exit(main())
