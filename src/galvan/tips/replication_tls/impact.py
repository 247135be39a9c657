"""Nobody but members speaks on the group port, and all of them are strict before the old way ends."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.health import expected_members, versions
from galvan.model import Impact, Role, Snapshot
from galvan.tips.replication_tls.steps import needs_outage

TIP = "replication_tls"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    members = now.having(Role.DATABASE)
    if since is not None:
        return
    if why := needs_outage(now):
        yield Impact(TIP, members[0].host.name, "everyone", "is cut off while all members are stopped", why)
    if len(set(seen := versions(now).values())) > 1:
        what = "a member that misses too much may have no way back to an older version"
        yield Impact(TIP, members[0].host.name, "mixed-versions", what, " and ".join(dict.fromkeys(seen)))
    if expected_members(now) == 2 and not why:
        yield Impact(
            TIP, members[0].host.name, "no-fault-tolerance", "while one restarts the other is alone", "two members"
        )
