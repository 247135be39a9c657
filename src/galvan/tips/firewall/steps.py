"""Count first, then the members' wall, then the whole wall. Each rule step is under a dead-man; what survives a reboot is written
only after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.health import may_return
from galvan.cluster.identity import group_port
from galvan.cluster.walls import WALL
from galvan.model import (
    Action,
    Blind,
    Deadman,
    Fact,
    Finding,
    HostFacts,
    Reach,
    Role,
    Rung,
    Snapshot,
    Stage,
    State,
    Step,
)
from galvan.tips.firewall.backends import (
    FIREWALLD,
    Carrier,
    count,
    count_no_more,
    keep,
    load,
    mark_of,
    policy_object,
    reload,
    unload,
    watch_of,
)
from galvan.tips.firewall.facts import OBJECT
from galvan.tips.firewall.joining import join
from galvan.tips.firewall.judge import carrier_of, may_wall
from galvan.tips.firewall.table import GROUP, WALLED, Allow, holds, whereabouts
from galvan.tips.firewall.wall import Height, Wall, wall_of

TIP = "firewall"
GROUP_LIMIT, LIMIT = 3.0, 30.0
"""Seconds: members expel one that they cannot reach after 5 (evs.suspect_timeout)."""
_SAID = {"firewall.one-in-charge", "firewall.no-bypass"}


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    if not any(finding.check not in _SAID for finding in failing):
        return
    may_return(snapshot)
    may_wall(snapshot)
    for facts in snapshot.having(*WALLED):
        yield from _of_host(facts, snapshot, to)
    yield from join(snapshot)


def _of_host(facts: HostFacts, snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    carrier, shut = carrier_of(facts, snapshot), wall_of(facts, snapshot, Height.SHUT)
    seen = {
        key: str(facts[WALL].get(key) or "") for key in ("wall", "watch", "saved", "enabled", "intact", "lasting", "by")
    }
    if seen["wall"] and seen["by"] != carrier.kind:
        raise Blind(
            f"the wall on {facts.host.name} is carried by {seen['by']}, and {carrier.kind} is in charge now: galvan rollback first"
        )
    whole = mark_of(carrier, shut)
    if seen["wall"] == seen["saved"] == whole and seen["intact"] == seen["lasting"] == "yes":
        return  # what is counted after that is only for curiosity, and ends with a reboot
    if carrier.kind == FIREWALLD:
        yield from _object(facts)
    if seen["watch"] != (counts := watch_of(carrier, shut)):
        yield _step(
            facts, Stage.COUNT, "count", {"watch": seen["watch"]}, {"watch": counts}, (count(carrier, shut),),
            (count_no_more(carrier),), "count who would be refused",
        )  # fmt: skip
    heights = [Height.MEMBERS] if any(a.purpose == GROUP for a in shut.allows) else []
    if to >= Rung.ENFORCED:
        heights = [Height.SHUT] if seen["wall"].startswith("shut") else [*heights, Height.SHUT]
    elif seen["wall"].startswith("shut"):
        heights = []
    for height in heights:
        yield from _height(facts, snapshot, carrier, wall_of(facts, snapshot, height), seen, height is heights[-1])


def _object(facts: HostFacts) -> Iterator[Step]:
    """firewalld knows a new policy object only after a reload, and a reload forgets what was only typed."""
    seen = facts[OBJECT]
    if seen.get("object") == "yes":
        return
    if seen.get("unsaved") != "no":
        raise Blind(
            f"firewalld on {facts.host.name} runs with rules that are not permanent, and would forget them with the reload that "
            "Galvan needs once: keep them (firewall-cmd --runtime-to-permanent), or drop them (firewall-cmd --reload)"
        )
    do, undo = policy_object(Stage.COUNT.at(facts.host.name))
    yield _step(
        facts,
        Stage.COUNT,
        "object",
        {"object": "no"},
        {"object": "yes"},
        do,
        undo,
        "a policy object of Galvan's, without a rule yet",
        read=OBJECT,
    )


def _height(
    facts: HostFacts, snapshot: Snapshot, carrier: Carrier, wall: Wall, seen: dict[str, str], last: bool
) -> Iterator[Step]:
    """The wall and what keeps it; `seen` is what this step finds, and then what it leaves. That what runs is what is kept can only be
    asked of the last height: a run that goes on finds a higher wall at the lower one's wave. Rules that somebody had
    changed by hand are no wall to go back to: the one before it is, as it was made."""
    mark, stage = mark_of(carrier, wall), Stage.SHUT if wall.height is Height.SHUT else Stage.WALL
    before = {"wall": seen["wall"], "intact": "yes"}
    title = "drop what no rule lets in" if wall.height is Height.SHUT else "shut the members' ports to strangers"
    if seen["wall"] != mark or seen["intact"] != "yes":
        undo = reload(carrier.kind, seen["wall"]) if seen["wall"] else unload(carrier.kind)
        guard = Deadman(LIMIT, tuple(reaches(facts, snapshot, wall.allows)))
        yield _step(
            facts,
            stage,
            "wall",
            before,
            {"wall": mark, "intact": "yes"},
            load(carrier, wall),
            undo,
            title,
            deadman=guard,
        )
    if seen["saved"] != mark or seen["lasting"] != "yes":
        do, back = keep(carrier, wall, seen["saved"], stage.at(facts.host.name))
        kept, want = {"saved": seen["saved"]}, {"saved": mark}
        if carrier.kind != FIREWALLD:
            kept, want = kept | {"enabled": seen["enabled"]}, want | {"enabled": "yes"}
        if last:
            want |= {"lasting": "yes"}
        yield _step(facts, stage, "keep", kept, want, do, back, "and have it back after a reboot")
    seen |= {"wall": mark, "saved": mark, "enabled": "yes", "intact": "yes", "lasting": "yes"}


def _step(
    facts: HostFacts, stage: Stage, name: str, before: State, want: State, do: tuple[Action, ...], undo: tuple[Action, ...],
    title: str, deadman: Deadman | None = None, read: Fact[State] = WALL,
) -> Step:  # fmt: skip
    return Step(
        id=f"{TIP}.{name}-{stage.name.lower()}@{facts.host.name}", tip=TIP, host=facts.host.name, stage=stage,
        read=read, before=before, want=want, do=do, undo=undo, title=title, deadman=deadman,
    )  # fmt: skip


def reaches(facts: HostFacts, snapshot: Snapshot, allows: Sequence[Allow]) -> Iterator[Reach]:
    """Every port that a host of galvan.yaml is to reach here, from that host, and the group's port of every other member from here:
    links that live on hide a wall that lets no new one through."""
    here = facts.host
    for allow in allows:
        if allow.protocol != "tcp":
            continue
        for other, mine in whereabouts(snapshot):
            if other != here and other.role is not Role.OUTSIDER and holds(allow, mine):
                within = GROUP_LIMIT if allow.purpose == GROUP else LIMIT
                yield Reach(other.name, here.name, here.address, allow.port, within)
    for member in snapshot.having(*MEMBERS) if here.role is not Role.LOAD_BALANCER else ():
        if member.host != here:
            yield Reach(here.name, member.host.name, member.host.address, group_port(member), GROUP_LIMIT)
