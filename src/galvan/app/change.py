"""Apply and resume: the use cases that carry a run out."""

from __future__ import annotations

import asyncio
import importlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from galvan.app.desk import Desk, look
from galvan.app.hands import hands, open_authorities
from galvan.app.manifest import MANIFEST, all_entries, counted, forget, restarts_fact
from galvan.app.orders import Ask, Orders, in_time, nobody, noted, ordered, pace_of, permitted
from galvan.app.outage import outage, service_fact
from galvan.cluster.arbitrator import SETUP
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import GATE, HOUSE, LONG, OWN_CONFIG, SESSIONS
from galvan.cluster.health import commit_rate, complaints, may_begin, not_held
from galvan.cluster.load import LOAD
from galvan.cluster.position import POSITION
from galvan.cluster.precedence import READING
from galvan.cluster.settle import outdone, path_of
from galvan.cluster.upkeep import UPKEEP
from galvan.edges.connections import Connections
from galvan.edges.state import LedgerBook
from galvan.engine.choreography import DRAINED, Choreography
from galvan.engine.climb import Climb, with_watch
from galvan.engine.document import FORMAT, Json, from_document, to_document
from galvan.engine.gates import Crew
from galvan.engine.gather import fingerprint, gather
from galvan.engine.pace import check_pause
from galvan.engine.plan import Plan, impact_of, limited
from galvan.model import (
    BadInput,
    Fact,
    Host,
    Impact,
    Role,
    Snapshot,
    State,
    Unsafe,
)
from galvan.tips import TIPS

if TYPE_CHECKING:
    from galvan.edges.authorities import Authorities
    from galvan.edges.ssh import Ssh

Told = Callable[[str, str], None]
FACTS: Mapping[str, Fact[State]] = {fact.id: fact for fact in (*(f for tip in TIPS for f in tip.facts), *HOUSE)}
BY_ID = {tip.id: tip for tip in TIPS}


@dataclass(frozen=True, slots=True)
class Ended:
    """`status`: done, watching, waiting, paused, refused, stopped or interrupted. Restarts were counted in the hosts'
    journals, and so was `outage`: the seconds in which no member served (None where a host did not say)."""

    run: str
    status: str
    why: str
    waves_done: int
    restarts: Mapping[str, int]
    seconds: float
    outage: float | None = 0.0


def new_run() -> str:
    return time.strftime("%Y%m%d-%H%M%S")


async def apply(desk: Desk, made: Plan, orders: Orders, told: Told, run: str = "", ask: Ask = nobody) -> Ended:
    """Carries a plan out. Raises Unsafe where the cluster is no longer as the plan saw it, or where it may not begin now.

    `ask`: the question after a canary; it may block, in a thread of its own."""
    told("backup", permitted(desk, orders))
    made = ordered(limited(made, desk.limit) if desk.limit else made, orders)
    desk = replace(desk, limit=frozenset())
    tips = tuple(BY_ID[tip] for tip in (*made.tips, *made.refused))
    loaded = asyncio.create_task(asyncio.to_thread(importlib.import_module, "dbos"))  # slow, and needed below anyway
    async with Connections(desk.cluster) as connections:
        now = await look(replace(desk, tips=tips), (*HOUSE, SESSIONS, LONG, *BEHIND, *UPKEEP), connections)
        not_held(now)
        if fingerprint(now, tips) != made.fingerprint:
            raise Unsafe(
                "the plan is stale: the cluster is not as it was when the plan was made. Nothing was changed; plan again"
            )
        hurt_by_offering([i for tip in tips if tip.id in made.tips for i in impact_of(tip, now)], orders.accepted)
        ready = await _may_begin(desk, made, now, connections)
        await loaded
        run = run or new_run()
        document = with_watch(to_document(made), BY_ID) | {"orders": orders.document(), "started": time.time()}
        return await carry(desk, made, document, run, run, told, ask=ask, ready=ready)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run that has just looked need not do again."""

    connections: Connections
    authorities: Authorities
    seen: Snapshot


async def _may_begin(desk: Desk, made: Plan, now: Snapshot, connections: Connections) -> Ready:
    """What would refuse the first restart refuses here, before a file is written: first what the look tells by itself,
    then what the write sets of a second tell. The passphrase is asked for in between."""
    restarting, looked = [host for host, count in made.restarts.items() if count], time.monotonic()
    if not restarting:
        return Ready(connections, open_authorities(desk, made), now)
    may_begin(now, restarting, quorum=not made.outage)
    authorities = open_authorities(desk, made)
    # the little that is always waited lets connections be seen closed that a host gave up while a person typed
    await asyncio.sleep(max(0.1, looked + 1.0 - time.monotonic()))
    later = await look(replace(desk, tips=()), GATE, connections)
    not_held(later)
    may_begin(later, restarting, commit_rate(now, later), quorum=not made.outage)
    return Ready(connections, authorities, later)


def hurt_by_offering(impact: Sequence[Impact], accepted: frozenset[str]) -> None:
    """Who is hurt by the new way beside the old cannot be waited for later: raises Unsafe unless taken by name."""
    if hurt := [i for i in impact if i.widen and i.who not in accepted]:
        said = "; ".join(f"{i.who} on {i.host} {i.what}: {i.evidence}" for i in hurt)
        raise Unsafe(f"nothing was begun: {said}. Move them, or take it by name (--accept-impact NAME)")


async def carry(
    desk: Desk, made: Plan, document: Json | None, run: str, attempt: str, told: Told, kept: Json | None = None,
    ask: Ask = nobody, ready: Ready | None = None,
) -> Ended:  # fmt: skip
    """`document` None goes on with the attempt that a killed process left (its document is `kept`)."""
    said = document or kept or {}
    orders = said["orders"]
    authorities = ready.authorities if ready else open_authorities(desk, made)
    began = time.monotonic()
    counting, serving = restarts_fact(float(said["started"])), service_fact(float(said["started"]))
    known = (DRAINED, MANIFEST, POSITION, counting, serving, *LOAD)
    async with hands(desk, run, authorities, known, ready.connections if ready else None) as ssh:
        crew = crew_of(desk, ssh, told)
        if ready and not [*complaints(ready.seen)]:
            crew.last.append(ready.seen)
        climb = Climb(
            run, made, crew, BY_ID, asyncio.get_running_loop(), LedgerBook(desk.state), float(orders["window"]),
            frozenset(orders["accepted"]), said.get("instead", "-"),
            pace_of(desk, made, crew, said, ask), noted(desk),
        )  # fmt: skip
        ended = await _durably(desk, attempt, document, climb, told)
        journals, seconds = await gather(desk.cluster, [counting, serving], ssh), time.monotonic() - began
    counts, dark = counted(journals, counting), outage(journals, serving)
    return Ended(run, ended["status"], ended["why"], ended["waves_done"], counts, seconds, dark)


def crew_of(desk: Desk, ssh: Ssh, told: Told) -> Crew:
    policy = desk.cluster.policy

    async def preflight(host: Host) -> list[str]:
        return await _preflight(desk, ssh, host)

    choreography = Choreography(desk.cluster, policy.recycle_wait, policy.idle_close)
    return Crew(desk.cluster, ssh, choreography, preflight, told, policy.quick_rejoin)


async def _durably(desk: Desk, attempt: str, document: Json | None, climb: Climb, told: Told) -> Json:
    runs = runs_of(desk)

    def stop() -> None:
        told("interrupt", "stopping at the next safe place")
        climb.stopping = True

    with heeding(stop):
        return await asyncio.to_thread(runs.carry, attempt, document, climb)


@contextmanager
def heeding(stop: Callable[[], None]) -> Iterator[None]:
    """`stop` is called for SIGINT and SIGTERM, a terminal's way and a CI runner's. Only the main thread may handle signals."""
    loop = asyncio.get_running_loop()
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def runs_of(desk: Desk) -> Any:
    from galvan.edges.runs import Runs

    return Runs(desk.state.make(), desk.database, f"plan-{FORMAT}")


async def _preflight(desk: Desk, ssh: Ssh, host: Host) -> list[str]:
    from galvan.edges import actions, garb

    alone = replace(desk.cluster, hosts=(host,))
    if host.role is Role.ARBITRATOR:
        setup = (await gather(alone, [SETUP], ssh)).of(host.name)[SETUP]
        out, err, code = await ssh.exec(host, garb.preflight(setup), 60.0)
        return [f"the look before the restart failed: {err.strip()[-300:]}"] if code else out.split("\n")[:-1]
    facts = (await gather(alone, [READING, OWN_CONFIG], ssh)).of(host.name)
    path = path_of(facts)
    out, err, code = await ssh.exec(host, actions.preflight(path, "mysql"), 60.0)
    if code:
        return [f"the look before the restart failed: {err.strip()[-300:]}"]
    names = [name for section, name in facts[OWN_CONFIG] if section == "mysqld"]
    later = [f"{said} is read after {path}" for said in outdone(facts, names)]
    later += [f"{path} is there, and the server would not read it"] if names and path not in facts[READING].own else []
    return [*later, *(line for line in out.splitlines() if line.strip())]


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


async def resume(desk: Desk, run: str, told: Told, changed: Json | None = None, ask: Ask = nobody) -> Ended:
    """Goes forward from what it sees: a killed attempt is taken up where it stood, an ended one is begun again.

    `changed`: those of the run's orders that are others now. Raises Unsafe outside of the maintenance window.
    """
    mine = [a for a in attempts(desk) if not run or a["run"] == run]
    if not mine:
        raise BadInput(f"there is no run {run or ''} of {desk.cluster.name} here (galvan runs lists them)")
    last = mine[0]
    document = {**last["document"]}
    document["orders"] = {**document["orders"], **(changed or {})}
    made = from_document(document, FACTS)
    if not made.outage:  # each wave asks for itself: whoever is down because of this run does not wait for a window
        in_time(desk, bool(document["orders"].get("outside")))
    check_pause(made, str(document["orders"].get("pause", "")))
    if last["status"] == "PENDING":
        ended = await carry(desk, made, None, last["run"], last["id"], told, document, ask)
    elif last["state"] == "done":
        undone = str(document.get("instead") or "")
        if undone not in {entry.run for entry in all_entries(await look(desk, (MANIFEST,)))}:
            raise BadInput(f"run {last['run']} is done; there is nothing to resume")
        ended = Ended(last["run"], "done", "", last["result"]["waves_done"], {}, 0.0)  # it died before it was forgotten
    else:
        number = sum(a["run"] == last["run"] for a in mine) + 1
        document["behind"] = (last["result"] or {}).get("waves_done", 0)
        ended = await carry(desk, made, document, last["run"], f"{last['run']}.{number}", told, ask=ask)
    if document.get("instead") and ended.status == "done":
        await forget(desk, str(document["instead"]))
    return ended
