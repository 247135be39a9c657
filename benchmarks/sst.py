"""What does TLS cost a full state transfer, by each method, and where does the time go?

A member of two loses its data and gets them anew from the other: once by each way, in turn, in every round. At least 1 GB of bytes that no
compression shortens lies there. Throughput is what port 4444 carried after its first megabyte, divided by the time from there to its last packet,
read from a tap on the joiner: what a script does before and after (mariabackup's sleeps ten seconds and prepares the backup, Galvan's own
knocks before it has tables flushed) is in no figure. The ratios divide medians of rounds taken in turn. Each begins with the
giver's file in its cache: otherwise whoever comes after mariabackup, which drops it, is measured with the disk.

`mariabackup_tls_vs_plain`, `rsync_tls_vs_plain`: throughput with TLS, divided by plain. `secure_rsync_vs_stunnel`: of Galvan's own
script, divided by the server's rsync inside stunnel. The bare pipe is measured beside: a stream of zeros through socat from host to host, plain and with TLS, with
socat's own block of 8 kB and with 256 kB, and the disk.

Here both ends share one machine's cores and nothing but memory lies between them, so that it is the processors that are measured. With
GALVAN_BENCH_MBIT the giver's network card sends no faster than so many Mbit/s, as between two hosts. With GALVAN_BENCH_SHARE each program of a
transfer gets no more than this part of a core (0.25: four of them leave half of two cores free), so that none takes from another, as where both hosts have
cores enough: then the slowest program decides, and the one that waited longest for its share is named. Ends with one JSON line.
Needs root and podman, and no lab up; for the share the kernel's cpu controller, of version 1 or 2.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import rollout

from galvan import lab

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "7"))
MEGABYTES = int(os.environ.get("GALVAN_BENCH_MB", "1024"))
MBIT = os.environ.get("GALVAN_BENCH_MBIT", "")
SHARE = float(os.environ.get("GALVAN_BENCH_SHARE", "0"))
PROGRAMS = ("rsync", "stunnel", "socat", "mariadb-backup", "mariabackup", "mbstream")
STARTING = ("sh", "bash", "runc", "systemd", "(sh)")
"""May become another program yet."""
OVER = "/etc/mysql/mariadb.conf.d/zzz-benchmark.cnf"
CLEAR = "encrypt = 0\nssl-mode = DISABLED\nsockopt =\n"
WAYS = {
    "mariabackup": ("mariabackup", ""), "mariabackup_plain": ("mariabackup", CLEAR), "rsync": ("rsync", ""),
    "rsync_plain": ("rsync", CLEAR), "secure_rsync": ("secure_rsync", ""),
}  # fmt: skip
"""Method, and what stands in [sst] after Galvan's lines."""
RATIOS = {
    "mariabackup_tls_vs_plain": ("mariabackup", "mariabackup_plain"), "rsync_tls_vs_plain": ("rsync", "rsync_plain"),
    "secure_rsync_vs_stunnel": ("secure_rsync", "rsync"),
}  # fmt: skip
TLS = "cert=/etc/mysql/galvan/cluster/cert.pem,key=/etc/mysql/galvan/cluster/key.pem,cafile=/etc/mysql/galvan/cluster/ca.pem,verify=1,commonname="
PIPES = {
    "plain, 8 kB": (8192, "TCP-LISTEN:{port},reuseaddr", "TCP:{peer}:{port}"),
    "plain, 256 kB": (262144, "TCP-LISTEN:{port},reuseaddr", "TCP:{peer}:{port}"),
    "TLS, 8 kB": (8192, f"OPENSSL-LISTEN:{{port}},reuseaddr,{TLS}", f"OPENSSL:{{peer}}:{{port}},no-sni=1,{TLS}"),
    "TLS, 256 kB": (262144, f"OPENSSL-LISTEN:{{port}},reuseaddr,{TLS}", f"OPENSSL:{{peer}}:{{port}},no-sni=1,{TLS}"),
}  # fmt: skip


def main() -> int:
    if lab.running():
        raise SystemExit("a lab is up, and this benchmark makes its own: take it down first (galvan lab down)")
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    pipes: dict[str, list[float]] = {name: [] for name in (*PIPES, "disk")}
    try:
        lab.up(nodes=2, say=lambda text: None)
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder))
        if MBIT:
            lab.execute("db1", f"tc qdisc add dev eth0 root tbf rate {MBIT}mbit burst 256kb latency 50ms")
        for number in range(ROUNDS):
            for way in rotated([*WAYS], number):
                with shared_out() as waits:
                    speeds[way].append(transferred(way))
                print(f"round {number + 1}, {way}: {speeds[way][-1]:.0f} MB/s{slowest(waits)}", flush=True)
            for name in pipes:
                pipes[name].append(disk() if name == "disk" else piped(name))
    finally:
        lab.down()
    for name, seen in {**speeds, **pipes}.items():
        print(f"{name}: median {statistics.median(seen):.0f} MB/s ({min(seen):.0f} to {max(seen):.0f})")
    ratios = {
        name: round(statistics.median(speeds[one]) / statistics.median(speeds[other]), 3)
        for name, (one, other) in RATIOS.items()
    }
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    link = f"{MBIT} Mbit/s" if MBIT else "unlimited"
    cores = f"{SHARE} of a core for each program" if SHARE else "shared by both ends"
    print(json.dumps({"benchmark": "sst", "ratios": ratios, "link": link, "cores": cores, "machine": machine}))
    return 0


def rotated(names: list[str], by: int) -> list[str]:
    by %= len(names)
    return names[by:] + names[:by]


def prepare(home: Path) -> None:
    """Galvan's transfers, every method still served, and the rows."""
    (home / "passphrase").touch(mode=0o600)
    (home / "passphrase").write_text("a passphrase for the benchmark")
    rollout.galvan(home, "init", "db1", "--ssh-config", str(lab.current().ssh_config))
    file = home / "galvan.yaml"
    policy = "policy: {sst: {method: secure_rsync, also: [mariabackup, rsync]}}\n"
    file.write_text(file.read_text().partition("policy:")[0] + policy)
    rollout.galvan(home, "apply", "--tip", "sst_tls", "--auto-approve")
    lab.execute("db1", "mariadb -e 'CREATE TABLE app.bulk (n INT PRIMARY KEY, b LONGBLOB)'")
    sixteen = ",".join(["RANDOM_BYTES(1024)"] * 16)
    for part in range(MEGABYTES // 16 + 1):
        insert = f"INSERT INTO bulk SELECT {1000 * part} + s.seq, CONCAT({sixteen}) FROM seq_1_to_1000 s"  # noqa: S608 - a number and words of this file
        lab.execute("db1", f"mariadb app -e '{insert}'", limit=120)


def transferred(way: str) -> float:
    """MB/s on port 4444 while the joiner gets everything."""
    method, words = WAYS[way]
    for host in ("db1", "db2"):
        lab.execute(host, f"printf '[mysqld]\\nwsrep_sst_method = {method}\\n[sst]\\n{words}' >{OVER}")
    lab.execute("db1", "cat /var/lib/mysql/app/*.ibd >/dev/null")  # mariabackup leaves none of it in the cache
    lab.execute(
        "db2",
        "systemctl stop mariadb; rm -rf /var/lib/mysql/*; sync\n"
        "systemd-run --quiet --collect --unit=tap sh -c \"exec tcpdump -i any -n -q -tt -s 96 'tcp port 4444' >/tmp/tap 2>/dev/null\"; sleep 1\n"
        "systemctl start mariadb; systemctl stop tap",
        limit=600,
    )
    log = lab.execute(
        "db2",
        "awk '/length|tcp [1-9]/ { n = $NF; if (n > 0) { s += n; l = $1; if (!f && s > 1e6) { f = $1; s = 0 } } } END { print f, l, s }' /tmp/tap",
    )
    first, last, size = (float(word) for word in log.split())
    if size < MEGABYTES * 1e6:
        raise SystemExit(f"{way}: only {size / 1e6:.0f} MB were seen on port 4444")
    return size / 1e6 / (last - first)


@contextmanager
def shared_out() -> Iterator[list[tuple[int, str]]]:
    """Every program of a transfer that starts meanwhile has its SHARE. Afterwards it says, for each, in how many spans of 10 ms
    it had used that up and waited."""
    waits: list[tuple[int, str]] = []
    if not SHARE:
        yield waits
        return
    groups: dict[Path, str] = {}
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(hand_out, groups, over)
        try:
            yield waits
        finally:
            over.set()
    watcher.result()
    for group, program in groups.items():
        counted = re.search(r"^nr_throttled (\d+)", (group / "cpu.stat").read_text(), re.M)
        waits.append((int(counted[1]) if counted else 0, program))
        with suppress(OSError):  # busy: a program that outlived the transfer
            group.rmdir()
    if not waits:
        raise SystemExit("no program was seen that could be given its share of a core")


def hand_out(groups: dict[Path, str], over: threading.Event) -> None:
    """A control group for each process of PROGRAMS, as it comes."""
    root, limits = Path("/sys/fs/cgroup"), {"cpu.max": f"{SHARE * 10000:.0f} 10000"}
    if (root / "cgroup.controllers").exists():
        (root / "cgroup.subtree_control").write_text("+cpu")
    else:  # version 1
        root, limits = root / "cpu", {"cpu.cfs_period_us": "10000", "cpu.cfs_quota_us": f"{SHARE * 10000:.0f}"}
    known: set[str] = set()
    while not over.wait(0.1):
        present = {entry for entry in os.listdir("/proc") if entry.isdigit()}
        for process in sorted(present - known):
            program = ""
            with suppress(OSError):  # it has ended
                program = Path(f"/proc/{process}/comm").read_text().strip()
            if program in STARTING:
                continue
            known.add(process)
            if program in PROGRAMS:
                group = root / f"galvan-sst-{process}"
                group.mkdir()
                groups[group] = program
                for name, value in limits.items():
                    (group / name).write_text(value)
                with suppress(OSError):  # it has ended
                    (group / "cgroup.procs").write_text(process)
        known &= present


def slowest(waits: list[tuple[int, str]]) -> str:
    return f" ({max(waits)[1]} waited longest for its share)" if waits else ""


def piped(name: str) -> float:
    block, listen, dial = PIPES[name]
    peer = next(host.address for host in lab.current().databases if host.name == "db2")
    words = {"port": 4999, "peer": peer}
    lab.execute(
        "db2",
        f"systemd-run --quiet --collect --unit=pipe socat -u -b {block} '{listen.format(**words)}' OPEN:/dev/null; sleep 0.5",
    )
    said = lab.execute(
        "db1",
        f"dd if=/dev/zero bs=256k count=4096 2>/tmp/dd | socat -u -b {block} STDIN '{dial.format(**words)}'; cat /tmp/dd",
        limit=120,
    )
    return megabytes(said)


def disk() -> float:
    return megabytes(
        lab.execute(
            "db1", "cat /var/lib/mysql/app/*.ibd | dd bs=256k of=/tmp/copy conv=fsync 2>&1; rm -f /tmp/copy", limit=120
        )
    )


def megabytes(said: str) -> float:
    match = re.search(r"^(\d+) bytes.*, ([\d.]+) s,", said, re.M)
    assert match, said
    return int(match[1]) / 1e6 / float(match[2])


if __name__ == "__main__":
    sys.exit(main())
