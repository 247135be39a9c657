"""The four stable JSON shapes (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from galvan import __version__
from galvan.cluster.order import Wave
from galvan.model import Finding, Result, Rung, Snapshot, Verdict

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


def audit(
    snapshot: Snapshot,
    rungs: Mapping[str, Rung],
    findings: Sequence[Finding],
    unreachable: Mapping[str, str],
    accepted: int,
    misfits: Sequence[str] = (),
) -> Json:
    return {
        "cluster": snapshot.cluster.name,
        "taken_at": datetime.fromtimestamp(snapshot.taken_at, UTC).isoformat(timespec="seconds"),
        "galvan": __version__,
        "hosts": [
            {"host": f.host.name, "role": f.host.role.value, "address": f.host.address, "unreachable": unreachable.get(f.host.name)}
            for f in snapshot.hosts
        ],
        "rungs": {tip: rung.name.lower() for tip, rung in rungs.items()},
        "findings": [finding(f) for f in findings],
        "accepted": accepted,
        "attention": list(misfits),
    }  # fmt: skip


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
