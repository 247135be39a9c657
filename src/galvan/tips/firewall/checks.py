"""What an audit can say of the walls by reading: the rules of each host are asked about nobody's address, and about each neighbour."""

from __future__ import annotations

from galvan.cluster.walls import WALL
from galvan.model import (
    Blind,
    HostFacts,
    Judgement,
    Role,
    Rung,
    Severity,
    Snapshot,
    Unreadable,
    Verdict,
    check,
    holds,
    not_here,
)
from galvan.tips.firewall.backends import FIREWALLD, Carrier, mark_of
from galvan.tips.firewall.facts import BYPASS, LISTENERS
from galvan.tips.firewall.joining import ALLOWLIST, wanted
from galvan.tips.firewall.judge import carrier_of, cut_off, fate, in_charge, stranger
from galvan.tips.firewall.table import MEMBERS_ONLY, NOBODYS, of_host, operators, ssh_ports
from galvan.tips.firewall.wall import Height, wall_of

ALSO = (Role.ARBITRATOR, Role.LOAD_BALANCER)
NO_OPERATORS = not_here("galvan.yaml does not say from where operators come (policy: firewall: operators)")


def _carrier(facts: HostFacts, snapshot: Snapshot) -> Carrier:
    """To a plan a host on which nothing could carry a wall is a reason to refuse; to a check it is one that cannot be judged."""
    try:
        return carrier_of(facts, snapshot)
    except Blind as why:
        raise Unreadable(str(why)) from why


def _open_to_strangers(facts: HostFacts, ports: set[tuple[str, int]], want: str) -> Judgement:
    """By every rule that the host has, Galvan's or not."""
    reached: set[str] = set()
    unsure: set[str] = set()
    for protocol, port in sorted(ports):
        for packet in stranger(facts, protocol, port):
            seen = fate(facts, packet)
            if seen.let_in:
                reached.add(f"{protocol} {port} over {'IPv6' if packet.family == 'ip6' else 'IPv4'}")
            elif seen.doubts:
                unsure.update(seen.doubts)
    if reached:
        return Judgement(Verdict.FAIL, f"anyone reaches {', '.join(sorted(reached))}", want)
    if unsure:
        return Judgement(Verdict.UNKNOWN, f"it depends on what cannot be judged: {sorted(unsure)[0]}", want)
    return Judgement(Verdict.PASS, "no stranger reaches them", want)


@check(
    "firewall.members-only",
    Severity.CRITICAL,
    "Strangers reach the ports of members",
    rung=Rung.READY,
    control="NW-01",
    also=(Role.ARBITRATOR,),
)
def members_only(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever reaches the group's port can freeze the cluster or ask a donor for a full copy; one bare connection to the port
    of a state transfer kills it."""
    ports = {(a.protocol, a.port) for a in of_host(facts, snapshot) if a.purpose in MEMBERS_ONLY}
    return _open_to_strangers(
        facts, ports, "members only: " + ", ".join(f"{protocol} {port}" for protocol, port in sorted(ports))
    )


@check(
    "firewall.default-drop",
    Severity.HIGH,
    "What no rule lets in is let in",
    rung=Rung.ENFORCED,
    control="NW-07",
    also=ALSO,
)
def default_drop(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A list of what is closed misses what is installed tomorrow, and what listens on IPv6 only. Asked for both families, about all
    that listens now and about a port that nothing uses."""
    ports = {(listener.protocol, listener.port) for listener in facts[LISTENERS] if not listener.local}
    opened = {(a.protocol, a.port) for a in of_host(facts, snapshot) if {"0.0.0.0/0", "::/0"} & set(a.sources)}
    return _open_to_strangers(facts, {*ports, ("tcp", NOBODYS)} - opened, "dropped, over IPv4 and IPv6")


@check("firewall.ssh", Severity.MEDIUM, "Anyone reaches ssh", rung=Rung.ENFORCED, control="NW-11", also=ALSO)
def ssh(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A door for administrators is for the networks that they come from."""
    return _open_to_strangers(facts, {("tcp", port) for port in ssh_ports(facts)}, "operators only")


@check(
    "firewall.neighbours",
    Severity.HIGH,
    "A firewall shuts out a neighbour",
    rung=Rung.READY,
    control="NW-02",
    also=ALSO,
)
def neighbours(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A port that is only dialled in a state transfer fails at the next restart, months after the rule was made."""
    carrier = _carrier(facts, snapshot)
    if not operators(snapshot):
        return NO_OPERATORS
    if carrier.kind == FIREWALLD:
        return not_here("firewalld: its policy object `galvan` is asked before its zones")
    allows = of_host(facts, snapshot)
    shut = [
        f"{a.protocol} {a.port} ({a.purpose}) for {source}: {seen.by or seen.doubts[0]}"
        for a, source, seen in cut_off(facts, allows)
    ]
    return holds(not shut, "; ".join(shut[:3]) or "each neighbour is let in", "every neighbour of the table is let in")


@check(
    "firewall.as-wanted",
    Severity.MEDIUM,
    "The wall is not the one that the policy wants",
    rung=Rung.READY,
    control="NW-01",
    also=ALSO,
)
def as_wanted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A member, a balancer or a monitor that was added later is not in rules that were made before."""
    seen = facts[WALL]
    if not seen.get("wall") and not seen.get("watch"):
        return not_here("there is no wall of Galvan's here")
    if not operators(snapshot):
        return NO_OPERATORS
    carrier = _carrier(facts, snapshot)
    good = {mark_of(carrier, wall_of(facts, snapshot, height)) for height in Height} | {""}
    told = [f"wall={seen.get('wall')}"] * (str(seen.get("wall")) not in good)
    if not str(seen.get("wall")).startswith("shut") and not seen.get(
        "watch"
    ):  # then it still has to be known who comes
        told.append("nobody counts who comes")
    told += ["somebody changed the running rules"] * (seen.get("intact") != "yes")
    return holds(not told, ", ".join(told) or f"wall={seen.get('wall') or 'none'}", "rules of the policy as it is now")


@check(
    "firewall.lasting",
    Severity.MEDIUM,
    "The wall does not survive a reboot",
    rung=Rung.READY,
    control="NW-09",
    also=ALSO,
)
def lasting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Rules that were only typed are gone at the worst moment; Debian's nftables.conf flushes all others when it is loaded."""
    seen = facts[WALL]
    if not seen.get("wall") and not seen.get("saved"):
        return not_here("there is no wall of Galvan's here")
    said = f"runs: {seen.get('wall') or 'none'}; kept: {seen.get('saved') or 'none'}; the same after a reboot: {seen.get('lasting')}"
    return holds(
        seen.get("wall") == seen.get("saved") and seen.get("lasting") == "yes", said, "what runs is what is kept"
    )


@check(
    "firewall.one-in-charge", Severity.MEDIUM, "Two firewalls are at work", rung=Rung.OPEN, control="NW-07", also=ALSO
)
def one_in_charge(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Each flushes what the other wrote, and a rule is looked for in the wrong one. Only said: it is yours to choose."""
    found = in_charge(facts)
    return holds(len(found) < 2, " and ".join(found) or "none is at work", "one firewall in charge")


@check(
    "firewall.no-bypass", Severity.MEDIUM, "Ports are led past the rules", rung=Rung.OPEN, control="NW-10", also=ALSO
)
def no_bypass(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A published container port reaches its container by DNAT: no rule about what comes into the host is asked (that is what
    DOCKER-USER is for)."""
    found = facts[BYPASS]
    return holds(not found, "; ".join(found[:3]) or "none", "no DNAT to containers, or rules of their own for them")


@check(
    "firewall.join-list", Severity.MEDIUM, "The cluster does not say who may join", rung=Rung.ENFORCED, control="NW-01"
)
def join_list(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With rows in mysql.wsrep_allowlist an address that is not among them cannot join or ask for a transfer, whatever a firewall
    says. It is asked of who dials in, not of whom this member dials."""
    listed = facts[ALLOWLIST]
    if listed is None or not snapshot.cluster.policy.firewall.allowlist:
        return not_here(
            "this server has no wsrep_allowlist" if listed is None else "policy: firewall: allowlist: false"
        )
    want = set(wanted(snapshot))
    said = ", ".join(listed) or "nobody is listed, so everyone may"
    return holds(set(listed) >= want and bool(want), said, ", ".join(sorted(want)))


CHECKS = (
    members_only, default_drop, ssh, neighbours, as_wanted, lasting, one_in_charge, no_bypass, join_list,
)  # fmt: skip
