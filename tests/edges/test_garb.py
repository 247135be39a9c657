"""The script that restarts garbd, run by a real shell with stand-ins for systemd's tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from galvan.cluster.arbitrator import PACKAGED, Setup
from galvan.edges import garb
from galvan.edges.actions import REFUSED
from galvan.model import Restart

WHOLE = "New COMPONENT: primary = yes, bootstrap = no, my_idx = 2, memb_num = 3\nShifting JOINED -> SYNCED (TO: 9)\n"
SYSTEMCTL = (
    'case $1 in is-active) [ -e active ];; show) echo id;; *) echo "$1" >>did; [ "$1" != start ] || touch active;; esac'
)


def restart(home: Path, log: str, systemctl: str = SYSTEMCTL) -> tuple[int, str, list[str]]:
    """Exit status, what it said, and what systemd was told."""
    for name, text in (("systemctl", systemctl), ("journalctl", "cat log"), ("logger", ":"), ("sleep", ":")):
        (home / name).write_text(f"#!/bin/sh\n{text}\n")
        (home / name).chmod(0o755)
    (home / "log").write_text(log)
    (home / "active").touch()
    script = garb.restart(Restart(3, "garb"), "run")
    done = subprocess.run(
        ["sh"], input=script, cwd=home, env={"PATH": f"{home}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )  # fmt: skip
    did = (home / "did").read_text().split() if (home / "did").exists() else []
    return done.returncode, done.stderr, did


def test_it_stops_and_starts_and_reads_its_unit_anew(tmp_path: Path) -> None:
    assert restart(tmp_path, WHOLE) == (0, "", ["stop", "daemon-reload", "reset-failed", "start"])


def test_a_log_that_is_gone_leaves_it_to_the_members(tmp_path: Path) -> None:
    code, _, did = restart(tmp_path, "")
    assert (code, did[:1]) == (0, ["stop"])


@pytest.mark.parametrize(
    "log",
    [
        WHOLE.replace("primary = yes", "primary = no"),
        WHOLE.replace("memb_num = 3", "memb_num = 2"),
        WHOLE.replace("memb_num = 3", "memb_num = 33"),
        WHOLE + "New COMPONENT: primary = no, bootstrap = no, my_idx = 0, memb_num = 1\n",
    ],
)
def test_an_arbitrator_that_sees_another_group_is_not_stopped(tmp_path: Path, log: str) -> None:
    code, said, did = restart(tmp_path, log)
    assert (code, did) == (REFUSED, [])
    assert "the arbitrator says: New COMPONENT" in said


def test_a_start_that_does_not_last_fails_with_its_last_words(tmp_path: Path) -> None:
    log = "FATAL: Bad value '/nope' for SSL parameter\n"
    code, said, _ = restart(tmp_path, log, SYSTEMCTL.replace("touch active", "rm active"))
    assert code == 1
    assert "Bad value '/nope'" in said
    assert "did not stay up" in said


def test_only_galvans_options_are_asked_of_the_binary() -> None:
    """The binary holds the names of other layers in pieces: `gmcast.` and `segment`."""
    setup = Setup("nobody", "/etc/default/garb", True, PACKAGED, "gmcast.segment=0; socket.ssl_key=/k.pem", "x")
    script = garb.preflight(setup)
    assert "for option in socket.ssl_key; do" in script
    assert "for file in /k.pem; do run test -r" in script
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
