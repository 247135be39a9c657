"""Who would be refused: everyone who was counted, and everyone who is connected now, whom no rule of the table lets in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from galvan.cluster.identity import addresses
from galvan.model import HostFacts, Impact, Role, Snapshot, Unreadable
from galvan.tips.firewall.facts import COUNTED, GUESTS, LISTENERS
from galvan.tips.firewall.judge import stands
from galvan.tips.firewall.table import MEMBERS_ONLY, WALLED, Allow, holds, literal, of_host, operators

TIP = "firewall"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where it cannot be seen who comes. Where nothing listens nobody is served, so nobody is lost; an outsider of
    galvan.yaml is one that is to be refused."""
    if not operators(now):
        return  # nothing is planned without them, and everything would be listed here
    strangers = {a for host in now.cluster.having(Role.OUTSIDER) for a in literal(host)}
    for facts in now.having(*WALLED):
        if stands(facts, now):
            continue  # whom it refuses it refuses already
        table = of_host(facts, now)
        matters = {(a.protocol, a.port) for a in table} | {
            (e.protocol, e.port) for e in facts[LISTENERS] if not e.local
        }
        seen: dict[tuple[str, str, int], list[str]] = {}
        for guest in facts[GUESTS]:
            seen.setdefault((guest.address, guest.protocol, guest.port), []).append(
                f"connected now, {guest.times} times"
            )
        for peer in facts[COUNTED]:
            seen.setdefault((peer.address, peer.protocol, peer.port), []).append(f"counted {peer.times} times")
        for (address, protocol, port), evidence in sorted(seen.items()):
            if (protocol, port) in matters and address not in strangers and not allowed(table, address, protocol, port):
                yield _impact(facts, now, table, (address, protocol, port), evidence)


def _impact(
    facts: HostFacts, now: Snapshot, table: tuple[Allow, ...], what: tuple[str, str, int], evidence: list[str]
) -> Impact:
    """`who` is address, protocol and port: a host may be a stranger at one port and a neighbour at another."""
    address, protocol, port = what
    inner = {(a.protocol, a.port) for a in table if a.purpose in MEMBERS_ONLY}
    process = next(
        (e.process for e in facts[LISTENERS] if (e.protocol, e.port) == (protocol, port)), "nothing that listens"
    )
    known = f" ({name})" if (name := name_of(address, now)) else ""
    return Impact(
        TIP, facts.host.name, f"{address}/{protocol}/{port}", f"{address}{known} would be refused at {process}",
        ", ".join(evidence), widen=(protocol, port) in inner,
    )  # fmt: skip


def allowed(table: tuple[Allow, ...], address: str, protocol: str, port: int) -> bool:
    """The module `recent` does not say which protocol: then any will do."""
    return any(a.port == port and protocol in (a.protocol, "") and holds(a, (address,)) for a in table)


def name_of(address: str, snapshot: Snapshot) -> str:
    """The host of galvan.yaml that has this address, be it one that the file does not name."""
    return next((facts.host.name for facts in snapshot.hosts if address in _known(facts)), "")


def _known(facts: HostFacts) -> set[str]:
    """A balancer and an application do not tell theirs, and behind a name the file has none."""
    found: set[str] = set()
    with suppress(Unreadable):
        found.update(literal(facts.host))
    with suppress(Unreadable):
        found.update(addresses(facts))
    return found


def moved(now: Snapshot) -> Iterator[str]:
    """Nobody is seen going another way: a peer is let in by the policy, or taken by name."""
    yield from ()


def settled(seen: Impact, now: Snapshot) -> bool:
    """Does the policy let in by now whom an earlier watch saw?"""
    address, protocol, port = seen.who.rsplit("/", 2)
    facts = next((f for f in now.having(*WALLED) if f.host.name == seen.host), None)
    return facts is not None and allowed(of_host(facts, now), address, protocol, int(port))
