"""Who still comes in by the old way through a balancer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from galvan.cluster.behind import is_haproxy
from galvan.model import Impact, Role, Snapshot
from galvan.tips.load_balancer.facts import GUESTS
from galvan.tips.load_balancer.haproxy.conf import HAPROXY
from galvan.tips.load_balancer.haproxy.render import READ, WRITE
from galvan.tips.load_balancer.maxscale import mend as maxscale
from galvan.tips.load_balancer.proxysql import impact as proxysql
from galvan.tips.load_balancer.steps import beside

TIP = "load_balancer"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where a balancer does not say who is connected."""
    policy = now.cluster.policy.load_balancer
    for facts in now.having(Role.LOAD_BALANCER):
        if facts.host.kind == "proxysql":
            yield from proxysql.impact(facts)
        if facts.host.kind == "maxscale":
            yield from maxscale.impact(facts, now)
        if not is_haproxy(facts.host):  # Galvan closes no way in there
            continue
        fronts = {way.front.name: min(way.front.ports, default=0) for way in beside(facts[HAPROXY], now)}
        count = Counter((guest.address, guest.front) for guest in facts[GUESTS] if guest.front in fronts)
        for (address, front), times in sorted(count.items()):
            yield Impact(
                TIP, facts.host.name, f"{address}/{front}",
                f"{address} would find port {fronts[front]} closed; the door is port {policy.door}", f"{times} sessions now",
            )  # fmt: skip


def moved(now: Snapshot) -> Iterator[str]:
    for facts in (f for f in now.having(Role.LOAD_BALANCER) if is_haproxy(f.host)):
        yield from sorted({guest.address for guest in facts[GUESTS] if guest.front in (WRITE, READ)})
