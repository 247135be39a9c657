"""One operator at one cluster, and the audit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galvan.app.limit import chosen
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import GATE, HOUSE, LONG, SESSIONS, STATUS
from galvan.cluster.membership import misfits
from galvan.cluster.upkeep import UPKEEP
from galvan.edges.inventory import load
from galvan.edges.state import ProofBook, StateDirectory
from galvan.engine import audit as audits
from galvan.engine.gather import fingerprint, gather
from galvan.model import Cluster, Fact, Finding, Rung, Snapshot, Tip, Unreadable, WrongUsage
from galvan.tips import TIPS

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
    return sit_again(desk)


def sit_again(desk: Desk) -> Desk:
    """The same desk, knowing what is kept on this side by now."""
    return replace(desk, cluster=replace(desk.cluster, authorities=_own(desk.state), escrow=_kept(desk.state)))


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
@dataclass(frozen=True, slots=True)
class Audited:
    snapshot: Snapshot
    findings: tuple[Finding, ...]
    rungs: Mapping[str, Rung]
    accepted: int
    unreachable: Mapping[str, str]
    misfits: tuple[str, ...] = ()  # why the hosts that were named are not the cluster


async def look(desk: Desk, extra: Sequence[Fact[Any]] = (), connections: Connections | None = None) -> Snapshot:
    from galvan.edges.ssh import SshReader

    facts = tuple(dict.fromkeys((*(fact for tip in desk.tips for fact in tip.facts), STATUS, *extra)))
    cluster = desk.cluster
    if desk.limit:
        cluster = replace(cluster, hosts=tuple(host for host in cluster.hosts if host.name in desk.limit))
    async with SshReader(cluster, (*ALL_FACTS, *extra), connections) as reader:
        return await gather(cluster, facts, reader)


async def audit(desk: Desk, extra: Sequence[Fact[Any]] = (), connections: Connections | None = None) -> Audited:
    """`connections`: begun ahead of need, if they were (`app.early`)."""
    return judge(desk, await look(desk, extra, connections))


def judge(desk: Desk, snapshot: Snapshot) -> Audited:
    findings = audits.audit(snapshot, desk.tips)
    book, days = ProofBook(desk.state), desk.cluster.policy.proof_lifetime_days
    by_id = {tip.id: tip for tip in desk.tips}
    rungs = audits.rungs(findings, lambda tip: book.holds(tip, fingerprint(snapshot, [by_id[tip]]), days))
    counted, accepted = audits.accept(findings, desk.cluster.policy.accepted, time.strftime("%Y-%m-%d"))
    return Audited(snapshot, counted, rungs, accepted, unreachable(snapshot), misfits(snapshot, desk.cluster))


def unreachable(snapshot: Snapshot) -> Mapping[str, str]:
    """Hosts of which nothing could be read, and why."""
    return {
        facts.host.name: str(next(iter(facts.readings.values())))
        for facts in snapshot.hosts
        if facts.readings and all(isinstance(r, Unreadable) for r in facts.readings.values())
    }


def clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
