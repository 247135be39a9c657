"""A cluster in memory, and the ways in which tests climb it, kill the climber and look at what is left."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from galvan.app.change import BY_ID
from galvan.app.planning import order_of
from galvan.cluster.balancer import BALANCER
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.order import way_back
from galvan.cluster.settle import settle
from galvan.edges.fake import Fake, Killed, Pool
from galvan.engine.audit import audit, rungs
from galvan.engine.choreography import Choreography
from galvan.engine.climb import Climb
from galvan.engine.gates import Crew
from galvan.engine.gather import gather
from galvan.engine.plan import Plan, plan
from galvan.model import Cluster, Fact, Finding, Host, Impact, Policy, Role, Rung, Snapshot, Tip, Walls
from galvan.pki.steps import certify
from galvan.tips import TIPS

T = TypeVar("T")
ALL: tuple[Fact[Any], ...] = tuple(dict.fromkeys((*(f for tip in TIPS for f in tip.facts), *HOUSE, SESSIONS, BALANCER)))
TLS = tuple(tip for tip in TIPS if tip.id in ("client_tls", "replication_tls"))
"""For tests of the rollout of TLS. Without operators in the policy the firewall is refused, whatever else is planned."""
TOP = {tip.id: Rung.ENFORCED for tip in TLS}
WHOLE = {tip.id: Rung.ENFORCED for tip in TIPS if tip.id != "selinux"}  # in memory nobody has a kernel of his own
OPERATORS = Walls(operators=("192.0.2.0/24",))


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def hosts(
    databases: int = 3, balancer: bool = True, application: bool = True, arbitrators: int = 0
) -> tuple[Host, ...]:
    found = [Host(f"db{n}", f"10.0.0.{10 + n}", Role.DATABASE, f"db{n}") for n in range(1, databases + 1)]
    found += [Host(f"arb{n}", f"10.0.0.{30 + n}", Role.ARBITRATOR, f"arb{n}") for n in range(1, arbitrators + 1)]
    if balancer:
        found.append(Host("lb1", "10.0.0.20", Role.LOAD_BALANCER, "lb1", "haproxy"))
    if application:
        found.append(Host("app1", "10.0.0.40", Role.APPLICATION, "app1"))
    return tuple(found)


def insecure(databases: int = 3, balancer: bool = True, **policy: Any) -> Fake:
    """Three members, a balancer, an application with a pool through it: as open as the seed's reader."""
    fake = Fake(Cluster("shop", hosts(databases, balancer), Policy(**policy)))
    fake.clients.pools.append(Pool("app", "app1", "lb1" if balancer else ""))
    fake.clients.tend()
    return fake


async def look(fake: Fake) -> Snapshot:
    return await gather(fake.known(), ALL, fake)


async def judged(fake: Fake, tips: Sequence[Tip] = TLS) -> tuple[Snapshot, tuple[Finding, ...]]:
    snapshot = await look(fake)
    return snapshot, audit(snapshot, tips)


async def heights(fake: Fake, tips: Sequence[Tip] = TLS) -> Mapping[str, Rung]:
    return rungs((await judged(fake, tips))[1], lambda tip: False)


async def planned(fake: Fake, tips: Sequence[Tip] = TLS, to: Rung = Rung.ENFORCED, outage: bool = False) -> Plan:
    snapshot, findings = await judged(fake, tips)
    return plan(findings, snapshot, tips, to, order_of(snapshot), settle, certify, outage)


@dataclass
class Notes:
    """A ledger, and what the crew said."""

    said: list[tuple[str, str]] = field(default_factory=list)
    old: dict[str, Impact] = field(default_factory=dict)

    def say(self, wave: str, what: str) -> None:
        self.said.append((wave, what))

    def saw(self, tip: str, old: Sequence[Impact], new: Sequence[str], at: float) -> None:
        for impact in old:
            self.old[impact.who] = impact
        for who in new:
            self.old.pop(who, None)

    def outstanding(self, tip: str) -> Sequence[Impact]:
        return tuple(self.old.values())


def crew_of(fake: Fake, notes: Notes | None = None, complaints: Callable[[Host], list[str]] = lambda host: []) -> Crew:
    async def preflight(host: Host) -> list[str]:
        return complaints(host)

    choreography = Choreography(fake.cluster, recycle=0.012, idle=20.0, poll=0.001, up_limit=1.0)
    return Crew(fake.cluster, fake, choreography, preflight, (notes or Notes()).say, calm=0.03, poll=0.001)


def climb_of(fake: Fake, made: Plan, instead: str = "-", notes: Notes | None = None, **more: Any) -> Climb:
    """`loop`: where the climb's blocking answers are worked out; tests that await its work need none."""
    notes = notes or Notes()
    loop = more.pop("loop", None)
    return Climb(fake.run, made, crew_of(fake, notes), BY_ID, loop, notes, instead=instead, **more)


async def carry(fake: Fake, made: Plan, instead: str = "-", upto: int | None = None) -> None:
    """What the worker of a run does, from its first wave; errors rise instead of becoming answers."""
    climb = climb_of(fake, made, instead)
    await climb._lock()
    for number, wave in enumerate(made.waves[:upto]):
        await climb._remember(number, wave)
        await climb._carry_out(number, wave)
    await climb._release("done")


def undo_of(made: Plan, order: Sequence[str]) -> Plan:
    return Plan(made.cluster, "", made.tips, Rung.OPEN, tuple(way_back(made.waves, order)))


def order_in(fake: Fake) -> tuple[str, ...]:
    return order_of(run(look(fake)))


def copy_of(fake: Fake) -> Fake:
    return copy.deepcopy(fake)


def boundaries(fake: Fake, carried: Callable[[Fake], Coroutine[Any, Any, None]]) -> int:
    """How many actions there are in a whole carrying out."""
    trial = copy_of(fake)
    before = trial.count
    run(carried(trial))
    return trial.count - before


def dies(work: Coroutine[Any, Any, None]) -> bool:
    try:
        run(work)
    except Killed:
        return True
    return False
