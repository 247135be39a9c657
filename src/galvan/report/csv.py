"""CSV: one row for each check on each host, and one for each control that a person has to judge. Pure."""

from __future__ import annotations

import csv
import io

from galvan.report.words import Audited, rows, taken, visible

HEAD = (
    "cluster", "taken_at", "host", "tip", "check", "control", "severity", "status", "verdict", "title", "seen", "want", "remedy",
    "references", "reason", "owner", "until",
)  # fmt: skip


def render(seen: Audited) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    cluster, at = seen.snapshot.cluster.name, taken(seen).isoformat(timespec="seconds")
    for row in rows(seen):
        owner, until = (visible(row.risk.owner), row.risk.until) if row.risk else ("", "")
        cells = (
            cluster, at, row.host, row.finding.tip, row.finding.check, row.check.control if row.check else "", row.severity,
            row.status, row.finding.verdict.value, row.title, row.seen, row.want, row.remedy, "; ".join(row.references), row.why,
            owner, until,
        )  # fmt: skip
        writer.writerow([_cell(cell) for cell in cells])
    for one in seen.manual:
        cells = (
            cluster, at, "", one.tip, one.id, one.control, "", "manual", "", one.title, "", "", one.look, "; ".join(one.references), "",
            "", "",
        )  # fmt: skip
        writer.writerow([_cell(cell) for cell in cells])
    return out.getvalue().rstrip("\n")


def _cell(text: str) -> str:
    """A table calculator takes these for the beginning of a formula; an account may be named so by whoever may make one."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
