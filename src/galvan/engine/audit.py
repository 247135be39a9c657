"""Audit: what the checks say of a snapshot, how high each tip stands, and what of it counts by the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from galvan.model import Accepted, Check, Finding, Policy, Risk, Rung, Severity, Snapshot, Tip, Verdict

EXPIRED = Check(
    "policy.risk-expired", Severity.LOW, "An accepted risk is past its day", Rung.OPEN, "",
    "Somebody took a risk for a time. The finding itself counts again from that day on; this one stays until the entry is "
    "decided anew or taken away, so that a list of exceptions does not outlive those who signed it.",
    judge=lambda snapshot: iter(()), remedy="Give the entry under `accept` a new day and a new owner, or take it away.",
)  # fmt: skip
"""Belongs to no tip: what the policy says of itself."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """`findings` count; `accepted` are set aside until a day, `off` for good. Nothing else is left out."""

    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]
    off: tuple[Finding, ...]


def audit(snapshot: Snapshot, tips: Sequence[Tip]) -> tuple[Finding, ...]:
    return tuple(finding for tip in tips for check in tip.checks for finding in check.judge(snapshot))


def asked(tips: Sequence[Tip], policy: Policy) -> tuple[Tip, ...]:
    """The tips with the checks that the profile asks for, each as heavy as the policy has it.

    One that is off is asked all the same: a rung is a claim about the hosts, which no policy makes true.
    """
    said = {control.check: control for control in policy.controls}

    def weighed(check: Check) -> Check | None:
        control = said.get(check.id)
        if check.strict and policy.profile != "strict" and not (control and control.asked):
            return None
        return replace(check, severity=control.severity) if control and control.severity is not None else check

    return tuple(replace(tip, checks=tuple(c for c in map(weighed, tip.checks) if c)) for tip in tips)


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


def weigh(findings: Sequence[Finding], policy: Policy, today: str) -> Weighed:
    """What counts. A risk past its day covers nothing any more, and is a finding beside the one that it had covered."""
    said = {control.check: control for control in policy.controls}
    off = {control.check for control in policy.controls if control.asked is False}
    heavy = [
        _as_heavy(finding, said[finding.check].severity) if finding.check in said else finding for finding in findings
    ]
    kept = [finding for finding in heavy if finding.check not in off]
    risks = {(risk.check, risk.host): risk for risk in policy.accepted if risk.until >= today}
    accepted = [Accepted(f, risk) for f in kept if f.verdict is Verdict.FAIL and (risk := _covering(risks, f))]
    covered = {id(one.finding) for one in accepted}
    late = [risk for risk in policy.accepted if risk.until < today and risk.check not in off]
    return Weighed(
        (*(f for f in kept if id(f) not in covered), *_expired(late, {(f.check, f.host) for f in kept})),
        tuple(accepted), tuple(f for f in heavy if f.check in off),
    )  # fmt: skip


def _as_heavy(finding: Finding, severity: Severity | None) -> Finding:
    return finding if severity is None else replace(finding, severity=severity)


def _covering(risks: Mapping[tuple[str, str], Risk], finding: Finding) -> Risk | None:
    return risks.get((finding.check, finding.host or "*")) or risks.get((finding.check, "*"))


def _expired(late: Sequence[Risk], asked: set[tuple[str, str | None]]) -> Iterator[Finding]:
    """One for each host that is named, and one for what was accepted everywhere. `asked`: of what this audit looked at."""
    by_host: dict[str, list[str]] = {}
    for risk in late:
        if any(check == risk.check and risk.host in (host, "*") for check, host in asked):
            by_host.setdefault(risk.host, []).append(
                f"{risk.check}: accepted by {risk.owner} until {risk.until}: {risk.reason}"
            )
    for name, said in by_host.items():
        tip, host = EXPIRED.id.partition(".")[0], None if name == "*" else name
        yield Finding(
            EXPIRED.id, tip, host, EXPIRED.severity, Verdict.FAIL, "; ".join(said), "a decision again", EXPIRED.rung
        )
