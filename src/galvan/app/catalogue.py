"""Every check by its id, and what to say to somebody who names one that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from galvan.engine.audit import EXPIRED
from galvan.model import BadInput, Check, Cluster, Fact, Host, HostFacts, Manual, Role, Snapshot
from galvan.tips import TIPS

CHECKS: Mapping[str, Check] = {check.id: check for tip in TIPS for check in tip.checks} | {EXPIRED.id: EXPIRED}
MANUAL: Mapping[str, Manual] = {manual.id: manual for tip in TIPS for manual in tip.manual}
TITLES: Mapping[str, str] = {tip.id: tip.title for tip in TIPS} | {"policy": "what the policy says of itself"}


def unknown(kind: str, word: str, known: Iterable[str]) -> BadInput:
    """Names the nearest one; a word without its tip is enough (`offered` for client_tls.offered)."""
    from difflib import get_close_matches

    names = sorted(known)
    stems = {name.rpartition(".")[2]: name for name in names}
    near = get_close_matches(word, names, 1, 0.6) or [stems[s] for s in get_close_matches(word, stems, 1, 0.6)]
    return BadInput(f"there is no {kind} {word}" + (f"; did you mean {near[0]}?" if near else ""))


def known(cluster: Cluster) -> None:
    """Raises BadInput for a check or a host of the policy that does not exist: what was meant would not be said or accepted."""
    if not cluster.policy.accepted and not cluster.policy.controls:
        return
    from galvan.tips.firewall.groups.live import CHECK as SECURITY_GROUPS

    checks = {*CHECKS, SECURITY_GROUPS}
    hosts = {host.name for host in cluster.hosts} | {"*"}
    for where, check in [
        *(("accept", risk.check) for risk in cluster.policy.accepted),
        *(("policy.controls", control.check) for control in cluster.policy.controls),
    ]:
        if check not in checks:
            raise BadInput(f"{where}: {unknown('check', check, checks)} (galvan checks lists them)")
    for risk in cluster.policy.accepted:
        if risk.host not in hosts:
            raise BadInput(f"accept: {risk.check}: {unknown('host', risk.host, hosts)}")


def looks_at(check: Check) -> Fact[Any] | None:
    """The first fact that the check asks for: found by letting it judge hosts of which nothing is known."""
    hosts = tuple(Host(role.value, role.value, role, role.value) for role in Role)
    blank = Snapshot(Cluster("", hosts), tuple(HostFacts(host, {}) for host in hosts), {}, 0.0)
    facts = {fact.id: fact for tip in TIPS for fact in tip.facts}
    for finding in check.judge(blank):
        if asked := re.fullmatch(r"(\S+) was not asked for on \S+", finding.seen):
            return facts.get(asked[1])
    return None
