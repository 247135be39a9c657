"""One function for each command: words in, exit code out."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from galvan.app import desk as desks
from galvan.app.files import files_of
from galvan.app.planning import make_plan
from galvan.cli import CHANGES, ERROR, FINDINGS, GATE, INCOMPLETE, INTERRUPTED, OK
from galvan.cli.output import Output, writable
from galvan.model import BadInput, Rung, Verdict
from galvan.report import shapes, text
from galvan.tips import TIPS

if TYPE_CHECKING:
    from galvan.app.change import Ended
    from galvan.engine.plan import Plan

Words = argparse.Namespace


def _desk(words: Words) -> desks.Desk:
    return desks.sit_down(
        words.cluster, words.tip, getattr(words, "limit", []), getattr(words, "passphrase_file", None), not words.no_input,
        getattr(words, "database", None), inventory=words.inventory,
    )  # fmt: skip


def _output(words: Words) -> Output:
    return Output(words.format == "json", False if words.no_color else None, words.output)


def plan(words: Words) -> int:
    from galvan.engine.document import to_document

    if words.save:
        writable(words.save, "-o")
    out, desk = _output(words), _desk(words)
    made, _ = asyncio.run(make_plan(desk, Rung[words.to.upper()]))
    if words.save:
        new = words.save.with_suffix(".new")
        new.write_text(json.dumps(to_document(made), indent=1))
        new.replace(words.save)
    if out.json:
        out.document(to_document(made))
    _show(out, made, desk)
    if words.save:
        out.line(f"saved; carry it out with: galvan apply {words.save}")
    out.close()
    if made.refused:
        return INCOMPLETE
    return CHANGES if words.detailed_exitcode and made.waves else OK


def _show(out: Output, made: Plan, desk: desks.Desk) -> None:
    out.table(text.waves(made.waves))
    for change, hosts in files_of(made).items():
        for line in text.diff(change.path, ",".join(hosts), change.before, change.after):
            out.line(line)
    out.table(text.impact(made.impact))
    for tip, why in made.refused.items():
        out.line(f"not planned: {tip}: {why}")
    if not made.waves:
        out.line("nothing to change" if not made.refused else "nothing is planned")
        return
    restarts = ", ".join(f"{host} {count}" for host, count in made.restarts.items() if count) or "none"
    minutes = made.seconds(desk.cluster.policy.recycle_wait) / 60
    out.line(
        f"{len(made.waves)} waves; restarts: {restarts}; about {minutes:.0f} minutes, and the watch before clear text is refused"
    )
    if any(made.restarts.values()) and len(made.restarts) <= 4:
        out.line(
            "while one of three members restarts the cluster bears the loss of none: silence its alerts, and let nobody restart another"
        )


def apply(words: Words) -> int:
    from galvan.app.change import FACTS, Orders, new_run
    from galvan.app.change import apply as carry
    from galvan.engine.document import from_document

    out, desk = _output(words), _desk(words)
    if words.file:
        made = from_document(_read(words.file), FACTS)
        if made.cluster != desk.cluster.name:
            raise BadInput(f"{words.file} is a plan for {made.cluster}, and {words.cluster} names {desk.cluster.name}")
    else:
        made, _ = asyncio.run(make_plan(desk, Rung[words.to.upper()]))
        _show(out, made, desk)
    if not made.waves:
        if out.json:
            out.document(shapes.run("", "done", "nothing to change", 0, {}, 0.0))
        out.close()
        return INCOMPLETE if made.refused else OK
    if not words.file and not words.auto_approve and not _agreed(words, desk.cluster.name):
        return GATE
    run = new_run()
    out.event(run, f"run {run} of {desk.cluster.name} begins")
    orders = Orders(words.watch, frozenset(words.accept_impact))
    ended = asyncio.run(carry(desk, made, orders, out.event, run))
    return _ended(out, ended)


def _read(file: Any) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError) as why:
        raise BadInput(f"{file} cannot be read as a plan: {why}") from None


def _agreed(words: Words, cluster: str) -> bool:
    """Whoever changes a cluster types its name."""
    if words.no_input or not sys.stdin.isatty():
        print("galvan: not approved: give a saved plan, or --auto-approve", file=sys.stderr)
        return False
    if input(f"Carry this out? Type the cluster's name ({cluster}): ").strip() == cluster:
        return True
    print("galvan: not approved; nothing was changed", file=sys.stderr)
    return False


def _ended(out: Output, ended: Ended) -> int:
    if out.json:
        out.document(shapes.run(ended.run, ended.status, ended.why, ended.waves_done, ended.restarts, ended.seconds))
    restarts = ", ".join(f"{host} {count}" for host, count in ended.restarts.items())
    out.line(
        f"run {ended.run}: {ended.status}, {ended.waves_done} waves, {ended.seconds:.0f} s; restarts by the hosts' journals: {restarts}"
    )
    if ended.why:
        out.line(ended.why)
    if ended.status in ("interrupted", "stopped", "refused"):
        out.line(f"go on: galvan resume {ended.run}    undo: galvan rollback {ended.run.removeprefix('undo-')}")
    if ended.status == "watching":
        out.line("apply again once they have moved, or take the impact by name: galvan apply --accept-impact NAME")
    out.close()
    return {"done": OK, "watching": GATE, "refused": GATE, "interrupted": INTERRUPTED}.get(ended.status, ERROR)


def resume(words: Words) -> int:
    from galvan.app.change import Orders
    from galvan.app.change import resume as carry

    out, desk = _output(words), _desk(words)
    orders = Orders(words.watch, frozenset(words.accept_impact)) if words.watch or words.accept_impact else None
    return _ended(out, asyncio.run(carry(desk, words.run, out.event, orders)))


def rollback(words: Words) -> int:
    from galvan.app.change import rollback as carry
    from galvan.app.change import way_down

    out, desk = _output(words), _desk(words)
    run, back = asyncio.run(way_down(desk, words.run))
    out.table(text.waves(back.waves))
    out.table(text.impact(back.impact))
    if not words.auto_approve and not _agreed(words, desk.cluster.name):
        return GATE
    return _ended(out, asyncio.run(carry(desk, run, back, out.event)))


def verify(words: Words) -> int:
    from galvan.app.verify import verify as prove
    from galvan.model import Weight

    out, desk = _output(words), _desk(words)
    weights = (Weight.LOOK, Weight.MARK) if words.write_marker else (Weight.LOOK,)
    done = asyncio.run(prove(desk, weights))
    if out.json:
        out.document(shapes.verify(done.results, done.blind))
    out.table(text.proofs(done.results))
    for why in done.blind:
        out.line(f"could not be tried: {why}")
    counts = {verdict: done.count(verdict) for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)}
    out.line(
        f"{counts[Verdict.PASS]} proofs pass, {counts[Verdict.FAIL]} fail, {counts[Verdict.UNKNOWN]} could not be measured"
    )
    out.close()
    if counts[Verdict.FAIL]:
        return CHANGES if words.detailed_exitcode else FINDINGS
    return INCOMPLETE if counts[Verdict.UNKNOWN] or done.blind else OK


def runs(words: Words) -> int:
    from galvan.app.change import attempts

    out, desk = _output(words), _desk(words)
    found = attempts(desk)
    rows = tuple((a["id"], a["state"], desks.clock(a["created"]), a["why"]) for a in found)
    if out.json:
        out.document(
            {"runs": [{"run": a["run"], "attempt": a["id"], "status": a["state"], "why": a["why"]} for a in found]}
        )
    out.table(text.Table("Runs", ("attempt", "status", "begun", "why"), rows))
    if not rows:
        out.line(f"no run of {desk.cluster.name} is remembered here")
    out.close()
    return OK


def unlock(words: Words) -> int:
    from galvan.app.change import unlock as take_off

    out, desk = _output(words), _desk(words)
    found = asyncio.run(take_off(desk))
    for host, owner in found.items():
        out.line(f"{host}: {owner}")
    out.line("unlocked what answered" if found else "no host was locked")
    out.close()
    return OK


def checks(words: Words) -> int:
    out = _output(words)
    found = [check for tip in TIPS for check in tip.checks]
    if out.json:
        out.document(
            {
                "checks": [
                    {"id": c.id, "severity": c.severity.name.lower(), "title": c.title, "control": c.control}
                    for c in found
                ]
            }
        )
    rows = tuple((c.id, c.severity.name.lower(), c.control, c.title) for c in found)
    out.table(text.Table("Checks", ("check", "severity", "catalogue", "finds that"), rows))
    out.close()
    return OK


def explain(words: Words) -> int:
    out = _output(words)
    for tip in TIPS:
        for check in tip.checks:
            if check.id == words.check:
                for line in text.explain(check, tip.title):
                    out.line(line)
                out.close()
                return OK
    raise BadInput(f"there is no check {words.check} (galvan checks lists them)")


def init(words: Words) -> int:
    from galvan.cli.init import init as begin

    return begin(words, _output(words))


def pki(words: Words) -> int:
    from galvan.cli.pki import pki as keys

    return keys(words, _output(words), _desk(words))


def node(words: Words) -> int:
    from galvan.app.node import node as move

    out, desk = _output(words), _desk(words)
    asyncio.run(move(desk, words.what, words.host, out.event))
    out.close()
    return OK


def lab(words: Words) -> int:
    from galvan.cli.lab import lab as practise

    return practise(words)


COMMANDS: Mapping[str, Callable[[Words], int]] = {
    "init": init, "plan": plan, "apply": apply, "verify": verify, "resume": resume, "rollback": rollback,
    "runs": runs, "unlock": unlock, "checks": checks, "explain": explain, "pki": pki, "node": node, "lab": lab,
}  # fmt: skip
