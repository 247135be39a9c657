"""What may be built on a host, and what its own rules already say. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import LINKS
from galvan.cluster.identity import addresses, group_port
from galvan.cluster.walls import WALL
from galvan.model import Blind, HostFacts, Role, Snapshot, Unreadable
from galvan.tips.firewall.backends import FIREWALLD, IPTABLES, NFT, Carrier, mark_of
from galvan.tips.firewall.facts import CALLER, CONTROL, RULESET, SAVED
from galvan.tips.firewall.packets import Fate, Packet, combined
from galvan.tips.firewall.table import WALLED, Allow, named, networks, of_host, operators, sources
from galvan.tips.firewall.through_iptables import through_iptables
from galvan.tips.firewall.through_nft import Row, through_nft
from galvan.tips.firewall.wall import Height, wall_of

OURS = ("galvan", "galvan_watch")
STRANGERS = {4: "198.51.100.77", 6: "2001:db8::77"}
"""Addresses that are nobody's (RFC 5737, RFC 3849): what reaches a port from there reaches it from anywhere."""


# who is in charge ------------------------------------------------------------------------------------------------
def in_charge(facts: HostFacts) -> tuple[str, ...]:
    """Every firewall of the host that is at work: nftables, iptables, firewalld, ufw. The first carries the wall."""
    said = facts[CONTROL]
    found = []
    if said.get("firewalld") == "active":
        found.append("firewalld")
    if said.get("ufw-on") == "yes":
        found.append("ufw")
    if said.get("nft-chains", "0") != "0" or "enabled" in (said.get("nftables-enabled"),):
        found.append("nftables")
    rules = {said.get("iptables-rules", "0"), said.get("legacy-rules", "0")} != {"0"}
    services = "enabled" in (said.get("netfilter-persistent-enabled"), said.get("iptables-enabled"))
    if "ufw" not in found and (rules or services) and not ("firewalld" in found and not services):
        found.append("iptables")
    return tuple(found)


def carrier_of(facts: HostFacts, snapshot: Snapshot) -> Carrier:
    """What carries the wall here. Raises Blind where the host has nothing that could, or not what is asked for."""
    said, wanted = facts[CONTROL], snapshot.cluster.policy.firewall.backend
    there = {
        "nftables": said.get("has-nft"),
        "iptables": said.get("has-iptables"),
        "firewalld": said.get("has-firewall-cmd"),
        "ufw": said.get("has-ufw"),
    }
    found = in_charge(facts)
    name = (found or ("nftables" if there["nftables"] == "yes" else "iptables",))[0] if wanted == "auto" else wanted
    if there[name] != "yes":
        raise Blind(f"{facts.host.name} has no {name}: install nftables (or iptables), which carries the wall")
    for tool in ("systemd-run", "unshare"):
        if said.get(f"has-{tool}") != "yes":
            raise Blind(f"{facts.host.name} has no {tool}, without which a wall could not undo itself, or be compared")
    count = NFT if there["nftables"] == "yes" else "recent"
    if name == "nftables":
        return Carrier(NFT, ("nftables.service",))
    if name == "firewalld":
        return Carrier(FIREWALLD, count=count)
    after = ("ufw.service",) if name == "ufw" else ("netfilter-persistent.service",)
    return Carrier(IPTABLES, after, count)


def stands(facts: HostFacts, snapshot: Snapshot) -> bool:
    """Is the whole wall up already, as the policy is now? Raises Unreadable where it cannot be seen."""
    try:
        return str(facts[WALL].get("wall")) == mark_of(
            carrier_of(facts, snapshot), wall_of(facts, snapshot, Height.SHUT)
        )
    except Blind:
        return False


# what the rules say ----------------------------------------------------------------------------------------------
def fate(facts: HostFacts, packet: Packet, without: tuple[str, ...] = ()) -> Fate:
    """By all rules of the host; `without`: tables and chains left out."""
    chains = ("GALVAN", "GALVAN-WATCH") if "galvan" in without else ()
    v4, _, v6 = facts[SAVED].partition("# ip6tables\n")
    saved = v6 if packet.family == "ip6" else v4
    rows: Sequence[Row] = facts[RULESET]
    return combined((through_nft(rows, packet, without), through_iptables(saved, packet, chains)))


def target(facts: HostFacts, family: str) -> str:
    """An address of the host's, of that family; of none that it has, one that stands for it."""
    return next(
        (a for a in named(facts.host) if (":" in a) == (family == "ip6")), "::1" if family == "ip6" else "127.0.0.1"
    )


def stranger(facts: HostFacts, protocol: str, port: int) -> Iterator[Packet]:
    """From nobody's address, over IPv4 and over IPv6."""
    for version, source in STRANGERS.items():
        yield Packet(source, target(facts, "ip6" if version == 6 else "ip"), protocol, port)


def cut_off(facts: HostFacts, allows: tuple[Allow, ...]) -> Iterator[tuple[Allow, str, Fate]]:
    """Who is to be let in and is not, by the rules of others: a wall of Galvan's opens nothing that another firewall shuts."""
    for allow in allows:
        for source in allow.sources:
            address = source.partition("/")[0]
            packet = Packet(address, target(facts, "ip6" if ":" in address else "ip"), allow.protocol, allow.port)
            if not (seen := fate(facts, packet, OURS)).surely_in:
                yield allow, source, seen


# what speaks against it --------------------------------------------------------------------------------------------
def may_wall(snapshot: Snapshot) -> None:
    """Raises Blind with every reason at once: somebody would be cut off, or it cannot be known."""
    reasons = [reason for facts in snapshot.having(*WALLED) for reason in _reasons(facts, snapshot)]
    if reasons:
        raise Blind("; ".join(reasons))


def _reasons(facts: HostFacts, snapshot: Snapshot) -> Iterator[str]:
    host = facts.host.name
    if not operators(snapshot):
        yield (
            f"galvan.yaml does not say from where operators come (policy: firewall: operators: [{facts[CALLER].address}/32]); "
            f"this connection to {host} comes from {facts[CALLER].address}"
        )
        return
    if not any(_inside(facts[CALLER].address, network) for network in networks(operators(snapshot))):
        yield (
            f"you would be locked out of {host}: this connection comes from {facts[CALLER].address}, and operators are "
            f"{', '.join(operators(snapshot))} (policy: firewall: operators)"
        )
    if stray := sorted(_strays(facts, snapshot)):
        yield (
            f"{host} is linked with {', '.join(stray)} on the group port, and no host of galvan.yaml has that address: name it "
            "there (hosts: address, or names), or it would be cut off"
        )
    carrier = carrier_of(facts, snapshot)
    if carrier.kind != FIREWALLD:
        for allow, source, seen in [*cut_off(facts, of_host(facts, snapshot))][:3]:
            yield (
                f"on {host} another firewall shuts {allow.protocol} {allow.port} ({allow.purpose}) for {source} "
                f"({seen.by or seen.doubts[0]}), and Galvan opens nothing that others shut: let it in there first"
            )


def _strays(facts: HostFacts, snapshot: Snapshot) -> set[str]:
    """Whom a member is linked with and no host of galvan.yaml accounts for: one that was forgotten, or translated on the way."""
    if facts.host.role is Role.LOAD_BALANCER:
        return set()
    port, known = f"{group_port(facts)}@", set[str]()
    for other in snapshot.having(*MEMBERS):
        known |= {*sources(other), *addresses(other)}
    return {peer.partition("@")[2] for peer in facts[LINKS].peers if peer.startswith(port)} - known


def lacking(facts: HostFacts, snapshot: Snapshot) -> set[str]:
    """Addresses from which a member was seen to dial this one, and which the table does not hold."""
    try:
        held = {address for other in snapshot.having(*MEMBERS) for address in sources(other)}
    except Unreadable:
        return set()
    port = f"{group_port(facts)}@"
    return {peer.partition("@")[2] for peer in facts[LINKS].peers if peer.startswith(port)} - held


def _inside(address: str, network: str) -> bool:

    return ipaddress.ip_address(address) in ipaddress.ip_network(network)
