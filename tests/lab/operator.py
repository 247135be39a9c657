"""An operator at the lab: the real command in a process of its own, with a state directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galvan import lab

Json = dict[str, Any]
HASHES = (
    "find /etc/mysql /etc/my.cnf {more} /etc/galvan /etc/default/garb /etc/systemd/system/garb.service.d /var/lib/galvan/lock "
    "/var/lib/galvan/runs -type f 2>/dev/null | sort | xargs -r sha256sum; "
    "find /etc/mysql /etc/my.cnf {more} /etc/galvan /etc/systemd/system/garb.service.d -printf '%p %m %u:%g\\n' 2>/dev/null | sort"
)


TLS = ("client_tls", "replication_tls")


@dataclass(frozen=True)
class Operator:
    """`tips`: what is asked for where a command takes tips and names none; walls have tests of their own."""

    home: Path
    tips: tuple[str, ...] = TLS
    patience: float = 900.0  # seconds that a command may take

    @property
    def file(self) -> Path:
        return self.home / "galvan.yaml"

    def govern(self, policy: str) -> None:
        """This policy, as a YAML mapping in one line, instead of what `galvan init` wrote."""
        self.file.write_text(self.file.read_text().partition("policy:")[0] + f"policy: {policy}\n")

    def command(self, verb: str, *words: str) -> list[str]:
        mine = self.tips if verb in ("audit", "plan", "apply", "verify") and "--tip" not in words else ()
        chosen = [word for tip in mine for word in ("--tip", tip)]
        return [sys.executable, "-m", "galvan", verb, "--cluster", str(self.file), *chosen, *words]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "GALVAN_STATE": str(self.home / "state"),
            "GALVAN_PASSPHRASE_FILE": str(self.home / "passphrase"),
        }

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(verb, *words), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=self.patience,
        )  # fmt: skip

    def start(self, verb: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(verb, *words), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def json(self, verb: str, *words: str, code: int | tuple[int, ...] = 0) -> Json:
        done = self.run(verb, *words, "--format", "json")
        codes = (code,) if isinstance(code, int) else code
        said = f"{verb} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode in codes, said
        assert done.stdout.strip(), said
        return dict(json.loads(done.stdout))


def sit_down(home: Path, seed: str = "db1") -> Operator:
    """A new operator who has run `galvan init`."""
    home.mkdir(parents=True, exist_ok=True)
    passphrase = home / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("a passphrase for the tests")
    who, present = Operator(home), lab.current()
    doors = [word for host in present.balancers for word in ("--load-balancer", host.name)]
    done = who.run(
        "init", seed, "--ssh-config", str(present.ssh_config), "--application", "app1", "--outsider", "mallory", *doors, "--probe-user", "app", "--probe-password-file", str(present.password_file), "--force",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return who


def hashes(more: str = "") -> dict[str, str]:
    """What lies in the places that Galvan may write to, on every host that it may change: content, mode and owner.

    `more`: another directory that holds option files."""
    names = [host.name for host in lab.current().hosts if host.role in ("database", "arbitrator", "application")]
    return {name: lab.execute(name, HASHES.replace("{more}", more)) for name in names}


def restarts(since: float) -> dict[str, int]:
    counted = f"journalctl -u mariadb -o cat --no-pager --since @{since:.6f} | grep -c '^Started' || true"
    return {host.name: int(lab.execute(host.name, counted)) for host in lab.current().databases}


def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.5)


def synced() -> bool:
    return all(h.state == "Synced" and h.primary for h in lab.status() if h.role == "database")


def all_rest(who: Operator, door: str = "lb1") -> None:
    """Each member in turn is drained, restarted and taken back under eight writers, and no transaction fails."""
    began = time.time()
    lab.start_load(writers=8, door=door)
    try:
        for host in lab.current().databases:
            for verb in ("drain", "restart", "undrain"):
                done = who.run("node", verb, host.name)
                assert done.returncode == 0, done.stdout + done.stderr
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert restarts(began) == {host.name: 1 for host in lab.current().databases}


def a_writer_dies(writer: Callable[[], str], door: str = "lb1") -> None:
    """The member that takes the writes is killed: another takes them, and nothing that was acknowledged is lost."""
    lab.start_load(writers=8, door=door)
    time.sleep(2)
    at = writer()
    lab.execute(at, "kill -9 $(pgrep -o mariadbd)")
    wait(lambda: writer() not in ("", at) or synced(), 60)
    time.sleep(3)
    during = lab.load_status()
    wait(synced)
    report = lab.stop_load()
    assert (report.lost, report.unexpected, report.equal) == (0, 0, True), report
    assert report.acknowledged > during["acknowledged"], "the writers went on"
