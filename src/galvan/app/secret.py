"""A new password for the account of state transfers: a run of its own, so that what was half-done is finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from galvan.app.change import Ended, apply
from galvan.app.desk import Desk, audit
from galvan.app.orders import Orders
from galvan.app.planning import order_of
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.health import complaints
from galvan.cluster.order import waves
from galvan.cluster.transferauth import named
from galvan.cluster.upkeep import UPKEEP
from galvan.engine.gather import fingerprint
from galvan.engine.plan import Plan
from galvan.model import Rung, SecretRef, Unsafe
from galvan.tips.sst_account import TIP
from galvan.tips.sst_account.secret import USER
from galvan.tips.sst_account.steps import rotated


async def rotate(
    desk: Desk, told: Callable[[str, str], None], given: SecretRef | None = None, outside: bool = False
) -> Ended:
    """`given`: instead of one that is made on a member. Raises BadInput where there is no password to change, Unsafe while a transfer
    runs or a member is not where it should be."""
    if given is not None:
        named(USER, desk.secrets().reveal(given))
    desk = replace(desk, tips=(TIP,), limit=frozenset())
    seen = await audit(desk, (*HOUSE, SESSIONS, *BEHIND, *UPKEEP))
    if wrong := [*seen.misfits, *complaints(seen.snapshot)]:
        raise Unsafe("no password was changed: " + "; ".join(wrong))
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seen.snapshot.taken_at))
    steps = rotated(seen.snapshot, stamp, given)
    made = Plan(
        desk.cluster.name, fingerprint(seen.snapshot, desk.tips), (TIP.id,), Rung.ENFORCED,
        tuple(waves(steps, order_of(seen.snapshot))),
    )  # fmt: skip
    return await apply(desk, made, Orders(outside=outside), told)
