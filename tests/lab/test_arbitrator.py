"""Two members and an arbitrator: garbd goes the whole way up and down like a database host. The tests build on each other.

Both tips together: the proof that a client's certificate makes no member needs one, and so does the wire's control.
"""

from __future__ import annotations

import time

import pytest

from galvan import lab

from .operator import Operator, hashes, restarts, synced

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
GROUND = {"nodes": 2, "arbitrator": True}
TIP = ("--tip", "replication_tls")
OPEN = {
    "certificate-lasting", "dedicated-authority", "encrypted", "key-of-its-own", "lasting-setting", "material-sound",
    "names-covered", "strict",
}  # fmt: skip


@pytest.fixture(scope="module")
def untouched(operator: Operator) -> dict[str, str]:
    return hashes()


def arbitrates() -> str:
    """The command line of garbd, once both members count it."""
    assert {h.cluster_size for h in lab.status() if h.role == "database"} == {3}
    return lab.execute("arb1", "tr '\\0' ' ' </proc/$(pgrep -x garbd)/cmdline")


def starts(since: float) -> int:
    counted = f"journalctl -u garb -o cat --no-pager --since @{since:.6f} | grep -c '^Started' || true"
    return int(lab.execute("arb1", counted))


def test_init_finds_it_and_the_audit_judges_it(operator: Operator, untouched: dict[str, str]) -> None:
    assert "  arb1:\n    role: arbitrator\n" in operator.file.read_text()
    seen = operator.json("audit", *TIP)
    failed = {f["check"] for f in seen["findings"] if f["verdict"] == "fail" and f["host"] == "arb1"}
    assert failed == {f"replication_tls.{check}" for check in OPEN}
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]


def test_every_proof_about_it_fails_on_the_open_lab(operator: Operator) -> None:
    seen = operator.json("verify", *TIP, "--write-marker", code=3)
    mine = {p["id"]: p["verdict"] for p in seen["proofs"] if p["id"].endswith("@arb1")}
    assert len(mine) == 6
    assert set(mine.values()) == {"fail"}, mine


def test_it_is_carried_over_under_load(operator: Operator, untouched: dict[str, str]) -> None:
    began = time.time()
    lab.start_load(writers=2)
    try:
        ended = operator.json("apply", "--auto-approve", "--watch", "16")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), (
        dict(report.errors),
        report.gaps,
        report,
    )
    assert ended["restarts_per_host"] == {"db1": 2, "db2": 2} == restarts(began)
    assert starts(began) == 2
    line = arbitrates()
    assert "socket.ssl=yes" in line
    assert "gmcast.segment=0" in line  # what was set in /etc/default/garb
    assert "socket.dynamic" not in line
    assert "PRIVATE" not in line


def test_it_is_proven(operator: Operator) -> None:
    seen = operator.json("verify", "--write-marker")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}, seen
    assert len([p for p in seen["proofs"] if p["id"].endswith("@arb1")]) == 6
    audit = operator.json("audit", "--fail-on", "low")
    assert set(audit["rungs"].values()) == {"proven"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0


def test_its_certificate_is_renewed_by_a_restart_through_the_gates(operator: Operator) -> None:
    before = {(c["host"], c["authority"]): c["sha256"] for c in operator.json("pki", "status")["certificates"]}
    began = time.time()
    renewed = {(r["host"], r["authority"]): r["sha256"] for r in operator.json("pki", "renew", "--all")["renewed"]}
    assert set(renewed) == set(before) >= {("db1", "cluster"), ("db2", "cluster"), ("arb1", "cluster")}
    assert renewed[("arb1", "cluster")] != before[("arb1", "cluster")]
    assert (starts(began), restarts(began)) == (1, {"db1": 0, "db2": 0})
    arbitrates()


def test_a_stopped_arbitrator_is_said_and_nothing_is_restarted(operator: Operator) -> None:
    lab.execute("arb1", "systemctl stop garb")
    try:
        seen = operator.json("audit", *TIP, code=4)
        unknown = {f["check"]: f["seen"] for f in seen["findings"] if f["host"] == "arb1" and f["verdict"] == "unknown"}
        assert "does not run" in unknown["replication_tls.encrypted"]
        refused = operator.run("node", "restart", "db2")
        assert refused.returncode == 5, refused.stdout + refused.stderr
        assert "counts 2 members where galvan.yaml names 3" in refused.stdout + refused.stderr
    finally:
        lab.execute("arb1", "systemctl start garb")


def test_rollback_leaves_every_file_as_it_was(operator: Operator, untouched: dict[str, str]) -> None:
    began, before = time.time(), starts(0)  # the test before this one started it within this very second
    ended = operator.json("rollback", "--auto-approve")
    assert ended["status"] == "done", ended
    assert ended["restarts_per_host"] == {"db1": 2, "db2": 2} == restarts(began)
    assert starts(0) - before == 2
    assert hashes() == untouched
    assert "socket" not in arbitrates()
    assert synced()
