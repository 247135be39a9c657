"""What stands beside a plan: what a DBA wants to know before, and the commands to type where Galvan is not to act."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from galvan.app.desk import AUTHORITIES, Desk
from galvan.app.planning import known_by
from galvan.cluster.behind import behind
from galvan.cluster.upkeep import memory, remarks
from galvan.engine.estimate import Estimate
from galvan.engine.permit import outside, vouched
from galvan.engine.plan import Plan
from galvan.model import Role, Snapshot, Unreadable
from galvan.report.commands import commands


def advice(desk: Desk, made: Plan, snapshot: Snapshot, estimates: Sequence[Estimate]) -> Iterator[str]:
    """Sentences about the hosts that will restart, the backup, the window and where the estimates come from."""
    for host, count in made.restarts.items():
        facts = snapshot.of(host)
        if facts.host.role is Role.DATABASE and count:
            try:
                yield from remarks(facts)
                yield from memory(facts) if switches(made, host) else ()
            except Unreadable as why:
                yield f"{host}: what else goes on there could not be read: {why}"
    policy = desk.cluster.policy
    said, refused = vouched(policy.backup, "", "", time.time())
    yield f"backup: {refused or said}"
    if shut := outside(policy.window, time.time()):
        yield f"window: {shut}"
    measured = sum(estimate.measured for estimate in estimates)
    origin = f"{measured} of {len(estimates)} as such waves took here before, the others" if measured else "all"
    yield f"estimates: {origin} by the model in docs/decisions.md"


def switches(made: Plan, host: str) -> bool:
    """Does the plan switch performance_schema on there?"""
    return any(s.want.get("performance_schema") == "ON" for w in made.waves if w.host == host for s in w.steps)


def by_hand(desk: Desk, made: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Raises Unreadable where a balancer cannot say under which name it knows a host."""
    by_address = known_by(snapshot)
    doors: dict[str, list[tuple[str, str, str]]] = {}
    for facts in snapshot.having(Role.LOAD_BALANCER):
        for server in behind(facts):
            if name := by_address.get(server.address):
                doors.setdefault(name, []).append((facts.host.name, server.backend, server.name))
    directory = desk.state.path / "authorities"
    present = [name for name in AUTHORITIES if (directory / f"{name}.pem").is_file()]
    ssh = {host.name: host.ssh for host in desk.cluster.hosts}
    kinds = {host.name: host.kind for host in desk.cluster.hosts}
    days = desk.cluster.policy.authority_days
    return commands(made.waves, ssh, doors, str(directory), present, days, desk.cluster.name, kinds)
