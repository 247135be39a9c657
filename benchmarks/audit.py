"""How long does `galvan audit` take on a cluster of three hosts, of the two TLS tips and of all tips, as a whole process?

Beside it, in turn, in the same run: the floor (plain `ssh HOST mariadb -e 'select 1'` to the three in parallel, without
connection sharing) and the peer (`ansible -m setup` to the same three). Each figure is the median; a ratio is ours
divided by the other's, pair by pair. That an audit is one connection and one command a host is counted in the hosts'
own sshd logs. Ends with one JSON line.

Needs root and podman; boots the lab unless one is up, and leaves it as it found it. The hosts of the lab have no
Python, which Ansible needs on its targets: for the peer's runs a Python is laid on them from the tools image.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from galvan import lab
from galvan.lab.podman import container

RUNS = int(os.environ.get("GALVAN_BENCH_RUNS", "9"))


TIPS = ("--tip", "client_tls", "--tip", "replication_tls")
"""What the figures have been about since they were first taken."""


def main() -> int:
    mine = not lab.running()
    if mine:
        lab.up()
    try:
        with tempfile.TemporaryDirectory() as home:
            ratios = measure(Path(home))
    finally:
        if mine:
            lab.down()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "audit", "ratios": ratios, "machine": machine}))
    return 0


def measure(home: Path) -> dict[str, float]:
    audit, whole = audit_command(home), audit_command(home, ())
    ssh = ("ssh, three in parallel", floor_command())
    said = {"audit_vs_ssh": compared(("galvan audit", audit), ssh)}
    count(audit)
    if ansible := shutil.which("ansible", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        lay_python()
        peer = ("ansible -m setup", ansible_command(ansible, home))
        said["audit_vs_ansible"] = compared(("galvan audit", audit), peer)
        said["audit_all_vs_ansible"] = compared(("galvan audit, all tips", whole), peer)
        count(whole)
    else:
        print("ansible is not installed (make bench installs it), so the peer was not measured")
    return said


def compared(ours: tuple[str, list[str]], other: tuple[str, list[str]]) -> float:
    """Each with its name, in turn; the first of each is not counted: caches, compiled files."""
    once(ours[1]), once(other[1])
    pair = in_turn(ours[1], other[1])
    show(ours[0], pair[0]), show(other[0], pair[1])
    return ratio(*pair)


def in_turn(a: Sequence[str], b: Sequence[str]) -> tuple[list[float], list[float]]:
    pairs = [(once(a), once(b)) for _ in range(RUNS)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def once(command: Sequence[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command[:4]} … ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return seconds


def ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ours, other, strict=True)), 3)


def show(name: str, seconds: Sequence[float]) -> None:
    print(
        f"{name:<24} min {min(seconds):.3f}  median {statistics.median(seconds):.3f}  max {max(seconds):.3f} s, {len(seconds)} runs"
    )


def audit_command(home: Path, tips: Sequence[str] = TIPS) -> list[str]:
    present = lab.current()
    hosts = "".join(f"  {h.name}: {{role: database, address: {h.address}}}\n" for h in present.databases)
    (home / "galvan.yaml").write_text(f"cluster: bench\nssh_config: [{present.ssh_config}]\nhosts:\n{hosts}")
    return [sys.executable, "-m", "galvan", "audit", *tips, "--cluster", str(home / "galvan.yaml"), "--format", "json"]


def floor_command() -> list[str]:
    present = lab.current()
    one = (
        f"ssh -F {present.ssh_config} -o ControlPath=none -o ControlMaster=no %s mariadb -e \"'select 1'\" >/dev/null &"
    )
    return ["sh", "-c", "\n".join(one % host.name for host in present.databases) + "\nwait"]


def ansible_command(ansible: str, home: Path) -> list[str]:
    present = lab.current()
    (home / "hosts").write_text(
        "".join(f"{h.name} ansible_python_interpreter=/usr/bin/python3\n" for h in present.databases)
    )
    common = f"-F {present.ssh_config} -o ControlMaster=no -o ControlPath=none"
    return [
        ansible,
        "all",
        "-i",
        str(home / "hosts"),
        "-m",
        "setup",
        "--forks",
        "10",
        "-e",
        f"ansible_ssh_common_args='{common}'",
    ]


def lay_python() -> None:
    parts = "usr/bin/python3 usr/bin/python3.11 usr/lib/python3 usr/lib/python3.11"
    script = f"tar -C / -cf - {parts} $(cd / && ls usr/lib/*/libexpat.so.1* usr/lib/*/libsqlite3.so.0* usr/lib/*/libffi.so.8* usr/lib/*/libuuid.so.1*)"
    for host in lab.current().databases:
        take = subprocess.Popen(["podman", "exec", container("app1"), "sh", "-c", script], stdout=subprocess.PIPE)
        subprocess.run(
            ["podman", "exec", "-i", container(host.name), "tar", "-C", "/", "-xf", "-"],
            stdin=take.stdout,
            check=True,
        )
        take.wait()


def count(audit: Sequence[str]) -> None:
    """Logins and commands that one audit costs each host, by the host's own sshd."""

    def seen(host: str) -> tuple[int, int]:
        return logged(lab.execute(host, "journalctl -u ssh -o cat --no-pager"))

    names = [host.name for host in lab.current().databases]
    before = {name: seen(name) for name in names}
    once(audit)
    for name in names:
        logins, commands = (after - early for after, early in zip(seen(name), before[name], strict=True))
        print(f"{name}: {logins} connection, {commands} exec")
        if (logins, commands) != (1, 1):
            raise SystemExit(f"{name}: an audit must be one connection and one exec")


def logged(log: str) -> tuple[int, int]:
    return len(re.findall(r"^Accepted publickey", log, re.M)), len(re.findall(r"^Starting session: command", log, re.M))


if __name__ == "__main__":
    sys.exit(main())
