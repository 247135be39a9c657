"""One cluster's way up and down again, as an operator would go it. The tests of this file build on each other, in order."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from galvan import lab
from galvan.edges.wire import clear
from galvan.model import Outcome

from .operator import Operator, hashes, restarts, sit_down, synced

pytestmark = pytest.mark.lab

OPEN_FINDINGS = {
    "client_tls.accounts-require", "client_tls.certificate-lasting", "client_tls.ciphers", "client_tls.key-of-its-own",
    "client_tls.material-sound", "client_tls.names-covered", "client_tls.offered", "client_tls.required",
    "client_tls.sessions-encrypted", "client_tls.versions", "replication_tls.certificate-lasting",
    "replication_tls.dedicated-authority", "replication_tls.encrypted", "replication_tls.key-of-its-own",
    "replication_tls.lasting-setting", "replication_tls.material-sound", "replication_tls.names-covered",
    "replication_tls.strict",
}  # fmt: skip
"""What a DBA would say of the seed's cluster; `no-split-brain` and `cipher` are fine there."""

CANNOT_FAIL: dict[str, str] = {}
"""Proofs that do not come back FAIL on the insecure lab, each with its reason. None."""


@pytest.fixture(scope="module")
def untouched(operator: Operator) -> dict[str, str]:
    return hashes()


def logins(host: str) -> tuple[int, int]:
    """Logins and commands that sshd has logged so far."""
    log = lab.execute(host, "journalctl -u ssh -o cat --no-pager")
    return len(re.findall(r"^Accepted publickey", log, re.M)), len(re.findall(r"^Starting session: command", log, re.M))


def test_the_audit_finds_what_a_dba_would(operator: Operator, untouched: dict[str, str]) -> None:
    seen = operator.json("audit")
    assert {f["check"] for f in seen["findings"] if f["verdict"] == "fail"} == OPEN_FINDINGS
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]
    assert set(seen["rungs"].values()) == {"open"}
    assert operator.run("audit", "--fail-on", "low").returncode == 3


def test_an_audit_is_one_connection_and_one_command_a_host(operator: Operator) -> None:
    hosts = [host.name for host in lab.current().hosts if host.name != "mallory"]
    before = {host: logins(host) for host in hosts}
    operator.json("audit")
    after = {host: logins(host) for host in hosts}
    grown = {host: (after[host][0] - before[host][0], after[host][1] - before[host][1]) for host in hosts}
    assert grown == dict.fromkeys(hosts, (1, 1))


def test_every_proof_fails_on_the_insecure_lab(operator: Operator) -> None:
    seen = operator.json("verify", "--write-marker", code=3)
    wrong = {p["id"]: (p["verdict"], p["seen"]) for p in seen["proofs"] if p["verdict"] != "fail"}
    assert {id.split("@")[0] for id in wrong} == set(CANNOT_FAIL), wrong


def test_looking_changes_nothing(operator: Operator, untouched: dict[str, str]) -> None:
    began = time.time()
    operator.json("audit")
    operator.json("plan")
    operator.json("verify", code=3)
    assert hashes() == untouched
    assert set(restarts(began).values()) == {0}


def test_apply_survives_a_kill_and_a_second_operator_is_kept_out(
    operator: Operator, tmp_path: Path, untouched: dict[str, str]
) -> None:
    began = time.time()
    lab.start_load(writers=8)
    running = operator.start("apply", "--auto-approve", "--watch", "16")
    try:
        assert running.stdout
        for line in running.stdout:
            if "first-restart@db1" in line and "drained" in line:
                break
        other = sit_down(tmp_path / "other", "db2")
        keys = "state/clusters/lab/authorities"
        shutil.copytree(operator.home / keys, other.home / keys)
        refused = other.run("apply", "--auto-approve", "--watch", "16")
        assert refused.returncode == 5, refused.stdout + refused.stderr
        assert "locked by" in refused.stdout + refused.stderr
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        ended = operator.json("resume")
    finally:
        running.kill()  # or it would go on beneath the next tests
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert report.logins_tls > 0
    assert report.longest_gap < 4
    assert restarts(began) == {"db1": 2, "db2": 2, "db3": 2} == ended["restarts_per_host"]


def test_the_result_is_proven_and_there_is_nothing_left_to_do(operator: Operator) -> None:
    seen = operator.json("verify", "--write-marker")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}
    audit = operator.json("audit", "--fail-on", "low")
    assert set(audit["rungs"].values()) == {"proven"}
    again = operator.json("apply", "--auto-approve")
    assert again["waves_done"] == 0
    assert operator.run("plan", "--detailed-exitcode").returncode == 0


def test_an_incremental_transfer_travels_over_tls(operator: Operator) -> None:
    lab.start_load(writers=4)
    try:
        tap = "timeout -s INT 40 tcpdump -i any -n -U -s 0 -w /tmp/ist.pcap 'tcp port 4568' >/dev/null 2>&1"
        lab.execute("db2", f'systemd-run --quiet --collect --unit=ist-tap sh -c "{tap}"; sleep 1')
        assert operator.run("node", "restart", "db2").returncode == 0
        log = lab.execute("db2", "journalctl -u mariadb -o cat --no-pager -n 400")
        lab.execute("db2", "systemctl stop ist-tap; chmod 644 /tmp/ist.pcap")
    finally:
        lab.stop_load()
    assert "IST" in log
    pcap = bytes.fromhex(lab.execute("db2", "od -An -v -tx1 /tmp/ist.pcap | tr -d ' \\n'"))
    seen = clear.verdict(pcap, (4568,), "no-such-marker")
    assert seen.outcome is Outcome.ENCRYPTED, seen


def test_certificates_are_renewed_while_the_cluster_serves(operator: Operator) -> None:
    before = {(c["host"], c["authority"]): c["sha256"] for c in operator.json("pki", "status")["certificates"]}
    lab.start_load(writers=4)
    try:
        renewed = operator.json("pki", "renew", "--all")["renewed"]
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    after = {(c["host"], c["authority"]): c["sha256"] for c in operator.json("pki", "status")["certificates"]}
    assert len(renewed) == len(before) == 7
    assert all(after[key] != before[key] for key in before)
    seen = operator.json("verify")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}


def test_the_rollback_restores_every_file(operator: Operator, untouched: dict[str, str]) -> None:
    began = time.time()
    lab.start_load(writers=8)
    try:
        ended = operator.json("rollback", "--auto-approve")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert hashes() == untouched
    assert restarts(began) == {"db1": 2, "db2": 2, "db3": 2}
    assert set(operator.json("audit")["rungs"].values()) == {"open"}
    assert synced()
