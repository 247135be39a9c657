"""SARIF 2.1.0 as GitHub's code scanning reads it (`docs/reports.md` says what it makes of it). Pure.

What passes has no result: there every result is an alert, whatever its kind. What could not be looked at has one, under the
fingerprint that its failure would have: an alert that is missing from an upload is closed as fixed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from galvan import __version__
from galvan.model import Check, Severity
from galvan.report.words import Audited, Row, fingerprint, rows, short, taken, visible

Json = dict[str, Any]
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
_WEIGHTS = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""Below 0.1 code scanning knows no severity, so what only informs has none."""
_MOST, _MESSAGE, _TAGS = 1024, 4000, 20


def render(seen: Audited) -> str:
    found = [row for row in rows(seen) if row.status in ("fail", "unknown", "accepted")]
    rules = sorted(seen.checks.values(), key=lambda check: check.id)
    places = {check.id: number for number, check in enumerate(rules)}
    cluster = seen.snapshot.cluster.name
    run: Json = {
        "tool": {"driver": {"name": "Galvan", "version": __version__, "rules": [_rule(check) for check in rules]}},
        "automationDetails": {"id": f"galvan/{quote(cluster, safe='')}/{taken(seen).strftime('%Y-%m-%dT%H:%M:%SZ')}"},
        "invocations": [_invocation(seen)],
        "columnKind": "utf16CodeUnits",
        "results": [_result(row, cluster, places[row.finding.check]) for row in found],
        "properties": {"profile": seen.snapshot.cluster.policy.profile, "rungs": {t: r.name.lower() for t, r in seen.rungs.items()}},
    }  # fmt: skip
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)


def _rule(check: Check) -> Json:
    severity = check.severity.name.lower()
    tags = ["security", "galera", check.tip, *([check.control] if check.control else []), *check.references][:_TAGS]
    weight = {"security-severity": _WEIGHTS[severity]} if check.severity > Severity.INFO else {}
    return {
        "id": check.id,
        "shortDescription": {"text": short(check.title, _MOST)},
        "fullDescription": {"text": short(check.why, _MOST)},
        "help": {"text": "\n\n".join(_help(check, "")), "markdown": "\n\n".join(_help(check, "**"))},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": tags, "precision": "very-high", **weight},
    }


def _help(check: Check, bold: str) -> Iterator[str]:
    yield check.why
    if check.remedy:
        yield f"{bold}Remedy:{bold} {check.remedy}"
    if check.references:
        yield f"{bold}References:{bold} {', '.join(check.references)}"
    yield f"{bold}More:{bold} galvan explain {check.id}"


def _result(row: Row, cluster: str, place: int) -> Json:
    said = f"could not be looked at: {row.seen}" if row.status == "unknown" else row.seen
    text = f"{row.host}: {said or row.title}" + (f"; wanted: {row.want}" if row.want else "")
    risk = row.risk
    suppressed = {
        "kind": "external", "status": "accepted", "justification": f"{row.why} ({visible(risk.owner)}, until {risk.until})",
    } if risk else None  # fmt: skip
    return {
        "ruleId": row.finding.check,
        "ruleIndex": place,
        "level": "warning" if row.status == "unknown" else _LEVELS[row.severity],
        "message": {"text": _plain(short(text, _MESSAGE))},
        "locations": [_location(row, cluster)],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint(row, cluster)},
        "properties": {
            "verdict": row.finding.verdict.value,
            "severity": row.severity,
            "seen": row.seen,
            "want": row.want,
        },
        **({"suppressions": [suppressed]} if suppressed else {}),
    }


def _plain(text: str) -> str:
    """A message may hold links and placeholders; what a host said is neither."""
    return re.sub(r"\{(\d+)\}", r"{{\1}}", text).replace("](", "\\](")


def _location(row: Row, cluster: str) -> Json:
    """A host is no file: the path is one that stays the same, and the line is the first."""
    path = "/".join(("galera", quote(cluster, safe=""), quote(row.host, safe="")))
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": path},
            "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
        },
        "logicalLocations": [{"name": row.host, "fullyQualifiedName": f"{cluster}/{row.host}", "kind": "resource"}],
    }


def _invocation(seen: Audited) -> Json:
    """The audit itself worked; whom it could not reach is told."""
    told = [f"{host} could not be reached: {why}" for host, why in seen.unreachable.items()] + list(seen.misfits)
    return {
        "executionSuccessful": True,
        "endTimeUtc": taken(seen).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "toolExecutionNotifications": [{"level": "error", "message": {"text": _plain(visible(text))}} for text in told],
    }
