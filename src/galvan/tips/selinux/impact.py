"""Who would be refused something once SELinux enforces: what was noted so far and no rule lets through, and what nobody ever tried."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import Cluster, HostFacts, Impact, Role, Snapshot
from galvan.model.denials import Answer, Denial
from galvan.tips.selinux import apparmor
from galvan.tips.selinux.audit import DENIALS, concerns
from galvan.tips.selinux.checks import running
from galvan.tips.selinux.facts import LABELS, PATHS, STATE, kernel, labels_of
from galvan.tips.selinux.module import covers
from galvan.tips.selinux.places import ports
from galvan.tips.selinux.review import Caught, Ground, rules

TIP = "selinux"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where a host cannot say what it noted."""
    for facts in now.having(Role.DATABASE):
        state, host = facts[STATE], facts.host.name
        profiled = apparmor.at_work(state)
        if enforced(facts) if not profiled else str(state.get("context")).endswith("(enforce)"):
            continue
        if not profiled and running(state):
            continue
        learnt = now.cluster.profile if profiled else now.cluster.learnt
        if not learnt:
            yield Impact(
                TIP,
                host,
                "unlearnt",
                "may be refused what it needs",
                "nobody rehearsed what this server does: galvan selinux learn",
            )
        begin = since.taken_at if since else 0.0
        noted = [d for d in facts[DENIALS].denials if concerns(d) and d.at >= begin]
        yield from _refused(facts, [apparmor.known(d) for d in noted], now.cluster, profiled)


def enforced(facts: HostFacts) -> bool:
    state = facts[STATE]
    return kernel(state) == "enforcing" and not any(key.startswith("permissive.") and "mysqld" in key for key in state)


def _refused(facts: HostFacts, noted: list[Denial], cluster: Cluster, profiled: bool) -> Iterator[Impact]:
    """What a label answers is answered before anything is enforced."""
    host = facts.host.name
    left = [Caught(host, "", d) for d in noted if not answered(cluster, d)]
    for name, rule in rules(left, {} if profiled else {host: ground(facts)}).items():
        if rule.answer not in (Answer.LABEL, Answer.BOOLEAN):
            yield Impact(
                TIP,
                host,
                name,
                f"{rule.says}: would be refused",
                f"{rule.seen} denials noted, and no rule of the module covers them",
            )


def answered(cluster: Cluster, denial: Denial) -> bool:
    """Is it let through by the module, or the profile, that was built?"""
    return covers(cluster.learnt, denial) or apparmor.covers(cluster.profile, denial)


def ground(facts: HostFacts) -> Ground:
    """What answers on this host may use. Raises Unreadable."""
    labels, state = labels_of(facts[LABELS]), facts[STATE]
    booleans = frozenset(key.partition(".")[2] for key in state if key.startswith("boolean."))
    return Ground(facts[PATHS], labels.at, labels.types, booleans, frozenset(port for _, port, _ in ports(facts)))


def moved(snapshot: Snapshot) -> Iterator[str]:
    """A rule that a module now covers is not seen again: nobody has to say so."""
    return iter(())


def settled(found: Impact, now: Snapshot) -> bool:
    """Was it answered since, by a rule of the module that was built?"""
    if found.who == "unlearnt":
        return bool(now.cluster.profile if apparmor.at_work(now.of(found.host)[STATE]) else now.cluster.learnt)
    return not any(left.who == found.who and left.host == found.host for left in impact(now, None))
