"""Plan: what has to change, as waves in order. Pure; nothing is asked and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.dialects import changeable
from galvan.cluster.health import CLOCK_SKEW, behind
from galvan.cluster.order import Wave, waves
from galvan.cluster.position import outage_seconds
from galvan.cluster.settle import may_write
from galvan.engine.gather import fingerprint
from galvan.model import (
    Blind,
    Certificate,
    Finding,
    Impact,
    Need,
    ProviderOption,
    Role,
    Rung,
    Setting,
    Snapshot,
    Stage,
    Step,
    Tip,
    Unreadable,
    Unsafe,
    Verdict,
)

Settle = Callable[[Iterable[Setting | ProviderOption], Snapshot], Iterable[Step]]
Certify = Callable[[Iterable[Certificate], Snapshot], Iterable[Step]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Bound to the fingerprint of what was seen. `refused`: tips left out, and why (host and reason).
    `outage`: seconds in which no member will serve, as estimated from what the hosts say of their last stop and start."""

    cluster: str
    fingerprint: str
    tips: tuple[str, ...]
    to: Rung
    waves: tuple[Wave, ...]
    impact: tuple[Impact, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    outage: float = 0.0

    @property
    def restarts(self) -> Mapping[str, int]:
        """Restarts per host; a wave restarts its host once however many of its steps ask for it."""
        counts: dict[str, int] = {}
        for wave in self.waves:
            counts[wave.host] = counts.get(wave.host, 0) + wave.restarts
        return counts


def plan(
    findings: Sequence[Finding], snapshot: Snapshot, tips: Sequence[Tip], to: Rung, order: Sequence[str],
    settle: Settle, certify: Certify, outage: bool = False,
) -> Plan:  # fmt: skip
    """Tips whose facts are unknown are refused (Blind), the others go on. `order`: hosts, the writer last. `outage`: may
    every member be stopped, where a tip cannot do without?"""
    refused: dict[str, str] = {}
    changes: list[Step | Need] = []
    for tip in tips:
        try:
            changeable(snapshot)
            wanted = [*tip.mend(_failing(tip, findings), snapshot, to)]
            if not outage:
                _without_outage(wanted)
            may_write(wanted, snapshot)
            changes += wanted
        except (Blind, Unreadable) as why:
            refused[tip.id] = str(why)
    certificates = [change for change in changes if isinstance(change, Certificate)]
    _same_time(certificates, snapshot)
    steps = list(certify(certificates, snapshot))
    steps += [change for change in changes if isinstance(change, Step)]
    steps += settle([change for change in changes if isinstance(change, (Setting, ProviderOption))], snapshot)
    names = tuple(tip.id for tip in tips if tip.id not in refused)
    impact = tuple(impact_of(tip, snapshot) for tip in tips if tip.id in names)
    ordered = tuple(waves(steps, order))
    return Plan(
        snapshot.cluster.name, fingerprint(snapshot, tips), names, to, ordered, tuple(i for found in impact for i in found),
        refused, outage_seconds(ordered, snapshot),
    )  # fmt: skip


def _same_time(certificates: Sequence[Certificate], snapshot: Snapshot) -> None:
    """A certificate is dated by this machine's clock; raises Unsafe where its host would not call it valid yet."""
    for host in dict.fromkeys(need.host for need in certificates):
        facts = snapshot.of(host)
        if facts.host.role in MEMBERS and (late := behind(facts, snapshot)) > CLOCK_SKEW:
            raise Unsafe(
                f"the clock of {host} is {late:.0f} s behind this machine's: a certificate made here now would not be "
                "valid there yet. Nothing was changed; set the clock that is wrong (chrony, timedatectl), then plan again"
            )


def _without_outage(wanted: Sequence[Step | Need]) -> None:
    """Raises Blind where the operator would have to allow what is wanted."""
    for change in wanted:
        if not isinstance(change, Certificate) and change.stage is Stage.STOP_CLEAR:
            why = change.title if isinstance(change, Step) else change.reason
            raise Blind(
                f"{why}, so it takes an outage: every member is stopped, and the last one is bootstrapped. Nothing of it is "
                "planned until you allow that: --allow-outage"
            )


def _failing(tip: Tip, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    mine = [finding for finding in findings if finding.tip == tip.id]
    if unknown := [f for f in mine if f.verdict is Verdict.UNKNOWN and f.rung is not Rung.OPEN]:
        why = "; ".join(f"{f.check}@{f.host}: {f.seen}" for f in unknown[:3])
        raise Blind(f"{len(unknown)} checks could not look, so nothing is planned for it: {why}")
    return tuple(f for f in mine if f.verdict is Verdict.FAIL)


def impact_of(tip: Tip, snapshot: Snapshot) -> tuple[Impact, ...]:
    """Who would be hurt as far as can be seen now; what cannot be seen yet is watched for in SWITCH."""
    seen: list[Impact] = []
    with suppress(Unreadable):
        seen.extend(tip.impact(snapshot, None))
    return tuple(seen)


def limited(made: Plan, hosts: Collection[str]) -> Plan:
    """The plan on some hosts only. Raises Unsafe where a tip would be carried out on some and not on others: a member that
    is left behind cannot talk to the rest, or an application is refused for want of what it was not handed."""
    for tip in made.tips:
        concerned = {wave.host for wave in made.waves if tip in wave.tips}
        if (without := sorted(concerned - set(hosts))) and concerned & set(hosts):
            raise Unsafe(
                f"--limit would leave a mixed state: {tip} has to change {', '.join(without)} too. Nothing was changed; "
                "leave --limit out, or choose another tip with --tip"
            )
    return replace(made, waves=tuple(wave for wave in made.waves if wave.host in hosts))


def host_order(snapshot: Snapshot, sessions: Mapping[str, int]) -> tuple[str, ...]:
    """All hosts in their own order, databases by how many clients they serve (the writer goes last), then arbitrators.

    An arbitrator that becomes strict before the others has no link to a member that does so after it: neither has the
    other in its list of addresses, and members in between hand on addresses for clear text. The member in between then
    relays, and the group falls apart when that one restarts. Last, it dials all of them itself.
    """
    names = [host.name for host in snapshot.cluster.hosts]
    late = {host.name: 1 for host in snapshot.cluster.having(Role.DATABASE)}
    late |= {host.name: 2 for host in snapshot.cluster.having(Role.ARBITRATOR)}
    return tuple(sorted(names, key=lambda name: (late.get(name, 0), sessions.get(name, 0), names.index(name))))
