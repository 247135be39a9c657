"""The questions that both channels ask of the material behind them; each tip asks them of its own authority.

Material that an option file of the owner names comes before what lies in Galvan's place: the next start reads that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from galvan.model import Blind, HostFacts, Judgement, Role, Snapshot, Verdict, holds
from galvan.pki.certificate import describe, lacking, problems
from galvan.pki.chain import first_only, roots, trusts
from galvan.pki.material import BROUGHT, Material, complaints
from galvan.pki.places import on_server
from galvan.pki.steps import material_fact

_DAY = 86400.0
_HOLDERS = {"cluster": (Role.DATABASE, Role.ARBITRATOR)}
"""Who has a certificate of an authority; of any other the database hosts alone."""
MOST_ROOTS = 2  # as many as the rotation of an authority needs


def brought(facts: HostFacts, authority: str) -> Material | None:
    """What the owner brought: named by an option file of the host, and not in Galvan's place."""
    return facts[material_fact(facts.host.role)].get(f"{BROUGHT}{authority}")


def material(facts: HostFacts, authority: str) -> Material | None:
    """What the next start reads; where no option file names any, what lies in Galvan's place. None: nothing is there."""
    if found := brought(facts, authority):
        return found
    found = facts[material_fact(facts.host.role)].get(on_server(authority).directory)
    return found if found and found.present else None


def stray(facts: HostFacts, authority: str, running: str, datadir: str) -> Judgement | None:
    """What runs is another certificate than the one that can be looked at; that is no pass. `running`: as shown by the
    server, from `datadir` where it does not begin at the root."""
    own = brought(facts, authority)
    later = own.paths.get("cert", "") if own else on_server(authority).certificate
    if not running or later in (running, f"{datadir.rstrip('/')}/{running}"):
        return None
    said = f"the option files name {later}" if own else "no option file names it"
    return Judgement(Verdict.UNKNOWN, f"{running} is in use, and {said}: it cannot be judged", "one certificate")


def owners(snapshot: Snapshot, authority: str, unfit: Mapping[str, Sequence[str]]) -> bool:
    """Whether the certificates are the owner's, on every host. Raises Blind where they cannot be used as they are, or
    where only some hosts have them: Galvan neither replaces them nor signs beside them.

    `unfit`: by host, what is wrong with what was brought.
    """
    hosts = [facts.host.name for facts in snapshot.having(Role.DATABASE)]
    have = [facts.host.name for facts in snapshot.having(Role.DATABASE) if brought(facts, authority)]
    if not have:
        return False
    if told := "; ".join(f"{host}: {', '.join(unfit[host])}" for host in have if unfit.get(host)):
        raise Blind(f"certificates of your own are used as they are and never replaced, so mend them first. {told}")
    if without := [host for host in hosts if host not in have]:
        raise Blind(
            f"{', '.join(have)} with certificates of your own, {', '.join(without)} without: put key, certificate and "
            "authority there too and name them in an option file, which takes no restart; or take out the others'"
        )
    return True


def unfit(
    facts: HostFacts, snapshot: Snapshot, authority: str, datadir: str, more: Iterable[str] = ()
) -> tuple[str, ...]:
    """What keeps the owner's material from being used as it is. That it ends soon does not."""
    if not (found := brought(facts, authority)):
        return ()
    ail = ailing(facts, snapshot, authority, 0) if found.leaf else ()
    return tuple(dict.fromkeys((*wrong_with(facts, authority, datadir), *more, *ail)))


def paths(facts: HostFacts, authority: str) -> Mapping[str, str]:
    """`cert`, `key` and `ca`: the owner's where there are some, else Galvan's place."""
    place, own = on_server(authority), brought(facts, authority)
    return own.paths if own else {"cert": place.certificate, "key": place.key, "ca": place.ca}


def trust(facts: HostFacts, snapshot: Snapshot, authority: str) -> str:
    """The authority (PEM) by which a host's certificate is judged from outside: the owner's as it lies on the host, ours
    as it is kept here. Empty where there is none."""
    if own := brought(facts, authority):
        return own.authority
    return next((pem for name, pem in snapshot.cluster.authorities if name == authority), "")


def too_many(facts: HostFacts) -> str:
    """Whom the group trusts beside its members, as far as the files say it; empty for nobody."""
    group, client = material(facts, "cluster"), material(facts, "client")
    if not group or not group.authority:
        return ""
    trusted = roots(group.authority)
    if client and client.authority and trusted & roots(client.authority):
        return f"{group.paths['ca']} and {client.paths['ca']} hold the same authority"
    return f"{group.paths['ca']} holds {len(trusted)} authorities" if len(trusted) > MOST_ROOTS else ""


def may_issue(snapshot: Snapshot, authority: str) -> None:
    """Raises Blind where certificates of another authority lie on some host: signing with ours would split the group,
    or leave clients with a trust that no longer fits. Renewing an authority is a task of its own."""
    ours = next((pem for name, pem in snapshot.cluster.authorities if name == authority), None)
    for facts in snapshot.having(*_HOLDERS.get(authority, (Role.DATABASE,))):
        if not (found := material(facts, authority)) or not found.authority:
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


def wrong_with(facts: HostFacts, authority: str, datadir: str) -> Iterator[str]:
    """Do key, certificate and authority fit, readable for the server, for both purposes, where no transfer wipes them?"""
    found = material(facts, authority)
    if found is None:
        yield f"there is no {on_server(authority).directory}"
        return
    yield from complaints(found)
    inside = [path for path in found.paths.values() if datadir and path.startswith(f"{datadir.rstrip('/')}/")]
    if inside:
        yield f"{', '.join(inside)} lies in the data directory, which a state transfer wipes or copies to others"


def distrusted(facts: HostFacts, snapshot: Snapshot, authority: str, whole_chain: bool) -> Iterator[str]:
    """Hosts whose authority does not accept what this one sends: its leaf, and (`whole_chain`) what lies beside it."""
    found = material(facts, authority)
    if found is None or found.leaf is None:
        return
    sent = found.certificate if whole_chain else first_only(found.certificate)
    others = [
        (other.host.name, material(other, authority))
        for other in snapshot.having(*_HOLDERS.get(authority, (facts.host.role,)))
    ]
    held = {name: theirs.authority for name, theirs in others if theirs and theirs.authority}
    good = {pem for pem in set(held.values()) if trusts(pem, sent)}
    if not (wary := [name for name, pem in held.items() if pem not in good]):
        return
    if sent.strip() != found.certificate.strip() and trusts(found.authority, found.certificate):
        yield (
            f"{', '.join(wary)} cannot follow its chain: a provider before 26.4.8 sends the leaf alone, so the "
            f"intermediates of {found.paths['cert']} belong into everybody's authority file"
        )
    else:
        yield f"{', '.join(wary)} would not accept it: {found.leaf.issuer or 'nobody'} issued it"


def sound(facts: HostFacts, authority: str, datadir: str, more: Iterable[str] = ()) -> Judgement:
    wrong, found = [*wrong_with(facts, authority, datadir), *more], material(facts, authority)
    seen = "; ".join(wrong) or f"{found.name if found else ''} holds together"
    return holds(not wrong, seen, "a key, its certificate and its authority, for both purposes")


def ailing(facts: HostFacts, snapshot: Snapshot, authority: str, warn_days: int) -> tuple[str, ...]:
    """What is wrong with the certificate itself: its time, its authority, its strength."""
    found = material(facts, authority)
    if found is None or not found.certificate:
        return ("there is no certificate",)
    ours = () if found.brought else tuple(pem for name, pem in snapshot.cluster.authorities if name == authority)
    leaf = found.leaf or describe(found.certificate)
    trusted = [pem for pem in ours or (found.authority,) if pem]
    if not trusted:
        return ("there is no authority that it could be judged by",)
    return problems(leaf, trusted, snapshot.taken_at, warn_days=warn_days)


def lasting(facts: HostFacts, snapshot: Snapshot, authority: str) -> Judgement:
    wrong = ailing(facts, snapshot, authority, snapshot.cluster.policy.warn_days)
    found = material(facts, authority)
    days = (found.leaf.not_after - snapshot.taken_at) / _DAY if found and found.leaf else 0.0
    return holds(
        not wrong, "; ".join(wrong) or f"good for {days:.0f} days", "valid, of its authority, not about to end"
    )


def covers(facts: HostFacts, authority: str, wanted: Iterable[str]) -> Judgement:
    found = material(facts, authority)
    if found is None or found.leaf is None:
        return holds(False, "there is no certificate", "a certificate with every name in use")
    want = tuple(dict.fromkeys(wanted))
    lacks = sorted(lacking(found.leaf, want))
    seen = f"lacks {', '.join(lacks)}" if lacks else f"holds {', '.join(sorted(want))}"
    return holds(not lacks, seen, "every name and address in use")


def alone(facts: HostFacts, snapshot: Snapshot, authority: str) -> Judgement:
    """A key of its own: who takes one host must not have taken them all."""
    found = material(facts, authority)
    if found is None or found.leaf is None:
        return holds(False, "there is no certificate", "a key and certificate of its own")
    twins = [
        other.host.name
        for other in snapshot.having(*_HOLDERS.get(authority, (facts.host.role,)))
        if _same(material(other, authority), found, other, facts)
    ]
    seen = f"the same as on {', '.join(twins)}" if twins else "its own"
    return holds(not twins, seen, "a key and certificate of its own")


def _same(one: Material | None, other: Material, there: HostFacts, here: HostFacts) -> bool:
    """By the certificate, or by the key alone: one key may stand in many certificates."""
    if there.host == here.host or not one or not one.leaf or not other.leaf:
        return False
    return one.leaf.sha256 == other.leaf.sha256 or bool(one.public and one.public == other.public)
