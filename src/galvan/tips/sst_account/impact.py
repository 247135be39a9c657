"""Who would be hurt: whoever else uses the account that is narrowed, or the one that is locked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from galvan.cluster.facts import SESSIONS, Session
from galvan.model import HostFacts, Impact, Role, Snapshot, Unreadable
from galvan.tips.sst_account import former
from galvan.tips.sst_account.checks import wants_password
from galvan.tips.sst_account.facts import AUTH
from galvan.tips.sst_account.table import Kind, account_of, excess, row_of
from galvan.tips.sst_account.words import spelled

TIP = "sst_account"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    members = now.having(Role.DATABASE)
    if since is not None:
        return
    row, user = row_of(members[0]), members[0][AUTH].server
    by_socket = row.kind is Kind.NAMED and not wants_password(members[0], now)
    account = account_of(members[0], user) if by_socket else None
    if account is not None and (more := excess(members[0], account, row)):
        evidence = f"scripts that run as the system user {user} and log in with it are not seen from here"
        yield Impact(TIP, members[0].host.name, account.name, f"loses {spelled(more)}", evidence)
    for old in former.lockable(now) if former.evidence(now) else ():
        seen = [
            f"{session.who} on {facts.host.name}"
            for facts in members
            for session in _sessions(facts)
            if session.user == old.user
        ]
        yield Impact(
            TIP, members[0].host.name, old.name, "can log in no more", ", ".join(seen) or "no session of it is open"
        )


def _sessions(facts: HostFacts) -> Iterator[Session]:
    with suppress(Unreadable):
        yield from facts[SESSIONS]
