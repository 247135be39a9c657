"""Whom an encrypted transfer would leave outside: nobody speaks on 4444 but members, and they turn all at once."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.transfer import method
from galvan.model import Impact, Role, Snapshot
from galvan.tips.sst_tls.checks import needed, unused

TIP = "sst_tls"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """A backup that asks a donor by garbd for a method of its own is refused afterwards; nobody can see who does that."""
    if since is not None:
        return
    for facts in now.having(Role.DATABASE):
        if found := [script.method for script in unused(facts, now)]:
            what = "could not be asked for any more, be it by a backup of yours (policy: sst: also)"
            yield Impact(
                TIP, facts.host.name, "unused-methods", what, f"{', '.join(sorted(found))} beside {method(facts)}"
            )
    if "mysqldump" in needed(now):
        first = now.having(Role.DATABASE)[0].host.name
        yield Impact(
            TIP, first, "mysqldump", "stops its donor, and is not changed by this tip", "wsrep_sst_method=mysqldump"
        )
