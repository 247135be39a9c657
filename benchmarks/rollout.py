"""What does `galvan apply` of both TLS tips add to the restarts that the change needs anyway?

The floor is the same drains and restarts done by hand: a shell script that restarts every member twice, in Galvan's
order, over ssh connections that stay open. For each it tells HAProxy to drain the host, waits until its clients have
left (closing those idle for over 20 s, as Galvan does), restarts the server, waits until every member is Synced and
counts all, tells HAProxy that the host is ready, and waits until HAProxy calls it UP. It asks once a second where it
waits for clients and twice a second elsewhere. It changes nothing and has no gate: it is less than a careful person does.

Each run begins on fresh hosts of the lab, with eight writers behind the balancer; who goes first changes from round to
round. Galvan's time is the whole process from a saved plan to the refusal of clear text, certificates, files and gates
included, without the watch: that waits for applications and lasts as long as the operator wants. Its seconds are printed.

A stall is the longest that any writer waited from a member's stop until 10 s after its start, or until the next stop; it
is read from the rows of the writers' ledger, and the restarts from the members' journals, so both are measured alike.
`apply_vs_restarts` is the median of the rounds' ratios; `stall_vs_by_hand` the median over all restarts, each
divided by the one by hand of the same host, pass and round; `longest_stall_vs_by_hand` divides each round's longest.

Ends with one JSON line. Needs root and podman, and no lab up: its hosts are made anew for every run.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from galvan import lab

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "5"))
WRITERS, SETTLE, WATCH = 8, 10.0, "20"
Carry = Callable[[Path, list[str]], tuple[float, float]]
NOTABLE = 0.05  # seconds between two rows of a writer from which on they are looked at


@dataclass(frozen=True)
class Run:
    """`stalls`: seconds by (host, pass), in the order of the restarts."""

    seconds: float
    watched: float
    stalls: dict[tuple[str, int], float]


def main() -> int:
    if lab.running():
        raise SystemExit("a lab is up, and this benchmark makes its own: take it down first (galvan lab down)")
    rounds = []
    try:
        for number in range(ROUNDS):
            order = (by_galvan, by_hand) if number % 2 else (by_hand, by_galvan)
            runs = {each.__name__: measured(each) for each in order}
            rounds.append((runs["by_galvan"], runs["by_hand"]))
            show(number + 1, *rounds[-1])
    finally:
        lab.down()
    ratios = {
        "apply_vs_restarts": median(ours.seconds / hand.seconds for ours, hand in rounds),
        "stall_vs_by_hand": median(
            ours.stalls[which] / hand.stalls[which] for ours, hand in rounds for which in hand.stalls
        ),
        "longest_stall_vs_by_hand": median(
            max(ours.stalls.values()) / max(hand.stalls.values()) for ours, hand in rounds
        ),
    }
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "rollout", "ratios": ratios, "machine": machine}))
    return 0


def median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


def show(number: int, ours: Run, hand: Run) -> None:
    print(
        f"round {number}: galvan apply {ours.seconds:.1f} s (and {ours.watched:.1f} s of watching), by hand {hand.seconds:.1f} s"
    )
    for host, turn in hand.stalls:
        mine, theirs = ours.stalls[host, turn], hand.stalls[host, turn]
        print(f"  restart {turn} of {host}: writers waited {mine:.2f} s, by hand {theirs:.2f} s", flush=True)


def measured(carry: Carry) -> Run:
    """One run on fresh hosts, with writers; nothing may be lost, or the figures mean nothing."""
    if lab.running():
        lab.reset(say=lambda text: None)
    else:
        lab.up(say=lambda text: None)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Path(folder))
        lab.start_load(writers=WRITERS)
        try:
            time.sleep(SETTLE)
            began = time.time()
            seconds, watched = carry(Path(folder), prepared)
            time.sleep(5.0)  # the last member's stall may come late
        finally:
            report = lab.stop_load()
    if report.lost or not report.equal:
        raise SystemExit(f"transactions were lost: {report}")
    run = Run(seconds, watched, stalls(began))
    print(
        f"{carry.__name__}: {seconds:.1f} s, longest stall {max(run.stalls.values()):.2f} s; of {report.acknowledged} transactions {report.failed} failed, "
        f"{report.ambiguous} ambiguous",
        flush=True,
    )
    return run


# Galvan --------------------------------------------------------------------------------------------------------
def prepare(home: Path) -> list[str]:
    """galvan.yaml and a saved plan, and the order in which it restarts the hosts."""
    present = lab.current()
    (home / "passphrase").touch(mode=0o600)
    (home / "passphrase").write_text("a passphrase for the benchmark")
    galvan(
        home, "init", "db1", "--ssh-config", str(present.ssh_config), "--application", "app1", "--load-balancer", "lb1"
    )
    galvan(home, "plan", "--tip", "client_tls", "--tip", "replication_tls", "-o", str(home / "plan.json"))
    waves = json.loads((home / "plan.json").read_text())["waves"]
    return [wave["host"] for wave in waves if wave["restart"]]


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ, "GALVAN_STATE": str(home / "state"), "GALVAN_PASSPHRASE_FILE": str(home / "passphrase"),
        "GALVAN_CLUSTER": str(home / "galvan.yaml"),
    }  # fmt: skip


def galvan(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "galvan", *words], env=environment(home), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"galvan {words[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def by_galvan(home: Path, order: list[str]) -> tuple[float, float]:
    began = time.perf_counter()
    said = galvan(home, "apply", str(home / "plan.json"), "--watch", WATCH)
    seconds = time.perf_counter() - began
    if os.environ.get("GALVAN_BENCH_EVENTS"):
        print(said)
    watched = watching(said)
    return seconds - watched, watched


def watching(said: str) -> float:
    """From the event that begins the watch to the first that is not of it, by the events' own seconds."""
    events = re.findall(r"^ *([\d.]+)s  (\S+)", said, re.M)
    begun = next(n for n, (_, where) in enumerate(events) if where == "switch")
    ended = next(at for at, where in events[begun:] if where != "switch")
    return float(ended) - float(events[begun][0])


# by hand -------------------------------------------------------------------------------------------------------
SESSIONS = "FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ('system user', 'event_scheduler') AND COMMAND <> 'Daemon' AND HOST LIKE '%:%'"
MEMBER = (
    "SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME SEPARATOR ' ') FROM information_schema.GLOBAL_STATUS "
    "WHERE VARIABLE_NAME IN ('WSREP_CLUSTER_SIZE', 'WSREP_CLUSTER_STATUS', 'WSREP_LOCAL_STATE_COMMENT')"
)
BY_HAND = """
set -eu
on() { where=$1; shift; ssh -F "$config" -o ControlMaster=auto -o ControlPersist=900 -o ControlPath="$home/%%C" "$where" "$*"; }
haproxy() { on lb1 "echo '$1' | socat stdio unix-connect:/run/haproxy/admin.sock"; }
clients() { on "$1" "mariadb -N -B" <<END
SELECT CONCAT('KILL ', ID, ';') %(sessions)s AND COMMAND = 'Sleep' AND TIME > 20;
SELECT COUNT(*) %(sessions)s;
END
}
for host in $order; do
  haproxy "set server galera/$host state drain" >/dev/null
  for second in $(seq 45); do
    said=$(clients "$host")
    [ "$(echo "$said" | tail -n 1)" != 0 ] || break
    echo "$said" | sed '$d' | on "$host" "mariadb --force" 2>/dev/null || true  # one may have left by itself
    sleep 1
  done
  on "$host" systemctl restart mariadb
  for member in %(members)s; do
    until [ "$(echo "%(member)s" | on $member "mariadb -N -B")" = '%(count)s Primary Synced' ]; do sleep 0.5; done
  done
  haproxy "set server galera/$host state ready" >/dev/null
  until haproxy "show stat" | grep -q "^galera,$host,.*,UP,"; do sleep 0.5; done
done
"""


def by_hand(home: Path, order: list[str], text: str = BY_HAND) -> tuple[float, float]:
    names = [host.name for host in lab.current().databases]
    script = text % {"sessions": SESSIONS, "member": MEMBER, "members": " ".join(names), "count": len(names)}
    given = {**os.environ, "config": str(lab.current().ssh_config), "home": str(home), "order": " ".join(order)}
    began = time.perf_counter()
    done = subprocess.run(
        ["sh", "-c", script], env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    for host in (*names, "lb1"):
        leave = ["ssh", "-F", str(lab.current().ssh_config), "-o", f"ControlPath={home}/%C", "-O", "exit", host]
        subprocess.run(leave, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"the script by hand ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return seconds, 0.0


# stalls --------------------------------------------------------------------------------------------------------
GAPS = """mariadb -N -B -e "SELECT since, at FROM (SELECT at, LAG(at) OVER (PARTITION BY writer ORDER BY seq) AS since
FROM app.ledger WHERE at >= {began}) AS rows_of_writers WHERE at - since > {notable}" """


def stalls(began: float, turns: int = 2) -> dict[tuple[str, int], float]:
    """The longest gap between two rows of a writer that each restart caused; every member restarted so many times."""
    restarts = sorted(
        (stopped, started, host.name)
        for host in lab.current().databases
        for stopped, started in journal(host.name, began)
    )
    said = lab.execute("db1", GAPS.format(began=began, notable=NOTABLE))
    gaps = [tuple(map(float, line.split())) for line in said.splitlines()]
    found: dict[tuple[str, int], float] = {}
    for number, (stopped, started, host) in enumerate(restarts):
        end = min([started + 10.0, *(at for at, _, _ in restarts[number + 1 : number + 2])])
        caused = [until - since for since, until in gaps if until > stopped and since < end]
        turn = 1 + sum(name == host for _, _, name in restarts[:number])
        found[host, turn] = max(caused, default=NOTABLE)
    if set(found) != {(host.name, turn) for host in lab.current().databases for turn in range(1, turns + 1)}:
        raise SystemExit(f"every member was to restart {turns} times, and the journals say {sorted(found)}")
    return found


def journal(host: str, began: float) -> list[tuple[float, float]]:
    """When the server was told to stop, and when it had started again, by the host's own journal."""
    said = lab.execute(host, f"journalctl -u mariadb -o short-unix --no-pager --since @{int(began)}")
    stops = [float(at) for at in re.findall(r"^([\d.]+) .*: Stopping mariadb\.service", said, re.M)]
    starts = [float(at) for at in re.findall(r"^([\d.]+) .*: Started mariadb\.service", said, re.M)]
    return list(zip(stops, starts, strict=True))


if __name__ == "__main__":
    sys.exit(main())
