"""A ProxySQL's whole way up, built from what was seen. Each part is built on what the parts before it will have left there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.facts import ACCOUNTS
from galvan.cluster.identity import answers_to, parted, server_port
from galvan.model import BadInput, Blind, HostFacts, Role, Rung, Snapshot, State, Step
from galvan.pki import judge
from galvan.tips.load_balancer.members import shown_authority
from galvan.tips.load_balancer.proxysql import front, sql, steps, users
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL
from galvan.tips.load_balancer.proxysql.impact import let_in_clear
from galvan.tips.load_balancer.proxysql.sql import Member


@dataclass(frozen=True, slots=True)
class Ground:
    """`limit`: connections to one member."""

    snapshot: Snapshot
    limit: int

    @property
    def members(self) -> tuple[HostFacts, ...]:
        return tuple(self.snapshot.having(Role.DATABASE))


def mend(facts: HostFacts, snapshot: Snapshot, limit: int, to: Rung) -> Iterator[Step]:
    """Raises Blind where ProxySQL stands in a way that Galvan does not know how to go on from."""
    ground, seen = Ground(snapshot, limit), facts
    for part in _UP if to >= Rung.ENFORCED else _BESIDE:
        try:
            made = [*part(seen, ground)]
        except BadInput as why:
            raise Blind(f"ProxySQL on {facts.host.name}: {why}") from None
        yield from made
        seen = ahead(seen, made)


def ahead(facts: HostFacts, made: Sequence[Step]) -> HostFacts:
    """The host as these steps will leave it."""
    state: State = facts[PROXYSQL]
    for step in made:
        if step.host == facts.host.name and step.read == PROXYSQL:
            state = {**state, **step.want}
    return HostFacts(facts.host, {**facts.readings, PROXYSQL.id: state})


def known(state: State, member: HostFacts) -> Member:
    """By the name under which ProxySQL has it already: under a second one it would be a second server, and a second writer."""
    names, port = {*answers_to(member), member.host.name, *member.host.names}, server_port(member)
    for key in state:
        host, _, at = key.removeprefix("server.").rpartition(":")
        if key.startswith("server.") and at == str(port) and host in names:
            return Member(host, port)
    return Member(member.host.address, port)


def _monitor(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    yield from steps.monitor(facts, ground.members[0])


def _door(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    """Members that are reached over TLS stay so; where only some are, the others follow, if they can."""
    state, members = facts[PROXYSQL], _members(facts, ground)
    uses = [str(state.get(f"server.{member.name}") or "").startswith("1 1 ") for member in members]
    partly = any(str(state.get(f"server.{member.name}") or "")[:3] in ("1 1", "0 1") for member in members)
    if partly and not all(uses) and not _verifiable(ground):
        raise Blind(f"ProxySQL on {facts.host.name} reaches some members over TLS, and not all of them offer it")
    policy = ground.snapshot.cluster.policy.load_balancer
    yield from steps.widen(facts, policy, members, ground.limit, partly)


def _users(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    state, first = facts[PROXYSQL], ground.members[0]
    sha2 = sql.has_own_table(str(state["version"]))  # 2.6 brought both
    accounts = first[ACCOUNTS]
    asks = {str(state.get("var.mysql-monitor_username") or "monitor"), "monitor"}  # of whoever asks for members' health
    found = [each for each in users.carried(accounts, facts.host.address, sha2) if each.user not in asks]
    yield from steps.carry_users(facts, first, found, sql.groups_of(state, _members(facts, ground)))


def _encrypt(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    """Only where every member shows a certificate of one authority: before that nobody would be let through."""
    if authority := _verifiable(ground):
        yield from steps.encrypt(facts, _members(facts, ground), ground.limit, authority)


def _certificate(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    """None where the owner brought certificates of his own: Galvan cannot sign for his authority."""
    if any(judge.brought(member, "client") for member in ground.members):
        return
    judge.may_issue(ground.snapshot, "client")
    names, addresses = parted((facts.host.name, facts.host.address, *facts.host.names))
    yield from front.certificate(facts, names, addresses, ground.snapshot.cluster.policy.leaf_days)


def _narrow(facts: HostFacts, ground: Ground) -> Iterator[Step]:
    yield from steps.narrow(facts, let_in_clear(facts))


_BESIDE: tuple[Callable[[HostFacts, Ground], Iterator[Step]], ...] = (_monitor, _door, _users)
_UP = (*_BESIDE, _encrypt, _certificate, _narrow)


def _members(facts: HostFacts, ground: Ground) -> tuple[Member, ...]:
    return tuple(known(facts[PROXYSQL], member) for member in ground.members)


def _verifiable(ground: Ground) -> str:
    return shown_authority(ground.members, ground.snapshot)
