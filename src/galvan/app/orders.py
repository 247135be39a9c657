"""How a run is to be carried out, and whether it may begin at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from galvan.app.desk import Desk
from galvan.cluster.order import Wave
from galvan.edges.policy import attested
from galvan.edges.state import DurationBook
from galvan.engine.estimate import Estimate, estimates, kind
from galvan.engine.gates import Crew
from galvan.engine.pace import Pace, canary_first, check_pause
from galvan.engine.permit import outside, vouched
from galvan.engine.plan import Plan
from galvan.model import Role, Unsafe

Json = dict[str, Any]
Ask = Callable[[str], bool | None]
"""None where nobody is there to answer."""


def nobody(question: str) -> bool | None:
    return None


@dataclass(frozen=True, slots=True)
class Orders:
    """`window`: seconds of watching in SWITCH; `accepted`: impacts taken by name. `pause`: `each`, a stage or a wave, after
    which to stop; `canary`: the host that goes first and is watched for `soak` seconds; `approved`: it is not asked about.
    `outside`: the maintenance window does not hold; `attested`: who restored which backup, as `WHO, YYYY-MM-DD`."""

    window: float = 60.0
    accepted: frozenset[str] = frozenset()
    pause: str = ""
    canary: str = ""
    soak: float = 60.0
    approved: bool = False
    outside: bool = False
    attested: str = ""

    def document(self) -> Json:
        return asdict(self) | {"accepted": sorted(self.accepted)}


def permitted(desk: Desk, orders: Orders) -> str:
    """What is to be said of the backup. Raises Unsafe outside of the window, or where the policy's backup is not vouched for."""
    in_time(desk, orders.outside)
    who, day = attested(orders.attested) if orders.attested else ("", "")
    said, why = vouched(desk.cluster.policy.backup, who, day, time.time())
    if why:
        raise Unsafe(f"{why}. Nothing was changed")
    return said


def in_time(desk: Desk, anyway: bool) -> None:
    if not anyway and (why := outside(desk.cluster.policy.window, time.time())):
        raise Unsafe(f"{why}. Nothing was changed; --outside-window overrides it by hand")


def ordered(made: Plan, orders: Orders) -> Plan:
    """The plan as it will be carried out. Raises BadInput where the orders name what the plan does not have."""
    check_pause(made, orders.pause)
    return canary_first(made, orders.canary) if orders.canary else made


def estimated(desk: Desk, made: Plan) -> tuple[Estimate, ...]:
    """By what waves of the same kind took on this cluster before, as far as this side remembers."""
    policy = desk.cluster.policy
    drain = policy.recycle_wait if desk.cluster.having(Role.LOAD_BALANCER) else 0.0
    return estimates(made.waves, DurationBook(desk.state).took(), drain)


def pace_of(desk: Desk, made: Plan, crew: Crew, document: Json, ask: Ask) -> Pace:
    """From a run's document, which an older Galvan may have written."""
    said = asdict(Orders()) | document["orders"]
    return Pace(
        made, crew, () if said["outside"] else desk.cluster.policy.window,
        tuple(estimate.seconds for estimate in estimated(desk, made)), int(document.get("behind", 0)),
        str(said["pause"]), str(said["canary"]), float(said["soak"]), bool(said["approved"]), ask,
    )  # fmt: skip


def noted(desk: Desk) -> Callable[[Wave, float], None]:
    book = DurationBook(desk.state)
    return lambda wave, seconds: book.note(kind(wave), seconds)
