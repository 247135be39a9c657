"""How long does nobody serve while replication goes over to TLS by an outage, and back again?

Beside it, in turn, in the same run: a bare shell that stops the hosts one by one over plain ssh and bootstraps the last one
at once (`galera_new_cluster`), without a look at a position or at another host. The measure is the same for both, and
neither's own: the hosts' journals, from the last `Stopping` to the first `Started` (a server says that to systemd when it
takes clients). A ratio is ours divided by the shell's, pair by pair; the median counts. Ends with one JSON line.

Needs root and podman; boots the lab unless one is up, and leaves it as it found it.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from galvan import lab
from galvan.app.outage import dark, service, service_fact

ROUNDS = int(os.environ.get("GALVAN_BENCH_ROUNDS", "2"))
"""Of up and back: two outages of ours each, and two of the shell's."""


def main() -> int:
    mine = not lab.running()
    if mine:
        lab.up()
    try:
        with tempfile.TemporaryDirectory() as home:
            ours, shell = measure(Path(home))
    finally:
        if mine:
            lab.down()
    ratio = round(statistics.median(a / b for a, b in zip(ours, shell, strict=True)), 3)
    show("galvan", ours), show("by hand", shell)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "outage", "ratios": {"outage_vs_by_hand": ratio}, "machine": machine}))
    return 0


def measure(home: Path) -> tuple[list[float], list[float]]:
    write(home)
    ours: list[float] = []
    shell: list[float] = []
    by_hand()  # the first one is not counted: caches
    for _ in range(ROUNDS):
        for verb, more in (("apply", ["--tip", "replication_tls", "--watch", "2"]), ("rollback", [])):
            command = [
                sys.executable,
                "-m",
                "galvan",
                verb,
                "--cluster",
                str(home / "galvan.yaml"),
                "--allow-outage",
                "--auto-approve",
            ]
            ours.append(dark_while(lambda command=[*command, *more]: run(command, home)))
            shell.append(dark_while(by_hand))
            print(f"{verb:<9} galvan {ours[-1]:.2f} s, by hand {shell[-1]:.2f} s", flush=True)
    return ours, shell


def write(home: Path) -> None:
    present = lab.current()
    (home / "passphrase").touch(mode=0o600)
    (home / "passphrase").write_text("a passphrase for the benchmark")
    hosts = "".join(f"  {h.name}: {{role: database, address: {h.address}}}\n" for h in present.databases)
    (home / "galvan.yaml").write_text(
        f"cluster: bench\nssh_config: [{present.ssh_config}]\nhosts:\n{hosts}policy:\n  route: rebootstrap\n"
    )


def by_hand() -> None:
    """The last host in galvan.yaml is the last that Galvan stops, where no client is connected."""
    ssh = f"ssh -F {lab.current().ssh_config} -o ControlPath=none -o ControlMaster=no"
    names = [host.name for host in lab.current().databases]
    stops = [f"{ssh} {name} systemctl stop mariadb" for name in names]
    starts = [f"{ssh} {name} systemctl start mariadb" for name in reversed(names[:-1])]
    run(["sh", "-ec", "\n".join([*stops, f"{ssh} {names[-1]} galera_new_cluster", *starts])])


def run(command: Sequence[str], home: Path | None = None) -> None:
    extra = {"GALVAN_STATE": str(home / "state"), "GALVAN_PASSPHRASE_FILE": str(home / "passphrase")} if home else {}
    done = subprocess.run(
        command, env={**os.environ, **extra}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[:4]} … ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def dark_while(work: Callable[[], None]) -> float:
    """Seconds in which no host's server was up, by their journals; all run on this machine, so they share a clock."""
    time.sleep(1.0)  # a journal is asked by whole seconds
    began = time.time()
    work()
    query = service_fact(began).query.text
    seen = {host.name: service(lab.execute(host.name, query)).changes for host in lab.current().databases}
    seconds = dark({name: [(at, up) for at, up in mine if at > began] for name, mine in seen.items()}, time.time())
    if not seconds:
        raise SystemExit("somebody served all the time: that was no outage")
    return seconds


def show(name: str, seconds: Sequence[float]) -> None:
    print(
        f"{name:<8} min {min(seconds):.2f}  median {statistics.median(seconds):.2f}  max {max(seconds):.2f} s, {len(seconds)} runs"
    )


if __name__ == "__main__":
    sys.exit(main())
