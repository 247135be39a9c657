"""Which accounts nobody used. What was not counted is not unused: every member and replica must have counted for long enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from galvan.cluster.grants import GRANTS, Account, Grants
from galvan.cluster.logins import Lodge
from galvan.model import HostFacts, Role, Snapshot
from galvan.tips.hardening.accounts.definers import defined
from galvan.tips.hardening.accounts.facts import CHANGED, LAST, USED, Use
from galvan.tips.hardening.accounts.purpose import Purposes


def servers(snapshot: Snapshot) -> tuple[HostFacts, ...]:
    """Where an account may be used: what replicates to a replica is used there too."""
    return snapshot.having(Role.DATABASE, Role.REPLICA)


def moment(said: str) -> float:
    """
    >>> moment("20261127 22:00:00") > 0, moment("yesterday")
    (True, 0.0)
    """
    try:
        return datetime.strptime(said, "%Y%m%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def told(snapshot: Snapshot) -> str:
    """Why nobody can say which accounts are unused; empty where the servers can."""
    days = snapshot.cluster.policy.hardening.unused_days
    if not days:
        return "policy.hardening.unused_days is 0"
    for facts in servers(snapshot):
        if not facts[USED].counts:
            return f"{facts.host.name} does not count logins (performance_schema and userstat are off)"
        known = _known_for(facts, snapshot.taken_at)
        if known < days * 86400:
            return f"{facts.host.name} has counted logins for {known / 86400:.1f} days, and unused_days is {days}"
    return ""


def _known_for(facts: HostFacts, now: float) -> float:
    """Seconds. The audit log is a database host's; it reaches back over restarts."""
    logged = moment(facts[LAST].get("#since", "")) if facts.host.role is Role.DATABASE else 0.0
    return max(float(facts[USED].since), now - logged if logged else 0.0)


def uses(grants: Grants, server: HostFacts) -> Mapping[str, list[Use]]:
    """By account's name: logins on a server that were, or may have been, this account's."""
    lodge, found = Lodge(grants.accounts), dict[str, list[Use]]()
    for use in server[USED].uses:
        for account in lodge.serving(use.user, use.client):
            found.setdefault(account.name, []).append(use)
    return found


def logged(grants: Grants, server: HostFacts) -> Mapping[str, dict[str, str]]:
    """By account's name: who came and when, of what the audit log saw; only a database host's is read."""
    lodge, found = Lodge(grants.accounts), dict[str, dict[str, str]]()
    for who, when in server[LAST].items() if server.host.role is Role.DATABASE else ():
        user, _, client = who.rpartition("@")
        for account in lodge.serving(user, "" if client == "localhost" else client) if who != "#since" else ():
            found.setdefault(account.name, {})[who] = when
    return found


def idle(facts: HostFacts, snapshot: Snapshot) -> tuple[Account, ...]:
    """Unused on every server, and older than the time that is asked about. Ask only where `told` says nothing."""
    since = snapshot.taken_at - snapshot.cluster.policy.hardening.unused_days * 86400
    seen = {name for server in servers(snapshot) for name in _seen(facts[GRANTS], server, since)}
    known, definers = Purposes(facts, snapshot), {one.definer for one in defined(facts)}
    return tuple(
        account
        for account in facts[GRANTS].people
        if account.user
        and account.name not in seen
        and not account.expired  # then nobody knows how old it is
        and facts[CHANGED].at.get((account.user, account.host), 0) < since
        and f"{account.user}@{account.host}" not in definers
        and not known.spare(account)
    )


def _seen(grants: Grants, server: HostFacts, since: float) -> Iterator[str]:
    yield from uses(grants, server)
    for name, mine in logged(grants, server).items():
        if any(moment(when) >= since for when in mine.values()):
            yield name
