"""Is the shared address carried, by one, and as the policy wants it?"""

from __future__ import annotations

from galvan.model import (
    Blind,
    HostFacts,
    Judgement,
    Pair,
    Role,
    Rung,
    Severity,
    Snapshot,
    Verdict,
    check,
    holds,
    not_here,
)
from galvan.tips.load_balancer.keepalived.conf import KEEPALIVED
from galvan.tips.load_balancer.keepalived.steps import may_share, side_of, wanted


@check(
    "load_balancer.shared-address",
    Severity.MEDIUM,
    "The address of the pair is not shared as the policy wants it",
    rung=Rung.READY,
    control="LB-09",
    role=Role.LOAD_BALANCER,
)
def shared_address(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Where the second balancer is not ready, or watches something else than the door, the address stays with the one that failed."""
    seen, pair = facts[KEEPALIVED].standing, snapshot.cluster.policy.load_balancer.pair
    if pair is None:
        return not_here("the policy names no pair")
    want = f"{pair.address} shared by keepalived, as the policy renders it"
    try:
        side = side_of(facts, snapshot, pair)
        may_share(facts, snapshot, side)
    except Blind as why:
        return Judgement(Verdict.FAIL, str(why), want)
    differs = [key for key, value in wanted(side).items() if seen.get(key) != value]
    return holds(not differs, f"not as wanted: {', '.join(differs)}" if differs else "as rendered, and running", want)


def carried(snapshot: Snapshot, pair: Pair) -> Judgement:
    """By exactly one of them."""
    there = snapshot.having(Role.LOAD_BALANCER)
    holders = [facts.host.name for facts in there if facts[KEEPALIVED].holds(pair.address)]
    idle = [facts.host.name for facts in there if facts[KEEPALIVED].standing["active"] != "yes"]
    verb = "hold" if len(holders) > 1 else "holds"
    said = f"{' and '.join(holders) or 'nobody'} of {len(there)} {verb} {pair.address}"
    if idle:
        said += f", and keepalived does not run on {', '.join(idle)}"
    return holds(
        len(there) > 1 and len(holders) == 1 and not idle, said, "one of two holds it, and the other stands by"
    )
