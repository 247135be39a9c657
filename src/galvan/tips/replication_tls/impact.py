"""Nobody but members speaks on the group port, and all of them are strict before the old way ends."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.health import expected_members, versions
from galvan.model import Impact, Role, Snapshot

TIP = "replication_tls"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    members = now.having(Role.DATABASE)
    if since is not None:
        return
    if len(set(seen := versions(now).values())) > 1:
        what = "a member that misses too much may have no way back to an older version"
        yield Impact(TIP, members[0].host.name, "mixed-versions", what, " and ".join(dict.fromkeys(seen)))
    if expected_members(now) == 2:
        yield Impact(
            TIP, members[0].host.name, "no-fault-tolerance", "while one restarts the other is alone", "two members"
        )
