"""JUnit XML: a suite for each host, a case for each check, passes too, so that the counts mean something. Pure.

A failing check is a failure, one that could not look is an error; what the policy accepts or switches off is skipped with its
reason, and so is what does not concern the host.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from galvan.report.words import Audited, Row, judged, rows, short, taken

_OUTCOMES = {"fail": "failure", "unknown": "error", "accepted": "skipped", "off": "skipped", "n/a": "skipped"}
_MESSAGE = 500


def render(seen: Audited) -> str:
    by_host: dict[str, list[Row]] = {}
    for row in rows(seen):
        by_host.setdefault(row.host, []).append(row)
    root = Element("testsuites", _counts([row for found in by_host.values() for row in found]), name="galvan audit")
    for host, found in sorted(by_host.items()):
        suite = SubElement(root, "testsuite", _counts(found), name=host, hostname=host)
        suite.set("timestamp", taken(seen).strftime("%Y-%m-%dT%H:%M:%S"))
        for row in found:
            _case(suite, row)
    indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}'


def _counts(found: list[Row]) -> dict[str, str]:
    outcomes = [_OUTCOMES.get(row.status, "") for row in found]
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(found)), **{name: str(outcomes.count(kind)) for name, kind in counts.items()}, "time": "0"}


def _case(suite: Element, row: Row) -> None:
    name = f"[{row.severity.upper()}] {row.finding.check} {row.title}"
    case = SubElement(suite, "testcase", classname=f"{row.finding.tip}.{row.host}", name=name, time="0")
    if row.status not in _OUTCOMES:
        return
    outcome = SubElement(case, _OUTCOMES[row.status], message=short(_message(row), _MESSAGE))
    if row.status in ("fail", "unknown"):
        outcome.set("type", row.severity)
        outcome.text = _text(row)


def _message(row: Row) -> str:
    if row.status in ("accepted", "off"):
        return judged(row)
    return f"does not apply: {row.seen}" if row.status == "n/a" else row.seen


def _text(row: Row) -> str:
    lines = [f"seen: {row.seen}", f"want: {row.want}"] if row.want else [f"seen: {row.seen}"]
    lines += [f"why: {row.check.why}"] if row.check else []
    lines += [f"remedy: {row.remedy}"] if row.remedy else []
    lines += [f"references: {', '.join(row.references)}"] if row.references else []
    return "\n".join(lines)
