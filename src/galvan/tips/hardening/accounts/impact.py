"""Whom a lock would shut out: live sessions, logins that the server counted, and what its audit log remembers."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.grants import GRANTS, Account, Grants
from galvan.model import HostFacts, Impact, Role, Snapshot, Unreadable
from galvan.tips.hardening.accounts.facts import USED, Use
from galvan.tips.hardening.accounts.steps import TIP, to_lock
from galvan.tips.hardening.accounts.unused import logged, servers, uses

_TO_LOCK = ", is to be locked"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where a server cannot say who logs in: an unseen client is not an absent one."""
    first = now.having(Role.DATABASE)[0]
    for account, why in to_lock(first, now):
        for server in servers(now):
            if since is not None and not server[USED].counts:
                raise Unreadable(
                    f"{server.host.name} does not count logins, so nobody can say who still uses {account.name}: SET GLOBAL userstat = ON"
                )
            yield from _on(account, why, first[GRANTS], server)


def _on(account: Account, why: str, grants: Grants, server: HostFacts) -> Iterator[Impact]:
    last = dict(logged(account, grants, server))
    for use in uses(account, grants, server):
        told = "; ".join([*_counted(use, server), *([f"last at {last.pop(use.who)}"] if use.who in last else [])])
        what = f"would be refused: {account.name}, which {why}{_TO_LOCK}"
        yield Impact(TIP, server.host.name, use.who, what, told)
    for who, when in sorted(last.items()):
        what = f"may be refused: {account.name}, which {why}{_TO_LOCK}"
        yield Impact(TIP, server.host.name, who, what, f"the audit log saw it last at {when}")


def _counted(use: Use, server: HostFacts) -> Iterator[str]:
    if use.live:
        yield f"{use.live} live sessions"
    if use.counted:
        hours = server[USED].since // 3600
        yield f"{use.counted} logins " + (
            f"since the server started {hours} hours ago" if server[USED].since else "counted"
        )


def settled(impact: Impact, now: Snapshot) -> bool:
    """Whoever used an account that is no longer to be locked is nobody's concern any more."""
    first = now.having(Role.DATABASE)[0]
    mine = impact.what.endswith(_TO_LOCK)
    return mine and not any(f": {account.name}, which " in impact.what for account, _ in to_lock(first, now))
