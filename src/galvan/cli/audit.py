"""`galvan audit`, apart from the other commands: it imports nothing before the hosts have been dialled."""

from __future__ import annotations

import argparse
import asyncio

from galvan.app.early import audit as early
from galvan.cli import FINDINGS, INCOMPLETE, OK
from galvan.cli.output import Output
from galvan.model import Severity, Verdict


def audit(words: argparse.Namespace) -> int:
    out = Output(words.format == "json", False if words.no_color else None, words.output)
    _, seen = asyncio.run(early(words.cluster, words.tip, words.limit, words.inventory))
    from galvan.report import shapes, text

    if out.json:
        out.document(
            shapes.audit(seen.snapshot, seen.rungs, seen.findings, seen.unreachable, seen.accepted, seen.misfits)
        )
    out.table(text.findings(seen.findings, seen.unreachable, words.all))
    out.table(text.rungs(seen.rungs))
    out.line(text.summary(seen.findings, seen.accepted))
    for why in seen.misfits:
        out.line(f"attention: {why}")
    out.close()
    if seen.unreachable or seen.misfits or any(f.verdict is Verdict.UNKNOWN for f in seen.findings):
        return INCOMPLETE
    if words.fail_on:
        least = Severity[words.fail_on.upper()]
        if any(f.verdict is Verdict.FAIL and f.severity >= least for f in seen.findings):
            return FINDINGS
    return OK
