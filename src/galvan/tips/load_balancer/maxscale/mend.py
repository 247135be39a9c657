"""A MaxScale's whole way up, built from what was seen; and who stands to lose by it."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import VARIABLES
from galvan.cluster.identity import parted
from galvan.model import BadInput, Blind, HostFacts, Impact, Role, Rung, Snapshot, Step
from galvan.pki import judge
from galvan.tips.load_balancer.maxscale import accounts, adopt, steps
from galvan.tips.load_balancer.maxscale.checks import plain_listeners
from galvan.tips.load_balancer.maxscale.facts import DOOR, config_of
from galvan.tips.load_balancer.maxscale.render import Door
from galvan.tips.load_balancer.maxscale.versions import parse_version
from galvan.tips.load_balancer.members import shown_authority

RESTART = "maxscale-restart"


def mend(facts: HostFacts, snapshot: Snapshot, limit: int, to: Rung) -> Iterator[Step]:
    """Raises Blind where MaxScale stands in a way that Galvan does not know how to go on from."""
    _may(facts, snapshot)
    try:
        yield from _steps(facts, snapshot, limit, to)
    except BadInput as why:
        raise Blind(f"MaxScale on {facts.host.name}: {why}") from None


def _may(facts: HostFacts, snapshot: Snapshot) -> None:
    """Raises Blind unless every member can be reached over TLS and verified: a password, and whatever a client says over TLS, would
    go on in clear text otherwise."""
    host, members = facts.host.name, snapshot.having(Role.DATABASE)
    steps.may_enter(facts)
    for member in members:
        if dialect(member[VARIABLES]) is not Dialect.MARIADB:
            raise Blind(f"{member.host.name} is no MariaDB: the accounts that MaxScale needs were only written for one")
        if judge.brought(member, "client"):
            raise Blind(
                f"{member.host.name} shows a certificate of your own, and Galvan cannot sign one of that authority for {host}: "
                "MaxScale is audited, and not changed"
            )
    judge.may_issue(snapshot, "client")
    if not shown_authority(members, snapshot):
        raise Blind(
            f"{host} could not verify every member: each has to offer TLS to clients first (galvan apply --tip client_tls), then plan again"
        )


def _steps(facts: HostFacts, snapshot: Snapshot, limit: int, to: Rung) -> Iterator[Step]:
    policy, host, members = snapshot.cluster.policy, facts.host, snapshot.having(Role.DATABASE)
    door = _door(facts, snapshot, limit)
    oldest = min(parse_version(str(each[VARIABLES].get("version"))) for each in members)
    yield from steps.members_accounts(facts, members[0], accounts.wanted(host.address, oldest), policy.require)
    names, addresses = parted((host.name, host.address, *host.names))
    yield from steps.certificate(facts, names, addresses, policy.leaf_days)
    yield from steps.login(facts)
    yield from steps.to_members(facts, door)
    yield from steps.door(facts, door)
    if to < Rung.ENFORCED:
        return
    yield from steps.default_login(facts)
    yield from steps.old_doors(facts, steps.TLS, policy.min_tls, policy.ciphers)
    yield from steps.administration(facts, steps.TLS, policy.min_tls, [each.server for each in door.members])


def _door(facts: HostFacts, snapshot: Snapshot, limit: int) -> Door:
    """Raises Blind, BadInput where MaxScale's own servers cannot be taken as they are."""
    policy = snapshot.cluster.policy
    made, monitor = adopt.members(facts, snapshot.having(Role.DATABASE))
    return Door(
        config_of(facts).version, made, policy.load_balancer, steps.TLS, policy.min_tls, policy.ciphers, limit, monitor=monitor
    )  # fmt: skip


def _reborn(facts: HostFacts, snapshot: Snapshot) -> str:
    try:
        return steps.reborn(facts, _door(facts, snapshot, 1))
    except (Blind, BadInput):
        return ""  # nothing is planned there, and the plan says why


def impact(facts: HostFacts, snapshot: Snapshot) -> Iterator[Impact]:
    """MaxScale tells of no session whether it came over TLS, so each listener has to be taken by name. Its restarts cut whoever comes
    through it: one where its doors cannot be brought to it as it runs, one for where its administration listens."""
    said = f"every session through MaxScale on {facts.host.name} would be cut by its restart"
    if why := _reborn(facts, snapshot):
        yield Impact("load_balancer", facts.host.name, RESTART, said, why, widen=True)
    elif not facts[DOOR].get("marked"):
        why = "where its administration listens is read when it starts, and not before"
        yield Impact("load_balancer", facts.host.name, RESTART, said, why)
    for listener in plain_listeners(config_of(facts)):
        yield Impact(
            "load_balancer", facts.host.name, listener.name,
            f"whoever comes in clear text through MaxScale's listener {listener.name} ({listener.get('port')}) would be refused",
            "a listener takes TLS or clear text, never both",
        )  # fmt: skip
