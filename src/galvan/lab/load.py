"""`lab load`: the application writes through the balancer, and its books are compared with every node."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from galvan.lab import books
from galvan.lab.books import LoadReport
from galvan.lab.brought import FRONT_DOOR
from galvan.lab.errors import LabError
from galvan.lab.lifecycle import current
from galvan.lab.podman import File, execute, put, together
from galvan.lab.topology import Host, Lab

UNIT = "galvan-lab-load"
HOME = "/var/lib/galvan-lab"
CLIENT_FILE = "/etc/galvan/client/client.cnf"
START = """
mkdir -p {home}
rm -f {home}/stop {home}/status.json {home}/summary.json
systemd-run --quiet --collect --unit={unit} -p StandardOutput=truncate:{home}/summary.json -p StandardError=journal -p TimeoutStopSec=150 \\
  python3 {home}/writer.py {arguments}
tries=0
until [ -s {home}/status.json ]; do
  tries=$((tries + 1))
  if [ $tries -ge 150 ] || ! systemctl is-active --quiet {unit}; then
    journalctl -u {unit} -n 40 -o cat --no-pager | grep -E '^[a-zA-Z_.]*(Error|Exception)' | tail -2 >&2; exit 1
  fi
  sleep 0.1
done"""
# above every row that is there, so that a new load never meets the rows of an earlier one
NEXT = "mariadb -N -B -e 'SET SESSION wsrep_sync_wait = 1; SELECT COALESCE(MAX(seq), 0) + 1 FROM app.ledger'"


def start_load(writers: int = 8, pause_ms: float = 5.0, seconds: float | None = None, door: str = "lb1") -> None:
    """Start the writers on app1; they go on until `stop_load`, or for the given seconds. `door`: the balancer's name or
    address, and a port of its own after a colon."""
    lab = current()
    if load_running():
        raise LabError("app1: a load is already running: stop it first with `stop_load()`")
    first = _next_seq(lab)
    password = lab.password_file.read_text()
    writer = files("galvan.lab").joinpath("writer.py").read_text(encoding="utf-8")
    put("app1", (File(f"{HOME}/writer.py", writer), File(f"{HOME}/app.password", password, 0o600)))
    execute(
        "app1",
        START.format(home=HOME, unit=UNIT, arguments=_arguments(writers, pause_ms, seconds, first, door)),
        limit=60,
    )


def _next_seq(lab: Lab) -> int:
    """Asked of the first database host that answers."""
    reasons = []
    for host in lab.databases:
        try:
            return int(execute(host.name, NEXT, limit=60))
        except LabError as error:
            reasons.append(str(error))
    raise LabError(f"no database host can be asked for the ledger: {'; '.join(reasons)}")


def _arguments(writers: int, pause_ms: float, seconds: float | None, first: int, door: str) -> str:
    host, port = door.split(":") if door.count(":") == 1 else (door, FRONT_DOOR)
    words = {
        "--host": host, "--port": port, "--writers": writers, "--pause": pause_ms, "--seconds": seconds or 0,
        "--first": first, "--password-file": f"{HOME}/app.password", "--client-file": CLIENT_FILE,
        "--status-file": f"{HOME}/status.json", "--stop-file": f"{HOME}/stop",
    }  # fmt: skip
    return " ".join(f"{name} {shlex.quote(str(value))}" for name, value in words.items())


def load_running() -> bool:
    current()
    return execute("app1", f"systemctl is-active {UNIT} || true", limit=60).strip() in ("active", "deactivating")


def load_status() -> Mapping[str, Any]:
    """How the running (or last) load stands; written once a second: attempts, acknowledged, failed, longest_gap_s …"""
    current()
    said = execute("app1", f"cat {HOME}/status.json 2>/dev/null || true", limit=60)
    if not said:
        raise LabError("app1: no load was started: call `start_load()`")
    found: Mapping[str, Any] = json.loads(said)
    return found


def stop_load() -> LoadReport:
    """Let the writers finish, then compare what was acknowledged with what every node holds."""
    lab = current()
    execute("app1", f"systemctl stop {UNIT} 2>/dev/null || true", limit=180)
    said = execute("app1", f"cat {HOME}/summary.json 2>/dev/null || true", limit=60)
    if not said.endswith("}\n"):
        why = execute("app1", f"journalctl -u {UNIT} -n 3 -o cat --no-pager", limit=60).strip()
        raise LabError(f"app1: the load left no summary ({why or 'it was never started'}): start it again")
    summary = json.loads(said)
    if summary["crashed"]:
        raise LabError(f"app1: writers {summary['crashed']} broke off: see `journalctl -u {UNIT}` there")
    return books.report(summary, _held(lab, int(summary["first"])))


def load(seconds: float = 10.0, writers: int = 8, pause_ms: float = 5.0) -> LoadReport:
    """Write for so many seconds, and report."""
    start_load(writers, pause_ms, seconds)
    deadline = time.monotonic() + seconds + 150
    while load_running():
        if time.monotonic() > deadline:
            raise LabError("app1: the load does not end: look at `systemctl status galvan-lab-load` there")
        time.sleep(0.3)
    return stop_load()


def _held(lab: Lab, first: int) -> Mapping[str, books.Holding | None]:
    """What every database host holds; None for a host that could not be read."""

    def one(host: Host) -> books.Holding | None:
        try:
            return books.parse(execute(host.name, books.QUERY.format(first=first), limit=180))
        except LabError:
            return None

    answers = together(one, lab.databases)
    return {host.name: answer for host, answer in zip(lab.databases, answers, strict=True)}
