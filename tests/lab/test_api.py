"""A program, and a timer, at the lab: the library's four functions, and renewal that nobody has to remember.

The tests of this file build on each other, in order.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import galvan
from galvan import Rung, lab
from galvan.app.timer import names_of
from galvan.edges.inventory import load
from galvan.lab.podman import File, put

from .operator import TLS, Operator

pytestmark = pytest.mark.lab
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "library.md"
SERVICE, TIMER = names_of("lab")


@pytest.fixture(autouse=True)
def at_the_desk(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", operator.environment["GALVAN_STATE"])


def test_a_program_with_a_loop_of_its_own_offers_tls(operator: Operator) -> None:
    cluster, events = load(operator.file), []

    async def program() -> galvan.Ended:
        made = await asyncio.to_thread(galvan.plan, cluster, tips=["client_tls"], to=Rung.READY)
        return await asyncio.to_thread(
            galvan.apply, cluster, made, watch=2.0, passphrase_file=operator.home / "passphrase",
            told=lambda where, what: events.append(where),
        )  # fmt: skip

    ended = asyncio.run(program())
    assert (ended.status, set(ended.restarts.values())) == ("done", {1}), ended
    assert "first-restart@db1" in events
    assert galvan.audit(cluster, tips=TLS).rungs == {"client_tls": Rung.READY, "replication_tls": Rung.OPEN}


@pytest.mark.campaign
def test_the_example_in_the_docs_goes_all_the_way(operator: Operator) -> None:
    (example,) = re.findall(r"<!-- carried out by .* -->\n```python\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert "watch=60.0" in example
    argv = [sys.executable, "-c", example.replace("watch=60.0", "watch=2.0")]
    done = subprocess.run(
        argv, cwd=operator.home, env=operator.environment, capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "{'client_tls': 'PROVEN', 'replication_tls': 'PROVEN'}"
    assert operator.json("runs")["runs"][0]["status"] == "done"


# the timer -----------------------------------------------------------------------------------------------------
def units(operator: Operator) -> dict[str, str]:
    return dict(operator.json("pki", "timer", "--on-failure", "page.service")["units"])


def setting(text: str, name: str) -> str:
    return str(re.findall(rf"^{name}=(.*)$", text, re.M)[0])


def carried_out(operator: Operator, credentials: Path) -> subprocess.CompletedProcess[str]:
    """Exactly what the unit starts, with what systemd would give it and nothing of the tests' own."""
    service = units(operator)[SERVICE]
    name, _, file = setting(service, "LoadCredential").partition(":")
    credentials.mkdir(exist_ok=True)
    (credentials / name).write_text(Path(file).read_text())
    kept = {key: value for key, value in operator.environment.items() if not key.startswith("GALVAN_P")}
    state, _, path = setting(service, "Environment").partition("=")
    return subprocess.run(
        shlex.split(setting(service, "ExecStart")), cwd=setting(service, "WorkingDirectory"), capture_output=True, text=True,
        env={**kept, state: path, "CREDENTIALS_DIRECTORY": str(credentials)}, check=False, timeout=600,
    )  # fmt: skip


def fingerprints(operator: Operator) -> dict[tuple[str, str], str]:
    return {(c["host"], c["authority"]): c["sha256"] for c in operator.json("pki", "status")["certificates"]}


def test_the_timers_command_renews_what_is_about_to_end(operator: Operator, tmp_path: Path) -> None:
    before = fingerprints(operator)
    quiet = carried_out(operator, tmp_path / "credentials")
    assert (quiet.returncode, "nothing is due" in quiet.stdout) == (0, True), quiet.stdout + quiet.stderr
    assert fingerprints(operator) == before
    operator.govern("{warn_days: 90, leaf_days: 120}")
    done = carried_out(operator, tmp_path / "credentials")
    assert (done.returncode, f"{len(before)} certificates renewed" in done.stdout) == (0, True), (
        done.stdout + done.stderr
    )
    after = fingerprints(operator)
    assert all(after[key] != before[key] for key in before)


def test_it_fails_where_a_certificate_ends_soon_all_the_same(operator: Operator, tmp_path: Path) -> None:
    """A leaf that lives no longer than the warning; then a passphrase that is wrong, and nothing is touched."""
    operator.govern("{warn_days: 200, leaf_days: 120}")
    done = carried_out(operator, tmp_path / "credentials")
    assert (done.returncode, done.stdout.count("about to end")) == (1, len(fingerprints(operator))), (
        done.stdout + done.stderr
    )
    before = fingerprints(operator)
    secret = operator.home / "passphrase"
    right = secret.read_text()
    secret.write_text("another")
    try:
        wrong = carried_out(operator, tmp_path / "credentials")
    finally:
        secret.write_text(right)
    assert (wrong.returncode, "does not open" in wrong.stderr) == (1, True), wrong.stdout + wrong.stderr
    assert fingerprints(operator) == before


def test_systemd_takes_the_units_and_tells_somebody_when_the_command_fails(operator: Operator) -> None:
    """In app1's systemd, with a stand-in for the command. Systemd hands no credential over inside these containers, so what
    the command does with it is tried above."""
    made = units(operator)
    command = shlex.split(setting(made[SERVICE], "ExecStart"))
    state, secret = operator.environment["GALVAN_STATE"], setting(made[SERVICE], "LoadCredential").partition(":")[2]
    stand_in = '#!/bin/sh\necho "$@" >"$GALVAN_STATE/seen"\nexit 1\n'
    pager = "[Service]\nType=oneshot\nExecStart=/bin/touch /run/paged\n"
    files = [File(f"/etc/systemd/system/{name}", text) for name, text in (*made.items(), ("page.service", pager))]
    put("app1", [*files, File(command[0], stand_in, 0o755), File(secret, "a stand-in", 0o600)])
    lab.execute("app1", f"mkdir -p {state}; systemctl daemon-reload; systemctl enable --quiet --now {TIMER}")
    said = lab.execute("app1", f"systemd-analyze verify /etc/systemd/system/{SERVICE} /etc/systemd/system/{TIMER} 2>&1")
    assert "galvan" not in said
    assert TIMER in lab.execute("app1", f"systemctl list-timers --no-legend {TIMER}")
    lab.execute(
        "app1",
        f"systemctl start {SERVICE} || true; for n in 1 2 3 4 5 6 7 8 9; do [ -e /run/paged ] && break; sleep 1; done",
    )
    assert lab.execute("app1", f"test -e /run/paged && cat {state}/seen").split() == command[1:]
