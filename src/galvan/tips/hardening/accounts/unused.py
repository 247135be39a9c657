"""Which accounts nobody used. What was not counted is not unused: every member and replica must have counted for long enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from galvan.cluster.grants import GRANTS, Account, Grants
from galvan.cluster.logins import serving
from galvan.model import HostFacts, Role, Snapshot
from galvan.tips.hardening.accounts.definers import defined
from galvan.tips.hardening.accounts.facts import CHANGED, LAST, USED, Use
from galvan.tips.hardening.accounts.purpose import spared


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


def uses(account: Account, grants: Grants, server: HostFacts) -> Iterator[Use]:
    """Logins on a server that were, or may have been, this account's."""
    for use in server[USED].uses:
        if account in serving(grants.accounts, use.user, use.client):
            yield use


def logged(account: Account, grants: Grants, server: HostFacts) -> Iterator[tuple[str, str]]:
    """Who and when: logins in the audit log that may have been this account's."""
    for who, when in server[LAST].items() if server.host.role is Role.DATABASE else ():
        user, _, client = who.rpartition("@")
        if who != "#since" and account in serving(grants.accounts, user, "" if client == "localhost" else client):
            yield who, when


def idle(facts: HostFacts, snapshot: Snapshot) -> tuple[Account, ...]:
    """Unused on every server, and older than the time that is asked about. Ask only where `told` says nothing."""
    since = snapshot.taken_at - snapshot.cluster.policy.hardening.unused_days * 86400
    definers = {one.definer for one in defined(facts)}
    return tuple(
        account
        for account in facts[GRANTS].people
        if account.user
        and not spared(account, facts, snapshot)
        and f"{account.user}@{account.host}" not in definers
        and not account.expired  # then nobody knows how old it is
        and facts[CHANGED].at.get((account.user, account.host), 0) < since
        and not any(_seen(account, facts[GRANTS], server, since) for server in servers(snapshot))
    )


def _seen(account: Account, grants: Grants, server: HostFacts, since: float) -> bool:
    return any(uses(account, grants, server)) or any(moment(at) >= since for _, at in logged(account, grants, server))
