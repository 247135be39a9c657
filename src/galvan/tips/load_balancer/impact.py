"""Who still comes in by the old way through a balancer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from galvan.model import Impact, Role, Snapshot
from galvan.tips.load_balancer.facts import GUESTS
from galvan.tips.load_balancer.haproxy.conf import HAPROXY, ways
from galvan.tips.load_balancer.haproxy.render import READ, WRITE
from galvan.tips.load_balancer.proxysql import impact as proxysql
from galvan.tips.load_balancer.steps import members_of

TIP = "load_balancer"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where a balancer does not say who is connected."""
    policy = now.cluster.policy.load_balancer
    for facts in now.having(Role.LOAD_BALANCER):
        if facts.host.kind == "proxysql":
            yield from proxysql.impact(facts)
        if facts.host.kind in ("proxysql", "maxscale"):  # Galvan closes no way in there
            continue
        seen = facts[HAPROXY]
        fronts = {
            w.front.name: min(w.front.ports, default=0)
            for w in ways(seen.owners, members_of(now))
            if not w.front.ports <= {policy.door, policy.read_door}
        }
        count = Counter((guest.address, guest.front) for guest in facts[GUESTS] if guest.front in fronts)
        for (address, front), times in sorted(count.items()):
            yield Impact(
                TIP, facts.host.name, f"{address}/{front}",
                f"{address} would find port {fronts[front]} closed; the door is port {policy.door}", f"{times} sessions now",
            )  # fmt: skip


def moved(now: Snapshot) -> Iterator[str]:
    for facts in (f for f in now.having(Role.LOAD_BALANCER) if f.host.kind in ("", "haproxy")):
        yield from sorted({guest.address for guest in facts[GUESTS] if guest.front in (WRITE, READ)})
