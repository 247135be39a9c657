"""`galvan selinux status|learn|review|build|enforce|forget`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from galvan.app import confinement, enforcing
from galvan.app.desk import Desk
from galvan.app.living import Rehearsal, Trial
from galvan.cli import GATE, INCOMPLETE, OK
from galvan.cli.changes import agreed
from galvan.cli.output import Output
from galvan.edges import denials as files
from galvan.model import Unreadable
from galvan.model.denials import Rule
from galvan.report import text
from galvan.tips.selinux.events import Skipped


def selinux(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    commands = {
        "status": _status,
        "learn": _learn,
        "review": _review,
        "build": _build,
        "enforce": _enforce,
        "forget": _forget,
    }
    try:
        return commands[words.what](words, out, desk)
    except Unreadable as why:
        print(f"galvan: a host could not be read, so nothing is said or done: {why}", file=sys.stderr)
        return INCOMPLETE


def _folder(words: argparse.Namespace) -> Path:
    return Path(words.cluster).parent


def _status(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    found = asyncio.run(confinement.status(desk))
    head = ("host", "kernel", "at boot", "domain", "permissive", "module", "denials")
    rows = tuple((s.host, s.mode, s.boots, s.domain, s.permissive, s.module, s.denials) for s in found)
    if out.json:
        out.document({"hosts": [dict(zip(head, row, strict=True)) for row in rows]})
    out.table(text.Table("SELinux", head, rows))
    out.close()
    return OK


def _learn(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    made = asyncio.run(confinement.prepare(desk, words.event))
    _shown(out, made.rehearsal, made.skipped, made.notes)
    for wave in made.plan.waves:
        out.line(f"before it, on {wave.host}: {'; '.join(step.title for step in wave.steps)}")
    if not words.auto_approve and not agreed(words, desk.cluster.name):
        return GATE
    path = confinement.book_of(_folder(words))
    done = asyncio.run(confinement.learn(desk, path, made, out.event))
    failed = [trial for trial in done.trials if trial.failed]
    if out.json:
        out.document({"run": done.run, "file": str(path), "new": list(done.new), "events": _counts(done.trials), "failed": {f"{t.event}@{t.host}": t.failed for t in failed}})  # fmt: skip
    out.table(_events(done.trials))
    out.table(_rules([done.book.rules[name] for name in done.new], "New rules"))
    for trial in failed:
        out.line(f"not learnt: {trial.event} on {trial.host}: {trial.failed}")
    out.line(
        f"{len(done.new)} new rules in {path}. Read it, decide, then: galvan selinux build (galvan rollback {done.run} takes the labels back)"
    )
    out.close()
    return INCOMPLETE if failed else OK


def _shown(out: Output, rehearsal: Rehearsal, skipped: Sequence[Skipped], notes: Sequence[str]) -> None:
    rows = tuple((f.host.name, e.id, e.title, str(len(e.passes)) if e.passes else "") for f, e in rehearsal.events)
    out.table(text.Table("What is rehearsed, in order", ("host", "event", "what happens", "restarts"), rows))
    for one in skipped:
        out.line(f"not tried on {one.host}: {one.event}: {one.why}")
    for note in notes:
        out.line(f"attention: {note}")
    counts = ", ".join(f"{host} {count}" for host, count in rehearsal.restarts.items() if count) or "none"
    out.line(f"rehearsal restarts, beside those of any plan: {counts}")


def _counts(trials: Sequence[Trial]) -> Mapping[str, int]:
    return {f"{trial.event}@{trial.host}": len(trial.caught) for trial in trials}


def _events(trials: Sequence[Trial]) -> text.Table:
    rows = tuple((t.host, t.event, str(len(t.caught)), t.failed or "ran") for t in trials)
    return text.Table("Events", ("host", "event", "denials", ""), rows)


def _rules(found: Sequence[Rule], title: str) -> text.Table:
    rows = tuple((r.answer.value, r.name, ", ".join(sorted(r.permissions)), r.says, r.by or "; ".join(r.attention), ", ".join(sorted(r.events))) for r in found)  # fmt: skip
    return text.Table(
        title, ("answer", "rule", "permissions", "what it lets happen", "by, or why it waits", "events"), rows
    )


def _review(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    book = files.read(confinement.book_of(_folder(words)))
    held = confinement.held(book)
    if out.json:
        out.document(
            {
                "version": book.version,
                "events": dict(book.events),
                "rules": [files.plain(rule) for rule in book.rules.values()],
            }
        )
    out.table(_rules([rule for _, rule in sorted(book.rules.items())], "Rules"))
    out.line(
        f"{len(book.rules)} rules from {len(book.events)} events; {len(held)} wait for somebody to take them by name"
    )
    out.close()
    return OK


def _build(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    made = confinement.build(_folder(words), frozenset(words.accept))
    if out.json:
        out.document({"version": made.version, "changed": made.changed, "rules": [r.name for r in made.rules], "held": [r.name for r in made.held], "files": [str(f) for f in made.files]})  # fmt: skip
    out.table(_rules(made.rules, f"In the module, version {made.version}"))
    out.table(_rules(made.held, "Held back"))
    if made.held:
        out.line("held back rules are not in the module: galvan selinux build --accept RULE takes one by name, `answer: leave` in the book leaves it refused")  # fmt: skip
    out.line(
        f"version {made.version}{'' if made.changed else ', as before'}: {made.files[1]}; next: galvan selinux enforce"
    )
    out.close()
    return OK


def _enforce(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    made = asyncio.run(enforcing.prepare_enforcing(desk, _folder(words), frozenset(words.accept_impact), words.event))
    _shown(out, made.rehearsal, made.skipped, made.notes)
    for wave in made.plan.waves:
        out.line(f"{wave.phase.name.lower()} on {wave.host}: {'; '.join(step.title for step in wave.steps)}")
    if not words.auto_approve and not agreed(words, desk.cluster.name):
        return GATE
    done = asyncio.run(enforcing.enforce(desk, made, out.event))
    if out.json:
        out.document({"run": done.run, "events": _counts(done.trials), "refused": done.why})
    out.table(_events(done.trials))
    if done.why:
        out.line(f"not enforced, and every host is back as it was: {done.why}. Learn it: galvan selinux learn")
    else:
        out.line(f"enforcing; the events ran again and nothing was refused; galvan rollback {done.run} takes it back")
    out.close()
    return GATE if done.why else OK


def _forget(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    gone = confinement.forget(_folder(words))
    if out.json:
        out.document({"set_aside": [str(path) for path in gone]})
    for path in gone:
        out.line(f"set aside: {path}")
    out.line(
        "nothing was learnt" if not gone else "what hosts have installed stays there: galvan rollback RUN takes it away"
    )
    out.close()
    return OK
