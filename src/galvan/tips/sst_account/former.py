"""The accounts that transfers used before: who they are, and whether the new one has proven itself, so that they may be locked."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.grants import Account, Secret
from galvan.model import HostFacts, Role, Snapshot
from galvan.tips.sst_account.facts import AUTH, READER, Behind
from galvan.tips.sst_account.served import CHANGED
from galvan.tips.sst_account.table import Kind, account_of, administrates, row_of

WAITS = "it waits for the next transfer with the new one"


def lockable(snapshot: Snapshot) -> tuple[Account, ...]:
    """Accounts that lines of the owner's named, which are not in use for transfers any more, and with which nobody manages the
    server. Accounts are replicated, so any member's word is good for all."""
    members = snapshot.having(Role.DATABASE)
    in_use = {facts[AUTH].user for facts in members}
    users = {kept.user for facts in members for kept in facts[AUTH].kept if kept.user and kept.user not in in_use}
    found = (account_of(members[0], user) for user in sorted(users))
    return tuple(a for a in found if a is not None and not a.locked and not administrates(members[0], a))


def evidence(snapshot: Snapshot) -> str:
    """Who got his data by the account in use, after it was named; empty where nobody did yet. A method that logs in nowhere
    proves itself."""
    for facts in snapshot.having(Role.DATABASE):
        seen, reader = facts[AUTH], facts[READER]
        if row_of(facts).kind in (Kind.NONE, Kind.DUMMY, Kind.OWN):
            return "transfers log in nowhere"
        if seen.user and reader.user == seen.user and reader.at > seen.written:
            return f"{facts.host.name} got its data by {seen.user} since"
    return ""


def still_good(facts: HostFacts) -> tuple[str, ...]:
    """Administrators whose password stood in a line that was taken out, and has not been set since."""
    return tuple(dict.fromkeys(_still_good(facts)))


def _still_good(facts: HostFacts) -> Iterator[str]:
    for kept in facts[AUTH].kept:
        account = account_of(facts, kept.user) if kept.behind is Behind.PASSWORD else None
        if account is None or account.locked or not administrates(facts, account):
            continue
        by_password = any(way.secret not in (Secret.NONE, Secret.UNUSABLE) for way in account.ways)
        if by_password and facts[CHANGED].get((account.user, account.host), 0) <= kept.at:
            yield account.name
