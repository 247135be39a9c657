"""One HTML file that needs nothing else: no script, no network. Pure; every value is escaped by the template's engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from galvan import __version__
from galvan.model import Rung, Severity
from galvan.report.words import ORDER, Audited, Row, judged, rows, short, summary, taken, visible

GLYPHS = {"fail": "✗", "unknown": "?", "accepted": "~", "off": "○", "pass": "✓", "n/a": "–"}
_EVIDENCE = 20_000


@dataclass(frozen=True, slots=True)
class Line:
    """One control: its cell on each host, and the evidence behind the cells."""

    id: str
    title: str
    severity: str
    control: str
    why: str
    remedy: str
    references: tuple[str, ...]
    cells: Mapping[str, Row]
    evidence: tuple[tuple[str, str, str, str, str], ...]  # hosts, status, seen, want, what the policy says

    @property
    def worst(self) -> str:
        return min((row.status for row in self.cells.values()), key=ORDER.index)

    @property
    def failing(self) -> list[str]:
        return [host for host, row in self.cells.items() if row.status == self.worst]


@dataclass(frozen=True, slots=True)
class Group:
    """A tip with its controls, the worst first. `height`: how many rungs it stands above `open`."""

    tip: str
    title: str
    height: int | None
    lines: tuple[Line, ...]


def render(seen: Audited) -> str:
    from jinja2 import Environment, StrictUndefined

    engine = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = engine.from_string(files("galvan.report").joinpath("audit.html.j2").read_text(encoding="utf-8"))
    return template.render(_values(seen))


def _values(seen: Audited) -> dict[str, Any]:
    found = rows(seen)
    hosts = [facts.host for facts in seen.snapshot.hosts]
    there = {row.host for row in found}
    columns = [name for name in (*(host.name for host in hosts), "cluster") if name in there]
    groups = tuple(_groups(seen, found))
    return {
        "cluster": seen.snapshot.cluster.name, "taken": taken(seen), "version": __version__, "hosts": hosts, "columns": columns,
        "profile": seen.snapshot.cluster.policy.profile, "groups": groups, "glyphs": GLYPHS, "rungs": [rung.name.lower() for rung in Rung],
        "bar": list(_bar(found)), "summary": [visible(line) for line in summary(seen)],
        "open": _open(groups, seen.unreachable),
        "aside": [(row, judged(row)) for row in found if row.status in ("accepted", "off")],
        "manual": seen.manual, "lost": {host: short(visible(why), 2000) for host, why in seen.unreachable.items()},
        "misfits": [short(visible(why), 2000) for why in seen.misfits],
    }  # fmt: skip


def _bar(found: Sequence[Row]) -> Iterator[tuple[str, str, int]]:
    """The parts of the whole, as (how it is drawn, its name, how many): what fails by severity, then the rest."""
    for severity in sorted(Severity, reverse=True):
        name = severity.name.lower()
        yield name, name, sum(row.status == "fail" and row.finding.severity is severity for row in found)
    for status, name in (
        ("unknown", "could not look"),
        ("accepted", "accepted"),
        ("off", "off"),
        ("pass", "pass"),
        ("n/a", "not applicable"),
    ):
        yield status.replace("/", ""), name, sum(row.status == status for row in found)


def _groups(seen: Audited, found: Sequence[Row]) -> Iterator[Group]:
    by_check: dict[str, list[Row]] = {}
    for row in found:
        by_check.setdefault(row.finding.check, []).append(row)
    lines = sorted((_line(check, of_check) for check, of_check in by_check.items()), key=_weight)
    tips = dict.fromkeys([*seen.titles, *(row.finding.tip for row in found)])
    for tip in tips:
        mine = tuple(line for line in lines if line.id.partition(".")[0] == tip)
        if mine:
            yield Group(tip, seen.titles.get(tip, "What the policy says of itself"), seen.rungs.get(tip), mine)


def _weight(line: Line) -> tuple[int, int, str]:
    return ORDER.index(line.worst), -Severity[line.severity.upper()], line.id


def _open(groups: Sequence[Group], lost: Mapping[str, str]) -> list[Line]:
    """The worst first, whatever its tip; that a host could not be reached is said once, and not by each check."""
    found = [
        line for group in groups for line in group.lines
        if any(row.status == "fail" or (row.status == "unknown" and host not in lost) for host, row in line.cells.items())
    ]  # fmt: skip
    return sorted(found, key=_weight)


def _line(check: str, found: Sequence[Row]) -> Line:
    first = found[0]
    known = first.check
    return Line(
        check, first.title, first.severity, known.control if known else "", known.why if known else "", first.remedy, first.references,
        {row.host: row for row in found}, tuple(_evidence(found)),
    )  # fmt: skip


def _evidence(found: Sequence[Row]) -> Iterator[tuple[str, str, str, str, str]]:
    """Hosts that say the same share their words."""
    hosts: dict[tuple[str, str, str, str], list[str]] = {}
    for row in found:
        policy = judged(row) if row.status in ("accepted", "off") else ""
        hosts.setdefault((row.status, short(row.seen, _EVIDENCE), row.want, policy), []).append(row.host)
    for (status, seen, want, policy), names in hosts.items():
        yield ", ".join(names), status, seen, want, policy
