"""Galvan as a library: `from galvan import audit, plan, apply, verify`. A door like the command line; it decides nothing.

Each function is a plain one that runs an event loop of its own until it is done. Inside a running loop it raises
BadInput: give it a thread there (`await asyncio.to_thread(galvan.audit, "galvan.yaml")`). A cluster is the path of its
galvan.yaml, or a `Cluster` value that a program made itself. Errors are GalvanError and its kinds, with a sentence for
a person: BadInput, Unsafe where a gate refuses, NotHealed where a host is not as wanted. Nobody is ever asked at a
terminal, and nothing is printed.

What is kept between calls (authorities, runs, proofs) lies where the command keeps it: `GALVAN_STATE`, or
`~/.local/state/galvan`. A run that a program began can be resumed and rolled back by the command, and the other way round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from galvan.app import desk as desks
from galvan.app.change import Ended
from galvan.app.change import apply as carry
from galvan.app.desk import Audited, Desk
from galvan.app.orders import Orders
from galvan.app.planning import make_plan
from galvan.app.verify import Verified
from galvan.app.verify import verify as prove
from galvan.engine.plan import Plan
from galvan.model import (
    BadInput,
    Blind,
    Cluster,
    Finding,
    GalvanError,
    NotHealed,
    Result,
    Rung,
    Severity,
    Unreachable,
    Unreadable,
    Unsafe,
    Verdict,
    Weight,
)

__all__ = [
    "Audited", "BadInput", "Blind", "Cluster", "Ended", "Finding", "GalvanError", "NotHealed", "Plan", "Result", "Rung",
    "Severity", "Unreachable", "Unreadable", "Unsafe", "Verdict", "Verified", "apply", "audit", "plan", "verify",
]  # fmt: skip

T = TypeVar("T")
Where: TypeAlias = Cluster | str | PathLike[str]
Told: TypeAlias = Callable[[str, str], None]


def audit(cluster: Where, *, tips: Iterable[str] = (), limit: Iterable[str] = ()) -> Audited:
    """Looks, and changes nothing: findings, rungs by tip, and which hosts could not be reached, by name.

    `limit`: only these hosts. A host that does not answer is no error: its findings are UNKNOWN.
    """
    return _run(desks.audit(_desk(cluster, tips, limit)))


def plan(
    cluster: Where, *, tips: Iterable[str] = (), to: Rung = Rung.ENFORCED, allow_outage: bool = False
) -> Plan:  # fmt: skip
    """What would have to change, as waves in order; nothing is changed. `to`: READY or ENFORCED.

    `allow_outage`: stop every member at once, where a tip cannot do without; `outage` says for how many seconds.
    A tip whose facts could not be read is left out and stands in `refused`, with the reason.
    """
    if to not in (Rung.READY, Rung.ENFORCED):
        raise BadInput(f"a plan climbs to READY or ENFORCED, not to {to.name}: PROVEN is what verify says")
    made, _ = _run(make_plan(_desk(cluster, tips), to, allow_outage))
    return made


def apply(
    cluster: Where, made: Plan, *, watch: float = 60.0, accept_impact: Iterable[str] = (),
    passphrase_file: str | PathLike[str] | None = None, database: str | None = None, told: Told = lambda where, what: None,
) -> Ended:  # fmt: skip
    """Carries the plan out, wave by wave, while the cluster serves. Calling it is the approval.

    `watch`: seconds for which nobody may be seen on the old way before it is refused. `accept_impact`: clients that may be
    hurt, by name. `passphrase_file`: of the authorities' keys; without it GALVAN_PASSPHRASE_FILE or a systemd credential.
    `database`: where runs are remembered (SQLite in the state directory). `told` is called with a wave and what happened.

    Look at `status`: done, watching, waiting, refused, stopped or interrupted. Raises Unsafe where the cluster is no longer
    as the plan saw it, or outside of the policy's maintenance window. In the main thread Ctrl-C stops it at the next safe place.
    """
    if not made.waves:
        return Ended("", "done", "nothing to change", 0, {}, 0.0)
    desk = _desk(cluster, passphrase_file=passphrase_file, database=database)
    if made.cluster != desk.cluster.name:
        raise BadInput(f"this is a plan for {made.cluster}, and the cluster given is {desk.cluster.name}")
    return _run(carry(desk, made, Orders(watch, frozenset(accept_impact)), told))


def verify(
    cluster: Where, *, tips: Iterable[str] = (), limit: Iterable[str] = (), write_marker: bool = False,
    passphrase_file: str | PathLike[str] | None = None, force_sst: str = "",
) -> Verified:  # fmt: skip
    """Tries the old way from where an attacker would stand, beside controls that must work; changes nothing.

    `write_marker`: also write a marker in the schema galvan_probe and tap the wire for it. `force_sst`: also stop this host, through
    the gates, and let it get all its data anew.
    """
    weights = (Weight.LOOK, Weight.MARK) if write_marker else (Weight.LOOK,)
    return _run(prove(_desk(cluster, tips, limit, passphrase_file), weights, force=force_sst))


def _desk(
    cluster: Where, tips: Iterable[str] = (), limit: Iterable[str] = (),
    passphrase_file: str | PathLike[str] | None = None, database: str | None = None,
) -> Desk:  # fmt: skip
    """Refuses strings where a list of names is wanted: `tips="client_tls"` would be taken letter by letter."""
    for word, given in (("tips", tips), ("limit", limit)):
        if isinstance(given, str):
            raise BadInput(f"{word} takes a list of names, as in {word}=[{given!r}]")
    value = cluster if isinstance(cluster, Cluster) else None
    file = Path(f"the cluster {cluster.name}") if isinstance(cluster, Cluster) else Path(cluster)
    secret = Path(passphrase_file) if passphrase_file else None
    return desks.sit_down(file, tuple(tips), tuple(limit), secret, False, database, value)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise BadInput(
        "an event loop is running here: call this in a thread, as in `await asyncio.to_thread(galvan.audit, …)`"
    )
