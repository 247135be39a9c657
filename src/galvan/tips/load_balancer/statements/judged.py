"""Whether a ProxySQL holds its accounts to a book (LB-05)."""

from __future__ import annotations

from galvan.model import HostFacts, Judgement, Snapshot, holds
from galvan.tips.load_balancer import kinds
from galvan.tips.load_balancer.statements.orders import DETECTING, PROTECTING, modes


def proxysql(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """An account without a row is refused everything while the firewall is on, so that it is no way past the book."""
    seen = facts[kinds.FIREWALL]
    want = "every account is protected (galvan lb firewall protect)"
    if seen.runtime.enabled != "true":
        return holds(False, "the query firewall is off", want)
    stand = modes(seen.runtime)
    loose = [f"{a}: nobody reads it (fast_forward)" for a in seen.accounts if a in seen.unread]
    loose += [
        f"{a}: misses are only noted" if stand[a] == DETECTING else f"{a}: held to nothing"
        for a in seen.accounts
        if a in stand and stand[a] != PROTECTING and a not in seen.unread
    ]
    return holds(not loose, "; ".join(loose[:6]) or f"{len(seen.accounts)} accounts, protected", want)
