"""Whom a lock would shut out: live sessions, logins that the server counted, and what its audit log remembers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from galvan.cluster.grants import GRANTS
from galvan.model import HostFacts, Impact, Role, Snapshot, Unreadable
from galvan.tips.hardening.accounts.facts import USED, Use
from galvan.tips.hardening.accounts.steps import TIP, to_lock, to_narrow
from galvan.tips.hardening.accounts.unused import logged, servers, uses
from galvan.tips.hardening.accounts.words import some

_TO_LOCK = ", is to be locked"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Raises Unreadable where a server cannot say who logs in: an unseen client is not an absent one."""
    first = now.having(Role.DATABASE)[0]
    locks = to_lock(first, now)
    for server in servers(now) if locks else ():
        if since is not None and not server[USED].counts:
            names = ", ".join(some([account.name for account, _ in locks]))
            raise Unreadable(
                f"{server.host.name} does not count logins, so nobody can say who still uses {names}: SET GLOBAL userstat = ON"
            )
        used, seen = uses(first[GRANTS], server), logged(first[GRANTS], server)
        for account, why in locks:
            yield from _on(
                server,
                f"{account.name}, which {why}{_TO_LOCK}",
                used.get(account.name, []),
                dict(seen.get(account.name, {})),
            )

    for cut in to_narrow(first, now) if since is None else ():
        what = f"would lose {', '.join(sorted(cut.privileges))} on {cut.grant.place}"
        yield Impact(
            TIP,
            first.host.name,
            cut.account.name,
            what,
            "policy.hardening or the server says what it is for, and that takes none of them",
        )


def _on(server: HostFacts, what: str, used: Iterable[Use], last: dict[str, str]) -> Iterator[Impact]:
    for use in used:
        told = "; ".join([*_counted(use, server), *([f"last at {last.pop(use.who)}"] if use.who in last else [])])
        yield Impact(TIP, server.host.name, use.who, f"would be refused: {what}", told)
    for who, when in sorted(last.items()):
        yield Impact(TIP, server.host.name, who, f"may be refused: {what}", f"the audit log saw it last at {when}")


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
