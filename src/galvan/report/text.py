"""Tables and sentences for people. A terminal draws a table with colour, anything else gets one line a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.order import Wave
from galvan.model import Check, Finding, Impact, Manual, Result, Rung, Shell, Sql, Verdict
from galvan.report.shapes import Compared
from galvan.report.words import Audited, judged, visible
from galvan.report.words import rows as looked_at

_ORDER = {Verdict.FAIL: 0, Verdict.UNKNOWN: 1, Verdict.PASS: 2, Verdict.NOT_APPLICABLE: 3}
_LINES = 12
STYLES = {
    "manual": "cyan",
    "accepted": "dim",
    "off": "dim",
    "fail": "bold red",
    "unknown": "yellow",
    "pass": "green",
    "n/a": "dim",
}


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
        rows.setdefault(
            (f.verdict.value, f.severity.name.lower(), f.check, visible(f.seen), visible(f.want)), []
        ).append(f.host or "cluster")
    lost = [("unknown", "", "reachable", host, visible(why), "ssh access") for host, why in unreachable.items()]
    told = [(v, s, check, ", ".join(hosts), seen, want) for (v, s, check, seen, want), hosts in rows.items()]
    return Table("Findings", ("verdict", "severity", "check", "hosts", "seen", "want"), (*lost, *told))


def set_aside(seen: Audited) -> Table:
    """What the policy takes out of the count, and on whose word."""
    aside = [row for row in looked_at(seen) if row.status in ("accepted", "off")]
    told = tuple((r.status, r.severity, r.finding.check, r.host, r.seen, judged(r)) for r in aside)
    return Table("Not counted", ("", "severity", "check", "host", "seen", "by the policy"), told)


def checks(known: Iterable[Check]) -> Table:
    rows = tuple((c.id, c.severity.name.lower(), "strict" if c.strict else "", c.control, c.title) for c in known)
    return Table("Checks", ("check", "severity", "profile", "catalogue", "finds that"), rows)


def manual(controls: Iterable[Manual]) -> Table:
    rows = tuple(("manual", one.control, one.title, one.look, ", ".join(one.references)) for one in controls)
    return Table("For a person to judge", ("", "catalogue", "what", "how", "references"), rows)


def timings(seen: Audited) -> Table:
    """The slowest first, host by host. A fact's time is that on the host; `all` is waited for here, connecting included."""
    order = sorted(seen.seconds.items(), key=lambda item: (item[0][0], -item[1]))
    rows = tuple((host, fact or "all", f"{1000 * seconds:.1f} ms") for (host, fact), seconds in order)
    return Table("Timings", ("host", "fact", "took"), rows)


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


def explain(check: Check, title: str, looks: Shell | Sql | None) -> Iterator[str]:
    """`looks`: the query that it begins with, so that a DBA can ask for himself."""
    yield f"{check.id}: {check.title}"
    yield f"  tip        {check.tip} ({title})"
    yield f"  severity   {check.severity.name.lower()}"
    yield f"  denies     the rung {check.rung.name.lower()}" if check.rung is not Rung.OPEN else "  denies     no rung"
    yield f"  profile    {'strict, and not in baseline' if check.strict else 'baseline'}"
    if check.control:
        yield f"  catalogue  {check.control}"
    yield f"  why        {check.why}"
    if looks:
        yield f"  evidence   {'the server' if looks.kind == 'sql' else 'the host'} is asked, first of all:"
        lines = looks.text.strip().splitlines()
        yield from (f"             {line}" for line in lines[:_LINES])
        if len(lines) > _LINES:
            yield f"             … and {len(lines) - _LINES} more lines (--format json has them all)"
    if check.remedy:
        yield f"  remedy     {check.remedy}"
    if check.references:
        yield f"  references {', '.join(check.references)}"


def explain_manual(one: Manual, title: str) -> Iterator[str]:
    yield f"{one.id}: {one.title}"
    yield f"  tip        {one.tip} ({title})"
    yield f"  catalogue  {one.control}"
    yield "  verdict    manual: no program can judge it, so it is in no count"
    yield f"  evidence   {one.look}"
    if one.references:
        yield f"  references {', '.join(one.references)}"
