"""Tables and sentences for people. A terminal draws a table with colour, anything else gets one line a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.order import Wave
from galvan.model import Check, Finding, Impact, Result, Rung, Verdict
from galvan.report.shapes import Compared

_ORDER = {Verdict.FAIL: 0, Verdict.UNKNOWN: 1, Verdict.PASS: 2, Verdict.NOT_APPLICABLE: 3}
STYLES = {"fail": "bold red", "unknown": "yellow", "pass": "green", "n/a": "dim"}


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def rungs(heights: Mapping[str, Rung]) -> Table:
    scale = " → ".join(rung.name.lower() for rung in Rung)
    return Table(f"Rungs ({scale})", ("tip", "rung"), tuple((tip, rung.name.lower()) for tip, rung in heights.items()))


def findings(found: Sequence[Finding], unreachable: Mapping[str, str], show_all: bool) -> Table:
    """The worst first; hosts with the same words share a row. Passes only on request. A host that could not be
    reached is one row, not one for each check that could not look."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for f in sorted(found, key=lambda f: (_ORDER[f.verdict], -f.severity, f.check)):
        if f.host in unreachable or (not show_all and f.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)):
            continue
        rows.setdefault((f.verdict.value, f.severity.name.lower(), f.check, f.seen, f.want), []).append(
            f.host or "cluster"
        )
    lost = [("unknown", "", "reachable", ", ".join([host]), why, "ssh access") for host, why in unreachable.items()]
    told = [(v, s, check, ", ".join(hosts), seen, want) for (v, s, check, seen, want), hosts in rows.items()]
    return Table("Findings", ("verdict", "severity", "check", "hosts", "seen", "want"), (*lost, *told))


def summary(found: Sequence[Finding], accepted: int) -> str:
    counts = {verdict: sum(f.verdict is verdict for f in found) for verdict in Verdict}
    said = f"{counts[Verdict.FAIL]} fail, {counts[Verdict.UNKNOWN]} could not be looked at, {counts[Verdict.PASS]} pass"
    return said + (f", {accepted} accepted by policy" if accepted else "")


def waves(planned: Sequence[Wave], seconds: Sequence[float]) -> Table:
    """`seconds`: the estimate of each wave."""
    rows = tuple(
        (
            str(n),
            wave.phase.name.lower(),
            wave.host,
            wave.restart.how.value if wave.restart else "",
            f"{took:.0f} s",
            "; ".join(s.title for s in wave.steps),
        )
        for n, (wave, took) in enumerate(zip(planned, seconds, strict=True), 1)
    )
    return Table("Waves, in order", ("#", "phase", "host", "", "about", "steps"), rows)


def checked(planned: Sequence[Wave], refusals: Mapping[str, Sequence[str]]) -> Table:
    rows = tuple(
        (
            str(n), wave.host, wave.restart.how.value if wave.restart else "", "; ".join(s.title for s in wave.steps),
            "; ".join(refusals.get(wave.id, ())) or ("the gates would let it go" if wave.stops else ""),
        )
        for n, wave in enumerate(planned, 1)
    )  # fmt: skip
    return Table("What would be done", ("#", "host", "", "steps", "now"), rows)


def outage(seconds: float) -> str:
    return (
        f"OUTAGE: about {seconds:.0f} s in which no member serves (by the last stop and start of the host that goes last); the "
        "members stop one after another before it, and come back one after another"
    )


def diff(path: str, host: str, before: str, after: str) -> Iterator[str]:
    import difflib

    yield from difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{host}:{path}", f"{host}:{path} (planned)", lineterm="", n=1
    )


def impact(found: Sequence[Impact]) -> Table:
    rows = tuple((i.tip, i.host, i.who, i.what, i.evidence) for i in found)
    return Table("Impact", ("tip", "host", "who", "what", "evidence"), rows)


def proofs(results: Sequence[Result]) -> Table:
    rows = tuple(
        (r.verdict.value, r.proof.claim, r.proof.vantage, r.seen, r.control)
        for r in sorted(results, key=lambda r: _ORDER[r.verdict])
    )
    return Table("Proofs", ("verdict", "claim", "from", "seen", "control"), rows)


def data(compared: Sequence[Compared]) -> Table:
    """What is the same needs no row of its own."""
    rows = tuple((one.verdict.value, one.table, one.seen) for one in compared if one.verdict is not Verdict.PASS)
    return Table("Data", ("verdict", "table", "seen"), rows)


def explain(check: Check, title: str) -> Iterator[str]:
    yield f"{check.id}: {check.title}"
    yield f"  tip        {check.tip} ({title})"
    yield f"  severity   {check.severity.name.lower()}"
    yield f"  denies     the rung {check.rung.name.lower()}" if check.rung is not Rung.OPEN else "  denies     no rung"
    yield f"  catalogue  {check.control}"
    yield f"  why        {check.why}"
