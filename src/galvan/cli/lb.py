"""`galvan lb firewall learn|detect|protect|off|status`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from galvan.app import protecting, statements
from galvan.app.desk import Desk
from galvan.app.doors import DOORS
from galvan.cli import CHANGES, GATE, INCOMPLETE, OK
from galvan.cli.changes import agreed
from galvan.cli.output import Output
from galvan.model import Impact, Unreadable
from galvan.report import text
from galvan.tips.load_balancer.statements.explain import explain
from galvan.tips.load_balancer.statements.orders import DETECTING, OFF, PROTECTING


def lb(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    path = statements.path_of(desk, words.cluster.parent)
    try:
        if words.what == "learn":
            return _learn(words, out, desk, path)
        if words.what == "status":
            return _status(words, out, desk, path)
        return _hold(words, out, desk, path)
    except Unreadable as why:
        print(f"galvan: a balancer could not be read, so nothing is said or done: {why}", file=sys.stderr)
        return INCOMPLETE


def _learn(words: argparse.Namespace, out: Output, desk: Desk, path: Path) -> int:
    made = asyncio.run(statements.learn(desk, path, words.window, out.event, DOORS, words.all))
    new = [made.book.statements[name] for name in made.new]
    doubtful = [one for one in made.book.statements.values() if one.attention and not one.allow]
    if out.json:
        out.document(
            {
                "file": str(path), "new": [str(name) for name in made.new], "again": len(made.again),
                "not_allowed": [str(one.name) for one in made.book.statements.values() if not one.allow],
                "unreadable": dict(made.dark),
            }
        )  # fmt: skip
    rows = tuple(
        (
            one.name.account,
            one.name.schema,
            str(one.seen),
            "yes" if one.allow else "no",
            explain(one.text).says,
            one.text,
        )
        for one in new
    )
    out.table(
        text.Table("New statements", ("account", "schema", "times", "allowed", "what it does", "statement"), rows)
    )
    for one in doubtful:
        out.line(f"look at {one.name}: {'; '.join(one.attention)}")
    for note in (*made.notes, *(f"{host} did not answer at the end: {why}" for host, why in made.dark.items())):
        out.line(f"attention: {note}")
    out.line(
        f"{len(new)} new statements, {len(made.again)} seen again: {path}. Read it, decide, then: galvan lb firewall detect"
    )
    out.close()
    return INCOMPLETE if made.dark else OK


def _hold(words: argparse.Namespace, out: Output, desk: Desk, path: Path) -> int:
    if words.what == "off":
        mode, prepared = OFF, protecting.prepare_off(desk, DOORS)
    else:
        mode = PROTECTING if words.what == "protect" else DETECTING
        prepared = protecting.prepare(desk, path, mode, DOORS, frozenset(words.accept_impact))
    made = asyncio.run(prepared)
    out.table(text.impact((*made.impact, *made.accepted)))
    for note in made.notes:
        out.line(f"attention: {note}")
    for one in made.steps:
        out.line(f"{one.host}: {one.title}")
        for key in sorted({*one.want, *one.before}):
            if one.want.get(key) != one.before.get(key):
                out.line(f"  {key}: {one.before.get(key, 'nothing')} → {one.want.get(key) or 'nothing'}")
    run = ""
    code = OK
    if not made.steps:
        out.line("nothing to change")
    elif mode == PROTECTING and made.impact:
        out.line(
            "not protected: allow these in the book, or take each by name: --accept-impact NAME (5 waits for that)"
        )
        code = GATE
    elif words.auto_approve or agreed(words, desk.cluster.name):
        run = asyncio.run(protecting.carry_out(desk, made, out.event))
        out.line(
            "done"
            if mode != DETECTING
            else "detecting: nothing is refused; galvan lb firewall status lists what is unknown"
        )
    else:
        code = GATE
    if out.json:
        out.document(
            {"mode": mode, "run": run, "balancers": [one.host for one in made.steps], "impact": _impact(made.impact)}
        )
    out.close()
    return code


def _impact(found: tuple[Impact, ...]) -> list[dict[str, str]]:
    return [{"host": i.host, "who": i.who, "what": i.what, "evidence": i.evidence} for i in found]


def _status(words: argparse.Namespace, out: Output, desk: Desk, path: Path) -> int:
    found, notes = asyncio.run(statements.status(desk, path, DOORS))
    if out.json:
        out.document(
            {
                "balancers": [
                    {"host": one.host, "modes": dict(one.mode), "drift": list(one.drift), "misses": _impact(one.misses),
                     "unreadable": one.why}
                    for one in found
                ],
                "notes": list(notes),
            }
        )  # fmt: skip
    rows = tuple((one.host, account, mode.lower()) for one in found for account, mode in sorted(one.mode.items()))
    out.table(text.Table("Query firewall", ("balancer", "account", "mode"), rows))
    out.table(text.impact(tuple(miss for one in found for miss in one.misses)))
    for one in found:
        if one.why:
            out.line(f"{one.host}: could not be read: {one.why}")
        elif not one.mode:
            out.line(f"{one.host}: no account is watched")
        for said in one.drift:
            out.line(f"{one.host}: {said}")
    for note in notes:
        out.line(f"attention: {note}")
    out.close()
    if any(one.why for one in found):
        return INCOMPLETE
    return CHANGES if words.detailed_exitcode and any(one.drift for one in found) else OK
