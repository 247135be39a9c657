"""A pair as steps: the first balancer takes the address, the second stands by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from galvan.cluster.behind import is_haproxy
from galvan.cluster.identity import is_address
from galvan.cluster.ownfile import digest
from galvan.model import (
    Action,
    Blind,
    Disruption,
    HostFacts,
    Pair,
    PutFile,
    RestoreFile,
    Role,
    Snapshot,
    Stage,
    State,
    Step,
)
from galvan.tips.load_balancer.keepalived.conf import CONFIG, KEEPALIVED, SCRIPT, STANDING
from galvan.tips.load_balancer.keepalived.edit import free, lay, take_out
from galvan.tips.load_balancer.keepalived.render import ASK, Side, config

TIP = "load_balancer"


def mend(snapshot: Snapshot) -> Iterator[Step]:
    """Raises Blind where the two cannot share this address."""
    pair = snapshot.cluster.policy.load_balancer.pair
    if pair is None:
        return
    two = {facts.host.name: (facts, side_of(facts, snapshot, pair)) for facts in snapshot.having(Role.LOAD_BALANCER)}
    ready = {name for name, (facts, side) in two.items() if facts[KEEPALIVED].standing == wanted(side)}
    for name, (facts, side) in two.items():
        may_share(facts, snapshot, side)
        if name not in ready:
            yield _step(facts, side, bool(ready - {name}))
            ready.add(name)


def wanted(side: Side) -> State:
    return {"script": digest(ASK), "config": digest(config(side)), "included": "yes", "active": "yes", "enabled": "yes"}


def _step(facts: HostFacts, side: Side, beside: bool) -> Step:
    seen, name, pair = facts[KEEPALIVED].standing, facts.host.name, side.pair
    kept = Stage.PAIR.at(name)
    restore = (RestoreFile(CONFIG, kept), RestoreFile(SCRIPT, kept))
    undo: tuple[Action, ...] = (take_out(pair, seen["active"] == "yes", seen["enabled"] == "yes"), *restore)
    if seen["included"]:  # an older one of Galvan's: that comes back
        undo = (*restore, lay(pair, beside))
    return Step(
        id=f"{TIP}.pair@{name}", tip=TIP, host=name, stage=Stage.PAIR, read=STANDING, before=seen, want=wanted(side),
        do=(
            *(() if beside else (free(pair),)), PutFile(SCRIPT, ASK, mode=0o500), PutFile(CONFIG, config(side)),
            lay(pair, beside),
        ),
        undo=undo, title=f"share {pair.address} with the other balancer", disruption=Disruption.RELOAD,
    )  # fmt: skip


# what has to be so --------------------------------------------------------------------------------------------------
def side_of(facts: HostFacts, snapshot: Snapshot, pair: Pair) -> Side:
    """Raises Blind where there are not two, or the interface has no place for the address."""
    balancers = snapshot.having(Role.LOAD_BALANCER)
    if len(balancers) != 2 or not all(is_haproxy(other.host) for other in balancers):
        said = ", ".join(f"{other.host.name} ({other.host.kind or 'haproxy'})" for other in balancers)
        raise Blind(f"a pair is two HAProxy hosts, and galvan.yaml names {said}: leave `pair` out of the policy")
    (other,) = (each for each in balancers if each.host.name != facts.host.name)
    return Side(pair, _own(facts, pair), _own(other, pair), facts is balancers[0])


def _own(facts: HostFacts, pair: Pair) -> str:
    """Its address next to the shared one, by which galvan.yaml knows it: the wall lets VRRP in from there."""
    address, name = ipaddress.ip_address(pair.address), facts.host.name
    near = [
        on.ip for on in facts[KEEPALIVED].on(pair.interface)
        if address in on.network and address not in (on.ip, on.network.network_address, on.network.broadcast_address)
    ]  # fmt: skip
    if not near:
        there = ", ".join(str(on.network) for on in facts[KEEPALIVED].on(pair.interface)) or "no address"
        raise Blind(
            f"{pair.interface} of {name} has {there}, and {pair.address} does not belong there (pair: address, interface)"
        )
    named = {ipaddress.ip_address(said) for said in (facts.host.address, *facts.host.names) if is_address(said)}
    if not (known := [str(ip) for ip in near if ip in named]):
        raise Blind(f"galvan.yaml does not name the address of {name} on {pair.interface}: add {near[0]} to its names")
    return known[0]


def may_share(facts: HostFacts, snapshot: Snapshot, side: Side) -> None:
    """Raises Blind where keepalived is missing, or the address or its number is somebody's already."""
    seen, pair, name = facts[KEEPALIVED], side.pair, facts.host.name
    if not seen.version:
        raise Blind(
            f"{name} has no keepalived, which shares the address of a pair: install it (apt-get install keepalived)"
        )
    if owner := next((host.name for host in snapshot.cluster.hosts if host.address == pair.address), ""):
        raise Blind(f"{pair.address} is the own address of {owner}: a pair shares one that is nobody's")
    if seen.holds(pair.address) and not seen.standing["included"]:
        raise Blind(
            f"{name} carries {pair.address} already, and not by Galvan: take it off there first, or choose another"
        )
    for instance in seen.instances:
        if pair.address in instance.addresses:
            raise Blind(
                f"keepalived on {name} shares {pair.address} already ({instance.name or 'in its own file'}): take that out first"
            )
        if instance.router == str(side.router) and instance.interface in ("", pair.interface):
            raise Blind(
                f"keepalived on {name} has another instance with virtual_router_id {side.router} on {pair.interface} "
                f"({instance.name}): choose another number (pair: router)"
            )
