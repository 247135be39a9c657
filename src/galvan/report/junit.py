"""JUnit XML: a suite for each host, a case for each check, passes too, so that the counts mean something. Pure.

A failing check is a failure, one that could not look is an error; what the policy accepts or switches off is skipped with its
reason, and so is what does not concern the host. What a person has to judge is a suite of its own, all of it skipped.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from galvan.report.words import Audited, Row, judged, rows, short, taken

_OUTCOMES = {
    "fail": "failure", "unknown": "error", "accepted": "skipped", "off": "skipped", "n/a": "skipped", "manual": "skipped",
}  # fmt: skip
_MESSAGE = 500
BY_HAND = "for a person to judge"


def render(seen: Audited) -> str:
    by_host: dict[str, list[Row]] = {}
    all_rows, by_hand = rows(seen), ["manual"] * len(seen.manual)
    for row in all_rows:
        by_host.setdefault(row.host, []).append(row)
    root = Element("testsuites", _counts([*(row.status for row in all_rows), *by_hand]), name="galvan audit")
    for host, found in sorted(by_host.items()):
        suite = SubElement(root, "testsuite", _counts([row.status for row in found]), name=host, hostname=host)
        suite.set("timestamp", taken(seen).strftime("%Y-%m-%dT%H:%M:%S"))
        for row in found:
            _case(suite, row)
    if seen.manual:
        suite = SubElement(root, "testsuite", _counts(by_hand), name=BY_HAND)
        for one in seen.manual:
            case = SubElement(suite, "testcase", classname=f"{one.tip}.manual", name=f"{one.id} {one.title}", time="0")
            SubElement(case, "skipped", message=short(f"{BY_HAND}: {one.look}", _MESSAGE))
    indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}'


def _counts(statuses: list[str]) -> dict[str, str]:
    outcomes = [_OUTCOMES.get(status, "") for status in statuses]
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    said = {name: str(outcomes.count(kind)) for name, kind in counts.items()}
    return {"tests": str(len(statuses)), **said, "time": "0"}


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
