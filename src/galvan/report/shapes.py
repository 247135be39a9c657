"""The four stable JSON shapes (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from galvan import __version__
from galvan.cluster.order import Wave
from galvan.model import Check, Finding, Manual, Result, Verdict
from galvan.report.words import Audited, rows, taken

Json = dict[str, Any]


class Estimate(Protocol):
    @property
    def seconds(self) -> float: ...
    @property
    def measured(self) -> bool: ...


class Compared(Protocol):
    @property
    def table(self) -> str: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def seen(self) -> str: ...


def audit(seen: Audited) -> Json:
    """`suppressed` and `off` hold what the policy takes out of `findings`; `checks` explains the ones that occur in any."""
    snapshot, policy = seen.snapshot, seen.snapshot.cluster.policy
    return {
        "cluster": snapshot.cluster.name,
        "taken_at": taken(seen).isoformat(timespec="seconds"),
        "galvan": __version__,
        "profile": policy.profile,
        "hosts": [
            {"host": f.host.name, "role": f.host.role.value, "address": f.host.address, "unreachable": seen.unreachable.get(f.host.name)}
            for f in snapshot.hosts
        ],
        "rungs": {tip: rung.name.lower() for tip, rung in seen.rungs.items()},
        "findings": [finding(f) for f in seen.findings],
        "accepted": len(seen.accepted),
        "suppressed": [
            finding(one.finding) | {"reason": one.risk.reason, "owner": one.risk.owner, "until": one.risk.until} for one in seen.accepted
        ],
        "off": [finding(row.finding) | {"reason": row.why} for row in rows(seen) if row.status == "off"],
        "not_asked": list(seen.not_asked),
        "manual": [manual(one) for one in seen.manual],
        "checks": {id: described(one) for id, one in sorted(seen.checks.items()) if id in {f.check for f in seen.findings}},
        "attention": list(seen.misfits),
    } | ({"timings": timings(seen)} if seen.seconds else {})  # fmt: skip


def timings(seen: Audited) -> Json:
    """Milliseconds by host: of each fact on the host's own clock, and `all` of it as it was waited for here."""
    said: Json = {}
    for (host, fact), seconds in sorted(seen.seconds.items()):
        said.setdefault(host, {})[fact or "all"] = round(1000 * seconds, 1)
    return said


def described(one: Check) -> Json:
    return {
        "title": one.title, "severity": one.severity.name.lower(), "control": one.control, "rung": one.rung.name.lower(),
        "profile": "strict" if one.strict else "baseline", "why": one.why, "remedy": one.remedy, "references": list(one.references),
    }  # fmt: skip


def manual(one: Manual) -> Json:
    return {
        "id": one.id,
        "title": one.title,
        "look": one.look,
        "control": one.control,
        "references": list(one.references),
    }


def finding(f: Finding) -> Json:
    return {
        "check": f.check, "tip": f.tip, "host": f.host, "severity": f.severity.name.lower(), "verdict": f.verdict.value,
        "seen": f.seen, "want": f.want,
    }  # fmt: skip


def verify(results: Sequence[Result], blind: Sequence[str]) -> Json:
    return {
        "proofs": [
            {
                "id": r.proof.id, "tip": r.proof.tip, "claim": r.proof.claim, "vantage": r.proof.vantage,
                "verdict": r.verdict.value, "seen": r.seen, "control": r.control,
            }
            for r in results
        ],
        "blind": list(blind),
    }  # fmt: skip


def run(
    run: str, status: str, why: str, waves_done: int, restarts: Mapping[str, int], seconds: float,
    outage: float | None = 0.0,
) -> Json:  # fmt: skip
    """`outage`: seconds in which no member served, None where that could not be measured."""
    return {
        "run": run, "status": status, "why": why, "waves_done": waves_done, "restarts_per_host": dict(restarts),
        "duration_s": round(seconds, 1), "outage_s": outage if outage is None else round(outage, 1),
    }  # fmt: skip


def with_estimates(document: Json, estimates: Sequence[Estimate]) -> Json:
    """A plan's document with what each wave will take (seconds), and whether that was measured on this cluster."""
    for wave, estimate in zip(document["waves"], estimates, strict=True):
        wave |= {"estimate_s": round(estimate.seconds, 1), "measured": estimate.measured}
    return document


def check(waves: Sequence[Wave], refusals: Mapping[str, Sequence[str]], notes: Sequence[str]) -> Json:
    return {
        "waves": [
            {
                "id": wave.id, "host": wave.host, "restart": wave.restarts, "steps": [step.title for step in wave.steps],
                "refused": list(refusals.get(wave.id, ())),
            }
            for wave in waves
        ],
        "refused": list(refusals.get("run", ())),
        "notes": list(notes),
    }  # fmt: skip


def data(compared: Sequence[Compared]) -> list[Json]:
    return [{"table": one.table, "verdict": one.verdict.value, "seen": one.seen} for one in compared]
