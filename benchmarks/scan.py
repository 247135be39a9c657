"""How long does an outsider's full scan (ports 1 to 65535) of six filtered hosts take, as a whole process?

The peer is `nmap -sT -p- -n -Pn` on the same six hosts from the same vantage: one process for each host, all at once. That is its
fastest way: one process for all six takes each host's silence for congestion of the others, and was not done after an hour. The two go in
turn; who goes first changes from round to round. `scan_vs_nmap` is the median of the rounds' ratios.
Ours is one process that tries the six attempts at once, as `galvan verify` does: six scanners run at the vantage.

Each host has a wall that drops by default, and through it a few ports, others on each host: some where something listens, some
where nothing does. Both scanners must find exactly these, port by port, in every run, or there is no figure. Behind the
wall something listens too.

The hosts are network namespaces behind a bridge, and not the lab: a scan meets the kernel's packet filter and nothing of the
servers, and the lab's own hosts share their vantage with what else runs on this machine. The outsider tracks no
connections unless GALVAN_BENCH_TRACKED is set: then Galvan slows down to keep the table under half, and nmap does not. The
highest number of tracked connections is printed for each, once a half second.

GALVAN_BENCH_ROUNDS is 3 unless set, GALVAN_BENCH_HOSTS is 6.

Ends with one JSON line. Needs root, ip, nft and nmap; takes its namespaces away again.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "3"))
HOSTS = int(os.environ.get("GALVAN_BENCH_HOSTS", "6"))
TRACKED = bool(os.environ.get("GALVAN_BENCH_TRACKED"))
CONTROL, BEHIND = 22, (3306, 4444, 4567)
LIMIT = 3600.0  # seconds for one scan of all hosts
OUTSIDER, SWITCH = f"gs-outsider-{os.getpid()}", f"gs-switch-{os.getpid()}"
WALL = """
table inet wall {{
  chain in {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    tcp dport {{ {ports} }} accept
  }}
}}
"""
TRACKING = "table inet t { chain out { type filter hook output priority 0; ct state invalid drop; }; }"
SERVER = """
import socket, sys
held = [socket.create_server(("", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""
HIGHEST = """
most=0
while :; do
  read -r now </proc/sys/net/netfilter/nf_conntrack_count && (( now > most )) && most=$now
  read -r -t 0.5 word; (( $? > 128 )) || break
done
echo $most
"""


@dataclass(frozen=True)
class Target:
    name: str
    address: str
    open: frozenset[int]
    closed: frozenset[int]


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the namespaces go too
    targets = [planted(number) for number in range(1, HOSTS + 1)]
    rounds = []
    with built(targets):
        for number in range(ROUNDS):
            order = (by_nmap, by_galvan) if number % 2 else (by_galvan, by_nmap)
            seconds = {each.__name__: measured(each, targets) for each in order}
            rounds.append(seconds["by_galvan"] / seconds["by_nmap"])
            print(
                f"round {number + 1}: galvan {seconds['by_galvan']:.1f} s, nmap {seconds['by_nmap']:.1f} s, both found "
                f"the same {sum(len(t.open | t.closed) for t in targets)} ports of {HOSTS} hosts",
                flush=True,
            )
    ratios = {"scan_vs_nmap": round(statistics.median(rounds), 3)}
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "scan", "ratios": ratios, "machine": machine}))
    return 0


def planted(number: int) -> Target:
    """The control and eight other ports, anywhere; always the same for each host."""
    some = random.Random(number).sample(sorted({*range(1, 65536)} - {CONTROL, *BEHIND}), 8)  # noqa: S311
    return Target(
        f"gs-host{number}-{os.getpid()}", f"10.213.78.{number}", frozenset((CONTROL, *some[:4])), frozenset(some[4:])
    )


def measured(scan: Callable[[list[Target]], None], targets: list[Target]) -> float:
    """Seconds of one scan of all; a wrong answer ends it all."""
    with ExitStack() as stack:
        most = [(name, stack.enter_context(highest(name))) for name in (OUTSIDER, *(t.name for t in targets))]
        began = time.perf_counter()
        scan(targets)
        seconds = time.perf_counter() - began
    counts = ", ".join(f"{name.rsplit('-', 1)[0][3:]} {count[0]}" for name, count in most)
    print(f"{scan.__name__}: {seconds:.1f} s; most tracked connections: {counts}", flush=True)
    return seconds


def by_galvan(targets: list[Target]) -> None:
    asked = json.dumps([[t.address, sorted(t.open | t.closed)] for t in targets])
    done = outside(sys.executable, __file__, "--attempt", asked)
    for target, (outcome, seen) in zip(targets, json.loads(done), strict=True):
        wanted = f"{spans(target.open)} open, {spans(target.closed)} closed, {65535 - 9} silent"
        if outcome != "matches" or wanted not in seen:
            raise SystemExit(f"galvan was wrong about {target}: {outcome}, {seen}")


def by_nmap(targets: list[Target]) -> None:
    with ThreadPoolExecutor(len(targets)) as pool:
        for target, found in zip(targets, pool.map(found_by_nmap, targets), strict=True):
            wanted = {(p, "open") for p in target.open} | {(p, "closed") for p in target.closed}
            if found != wanted:
                raise SystemExit(f"nmap was wrong about {target}: {sorted(found)}")


def found_by_nmap(target: Target) -> set[tuple[int, str]]:
    done = outside("nmap", "-sT", "-p-", "-n", "-Pn", "-oX", "-", target.address)
    ports = ET.fromstring(done).iter("port")  # noqa: S314 - nmap is ours
    return {(int(port.attrib["portid"]), state.attrib["state"]) for port in ports for state in port.iter("state")}


def outside(*command: str) -> str:
    """What a command prints that runs as the outsider."""
    done = subprocess.run(
        ("ip", "netns", "exec", OUTSIDER, *command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=LIMIT,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command[:3]} … ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout


def spans(ports: frozenset[int]) -> str:
    return re.sub(r"[\[\] ]", "", str(sorted(ports)))  # the planted ports have no neighbours


# the ground ----------------------------------------------------------------------------------------------------
def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)


@contextmanager
def built(targets: list[Target]) -> Iterator[None]:
    names = [OUTSIDER, *(t.name for t in targets)]
    try:
        ip("netns", "add", SWITCH)
        ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
        ip("-n", SWITCH, "link", "set", "bridge", "up")
        for number, (name, address) in enumerate(
            zip(names, ["10.213.78.100", *(t.address for t in targets)], strict=True)
        ):
            cable(number, name, address)
        with ExitStack() as stack:
            for target in targets:
                ports = ", ".join(map(str, sorted(target.open | target.closed)))
                filtered(target.name, WALL.format(ports=ports))
                stack.enter_context(serving(target))
            if TRACKED:
                filtered(OUTSIDER, TRACKING)
            yield
    finally:
        for name in (*names, SWITCH):
            subprocess.run(("ip", "netns", "del", name), check=False, capture_output=True)


def cable(number: int, name: str, address: str) -> None:
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")
    ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}", "netns", SWITCH)
    ip("-n", SWITCH, "link", "set", f"port{number}", "master", "bridge", "up")
    ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    ip("-n", name, "link", "set", "eth0", "up")


def filtered(name: str, rules: str) -> None:
    subprocess.run(("ip", "netns", "exec", name, "nft", "-f", "-"), input=rules, text=True, check=True)


@contextmanager
def serving(target: Target) -> Iterator[None]:
    ports = map(str, (*sorted(target.open), *BEHIND))
    command = ("ip", "netns", "exec", target.name, sys.executable, "-c", SERVER, *ports)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        if server.stdout.readline() != "ready\n":
            raise SystemExit(f"{target.name} does not listen")
        yield
        server.stdin.close()


@contextmanager
def highest(name: str) -> Iterator[list[str]]:
    """The highest count of tracked connections there, known afterwards."""
    said = list[str]()
    command = ("ip", "netns", "exec", name, "bash", "-c", HIGHEST)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            yield said
        finally:
            said.append(watcher.communicate()[0].strip())


# as the outsider -----------------------------------------------------------------------------------------------
async def attempts(asked: list[tuple[str, list[int]]]) -> list[tuple[str, str]]:
    """All hosts side by side, as the engine does; the vantage is this very process's machine."""
    from galvan.edges.prober import OPERATOR, SshProber
    from galvan.edges.ssh import Ssh
    from galvan.model import Cluster, Scan

    cluster = Cluster("bench", ())
    async with Ssh(cluster, [], "bench", lambda ref: "", lambda name, what: "") as ssh:
        prober = SshProber(cluster, ssh, lambda ref: "")
        scans = [Scan(where, ((1, 65535),), frozenset(ports), (where, CONTROL)) for where, ports in asked]
        trials = await asyncio.gather(*(prober.attempt(OPERATOR, scan) for scan in scans))
    return [(str(trial.outcome), trial.seen) for trial in trials]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--attempt"]:
        print(json.dumps(asyncio.run(attempts(json.loads(sys.argv[2])))))
        sys.exit(0)
    sys.exit(main())
