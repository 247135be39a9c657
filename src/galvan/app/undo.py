"""The way back: what a rollback would do, from what lies on the hosts; the rollback itself; and a dead run's lock."""

from __future__ import annotations

import time
from collections.abc import Mapping

from galvan.app.change import BY_ID, FACTS, Ended, Told, attempts, carry, resume
from galvan.app.desk import Desk, look
from galvan.app.hands import hands
from galvan.app.manifest import CHANGED, MANIFEST, all_entries, forget
from galvan.app.orders import Orders
from galvan.app.planning import order_of
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import HOUSE, SESSIONS
from galvan.cluster.order import way_back
from galvan.cluster.position import outage_seconds
from galvan.cluster.quote import sh
from galvan.engine.climb import with_watch
from galvan.engine.document import to_document
from galvan.engine.plan import Plan
from galvan.model import BadInput, GalvanError, Impact, RestoreFile, Rung, Unsafe
from galvan.tips.sst_account.secret import ROTATION


async def way_down(desk: Desk, run: str) -> tuple[str, Plan]:
    """What a rollback of `run` (or of the latest one) would do, from what lies on the hosts."""
    snapshot = await look(desk, (*HOUSE, SESSIONS, *BEHIND, MANIFEST))
    entries = all_entries(snapshot)
    known = sorted({entry.run for entry in entries})
    run = run or (known[-1] if known else "")
    mine = [entry for entry in entries if entry.run == run]
    if not mine:
        raise BadInput(f"no host remembers a run {run}; they remember {', '.join(known) or 'none'}")
    waves = tuple(way_back([entry.wave(FACTS) for entry in mine], order_of(snapshot)))
    if any(step.id == f"undo {ROTATION}" for wave in waves for step in wave.steps):
        raise Unsafe(
            f"run {run} changed the password of transfers, which is not changed back: galvan resume where it is not done, galvan "
            "rotate sst-secret for another one. Nothing was changed; an earlier run is rolled back by its name"
        )
    tips = tuple(sorted({step.tip for wave in waves for step in wave.steps}))
    bundles = tuple(
        Impact(step.tip, wave.host, f"bundle@{wave.host}", "loses its option file and certificate", action.path)
        for wave in waves
        for step in wave.steps
        for action in step.do
        if isinstance(action, RestoreFile) and action.path.endswith("/client.cnf")
    )
    dark = outage_seconds(waves, snapshot)
    return run, Plan(desk.cluster.name, "", tips, Rung.OPEN, waves, bundles, outage=dark)


async def rollback(desk: Desk, run: str, back: Plan, told: Told, allow_outage: bool = False) -> Ended:
    """Undoes all that a run did, in reverse, through the same gates. What it did lies on the hosts. A way back does not wait
    for a maintenance window: whoever takes it has a reason. Raises Unsafe where it takes an outage which nobody allowed."""
    if back.outage and not allow_outage:
        raise Unsafe(
            f"run {run} came up by an outage, and goes back by one (about {back.outage:.0f} s): members that speak TLS only "
            "and members that do not cannot talk to each other. Nothing was changed; allow it with --allow-outage"
        )
    attempt = f"undo-{run}"
    if any(a["run"] == attempt for a in attempts(desk)):
        return await resume(desk, attempt, told)
    document = with_watch(to_document(back), BY_ID) | {
        "orders": Orders(outside=True).document(),
        "started": time.time(),
        "instead": run,
    }
    ended = await carry(desk, back, document, attempt, attempt, told)
    if ended.status == "done":
        await forget(desk, run)
    return ended


async def unlock(desk: Desk) -> Mapping[str, str]:
    """Takes the lock of a dead run off every host that answers; says whose it was, or why a host did not."""
    found: dict[str, str] = {}
    script = "cat /var/lib/galvan/lock/owner 2>/dev/null || true; rm -rf /var/lib/galvan/lock"
    async with hands(desk, "unlock", desk.authorities()) as ssh:
        for host in desk.cluster.having(*CHANGED):
            try:
                owner = (await ssh.act(host, sh(script), "unlock")).strip()
            except GalvanError as why:
                owner = f"not reached: {why}"
            if owner:
                found[host.name] = owner
    return found
