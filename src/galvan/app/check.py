"""`apply --check`: everything up to the point of acting. It reads through the reader that can do nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from galvan.app.advice import switches
from galvan.app.change import BY_ID, hurt_by_offering
from galvan.app.desk import Desk, look
from galvan.app.orders import Orders, estimated, ordered, permitted
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import GATE, HOUSE, INSTALL, LONG, SESSIONS
from galvan.cluster.health import commit_rate, may_stop, may_take_down, owner_of
from galvan.cluster.order import OUTAGE, Wave
from galvan.cluster.upkeep import UPKEEP, memory
from galvan.engine.estimate import needed, passes
from galvan.engine.gather import fingerprint
from galvan.engine.permit import outside
from galvan.engine.plan import Plan, impact_of, limited
from galvan.model import BadInput, GalvanError, PutFile, Role, Signed, Snapshot, Unreadable, Unsafe


@dataclass(frozen=True, slots=True)
class Checked:
    """`refusals`: by wave, or `run` where it concerns the whole; empty where the run could begin now. `notes`: sentences."""

    plan: Plan
    refusals: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


async def check(desk: Desk, made: Plan, orders: Orders) -> Checked:
    """What `apply` would refuse now, wave by wave, on fresh facts. Changes nothing, on no host and not here."""
    refused: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    whole = replace(desk, limit=frozenset())
    made = ordered(limited(made, desk.limit) if desk.limit else made, orders)
    before = await look(whole, GATE)
    now = await look(whole, (*HOUSE, *GATE, LONG, *UPKEEP, SESSIONS, *BEHIND))
    general = [*_general(desk, made, orders, now, notes)]
    if general:
        refused["run"] = tuple(general)
    rate = commit_rate(before, now)
    for wave in made.waves:
        if wave.stops and (told := [*_restart(wave, made, now, rate)]):
            refused[wave.id] = tuple(told)
    return Checked(made, refused, tuple(notes))


def _general(desk: Desk, made: Plan, orders: Orders, now: Snapshot, notes: list[str]) -> Iterator[str]:
    try:
        notes.append(f"backup: {permitted(desk, orders)}")
    except Unsafe as why:
        yield str(why)
    else:
        yield from _in_one_go(desk, made, orders)
    if fingerprint(now, [BY_ID[tip] for tip in (*made.tips, *made.refused)]) != made.fingerprint:
        yield "the plan is stale: the cluster is not as it was when the plan was made"
    tips = [BY_ID[tip] for tip in made.tips]
    try:
        hurt_by_offering([impact for tip in tips for impact in impact_of(tip, now)], orders.accepted)
    except Unsafe as why:
        yield str(why)
    for facts in now.having(Role.DATABASE):
        try:
            if owner := owner_of(facts):
                yield f"{facts.host.name} is locked by {owner}"
        except Unreadable as why:
            yield f"{facts.host.name} could not be read: {why}"
    yield from _signing(desk, made, now, notes)


def _in_one_go(desk: Desk, made: Plan, orders: Orders) -> Iterator[str]:
    """Both passes, or an outage, must fit into what is left of the window, or the run would stop before the first."""
    seconds = [estimate.seconds for estimate in estimated(desk, made)]
    together = passes(made.waves)
    if together and not orders.outside:
        ahead = sum(seconds[: together.start])
        if why := outside(desk.cluster.policy.window, time.time(), ahead + needed(together.start, made.waves, seconds)):
            yield why


def _signing(desk: Desk, made: Plan, now: Snapshot, notes: list[str]) -> Iterator[str]:
    """The passphrase is asked for where there is a key to open; what is not there yet would be made by the run."""
    signed = {
        (wave.host, action.content.authority)
        for wave in made.waves for step in wave.steps for action in step.do
        if isinstance(action, PutFile) and isinstance(action.content, Signed)
    }  # fmt: skip
    for host in sorted({host for host, _ in signed if now.of(host).host.role is Role.DATABASE}):
        try:
            if now.of(host)[INSTALL].get("openssl") != "yes":
                yield f"{host} has no openssl, so it cannot make its key"
        except Unreadable as why:
            yield f"{host} could not be read: {why}"
    authorities = desk.authorities()
    for name in sorted({authority for _, authority in signed}):
        if authorities.certificate(name) is None:
            notes.append(f"the authority {name} would be made, and a passphrase for its key asked for")
            continue
        try:
            authorities.open(name)
        except BadInput as why:
            yield f"the authority {name} cannot be opened: {why}"


def _restart(wave: Wave, made: Plan, now: Snapshot, rate: float) -> Iterator[str]:
    host = wave.host
    try:
        if wave.stage in OUTAGE:
            may_stop(host, now, (), rate)
        else:
            may_take_down(host, now, rate)
        yield from memory(now.of(host)) if switches(made, host) else ()
    except GalvanError as why:
        yield str(why).removeprefix(f"{host} was not restarted: ").removeprefix(f"{host} was not stopped: ")
