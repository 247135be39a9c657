"""`galvan firewall export|compare`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from galvan.app import groups
from galvan.app.desk import Desk
from galvan.cli import FINDINGS, INCOMPLETE, OK
from galvan.cli.output import Output
from galvan.model import Severity, Unreadable, Verdict, WrongUsage
from galvan.report import shapes, text
from galvan.report.words import summary
from galvan.tips.firewall.groups import PROVIDERS

CLOUDS = ("aws",)


def firewall(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    known = tuple(PROVIDERS) if words.what == "export" else CLOUDS
    if words.to not in known:
        raise WrongUsage(f"galvan firewall {words.what} --to {words.to}: there is {', '.join(known)}")
    return _export(words, out, desk) if words.what == "export" else _compare(words, out, desk)


def _export(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    """The document is JSON whatever the format; notes go to standard error, so that standard output is the document."""
    try:
        made = asyncio.run(groups.export(desk, words.to))
    except Unreadable as why:
        print(f"galvan: nothing was written, since the policy cannot be known: {why}", file=sys.stderr)
        return INCOMPLETE
    out.document(made.content)
    for note in made.notes:
        print(f"galvan: attention: {note}", file=sys.stderr)
    out.close()
    return OK


def _compare(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    seen = asyncio.run(groups.compare(desk, words.region, words.endpoint_url, words.vpc))
    if out.json:
        out.document(shapes.audit(seen))
    out.table(text.findings(seen.findings, {}, words.all))
    for line in summary(seen):
        out.line(line)
    for why in seen.misfits:
        out.line(f"attention: {why}")
    out.close()
    if seen.misfits or any(f.verdict is Verdict.UNKNOWN for f in seen.findings):
        return INCOMPLETE
    least = Severity[words.fail_on.upper()] if words.fail_on else None
    failed = any(f.verdict is Verdict.FAIL and least is not None and f.severity >= least for f in seen.findings)
    return FINDINGS if failed else OK
