"""Apply, resume, rollback, unlock: the use cases that change hosts."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from galvan.app.desk import Desk, look
from galvan.app.hands import hands, open_authorities
from galvan.app.manifest import MANIFEST, Entry, entries_of, restarts_fact, set_aside
from galvan.app.planning import order_of
from galvan.cluster.balancer import BALANCER
from galvan.cluster.facts import GATE, HOUSE, LONG, OWN_CONFIG, SESSIONS
from galvan.cluster.health import commit_rate, may_begin
from galvan.cluster.order import way_back
from galvan.cluster.precedence import READING
from galvan.cluster.quote import sh
from galvan.cluster.settle import outdone, path_of
from galvan.edges.state import LedgerBook
from galvan.engine.choreography import DRAINED, Choreography
from galvan.engine.climb import Climb, with_watch
from galvan.engine.document import FORMAT, Json, from_document, to_document
from galvan.engine.gates import Crew
from galvan.engine.gather import fingerprint, gather
from galvan.engine.plan import Plan, impact_of
from galvan.model import (
    BadInput,
    Fact,
    GalvanError,
    Host,
    Impact,
    RestoreFile,
    Role,
    Rung,
    Snapshot,
    State,
    Unreadable,
    Unsafe,
)
from galvan.tips import TIPS

if TYPE_CHECKING:
    from galvan.edges.ssh import Ssh

Told = Callable[[str, str], None]
FACTS: Mapping[str, Fact[State]] = {fact.id: fact for fact in (*(f for tip in TIPS for f in tip.facts), *HOUSE)}
BY_ID = {tip.id: tip for tip in TIPS}


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run is to be carried out. `window`: seconds of watching in SWITCH; `accepted`: impacts taken by name."""

    window: float = 60.0
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """`status`: done, watching, refused, stopped or interrupted. Restarts were counted in the hosts' journals."""

    run: str
    status: str
    why: str
    waves_done: int
    restarts: Mapping[str, int]
    seconds: float


def new_run() -> str:
    return time.strftime("%Y%m%d-%H%M%S")


async def apply(desk: Desk, made: Plan, orders: Orders, told: Told, run: str = "") -> Ended:
    """Carries a plan out. Raises Unsafe where the cluster is no longer as the plan saw it."""
    now = await look(desk, (*HOUSE, SESSIONS, LONG, BALANCER))
    tips = [BY_ID[tip] for tip in (*made.tips, *made.refused)]
    if fingerprint(now, tips) != made.fingerprint:
        raise Unsafe(
            "the plan is stale: the cluster is not as it was when the plan was made. Nothing was changed; plan again"
        )
    await _may_begin(desk, made, now)
    _hurt_by_offering([i for tip in tips if tip.id in made.tips for i in impact_of(tip, now)], orders.accepted)
    run = run or new_run()
    document = with_watch(to_document(made), BY_ID) | {"orders": _orders(orders), "started": time.time()}
    return await _carry(desk, made, document, run, run, told)


async def _may_begin(desk: Desk, made: Plan, now: Snapshot) -> None:
    """What would refuse the first restart refuses here, before a file is written."""
    if restarting := [host for host, count in made.restarts.items() if count]:
        await asyncio.sleep(1.0)
        later = await look(desk, GATE)
        may_begin(now, restarting, commit_rate(now, later))


def _hurt_by_offering(impact: Sequence[Impact], accepted: frozenset[str]) -> None:
    """Who is hurt by the new way beside the old cannot be waited for later: raises Unsafe unless taken by name."""
    if hurt := [i for i in impact if i.widen and i.who not in accepted]:
        said = "; ".join(f"{i.who} on {i.host} {i.what}: {i.evidence}" for i in hurt)
        raise Unsafe(f"nothing was begun: {said}. Move them, or take it by name (--accept-impact NAME)")


def _orders(orders: Orders) -> Json:
    return {"window": orders.window, "accepted": sorted(orders.accepted)}


async def _carry(
    desk: Desk, made: Plan, document: Json | None, run: str, attempt: str, told: Told, kept: Json | None = None
) -> Ended:
    """`document` None goes on with the attempt that a killed process left (its document is `kept`)."""
    said = document or kept or {}
    orders = said["orders"]
    authorities = open_authorities(desk, made)
    began = time.monotonic()
    counting = restarts_fact(float(said["started"]))
    async with hands(desk, run, authorities, (DRAINED, MANIFEST, counting)) as ssh:
        crew = crew_of(desk, ssh, told)
        climb = Climb(
            run, made, crew, BY_ID, asyncio.get_running_loop(), LedgerBook(desk.state), float(orders["window"]),
            frozenset(orders["accepted"]), said.get("instead", "-"),
        )  # fmt: skip
        ended = await _durably(desk, attempt, document, climb, told)
        restarts = await _count(desk, ssh, counting)
    return Ended(run, ended["status"], ended["why"], ended["waves_done"], restarts, time.monotonic() - began)


def crew_of(desk: Desk, ssh: Ssh, told: Told) -> Crew:
    policy = desk.cluster.policy

    async def preflight(host: Host) -> list[str]:
        return await _preflight(desk, ssh, host)

    choreography = Choreography(desk.cluster, policy.recycle_wait, policy.idle_close)
    return Crew(desk.cluster, ssh, choreography, preflight, told, policy.quick_rejoin)


async def _durably(desk: Desk, attempt: str, document: Json | None, climb: Climb, told: Told) -> Json:
    runs = runs_of(desk)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        told("interrupt", "stopping at the next safe place")
        climb.stopping = True

    main = threading.current_thread() is threading.main_thread()  # only there may signals be handled
    if main:
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        return await asyncio.to_thread(runs.carry, attempt, document, climb)
    finally:
        if main:
            loop.remove_signal_handler(signal.SIGINT)


def runs_of(desk: Desk) -> Any:
    from galvan.edges.runs import Runs

    return Runs(desk.state.make(), desk.database, f"plan-{FORMAT}")


async def _preflight(desk: Desk, ssh: Ssh, host: Host) -> list[str]:
    from galvan.edges import actions

    facts = (await gather(replace(desk.cluster, hosts=(host,)), [READING, OWN_CONFIG], ssh)).of(host.name)
    path = path_of(facts)
    out, err, code = await ssh.exec(host, actions.preflight(path, "mysql"), 60.0)
    if code:
        return [f"the look before the restart failed: {err.strip()[-300:]}"]
    names = [name for section, name in facts[OWN_CONFIG] if section == "mysqld"]
    later = [f"{said} is read after {path}" for said in outdone(facts, names)]
    later += [f"{path} is there, and the server would not read it"] if names and path not in facts[READING].own else []
    return [*later, *(line for line in out.splitlines() if line.strip())]


async def _count(desk: Desk, ssh: Ssh, counting: Fact[int]) -> Mapping[str, int]:
    """Restarts since the run began, out of the hosts' own journals; a host that does not answer is left out."""
    snapshot = await gather(desk.cluster, [counting], ssh)
    counts = {}
    for facts in snapshot.having(Role.DATABASE):
        try:
            counts[facts.host.name] = facts[counting]
        except Unreadable:
            continue
    return counts


# runs ----------------------------------------------------------------------------------------------------------
def attempts(desk: Desk) -> list[Json]:
    """What this side remembers, newest first: run, attempt, status, when."""
    found = []
    for entry in runs_of(desk).list():
        result = entry["result"] or {}
        status = "killed" if entry["status"] == "PENDING" else result.get("status", entry["status"].lower())
        run = entry["id"].split(".")[0]
        found.append({**entry, "run": run, "state": status, "why": result.get("why", "")})
    return found


async def resume(desk: Desk, run: str, told: Told, orders: Orders | None = None) -> Ended:
    """Goes forward from what it sees: a killed attempt is taken up where it stood, an ended one is begun again."""
    mine = [a for a in attempts(desk) if not run or a["run"] == run]
    if not mine:
        raise BadInput(f"there is no run {run or ''} of {desk.cluster.name} here (galvan runs lists them)")
    last = mine[0]
    document = {**last["document"]} | ({"orders": _orders(orders)} if orders else {})
    made = from_document(document, FACTS)
    if last["status"] == "PENDING":
        ended = await _carry(desk, made, None, last["run"], last["id"], told, document)
    elif last["state"] == "done":
        raise BadInput(f"run {last['run']} is done; there is nothing to resume")
    else:
        number = sum(a["run"] == last["run"] for a in mine) + 1
        ended = await _carry(desk, made, document, last["run"], f"{last['run']}.{number}", told)
    if document.get("instead") and ended.status == "done":
        await _forget(desk, str(document["instead"]))
    return ended


async def way_down(desk: Desk, run: str) -> tuple[str, Plan]:
    """What a rollback of `run` (or of the latest one) would do, from what lies on the hosts."""
    snapshot = await look(desk, (*HOUSE, SESSIONS, BALANCER, MANIFEST))
    entries = _all_entries(snapshot)
    known = sorted({entry.run for entry in entries})
    run = run or (known[-1] if known else "")
    mine = [entry for entry in entries if entry.run == run]
    if not mine:
        raise BadInput(f"no host remembers a run {run}; they remember {', '.join(known) or 'none'}")
    waves = tuple(way_back([entry.wave(FACTS) for entry in mine], order_of(snapshot)))
    tips = tuple(sorted({step.tip for wave in waves for step in wave.steps}))
    bundles = tuple(
        Impact(step.tip, wave.host, f"bundle@{wave.host}", "loses its option file and certificate", action.path)
        for wave in waves
        for step in wave.steps
        for action in step.do
        if isinstance(action, RestoreFile) and action.path.endswith("/client.cnf")
    )
    return run, Plan(desk.cluster.name, "", tips, Rung.OPEN, waves, bundles)


async def rollback(desk: Desk, run: str, back: Plan, told: Told) -> Ended:
    """Undoes all that a run did, in reverse, through the same gates. What it did lies on the hosts."""
    attempt = f"undo-{run}"
    if any(a["run"] == attempt for a in attempts(desk)):
        return await resume(desk, attempt, told)
    document = with_watch(to_document(back), BY_ID) | {
        "orders": _orders(Orders()),
        "started": time.time(),
        "instead": run,
    }
    ended = await _carry(desk, back, document, attempt, attempt, told)
    if ended.status == "done":
        await _forget(desk, run)
    return ended


def _all_entries(snapshot: Snapshot) -> list[Entry]:
    """Raises Unsafe where a host cannot say what was done to it: half an undo would be a new state of its own."""
    entries: list[Entry] = []
    for facts in snapshot.hosts:
        if MANIFEST.id in facts.readings:
            try:
                entries += entries_of(facts[MANIFEST])
            except Unreadable as why:
                raise Unsafe(f"{facts.host.name} cannot say what was done to it: {why}. Nothing was undone") from why
    return entries


async def _forget(desk: Desk, run: str) -> None:
    """The manifest of an undone run is set aside on its hosts, so that it is not undone twice."""
    async with hands(desk, f"undo-{run}", desk.authorities()) as ssh:
        for host in desk.cluster.having(Role.DATABASE, Role.APPLICATION):
            await ssh.act(host, set_aside(run), "forget")


async def unlock(desk: Desk) -> Mapping[str, str]:
    """Takes the lock of a dead run off every host that answers; says whose it was, or why a host did not."""
    found: dict[str, str] = {}
    script = "cat /var/lib/galvan/lock/owner 2>/dev/null || true; rm -rf /var/lib/galvan/lock"
    async with hands(desk, "unlock", desk.authorities()) as ssh:
        for host in desk.cluster.having(Role.DATABASE, Role.APPLICATION):
            try:
                owner = (await ssh.act(host, sh(script), "unlock")).strip()
            except GalvanError as why:
                owner = f"not reached: {why}"
            if owner:
                found[host.name] = owner
    return found
