"""The questions that both channels ask of the material behind them; each tip asks them of its own authority."""

from __future__ import annotations

from collections.abc import Iterable

from galvan.model import Blind, HostFacts, Judgement, Role, Snapshot, holds
from galvan.pki.certificate import describe, problems
from galvan.pki.material import Material, complaints
from galvan.pki.places import on_server
from galvan.pki.steps import MATERIAL

_DAY = 86400.0


def material(facts: HostFacts, authority: str) -> Material | None:
    """What lies in Galvan's place for this authority; None where there is nothing."""
    found = facts[MATERIAL].get(on_server(authority).directory)
    return found if found and found.present else None


def may_issue(snapshot: Snapshot, authority: str) -> None:
    """Raises Blind where certificates of another authority lie on some host: signing with ours would split the group,
    or leave clients with a trust that no longer fits. Renewing an authority is a task of its own."""
    ours = next((pem for name, pem in snapshot.cluster.authorities if name == authority), None)
    for facts in snapshot.hosts:
        if facts.host.role is not Role.DATABASE or not (found := material(facts, authority)) or not found.authority:
            continue
        if ours is None:
            raise Blind(
                f"{facts.host.name} has certificates of an authority {authority!r} that is not kept here: work where its "
                "key is, or copy that operator's state directory"
            )
        if found.authority.strip() != ours.strip():
            raise Blind(
                f"the authority {authority!r} kept here is not the one whose certificates lie on {facts.host.name}"
            )


def sound(facts: HostFacts, authority: str) -> Judgement:
    """Do key, certificate and authority fit, readable for the server, for both purposes?"""
    found = material(facts, authority)
    wrong = list(complaints(found)) if found else [f"there is no {on_server(authority).directory}"]
    seen = "; ".join(wrong) or f"{on_server(authority).directory} holds together"
    return holds(not wrong, seen, "a key, its certificate and its authority, for both purposes")


def lasting(facts: HostFacts, snapshot: Snapshot, authority: str) -> Judgement:
    found = material(facts, authority)
    if found is None or not found.certificate:
        return holds(False, "there is no certificate", "a certificate that lasts")
    leaf = describe(found.certificate)
    trusted = [pem for name, pem in snapshot.cluster.authorities if name == authority] or [found.authority]
    wrong = problems(leaf, trusted, snapshot.taken_at, warn_days=snapshot.cluster.policy.warn_days)
    days = (leaf.not_after - snapshot.taken_at) / _DAY
    return holds(
        not wrong, "; ".join(wrong) or f"good for {days:.0f} days", "valid, of our authority, not about to end"
    )


def covers(facts: HostFacts, authority: str, wanted: Iterable[str]) -> Judgement:
    found = material(facts, authority)
    if found is None or not found.certificate:
        return holds(False, "there is no certificate", "a certificate with every name in use")
    leaf, want = describe(found.certificate), set(wanted)
    missing = sorted(want - {*leaf.names, *leaf.addresses})
    seen = f"lacks {', '.join(missing)}" if missing else f"holds {', '.join(sorted(want))}"
    return holds(not missing, seen, "every name and address in use")


def alone(facts: HostFacts, snapshot: Snapshot, authority: str) -> Judgement:
    """A key of its own: who takes one host must not have taken them all."""
    found = material(facts, authority)
    if found is None or not found.printed:
        return holds(False, "there is no certificate", "a key and certificate of its own")
    twins = [
        other.host.name
        for other in snapshot.having(facts.host.role)
        if other.host != facts.host and _sha(material(other, authority)) == found.printed.sha256
    ]
    seen = f"the same as on {', '.join(twins)}" if twins else "its own"
    return holds(not twins, seen, "a key and certificate of its own")


def _sha(found: Material | None) -> str:
    return found.printed.sha256 if found and found.printed else ""
