"""The hardening tip alone, on real hosts: one restart, no failed transaction, and a way back to the last mode bit."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from galvan import lab

from .operator import Operator, hashes, restarts, synced

pytestmark = pytest.mark.lab

OPEN_FINDINGS = {
    "hardening.audit-log", "hardening.data-directory", "hardening.file-exchange", "hardening.guessing", "hardening.local-infile",
    "hardening.password-rules", "hardening.secrets-closed", "hardening.symbolic-links",
}  # fmt: skip
"""What is found on the insecure lab of what Galvan mends itself, in its own rooms."""

CANNOT_FAIL = {
    "hardening.no-nameless-login": "the lab has no account without a name: insecure as it is, MariaDB's installer makes none any more",
    "hardening.no-empty-root": "root logs in over the socket only, on the insecure lab too",
}
"""Proofs that do not come back FAIL on the insecure lab, each with its reason."""
MODES = "stat -c '%a %U:%G %n' /var/lib/mysql /etc/mysql /etc/mysql/* /etc/mysql/*/* /var/log/mysql /var/lib/mysql-files 2>/dev/null; true"
VARIABLES = (
    "mariadb -N -B -e \"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('local_infile', 'sql_mode', 'secure_file_priv', 'have_symlink', "
    "'max_password_errors', 'log_warnings', 'general_log', 'strict_password_validation') OR Variable_name LIKE 'server_audit%' "
    "OR Variable_name LIKE 'simple_password%'\""
)


@pytest.fixture(scope="module")
def hardener(operator: Operator) -> Operator:
    return replace(operator, tips=("hardening",))


def state() -> dict[str, tuple[str, str]]:
    return {
        host.name: (lab.execute(host.name, MODES), lab.execute(host.name, VARIABLES))
        for host in lab.current().databases
    }


@pytest.fixture(scope="module")
def untouched(hardener: Operator) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    return hashes(), state()


def failing(seen: dict[str, object]) -> set[str]:
    return {f["check"] for f in seen["findings"] if f["verdict"] == "fail"}  # type: ignore[attr-defined, index]


def test_the_audit_finds_what_a_dba_would(hardener: Operator, untouched: object) -> None:
    seen = hardener.json("audit")
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]
    assert failing(seen) >= OPEN_FINDINGS
    assert seen["rungs"]["hardening"] == "open"


def test_every_proof_fails_on_the_insecure_lab(hardener: Operator) -> None:
    seen = hardener.json("verify", code=3)
    wrong = {p["id"]: (p["verdict"], p["seen"]) for p in seen["proofs"] if p["verdict"] != "fail"}
    assert {id.split("@")[0] for id in wrong} == set(CANNOT_FAIL), wrong


def test_apply_costs_one_restart_and_no_transaction(hardener: Operator, untouched: object) -> None:
    began = time.time()
    lab.start_load(writers=8)
    try:
        ended = hardener.json("apply", "--auto-approve", "--watch", "16")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1} == ended["restarts_per_host"]


def test_what_was_open_is_shut_and_seen_to_be(hardener: Operator) -> None:
    audit = hardener.json("audit")
    assert not failing(audit) & OPEN_FINDINGS, failing(audit)
    proofs = hardener.json("verify")["proofs"]
    assert {p["verdict"] for p in proofs} == {"pass"}, proofs
    assert hardener.json("audit")["rungs"]["hardening"] == "proven"
    assert hardener.run("plan", "--detailed-exitcode").returncode == 0


def test_the_audit_log_holds_who_knocked_and_what_was_changed(hardener: Operator) -> None:
    lab.execute("db1", "mariadb -e 'CREATE DATABASE noted; DROP DATABASE noted'")
    log = lab.execute("db1", "cat /var/log/mysql/server_audit.log")
    assert "CREATE DATABASE noted" in log
    assert "FAILED_CONNECT" in log
    assert "ERROR 1702" in lab.execute("db1", "mariadb -e \"UNINSTALL SONAME 'server_audit'\" 2>&1; true")


def test_the_rollback_restores_everything(
    hardener: Operator, untouched: tuple[dict[str, str], dict[str, tuple[str, str]]]
) -> None:
    began = time.time()
    lab.start_load(writers=8)
    try:
        ended = hardener.json("rollback", "--auto-approve")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert (hashes(), state()) == untouched
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1}
    assert synced()
