"""SELinux enforces, host by host, and the events run again on each: where anything is refused, every host goes back to where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galvan.app.change import Told, new_run
from galvan.app.confinement import alone, book_of, carried, concerned, tried
from galvan.app.desk import Desk
from galvan.app.living import Rehearsal, Trial, eased, in_order, rehearse
from galvan.app.orders import Orders, permitted
from galvan.app.planning import make_plan
from galvan.app.undo import rollback, way_down
from galvan.cluster.order import Wave
from galvan.edges import denials as files
from galvan.engine.plan import Plan
from galvan.model import BadInput, GalvanError, Rung, Stage, Unsafe
from galvan.model.denials import Answer
from galvan.tips.selinux.events import Skipped


@dataclass(frozen=True, slots=True)
class Enforcing:
    plan: Plan
    rehearsal: Rehearsal
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enforced:
    """`refused`: what was refused in an event; then all hosts are as they were before."""

    run: str
    trials: tuple[Trial, ...]
    why: str


async def prepare_enforcing(
    desk: Desk, folder: Path, accepted: frozenset[str], chosen: Sequence[str] = ()
) -> Enforcing:
    """Reads only; what the book leaves refused is taken. Raises Unsafe where something would be refused that nobody took by name."""
    made, seen = await make_plan(alone(desk), Rung.ENFORCED)
    if made.refused:
        raise Unsafe("; ".join(made.refused.values()))
    book = files.read_if_there(book_of(folder))
    taken = accepted | {rule.name for rule in book.rules.values() if rule.answer is Answer.LEAVE}
    if left := [i for i in made.impact if i.who not in taken]:
        said = "; ".join(f"{i.who} on {i.host}: {i.what} ({i.evidence})" for i in left)
        raise Unsafe(
            f"not enforced: {said}. Nothing was changed: let the event that does it be learnt (galvan selinux learn), or take it by "
            "name (--accept-impact NAME)"
        )
    watched, notes = concerned(seen.snapshot, frozenset())
    found, skipped = tried(watched, seen.snapshot, chosen)
    rehearsal = Rehearsal(seen.snapshot, watched, in_order(seen.snapshot, found), taken, strict=True)
    return Enforcing(made, rehearsal, skipped, notes)


async def enforce(desk: Desk, made: Enforcing, told: Told) -> Enforced:
    """Host by host: its waves, then its events again. Where anything is refused, every host goes back to where it was."""
    permitted(desk, Orders())
    run, trials, why = new_run(), list[Trial](), ""
    early = [wave for wave in made.plan.waves if wave.stage is Stage.LABEL]
    hosts = list(dict.fromkeys(facts.host.name for facts, _ in made.rehearsal.events))
    parts: list[tuple[str, Sequence[Wave]]] = [("", early)] if early else []
    parts += [(name, [w for w in made.plan.waves if w.host == name and w not in early]) for name in hosts]
    for number, (name, mine) in enumerate(parts, 1):
        if mine:
            part = replace(made.plan, waves=tuple(mine))
            why = await carried(desk, part, run, run if number == 1 else f"{run}.{number}", told)
        if not why and name:
            why = await _again(desk, made, name, run, trials, told)
        if why:
            await _back(desk, made, run, told)
            return Enforced(run, tuple(trials), why)
    return Enforced(run, tuple(trials), "")


async def _again(desk: Desk, made: Enforcing, name: str, run: str, trials: list[Trial], told: Told) -> str:
    facts = next(f for f in made.rehearsal.watched if f.host.name == name)
    mine = replace(made.rehearsal, events=tuple(pair for pair in made.rehearsal.events if pair[0] is facts))
    try:
        found = await rehearse(desk, mine, run, told)
    except GalvanError as why:
        await eased(desk, facts, run, told)
        return str(why)
    trials += found
    if bad := next((t for t in found if t.failed or t.caught), None):
        await eased(desk, facts, run, told)
        said = sorted(
            {
                f"{c.denial.process} {'/'.join(sorted(c.denial.permissions))} {c.denial.object} ({c.denial.rule}) on {c.host}"
                for c in bad.caught
            }
        )
        return f"{bad.event} on {bad.host}: {bad.failed or 'refused'}: {'; '.join(said[:5])}"
    return ""


async def _back(desk: Desk, made: Enforcing, run: str, told: Told) -> None:
    """Raises NotHealed where the way back itself fails: then the text of the rollback says which host is left how."""
    try:
        run, back = await way_down(alone(desk), run)
    except BadInput:
        return  # nothing had been changed yet
    ended = await rollback(alone(desk), run, back, told)
    if ended.status != "done":
        raise Unsafe(f"the way back ended {ended.status}: {ended.why}. galvan rollback {run} goes on with it")
