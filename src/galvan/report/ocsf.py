"""OCSF 1.5.0: a Compliance Finding (class 2003) for each check on each host, passes too; one event a line of one array. Pure.

Times are milliseconds since the epoch, as the schema wants them.
"""

from __future__ import annotations

import json
from typing import Any

from galvan import __version__
from galvan.model import Host, Severity
from galvan.report.words import Audited, Row, fingerprint, judged, rows, visible

Json = dict[str, Any]
VERSION = "1.5.0"
_CLASS, _CATEGORY, _CREATE = 2003, 2, 1
_SEVERITIES = {
    Severity.INFO: (1, "Informational"), Severity.LOW: (2, "Low"), Severity.MEDIUM: (3, "Medium"), Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}  # fmt: skip
_STATUSES = {"fail": (1, "New"), "unknown": (1, "New"), "accepted": (3, "Suppressed"), "off": (3, "Suppressed")}
_RESOLVED = (4, "Resolved")
_COMPLIANCE = {"pass": (1, "Pass"), "fail": (3, "Fail"), "unknown": (0, "Unknown"), "n/a": (99, "Not Applicable")}


def render(seen: Audited) -> str:
    hosts = {host.name: host for host in seen.snapshot.cluster.hosts}
    events = (_event(row, seen, hosts.get(row.host)) for row in rows(seen))
    return "[\n" + ",\n".join(json.dumps(event, ensure_ascii=False) for event in events) + "\n]"


def _event(row: Row, seen: Audited, host: Host | None) -> Json:
    cluster, at = seen.snapshot.cluster.name, int(seen.snapshot.taken_at * 1000)
    severity_id, severity = _SEVERITIES[row.finding.severity]
    status_id, status = _STATUSES.get(row.status, _RESOLVED)
    event: Json = {
        "activity_id": _CREATE, "activity_name": "Create",
        "category_uid": _CATEGORY, "category_name": "Findings",
        "class_uid": _CLASS, "class_name": "Compliance Finding",
        "type_uid": _CLASS * 100 + _CREATE, "type_name": "Compliance Finding: Create",
        "time": at,
        "severity_id": severity_id, "severity": severity,
        "status_id": status_id, "status": status,
        "message": f"{row.title} ({row.host}): {row.seen}",
        "metadata": {
            "version": VERSION, "event_code": row.finding.check,
            "product": {"name": "Galvan", "vendor_name": "Galvan", "version": __version__},
        },
        "finding_info": {
            "uid": fingerprint(row, cluster), "title": row.title, "desc": row.check.why if row.check else row.title,
            "types": [row.finding.tip], "created_time": at,
        },
        "resources": [_resource(row, cluster, host)],
        "compliance": _compliance(row),
        "unmapped": {"verdict": row.finding.verdict.value, "seen": row.seen, "want": row.want, "cluster": cluster},
    }  # fmt: skip
    if row.risk or row.status == "off":
        event["status_detail"] = judged(row)
    if row.remedy:
        event["remediation"] = {"desc": row.remedy, "references": list(row.references)}
    return event


def _compliance(row: Row) -> Json:
    status_id, status = _COMPLIANCE[row.finding.verdict.value]
    return {
        "control": row.check.control if row.check and row.check.control else row.finding.check,
        "standards": list(row.references) or ["Galvan"],
        "status_id": status_id,
        "status": status,
        "status_details": [detail for detail in (row.seen, f"wanted: {row.want}" if row.want else "") if detail],
        "checks": [{"uid": row.finding.check, "name": row.title, "status_id": status_id, "status": status}],
    }


def _resource(row: Row, cluster: str, host: Host | None) -> Json:
    said = {"name": row.host, "uid": f"{cluster}/{row.host}", "group": {"name": cluster}}
    return said | (
        {"type": host.role.value, "labels": [f"address:{visible(host.address)}"]} if host else {"type": "cluster"}
    )
