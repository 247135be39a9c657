"""An audit beside an earlier one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from audits import CIPHERS, FINDINGS, HOSTILE, OFFERED, TIP, audit, finding, harmful

from galvan.app.desk import Audited
from galvan.model import BadInput, Finding, Rung, Severity, Verdict
from galvan.report import baseline, shapes

PASS, FAIL, UNKNOWN, NONE = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE


def kept(seen: Audited) -> dict[str, Any]:
    """As it comes back from a file."""
    said: dict[str, Any] = dict(baseline.read(json.dumps(shapes.audit(seen)), "shop", "file"))
    return said


def bare(*findings: Finding, **other: Any) -> Audited:
    return audit(findings, **({"accepted": (), "off": ()} | other))


def kinds(before: Audited, now: Audited) -> list[tuple[str, str, str]]:
    return [(c.kind, c.before, c.now) for c in baseline.compare(kept(before), kept(now))]


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (FAIL, PASS, "better"), (FAIL, NONE, "better"), (UNKNOWN, PASS, "better"), (PASS, FAIL, "worse"), (NONE, FAIL, "worse"),
        (PASS, UNKNOWN, "worse"), (FAIL, UNKNOWN, "worse"), (UNKNOWN, FAIL, "new"), (PASS, NONE, ""), (FAIL, FAIL, ""), (UNKNOWN, UNKNOWN, ""),
        (None, FAIL, "new"), (None, UNKNOWN, "new"), (None, PASS, ""), (FAIL, None, "gone"), (UNKNOWN, None, "gone"), (PASS, None, ""),
    ],
)  # fmt: skip
def test_what_became_of_it(before: Verdict | None, now: Verdict | None, kind: str) -> None:
    old, new = (bare(*([finding(OFFERED, verdict)] if verdict else [])) for verdict in (before, now))
    assert [change[0] for change in kinds(old, new)] == ([kind] if kind else [])


@pytest.mark.parametrize(("severity", "kind"), [(Severity.LOW, "better"), (Severity.CRITICAL, "")])
def test_a_failure_that_weighs_otherwise(severity: Severity, kind: str) -> None:
    old = finding(OFFERED, FAIL)
    changes = kinds(bare(old), bare(replace(old, severity=severity)))
    assert changes == ([(kind, "fail (critical)", "fail (low)")] if kind else [])
    assert [change[0] for change in kinds(bare(replace(old, severity=severity)), bare(old))] == (
        ["worse"] if kind else []
    )


def test_a_failure_that_was_accepted_or_switched_off_since() -> None:
    accepted = audit(FINDINGS, off=())
    failing = bare(*FINDINGS, replace(accepted.accepted[0].finding))
    assert kinds(failing, accepted) == [("better", "fail (high)", "accepted")]
    assert kinds(accepted, failing) == [("worse", "accepted", "fail (high)")]
    off = bare(off=(finding(CIPHERS, FAIL),))
    assert kinds(bare(finding(CIPHERS, FAIL)), off) == [("gone", "fail (medium)", "off")]
    assert kinds(off, bare(finding(CIPHERS, FAIL))) == [("new", "off", "fail (medium)")]


def test_rungs_rise_and_fall() -> None:
    low, high = bare(), replace(bare(), rungs={TIP.id: Rung.PROVEN})
    assert kinds(low, high) == [("better", "open", "proven")]
    assert kinds(high, low) == [("worse", "proven", "open")]


def test_the_same_audit_has_no_changes_whatever_it_holds() -> None:
    for words in HOSTILE:
        assert kinds(harmful(words), harmful(words)) == []


def test_what_is_shown() -> None:
    changes = baseline.compare(
        kept(bare(finding(OFFERED, FAIL))), kept(bare(finding(OFFERED, PASS), finding(CIPHERS, FAIL)))
    )
    assert baseline.summary(changes, "then") == "since then: 1 better, 0 worse, 1 new, 0 gone"
    assert baseline.table(changes, "then").rows == (
        ("new", CIPHERS, "db1", "not looked at", "fail (medium)"), ("better", OFFERED, "db1", "fail (critical)", "pass"),
    )  # fmt: skip
    shape = baseline.shape(changes, "then")
    assert shape["better"] == [{"check": OFFERED, "host": "db1", "before": "fail (critical)", "now": "pass"}]
    assert (shape["since"], shape["worse"], shape["gone"]) == ("then", [], [])


def broken() -> list[str]:
    good = shapes.audit(audit())
    first = good["findings"][0]
    spoilt = [
        {**good, "findings": [{**first, "verdict": "fine"}]}, {**good, "findings": [{**first, "severity": None}]}, {**good, "findings": {}},
        {**good, "findings": ["x"]}, {**good, "rungs": {"t": "high"}}, {**good, "rungs": []}, {k: v for k, v in good.items() if k != "rungs"},
        {**good, "suppressed": [{}]}, {**good, "findings": [{**first, "verdict": []}]},
    ]  # fmt: skip
    return ["", "{", "[]", "null", '"x"', "{}", '{"cluster": "shop"}', "\x00", *map(json.dumps, spoilt)]


@pytest.mark.parametrize("text", broken(), ids=range(len(broken())))
def test_a_broken_file_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(
        BadInput,
        match=r"kept\.json is no audit that Galvan can compare with: write a new one with `galvan audit --save-baseline",
    ):
        baseline.read(text, "shop", "kept.json")


def test_a_baseline_of_another_cluster_is_refused() -> None:
    with pytest.raises(BadInput, match=r"kept\.json is an audit of the cluster shop, and this one is stock"):
        baseline.read(json.dumps(shapes.audit(audit())), "stock", "kept.json")
