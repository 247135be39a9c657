"""Markdown: for a ticket, a pull request, a page of a wiki. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from galvan.model import Check, Manual
from galvan.report.words import Audited, Row, judged, rows, short, summary, taken, visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~$&])")
_CELL = 600
_MANUAL = ("catalogue", "what", "how", "references")


def render(seen: Audited) -> str:
    return "\n".join(_lines(seen))


def _lines(seen: Audited) -> Iterator[str]:
    cluster, found = seen.snapshot.cluster, rows(seen)
    yield f"# Audit of {_text(cluster.name)}"
    yield ""
    yield f"{taken(seen).strftime('%Y-%m-%d %H:%M')} UTC, profile {cluster.policy.profile}."
    yield ""
    yield from (f"- {_text(line)}" for line in summary(seen))
    yield from (f"- **could not be reached:** {_code(f'{host}: {why}')}" for host, why in seen.unreachable.items())
    yield from (f"- **attention:** {_code(why)}" for why in seen.misfits)
    yield from _table("Rungs", ("tip", "rung"), [(_code(tip), rung.name.lower()) for tip, rung in seen.rungs.items()])
    open_rows = [row for row in found if row.status in ("fail", "unknown") and row.host not in seen.unreachable]
    yield from _table(
        "Findings",
        ("status", "severity", "check", "hosts", "finds that", "seen", "want", "remedy"),
        _grouped(open_rows),
    )
    aside = [row for row in found if row.status in ("accepted", "off")]
    yield from _table(
        "Not counted",
        ("severity", "check", "host", "why"),
        [(r.severity, _code(r.finding.check), r.host, _text(judged(r))) for r in aside],
    )
    yield from _table("For a person to judge", _MANUAL, _by_hand(seen.manual))


def checks(known: Iterable[Check], manual: Iterable[Manual]) -> str:
    rows = [
        (
            _code(c.id),
            c.severity.name.lower(),
            "strict" if c.strict else "",
            c.control,
            _text(c.title),
            _text(c.remedy),
            ", ".join(c.references),
        )
        for c in known
    ]
    head = ("check", "severity", "profile", "catalogue", "finds that", "remedy", "references")
    tables = [*_table("Checks", head, rows), *_table("For a person to judge", _MANUAL, _by_hand(manual))]
    return "\n".join(tables[1:])


def _by_hand(manual: Iterable[Manual]) -> list[tuple[str, ...]]:
    return [(m.control, _text(m.title), _text(m.look), ", ".join(m.references)) for m in manual]


def _grouped(found: Sequence[Row]) -> list[tuple[str, ...]]:
    """Hosts with the same words share a row."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for r in found:
        hosts.setdefault((r.status, r.severity, r.finding.check, r.title, r.seen, r.want, r.remedy), []).append(r.host)
    return [
        (status, severity, _code(check), ", ".join(names), _text(title), _code(seen), _code(want), _text(remedy))
        for (status, severity, check, title, seen, want, remedy), names in hosts.items()
    ]


def _table(title: str, head: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    if not cells:
        return
    yield from ("", f"## {title}", "", _row(head), _row("---" for _ in head))
    yield from (_row(row) for row in cells)


def _row(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Words: no markup, no link, no line of their own."""
    return _SPECIAL.sub(r"\\\1", _flat(text))


def _code(text: str) -> str:
    """What a host said, between fences that it does not hold: so nobody is called by name in it, and nothing becomes a link."""
    flat = _flat(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    space = " " if flat[:1] == "`" or flat[-1:] == "`" else ""
    return f"{fence}{space}{flat}{space}{fence}" if flat else ""


def _flat(text: str) -> str:
    return " ".join(short(visible(text), _CELL).split())
