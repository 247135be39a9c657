"""What a host is asked that is a ProxySQL or a MaxScale, and who judges it: everything goes by `host.kind`."""

from __future__ import annotations

from typing import Any

from galvan.cluster import proxysql as way
from galvan.cluster.facts import ACCOUNTS, REQUIREMENTS
from galvan.cluster.maxscale import MAXSCALE
from galvan.model import BadInput, Fact, HostFacts, Judgement, Snapshot, Unreadable, Verdict
from galvan.model.findings import HostJudge
from galvan.pki.steps import MATERIAL
from galvan.tips.load_balancer.maxscale.facts import CONFIG, DOOR, LISTENERS, SERVERS
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL
from galvan.tips.load_balancer.statements.door import Admin
from galvan.tips.load_balancer.statements.proxysql import Standing, standing_of

ADMIN = Admin(ask=way.ask, tell=way.admin)
FIREWALL: Fact[Standing] = standing_of(ADMIN)
FACTS: tuple[Fact[Any], ...] = (
    way.SERVERS, PROXYSQL, FIREWALL, MAXSCALE, CONFIG, DOOR, LISTENERS, SERVERS, ACCOUNTS, REQUIREMENTS, MATERIAL,
)  # fmt: skip
"""A host on which neither is installed prints nothing for them. The last three are of members: whom a balancer may let in, and
whom it could verify."""


def by_kind(proxysql: HostJudge, maxscale: HostJudge) -> HostJudge:
    """Of a host that is one of the two. Raises Unreadable where it is not there, or says what nobody knows."""

    def judge(facts: HostFacts, snapshot: Snapshot) -> Judgement:
        there(facts)
        try:
            return (proxysql if facts.host.kind == "proxysql" else maxscale)(facts, snapshot)
        except (BadInput, ValueError) as why:
            raise Unreadable(f"{facts.host.kind} on {facts.host.name}: {why}") from None

    return judge


def there(facts: HostFacts) -> None:
    """Raises Unreadable where a ProxySQL or a MaxScale ought to be and is not."""
    if facts.host.kind == "proxysql" and not facts[PROXYSQL]:
        raise Unreadable(f"no ProxySQL is installed on {facts.host.name}")
    if facts.host.kind == "maxscale" and facts[CONFIG] is None:
        raise Unreadable(f"no MaxScale is installed on {facts.host.name}")


def both(first: HostJudge, second: HostJudge) -> HostJudge:
    """One judgement of two: what does not hold is said, and what cannot be known is never a pass."""

    def judge(facts: HostFacts, snapshot: Snapshot) -> Judgement:
        said = (first(facts, snapshot), second(facts, snapshot))
        for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
            if bad := [each for each in said if each.verdict is verdict]:
                return Judgement(verdict, "; ".join(e.seen for e in bad), "; ".join(e.want for e in bad))
        return Judgement(said[0].verdict, "; ".join(e.seen for e in said), "; ".join(e.want for e in said))

    return judge
