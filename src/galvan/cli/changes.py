"""The commands that plan and carry out a change, and go on with it or take it back."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from galvan.app import desk as desks
from galvan.app.advice import advice, by_hand
from galvan.app.files import files_of
from galvan.app.orders import Orders, estimated, ordered, permitted
from galvan.app.planning import make_plan
from galvan.cli import CHANGES, ERROR, GATE, INCOMPLETE, INTERRUPTED, OK
from galvan.cli.output import Output, writable
from galvan.model import BadInput, Rung
from galvan.report import shapes, text

if TYPE_CHECKING:
    from galvan.app.change import Ended
    from galvan.engine.plan import Plan
    from galvan.model import Snapshot

Words = argparse.Namespace


def plan(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.engine.document import to_document

    if words.save:
        writable(words.save, "-o")
    made, seen = asyncio.run(make_plan(desk, Rung[words.to.upper()], words.allow_outage))
    document = shapes.with_estimates(to_document(made), estimated(desk, made))
    if words.save:
        new = words.save.with_suffix(".new")
        new.write_text(json.dumps(document, indent=1))
        new.replace(words.save)
    if out.json:
        out.document(document | ({"commands": [*by_hand(desk, made, seen.snapshot)]} if words.commands else {}))
    if words.commands:
        for line in by_hand(desk, made, seen.snapshot):
            out.line(line)
    else:
        _show(out, made, desk, seen.snapshot)
    if words.save:
        out.line(f"{'# ' if words.commands else ''}saved; carry it out with: galvan apply {words.save}")
    out.close()
    if made.refused:
        return INCOMPLETE
    return CHANGES if words.detailed_exitcode and made.waves else OK


def _show(out: Output, made: Plan, desk: desks.Desk, snapshot: Snapshot) -> None:
    estimates = estimated(desk, made)
    out.table(text.waves(made.waves, [estimate.seconds for estimate in estimates]))
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
    minutes = sum(estimate.seconds for estimate in estimates) / 60
    out.line(
        f"{len(made.waves)} waves; restarts: {restarts}; about {minutes:.0f} minutes, and the watch before clear text is refused"
    )
    for said in advice(desk, made, snapshot, estimates):
        out.line(said)
    if made.outage:
        out.line(text.outage(made.outage))
    elif any(made.restarts.values()) and len(made.restarts) <= 4:
        out.line(
            "while one of three members restarts the cluster bears the loss of none: silence its alerts, and let nobody restart another"
        )


def apply(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.app.change import FACTS, new_run
    from galvan.app.change import apply as carry
    from galvan.engine.document import from_document

    orders = _orders(words)
    if not words.check:
        permitted(desk, orders)
    if words.file:
        made = from_document(_read(words.file), FACTS)
        if made.cluster != desk.cluster.name:
            raise BadInput(f"{words.file} is a plan for {made.cluster}, and {words.cluster} names {desk.cluster.name}")
    else:
        made, seen = asyncio.run(make_plan(desk, Rung[words.to.upper()], words.allow_outage))
        made = ordered(made, orders) if made.waves else made
        _show(out, made, desk, seen.snapshot)
    if not made.waves:
        if out.json:
            out.document(shapes.run("", "done", "nothing to change", 0, {}, 0.0))
        out.close()
        return INCOMPLETE if made.refused else OK
    if words.check:
        return _check(words, out, desk, made, orders)
    if not words.file and not words.auto_approve and not agreed(words, desk.cluster.name):
        return GATE
    run = new_run()
    out.event(run, f"run {run} of {desk.cluster.name} begins")
    ended = asyncio.run(carry(desk, made, orders, out.event, run, _asking(words)))
    return finish(out, ended)


def _check(words: Words, out: Output, desk: desks.Desk, made: Plan, orders: Orders) -> int:
    """As `plan` ends, and 5 where a gate would refuse now."""
    from galvan.app.check import check

    seen = asyncio.run(check(desk, made, orders))
    if out.json:
        out.document(shapes.check(seen.plan.waves, seen.refusals, seen.notes))
    out.table(text.checked(seen.plan.waves, seen.refusals))
    for note in (*seen.refusals.get("run", ()), *seen.notes):
        out.line(note)
    out.line("nothing was changed" + ("; a run would be refused now" if seen.refusals else ""))
    out.close()
    if seen.refusals:
        return GATE
    if made.refused:
        return INCOMPLETE
    return CHANGES if words.detailed_exitcode else OK


def _orders(words: Words) -> Orders:
    return Orders(
        words.watch, frozenset(words.accept_impact), words.pause_after, words.canary, words.soak, words.auto_approve,
        words.outside_window, words.attest_backup,
    )  # fmt: skip


def _asking(words: Words) -> Callable[[str], bool | None]:
    """A yes or a no at a terminal; elsewhere nobody is there to answer."""

    def ask(question: str) -> bool | None:
        if words.no_input or not sys.stdin.isatty():
            return None
        try:
            return input(f"{question} (yes/no) ").strip().lower() in ("yes", "y")
        except EOFError:
            return False

    return ask


def _read(file: Any) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError) as why:
        raise BadInput(f"{file} cannot be read as a plan: {why}") from None


def agreed(words: Words, cluster: str) -> bool:
    """Whoever changes a cluster types its name."""
    if words.no_input or not sys.stdin.isatty():
        print("galvan: not approved: give a saved plan, or --auto-approve", file=sys.stderr)
        return False
    if input(f"Carry this out? Type the cluster's name ({cluster}): ").strip() == cluster:
        return True
    print("galvan: not approved; nothing was changed", file=sys.stderr)
    return False


def finish(out: Output, ended: Ended) -> int:
    if out.json:
        out.document(
            shapes.run(
                ended.run, ended.status, ended.why, ended.waves_done, ended.restarts, ended.seconds, ended.outage
            )
        )  # fmt: skip
    restarts = ", ".join(f"{host} {count}" for host, count in ended.restarts.items())
    out.line(
        f"run {ended.run}: {ended.status}, {ended.waves_done} waves, {ended.seconds:.0f} s; restarts by the hosts' journals: {restarts}"
    )
    if ended.outage is None:
        out.line("how long nobody served could not be measured: a host did not say")
    elif ended.outage:
        out.line(f"nobody served for {ended.outage:.1f} s, by the hosts' journals")
    if ended.why:
        out.line(ended.why)
    if ended.status in ("interrupted", "stopped", "refused", "paused", "waiting"):
        out.line(f"go on: galvan resume {ended.run}    undo: galvan rollback {ended.run.removeprefix('undo-')}")
    if ended.status == "watching":
        out.line("apply again once they have moved, or take the impact by name: galvan apply --accept-impact NAME")
    out.close()
    codes = {"done": OK, "interrupted": INTERRUPTED, "paused": INTERRUPTED}
    return codes.get(ended.status, GATE if ended.status in ("watching", "waiting", "refused") else ERROR)


def resume(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.app.change import resume as carry

    given = {
        "window": words.watch, "accepted": words.accept_impact, "pause": words.pause_after, "soak": words.soak,
        "outside": words.outside_window,
    }  # fmt: skip
    changed = {name: value for name, value in given.items() if value not in (None, [], False)}
    return finish(out, asyncio.run(carry(desk, words.run, out.event, changed, _asking(words))))


def rollback(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.app.undo import rollback as carry
    from galvan.app.undo import way_down

    run, back = asyncio.run(way_down(desk, words.run))
    out.table(text.waves(back.waves, [estimate.seconds for estimate in estimated(desk, back)]))
    out.table(text.impact(back.impact))
    if back.outage:
        out.line(text.outage(back.outage))
    if not words.auto_approve and not agreed(words, desk.cluster.name):
        return GATE
    return finish(out, asyncio.run(carry(desk, run, back, out.event, words.allow_outage)))


def runs(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.app.change import attempts

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


def unlock(words: Words, out: Output, desk: desks.Desk) -> int:
    from galvan.app.undo import unlock as take_off

    found = asyncio.run(take_off(desk))
    for host, owner in found.items():
        out.line(f"{host}: {owner}")
    out.line("unlocked what answered" if found else "no host was locked")
    out.close()
    return OK


CHANGING: Mapping[str, Callable[[Words, Output, desks.Desk], int]] = {
    "plan": plan, "apply": apply, "resume": resume, "rollback": rollback, "runs": runs, "unlock": unlock,
}  # fmt: skip
