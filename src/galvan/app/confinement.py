"""The SELinux tip by hand: what stands, what was learnt, the module that is built from it, and enforcing with the events run again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galvan.app.change import BY_ID, Told, carry, new_run
from galvan.app.desk import Desk, look
from galvan.app.living import Rehearsal, Trial, in_order, rehearse
from galvan.app.orders import Orders, permitted
from galvan.app.planning import order_of
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.order import waves
from galvan.cluster.quote import sh
from galvan.cluster.upkeep import UPKEEP
from galvan.edges import denials as files
from galvan.engine.apply import together
from galvan.engine.climb import with_watch
from galvan.engine.document import to_document
from galvan.engine.plan import Plan
from galvan.model import BadInput, HostFacts, Role, Rung, Shell, Snapshot, Step, Unreadable, Unsafe
from galvan.model.denials import Answer, Book, Rule
from galvan.tips.selinux import apparmor
from galvan.tips.selinux import module as modules
from galvan.tips.selinux.audit import DENIALS, concerns
from galvan.tips.selinux.checks import running
from galvan.tips.selinux.events import Event, Skipped, events
from galvan.tips.selinux.facts import LEARNT, MODULE, STATE, kernel
from galvan.tips.selinux.impact import ground
from galvan.tips.selinux.review import merge, rules
from galvan.tips.selinux.steps import REBUILD, TIP, may_change, widen


def book_of(folder: Path) -> Path:
    return folder / files.NAME


def alone(desk: Desk) -> Desk:
    """The tip and no other, and the whole cluster: a member left out would be the one that cannot be fed."""
    return replace(desk, tips=(BY_ID[TIP],), limit=frozenset())


async def _seen(desk: Desk) -> Snapshot:
    return await look(alone(desk), (*HOUSE, SESSIONS, *BEHIND, *UPKEEP))


def concerned(snapshot: Snapshot, limit: frozenset[str]) -> tuple[tuple[HostFacts, ...], tuple[str, ...]]:
    """The hosts whose kernel runs SELinux, and a sentence about each other. Raises Unreadable, Unsafe where there is none."""
    found, notes = [], []
    for facts in snapshot.having(Role.DATABASE):
        if not apparmor.at_work(facts[STATE]) and (said := running(facts[STATE])):
            notes.append(f"{facts.host.name} is left out: {said.seen}")
        elif not limit or facts.host.name in limit:
            found.append(facts)
    if not found:
        raise Unsafe("nothing can be learnt: " + "; ".join(notes or ["no host was asked for"]))
    return tuple(found), tuple(notes)


# status ----------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Stands:
    host: str
    mode: str
    boots: str
    domain: str
    permissive: str
    module: str
    denials: str


async def status(desk: Desk) -> tuple[Stands, ...]:
    """Reads only."""
    snapshot = await look(alone(desk))
    built = modules.version_of(snapshot.cluster.learnt)
    return tuple(_stands(facts, snapshot, built) for facts in snapshot.having(Role.DATABASE))


def _stands(facts: HostFacts, snapshot: Snapshot, built: str) -> Stands:
    from hashlib import sha256

    try:
        state = facts[STATE]
    except Unreadable as why:
        return Stands(facts.host.name, f"could not be read: {why}", "", "", "", "", "")
    count = _noted(facts)
    if apparmor.at_work(state):
        profile = f"{apparmor.PROFILE}, {facts[apparmor.LOADED].get('mode') or 'not loaded'}"
        return Stands(facts.host.name, "AppArmor", "", str(state.get("context") or "no server"), "", profile, count)
    if said := running(state):
        return Stands(
            facts.host.name, said.seen, str(state.get("config") or ""), str(state.get("context") or ""), "", "", ""
        )
    digest = sha256(snapshot.cluster.learnt.encode()).hexdigest()
    installed = str(state.get("module") or "none")
    left = ", ".join(sorted(key.partition(".")[2] for key in state if key.startswith("permissive.")))
    return Stands(
        facts.host.name, kernel(state), str(state.get("config")), str(state.get("context")).split(":")[2] if ":" in str(state.get("context")) else "no server",
        left or "none", f"{MODULE} {built}" if installed == digest else installed[:12], count,
    )  # fmt: skip


def _noted(facts: HostFacts) -> str:
    try:
        return str(sum(concerns(d) for d in facts[DENIALS].denials))
    except Unreadable as why:
        return str(why)


# learn -----------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Prepared:
    """What learning takes. `plan`: labels and the watched domain; the rehearsal restarts are counted apart from its own."""

    plan: Plan
    rehearsal: Rehearsal
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learning:
    run: str
    trials: tuple[Trial, ...]
    book: Book
    new: tuple[str, ...]


async def prepare(desk: Desk, chosen: Sequence[str] = ()) -> Prepared:
    """Reads only. Raises Blind where a host lacks a tool, Unsafe where no host has SELinux."""
    snapshot = await _seen(desk)
    watched, notes = concerned(snapshot, desk.limit)
    steps: list[Step] = []
    for facts in watched:
        facts[DENIALS]  # a log that is full or damaged is said now, and not after a restart
        if apparmor.at_work(facts[STATE]):
            steps += apparmor.watched(facts, anew=True)
        else:
            may_change(facts)
            steps += widen(facts, watched=True, shown=True)
    ordered = tuple(waves(steps, order_of(snapshot)))
    made = Plan(desk.cluster.name, "", (TIP,), Rung.READY, ordered)
    found, skipped = tried(watched, snapshot, chosen)
    return Prepared(made, Rehearsal(snapshot, watched, in_order(snapshot, found)), skipped, notes)


def tried(
    watched: Sequence[HostFacts], snapshot: Snapshot, chosen: Sequence[str]
) -> tuple[list[tuple[HostFacts, Event]], tuple[Skipped, ...]]:
    found: list[tuple[HostFacts, Event]] = []
    skipped: list[Skipped] = []
    for facts in watched:
        for one in events(facts, snapshot, chosen):
            if isinstance(one, Skipped):
                skipped.append(one)
            else:
                found.append((facts, one))
    return found, tuple(skipped)


async def learn(desk: Desk, path: Path, made: Prepared, told: Told) -> Learning:
    """The hosts are left watched; what they are silent about is silent again. Raises Unsafe where the way there refuses."""
    permitted(desk, Orders())
    run = new_run()
    if made.plan.waves:
        ended = await carried(desk, made.plan, run, run, told)
        if ended:
            raise Unsafe(f"nothing was rehearsed: {ended}")
    old = files.read_if_there(path)
    grounds = {f.host.name: ground(f) for f in made.rehearsal.watched if not apparmor.at_work(f[STATE])}

    def keep(trial: Trial) -> None:
        counts = {} if trial.failed else {f"{trial.event}@{trial.host}": len(trial.caught)}
        files.write([(path, files.render(merge(files.read_if_there(path), rules(trial.caught, grounds), counts)))])

    try:
        trials = await rehearse(desk, made.rehearsal, run, told, keep)
    finally:
        await _silent(desk, made.rehearsal.watched, run, told)
    book = files.read_if_there(path)
    return Learning(run, trials, book, tuple(name for name in book.rules if name not in old.rules))


async def _silent(desk: Desk, watched: Sequence[HostFacts], run: str, told: Told) -> None:
    from galvan.app.hands import hands

    async with hands(desk, run, desk.authorities()) as ssh:

        async def one(facts: HostFacts) -> None:
            flag = f"{facts[STATE].get('store')}/disable_dontaudit"
            back = sh("[ ! -e {{flag}} ] || semodule -B", flag=flag)
            await ssh.act(facts.host, Shell(back.text, limit=REBUILD), "rehearse")
            told(facts.host.name, "harmless refusals are silent again")

        await together(*(one(facts) for facts in watched if not apparmor.at_work(facts[STATE])))


async def carried(desk: Desk, made: Plan, run: str, attempt: str, told: Told) -> str:
    """Why it ended before its end; empty where it is done."""
    document = with_watch(to_document(made), BY_ID) | {"orders": Orders().document(), "started": time.time()}
    for wave in document["waves"]:
        wave["watch"] = []  # the events are the watch
    ended = await carry(desk, made, document, run, attempt, told)
    return "" if ended.status == "done" else f"{ended.status}: {ended.why}"


# build -----------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Built:
    version: int
    changed: bool
    rules: tuple[Rule, ...]
    held: tuple[Rule, ...]
    files: tuple[Path, ...]


def build(folder: Path, accepted: frozenset[str] = frozenset()) -> Built:
    """The module out of the book, beside it. Raises BadInput where a name that was taken is none of the book's."""
    path = book_of(folder)
    book = files.read(path)
    if unknown := sorted(name for name in accepted if name not in book.rules):
        raise BadInput(
            f"there is no rule {unknown[0]} in {path}; held back are: {', '.join(r.name for r in held(book)) or 'none'}"
        )
    taken = {
        name: replace(rule, answer=Answer.ALLOW) if name in accepted else rule for name, rule in book.rules.items()
    }
    book = replace(book, rules=taken)
    digest = modules.digest(book)
    text = folder / LEARNT
    changed = digest != book.digest or not text.is_file()
    book = replace(book, version=book.version + changed, digest=digest)
    places = (path, text, folder / f"{MODULE}.te", folder / apparmor.PROFILE)
    if changed or accepted:
        texts = (
            files.render(book),
            modules.cil(book, book.version),
            modules.te(book, book.version),
            apparmor.lines_of(book, book.version),
        )
        files.write(zip(places, texts, strict=True))
    return Built(
        book.version,
        bool(changed),
        tuple(r for _, r in sorted(book.rules.items()) if r.answer is Answer.ALLOW),
        held(book),
        places,
    )


def held(book: Book) -> tuple[Rule, ...]:
    return tuple(rule for _, rule in sorted(book.rules.items()) if rule.answer is Answer.HOLD)


def forget(folder: Path) -> tuple[Path, ...]:
    """What was learnt and built is set aside, not destroyed; what is installed on hosts stays until `galvan rollback`."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    found = [
        path
        for path in (book_of(folder), folder / LEARNT, folder / f"{MODULE}.te", folder / apparmor.PROFILE)
        if path.exists()
    ]
    return tuple(path.rename(path.with_name(f"{path.name}.{stamp}")) for path in found)
