"""Nobody but members speaks on the group port, and all of them are strict before the old way ends."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.health import expected_members
from galvan.model import Impact, Role, Snapshot

TIP = "replication_tls"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    members = now.having(Role.DATABASE)
    if expected_members(now) == 2 and since is None:
        yield Impact(
            TIP, members[0].host.name, "no-fault-tolerance", "while one restarts the other is alone", "two members"
        )
