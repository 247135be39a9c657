"""How long does a writer wait while each member behind Galvan's door is drained, restarted and put back?

The floor is the same by hand: the script of `rollout.py`, on the same door, which also makes HAProxy forget who takes the writes. Galvan's
part is `galvan node drain`, `restart` and `undrain`, three processes for each member. Eight writers with pooled connections run
all the while; a round in which a transaction fails or is lost ends this. A gap is the longest that any writer waited because of one restart, read
from the rows of its ledger; who goes first changes from round to round.

`gap_vs_by_hand` is the median over all restarts, each divided by the one by hand of the same host and round; `longest_gap_vs_by_hand` the
median of the rounds' longest gaps, divided. Ends with one JSON line. Needs root and podman, and no lab up.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rollout

from galvan import lab

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "5"))
FORGET = """haproxy "set server galvan_write/$host state drain" >/dev/null
  haproxy "clear table galvan_write" >/dev/null"""
BY_HAND = (
    rollout.BY_HAND.replace('haproxy "set server galera/$host state drain" >/dev/null', FORGET)
    .replace("set server galera/", "set server galvan_write/")
    .replace("^galera,", "^galvan_write,")
)
Gaps = dict[tuple[str, int], float]


def main() -> int:
    if lab.running():
        raise SystemExit("a lab is up, and this benchmark makes its own: take it down first (galvan lab down)")
    rounds: list[tuple[Gaps, Gaps]] = []
    try:
        lab.up(say=lambda text: None)
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            prepare(home)
            for number in range(ROUNDS):
                order = (by_galvan, by_hand) if number % 2 else (by_hand, by_galvan)
                gaps = {each.__name__: measured(each, home) for each in order}
                rounds.append((gaps["by_galvan"], gaps["by_hand"]))
                for (host, _), theirs in gaps["by_hand"].items():
                    print(
                        f"round {number + 1}, {host}: {gaps['by_galvan'][host, 1]:.2f} s, by hand {theirs:.2f} s",
                        flush=True,
                    )
    finally:
        lab.down()
    ratios = {
        "gap_vs_by_hand": rollout.median(ours[which] / hand[which] for ours, hand in rounds for which in hand),
        "longest_gap_vs_by_hand": rollout.median(max(ours.values()) / max(hand.values()) for ours, hand in rounds),
    }
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "drain", "ratios": ratios, "machine": machine}))
    return 0


def prepare(home: Path) -> None:
    """Galvan's door on the lab's balancer."""
    config = str(lab.current().ssh_config)
    (home / "passphrase").touch(mode=0o600)
    (home / "passphrase").write_text("a passphrase for the benchmark")
    rollout.galvan(home, "init", "db1", "--ssh-config", config, "--application", "app1", "--load-balancer", "lb1")
    rollout.galvan(home, "apply", "--tip", "load_balancer", "--auto-approve", "--watch", "1")


def by_galvan(home: Path, order: list[str]) -> None:
    for host in order:
        for verb in ("drain", "restart", "undrain"):
            rollout.galvan(home, "node", verb, host)


def by_hand(home: Path, order: list[str]) -> None:
    rollout.by_hand(home, order, BY_HAND)


def measured(carry: Callable[[Path, list[str]], None], home: Path) -> Gaps:
    lab.start_load(writers=rollout.WRITERS)
    try:
        time.sleep(rollout.SETTLE)
        began = time.time()
        carry(home, [host.name for host in lab.current().databases])
        time.sleep(5.0)  # the last member's stall may come late
    finally:
        report = lab.stop_load()
    if report.lost or report.failed or not report.equal:
        raise SystemExit(f"transactions failed or were lost: {report}")
    print(
        f"{carry.__name__}: {time.time() - began:.0f} s; of {report.acknowledged} transactions none failed", flush=True
    )
    return rollout.stalls(began, 1)


if __name__ == "__main__":
    sys.exit(main())
