"""One operator at one cluster, and the audit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from galvan.app import catalogue
from galvan.app.limit import chosen
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import GATE, HOUSE, LONG, SESSIONS, STATUS
from galvan.cluster.membership import misfits
from galvan.cluster.upkeep import UPKEEP
from galvan.edges.inventory import load
from galvan.edges.state import ProofBook, StateDirectory
from galvan.engine import audit as audits
from galvan.engine.gather import fingerprint, gather
from galvan.model import Accepted, Check, Cluster, Fact, Finding, Manual, Rung, Snapshot, Tip, Unreadable, WrongUsage
from galvan.tips import TIPS
from galvan.tips.selinux.apparmor import PROFILE
from galvan.tips.selinux.facts import LEARNT

if TYPE_CHECKING:
    from galvan.edges.authorities import Authorities
    from galvan.edges.connections import Connections
    from galvan.edges.escrow import Escrow
    from galvan.edges.secrets import Secrets

ALL_FACTS: tuple[Fact[Any], ...] = tuple(
    dict.fromkeys((*(fact for tip in TIPS for fact in tip.facts), *HOUSE, *GATE, SESSIONS, LONG, *BEHIND, *UPKEEP))
)
AUTHORITIES = ("cluster", "client")
ESCROW = "at-rest"


@dataclass(frozen=True, slots=True)
class Desk:
    """One operator at one cluster: what was given on the command line, and where this side keeps its own."""

    cluster: Cluster
    state: StateDirectory
    tips: tuple[Tip, ...]
    limit: frozenset[str] = frozenset()
    passphrase_file: Path | None = None
    input_allowed: bool = True
    database: str | None = None

    def secrets(self) -> Secrets:
        from galvan.edges.secrets import Secrets

        return Secrets(input_allowed=self.input_allowed)

    def authorities(self) -> Authorities:
        from galvan.edges.authorities import Authorities, passphrase_from

        words = passphrase_from(self.secrets(), self.passphrase_file)
        directory = self.state.path / "authorities"
        return Authorities(directory, self.cluster.name, words.ask, confirm=words.confirm)

    def escrow(self, authorities: Authorities) -> Escrow:
        from galvan.edges.escrow import Escrow

        return Escrow(self.state.path / ESCROW, authorities)


def sit_down(
    file: Path, tips: Sequence[str] = (), limit: Sequence[str] = (), passphrase_file: Path | None = None,
    input_allowed: bool = True, database: str | None = None, cluster: Cluster | None = None, inventory: Path | None = None,
) -> Desk:  # fmt: skip
    """Reads galvan.yaml, unless that was done before. Raises BadInput, WrongUsage for an unknown tip or host."""
    cluster = cluster or load(file, inventory)
    state = StateDirectory(cluster.name)
    known = {tip.id for tip in TIPS}
    if unknown := [tip for tip in tips if tip not in known]:
        raise WrongUsage(f"there is no tip {unknown[0]}; there are {', '.join(sorted(known))}")
    mine = tuple(tip for tip in TIPS if not tips or tip.id in tips)
    desk = Desk(cluster, state, mine, chosen(cluster, limit), passphrase_file, input_allowed, database)
    learnt = replace(desk.cluster, learnt=_learnt(file, LEARNT), profile=_learnt(file, PROFILE))
    return sit_again(replace(desk, cluster=learnt))


def sit_again(desk: Desk) -> Desk:
    """The same desk, knowing what is kept on this side by now."""
    return replace(desk, cluster=replace(desk.cluster, authorities=_own(desk.state), escrow=_kept(desk.state)))


def _learnt(file: Path, name: str) -> str:
    """What `galvan selinux build` made; it lies beside galvan.yaml, as what it was built from does."""
    made = file.with_name(name)
    return made.read_text() if made.is_file() else ""


def _own(state: StateDirectory) -> tuple[tuple[str, str], ...]:
    """The certificates of the authorities kept here; their keys stay shut."""
    files = [(name, state.path / "authorities" / f"{name}.pem") for name in AUTHORITIES]
    return tuple((name, path.read_text()) for name, path in files if path.is_file())


def _kept(state: StateDirectory) -> tuple[tuple[str, str], ...]:
    """The keys of encryption at rest that are kept here, by number and fingerprint."""
    if not (directory := state.path / ESCROW).is_dir():
        return ()
    from galvan.edges.escrow import fingerprints

    return fingerprints(directory)


# audit ---------------------------------------------------------------------------------------------------------
Seconds: TypeAlias = dict[tuple[str, str], float]
"""How long each fact took, by host and fact; under no fact: the whole exec, with the way there and back."""


@dataclass(frozen=True, slots=True)
class Audited:
    """`findings` are those that count by the policy; what it takes out of the count stands in the others."""

    snapshot: Snapshot
    findings: tuple[Finding, ...]
    rungs: Mapping[str, Rung]
    accepted: tuple[Accepted, ...]
    unreachable: Mapping[str, str]
    misfits: tuple[str, ...] = ()  # why the hosts that were named are not the cluster
    off: tuple[Finding, ...] = ()  # of checks that the policy has switched off
    checks: Mapping[str, Check] = field(default_factory=dict)  # that were asked, by id
    not_asked: tuple[str, ...] = ()  # the profile leaves them out
    manual: tuple[Manual, ...] = ()  # for a person to judge
    titles: Mapping[str, str] = field(default_factory=dict)  # of the tips
    seconds: Seconds = field(default_factory=dict)  # only where it was asked for


async def look(
    desk: Desk, extra: Sequence[Fact[Any]] = (), connections: Connections | None = None, seconds: Seconds | None = None
) -> Snapshot:
    """`seconds`: receives how long each fact took."""
    from galvan.edges.ssh import SshReader

    facts = tuple(dict.fromkeys((*(fact for tip in desk.tips for fact in tip.facts), STATUS, *extra)))
    cluster = desk.cluster
    if desk.limit:
        cluster = replace(cluster, hosts=tuple(host for host in cluster.hosts if host.name in desk.limit))
    async with SshReader(cluster, (*ALL_FACTS, *extra), connections, seconds) as reader:
        return await gather(cluster, facts, reader)


async def audit(
    desk: Desk, extra: Sequence[Fact[Any]] = (), connections: Connections | None = None, timed: bool = False
) -> Audited:
    """`connections`: begun ahead of need, if they were (`app.early`). Raises BadInput for a policy about no check or host."""
    catalogue.known(desk.cluster)
    seconds: Seconds = {}
    seen = judge(desk, await look(desk, extra, connections, seconds if timed else None))
    return replace(seen, seconds=seconds)


def judge(desk: Desk, snapshot: Snapshot) -> Audited:
    policy = desk.cluster.policy
    tips = audits.asked(desk.tips, policy)
    findings = audits.audit(snapshot, tips)
    book, days = ProofBook(desk.state), policy.proof_lifetime_days
    by_id = {tip.id: tip for tip in desk.tips}
    rungs = audits.rungs(findings, lambda tip: book.holds(tip, fingerprint(snapshot, [by_id[tip]]), days))
    weighed = audits.weigh(findings, policy, time.strftime("%Y-%m-%d"))
    checks = {check.id: check for tip in tips for check in tip.checks} | {audits.EXPIRED.id: audits.EXPIRED}
    return Audited(
        snapshot, weighed.findings, rungs, weighed.accepted, unreachable(snapshot), misfits(snapshot, desk.cluster),
        weighed.off, checks, tuple(c.id for tip in desk.tips for c in tip.checks if c.id not in checks),
        tuple(manual for tip in desk.tips for manual in tip.manual), {tip.id: tip.title for tip in desk.tips},
    )  # fmt: skip


def unreachable(snapshot: Snapshot) -> Mapping[str, str]:
    """Hosts of which nothing could be read, and why."""
    return {
        facts.host.name: str(next(iter(facts.readings.values())))
        for facts in snapshot.hosts
        if facts.readings and all(isinstance(r, Unreadable) for r in facts.readings.values())
    }


def clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
