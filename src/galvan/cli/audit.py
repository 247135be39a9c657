"""`galvan audit`, apart from the other commands: it imports nothing before the hosts have been dialled."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galvan.app.early import audit as early
from galvan.cli import FINDINGS, INCOMPLETE, OK
from galvan.cli.output import Output, writable
from galvan.model import BadInput, Severity, Verdict, WrongUsage

if TYPE_CHECKING:
    from galvan.app.desk import Audited
    from galvan.report.baseline import Change


def audit(words: argparse.Namespace) -> int:
    _possible(words)
    out = Output(words.format != "text", False if words.no_color else None, words.output)
    desk, seen = asyncio.run(early(words.cluster, words.tip, words.limit, words.inventory, words.timings))
    if words.cloud:
        from galvan.app import groups

        seen = asyncio.run(groups.beside(desk, seen, words.region, words.endpoint_url, words.vpc))
    from galvan.report import shapes

    document = shapes.audit(seen) if words.format == "json" or words.baseline or words.save_baseline else {}
    changes, since = _compared(words.baseline, document) if words.baseline else ((), "")
    if words.format == "json":
        out.document(document | _since(changes, since))
    elif words.format == "text":
        _show(out, words, seen, changes, since)
    else:
        out.document(importlib.import_module(f"galvan.report.{words.format}").render(seen))
    out.close()
    if words.save_baseline:
        new = words.save_baseline.with_suffix(words.save_baseline.suffix + ".new")
        new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        new.replace(words.save_baseline)
    return _code(words, seen)


def _possible(words: argparse.Namespace) -> None:
    """What cannot be meant is said before a host is dialled. Raises WrongUsage."""
    if words.format == "sarif" and words.fail_on:
        raise WrongUsage(
            "--fail-on cannot go with --format sarif: an audit that worked ends with 0 there, so that the file is uploaded; "
            "run the audit once more for the exit code"
        )
    for option, given in (("--baseline", words.baseline), ("--timings", words.timings)):
        if given and words.format not in ("text", "json"):
            raise WrongUsage(f"{option} is shown in text and json, and not in {words.format}")
    if words.save_baseline:
        writable(words.save_baseline, "--save-baseline")


def _compared(file: Path, document: dict[str, Any]) -> tuple[tuple[Change, ...], str]:
    from galvan.report import baseline

    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = ""
    except OSError as why:
        raise BadInput(f"--baseline {file} cannot be read: {why.strerror}") from None
    before = baseline.read(text, document["cluster"], str(file))
    return baseline.compare(before, document), str(before.get("taken_at", file))


def _since(changes: tuple[Change, ...], since: str) -> dict[str, Any]:
    from galvan.report import baseline

    return {"baseline": baseline.shape(changes, since)} if since else {}


def _show(out: Output, words: argparse.Namespace, seen: Audited, changes: tuple[Change, ...], since: str) -> None:
    from galvan.report import text
    from galvan.report.words import summary, visible

    out.table(text.findings(seen.findings, seen.unreachable, words.all))
    if words.accepted:
        out.table(text.set_aside(seen))
    if words.all:
        out.table(text.manual(seen.manual))
    if words.timings:
        out.table(text.timings(seen))
    out.table(text.rungs(seen.rungs))
    for line in summary(seen):
        out.line(line)
    if since:
        from galvan.report import baseline

        out.table(baseline.table(changes, since))
        out.line(baseline.summary(changes, since))
    for why in seen.misfits:
        out.line(f"attention: {visible(why)}")


def _code(words: argparse.Namespace, seen: Audited) -> int:
    """SARIF says itself what it could not look at, and an upload wants a 0; with no host at all there was no audit."""
    if words.format == "sarif":
        return INCOMPLETE if len(seen.unreachable) == len(seen.snapshot.hosts) else OK
    if seen.unreachable or seen.misfits or any(f.verdict is Verdict.UNKNOWN for f in seen.findings):
        return INCOMPLETE
    if words.fail_on:
        least = Severity[words.fail_on.upper()]
        if any(f.verdict is Verdict.FAIL and f.severity >= least for f in seen.findings):
            return FINDINGS
    return OK
