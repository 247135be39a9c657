"""Does a host cost `galvan audit` as much in a cluster of 100 as in one of 10, and how much memory do 100 take?

The hosts are stubs: SSH servers in other processes, each at a loopback address of its own, that take the audit's script
over stdin, find its random mark and the facts it asks for, and answer with what that host prints. The answers come from
the cluster in memory that ships with Galvan, after both TLS tips were carried out on it, so that every host has
certificates of its own to be parsed and judged. The stubs answer at once: nothing hides what Galvan itself costs.

Measured is the real command as a process of its own, 10 hosts and 100 in turn: wall clock per host, and the largest
resident memory as the kernel counted it. The ratio is that of the pairs' median. Ends with one JSON line. Needs no
root and no lab.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from galvan.app.planning import order_of
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.settle import settle
from galvan.edges.fake import Fake
from galvan.edges.fake.printing import PRINTERS
from galvan.edges.inventory import dump
from galvan.engine.audit import audit
from galvan.engine.gather import gather
from galvan.engine.plan import plan
from galvan.model import Cluster, Host, Role, Rung
from galvan.pki.steps import certify
from galvan.tips import client_tls, replication_tls

RUNS = int(os.environ.get("GALVAN_BENCH_RUNS", "9"))
FEW, MANY = 10, 100
PORT, SERVERS = 2202, 4
Answers = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Run:
    seconds: float
    megabytes: float


TIPS = (client_tls.TIP, replication_tls.TIP)
ONLY = ("--tip", "client_tls", "--tip", "replication_tls")
"""What the figures have been about since they were first taken."""


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2]), sorted(Path(sys.argv[2]).glob("answers*.json")), int(sys.argv[3])))
        return 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        few, many = (fleet(Path(folder), size, network) for size, network in ((FEW, 1), (MANY, 2)))
        for number in range(SERVERS):
            stack.enter_context(server(Path(folder), number))
        small, large = command(few, FEW), command(many, MANY)
        once(small), once(large)  # the first of each is not counted: caches, compiled files
        pairs = [(once(small), once(large)) for _ in range(RUNS)]
    show(FEW, [pair[0] for pair in pairs])
    show(MANY, [pair[1] for pair in pairs])
    ratio = statistics.median((large.seconds / MANY) / (small.seconds / FEW) for small, large in pairs)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "fleet", "ratios": {"per_host_100_vs_10": round(ratio, 3)}, "machine": machine}))
    return 0


def show(size: int, runs: Sequence[Run]) -> None:
    took = [run.seconds for run in runs]
    print(
        f"{size:>3} hosts: min {min(took):.3f}  median {statistics.median(took):.3f}  max {max(took):.3f} s, "
        f"{statistics.median(took) / size * 1000:.1f} ms a host; peak memory {max(run.megabytes for run in runs):.0f} MB; {len(runs)} runs"
    )


MEASURE = """
import json, os, subprocess, sys, time
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(json.dumps([time.perf_counter() - began, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]))
"""
"""A parent of its own for each audit: the kernel counts what a child's parent held before the exec as the child's peak,
so the parent must be smaller than what is measured."""


def once(argv: Sequence[str]) -> Run:
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    seconds, megabytes, code = json.loads(done.stdout)
    if code:
        raise SystemExit(f"galvan audit ended with {code}")
    return Run(seconds, megabytes)


def command(file: Path, size: int) -> list[str]:
    """The audit; it must have read every host, or there is nothing to measure."""
    argv = [sys.executable, "-m", "galvan", "audit", *ONLY, "--cluster", str(file), "--format", "json"]
    seen = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if seen.returncode:
        raise SystemExit(f"galvan audit ended with {seen.returncode}:\n{seen.stdout[-3000:]}{seen.stderr[-3000:]}")
    findings = json.loads(seen.stdout)["findings"]
    if len({finding["host"] for finding in findings}) != size or any(f["verdict"] != "pass" for f in findings):
        raise SystemExit(f"{size} stubs were to be audited and found whole: {findings[:3]}")
    return argv


# the hosts -----------------------------------------------------------------------------------------------------
def fleet(folder: Path, size: int, network: int) -> Path:
    """Writes what the stubs answer, and the galvan.yaml that names them."""
    config = folder / "ssh_config"
    names = [f"db{number:03}" for number in range(1, size + 1)]
    hosts = tuple(
        Host(name, f"127.{network}.0.{n}", Role.DATABASE, f"127.{network}.0.{n}", user="root", port=PORT)
        for n, name in enumerate(names, 1)
    )
    fake = Fake(Cluster(f"fleet{size}", hosts), lag=0)
    asyncio.run(secure(fake))
    (folder / f"answers{network}.json").write_text(json.dumps(printed(fake)))
    if not config.exists():
        keys(folder, config)
    with (folder / "known_hosts").open("a") as known:
        known.writelines(f"[{host.address}]:{PORT} {(folder / 'host.pub').read_text()}" for host in hosts)
    file = folder / f"fleet{size}.yaml"
    file.write_text(dump(Cluster(fake.cluster.name, hosts, ssh_config=(str(config),))))
    return file


async def secure(fake: Fake) -> None:
    """Both tips, by the steps of a plan that was made for this very cluster."""
    facts = tuple(dict.fromkeys((*(fact for tip in TIPS for fact in tip.facts), *HOUSE, SESSIONS)))
    snapshot = await gather(fake.known(), facts, fake)
    made = plan(audit(snapshot, TIPS), snapshot, TIPS, Rung.ENFORCED, order_of(snapshot), settle, certify)
    for wave in made.waves:
        host = fake.machines[wave.host].host
        for action in dict.fromkeys(action for step in wave.steps for action in step.do):
            await fake.act(host, action, wave.id)
    if made.refused or not made.waves:
        raise SystemExit(f"the cluster in memory could not be secured: {made.refused}")


def printed(fake: Fake) -> Answers:
    asked = {fact.id for tip in TIPS for fact in tip.facts if Role.DATABASE in fact.roles}
    return {
        machine.host.address: {id: PRINTERS[id](fake, machine) for id in sorted(asked)}
        for machine in fake.machines.values()
    }


def keys(folder: Path, config: Path) -> None:
    for name in ("host", "operator"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(key.export_private_key())
        (folder / f"{name}.pub").write_bytes(key.export_public_key())
    config.write_text(
        f"Host *\n  IdentityFile {folder}/operator\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
    )


@contextmanager
def server(folder: Path, number: int) -> Iterator[None]:
    """A process with every fourth host; it says so once all of them listen."""
    argv = [sys.executable, __file__, "serve", str(folder), str(number)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        if not process.stdout or process.stdout.readline() != "ready\n":
            raise SystemExit("a stub server did not start")
        yield
    finally:
        process.terminate()
        process.wait()


async def serve(folder: Path, files: Sequence[Path], number: int) -> None:
    for file in files:
        answers: Answers = json.loads(file.read_text())
        for address in sorted(answers)[number::SERVERS]:
            await asyncssh.listen(
                address, PORT, server_host_keys=[str(folder / "host")], authorized_client_keys=str(folder / "operator.pub"),
                process_factory=answering(answers[address]), encoding="utf-8",
            )  # fmt: skip
    print("ready", flush=True)
    await asyncio.Event().wait()


def answering(known: dict[str, str]) -> Any:
    async def answer(process: asyncssh.SSHServerProcess[str]) -> None:
        script = await process.stdin.read()
        found = re.findall(r"(SELECT|echo) '@(\w+) begin ([\w.]+)'", script)
        for tool, mark, id in dict.fromkeys(found):
            if id not in known:
                process.stderr.write(f"a stub does not know the fact {id}\n")
                process.exit(1)
                return
            last = (
                "\n" if tool == "echo" else ""
            )  # the script ends a shell fact with an empty line, the client does not
            process.stdout.write(f"@{mark} begin {id}\n{known[id]}{last}@{mark} end {id} 0\n")
        process.exit(0 if found else 1)

    return answer


if __name__ == "__main__":
    sys.exit(main())
