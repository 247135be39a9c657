"""Audit: what the checks say of a snapshot, and how high each tip stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from galvan.model import Finding, Risk, Rung, Severity, Snapshot, Tip, Verdict


def audit(snapshot: Snapshot, tips: Sequence[Tip]) -> tuple[Finding, ...]:
    return tuple(finding for tip in tips for check in tip.checks for finding in check.judge(snapshot))


def rungs(findings: Sequence[Finding], proven: Callable[[str], bool]) -> Mapping[str, Rung]:
    """The lowest of a tip's hosts. Not knowing is not passing: an unknown check denies its rung like a failed one. A tip that
    concerns no host has no height."""
    heights: dict[str, Rung] = {}
    for finding in findings:
        if finding.verdict is Verdict.NOT_APPLICABLE:
            continue
        height = heights.setdefault(finding.tip, Rung.ENFORCED)
        if finding.verdict in (Verdict.FAIL, Verdict.UNKNOWN) and finding.rung is not Rung.OPEN:
            heights[finding.tip] = min(height, Rung(finding.rung - 1))
    return {tip: Rung.PROVEN if rung is Rung.ENFORCED and proven(tip) else rung for tip, rung in heights.items()}


def accept(findings: Sequence[Finding], risks: Sequence[Risk], today: str) -> tuple[tuple[Finding, ...], int]:
    """The findings that count and the number that the operator accepted; an acceptance past its day is a finding itself."""
    open_risks = {(risk.check, risk.host) for risk in risks if risk.until >= today}
    counted = [f for f in findings if not (f.verdict is Verdict.FAIL and _covers(open_risks, f))]
    late = [_expired(risk, findings) for risk in risks if risk.until < today]
    return (*counted, *(f for f in late if f)), len(findings) - len(counted)


def _covers(risks: set[tuple[str, str]], finding: Finding) -> bool:
    return (finding.check, finding.host or "*") in risks or (finding.check, "*") in risks


def _expired(risk: Risk, findings: Sequence[Finding]) -> Finding | None:
    for finding in findings:
        if finding.check == risk.check and risk.host in (finding.host, "*"):
            seen = f"accepted by {risk.owner} until {risk.until}: {risk.reason}"
            return replace(
                finding, severity=Severity.LOW, verdict=Verdict.FAIL, seen=seen, want="a decision again", rung=Rung.OPEN
            )
    return None
