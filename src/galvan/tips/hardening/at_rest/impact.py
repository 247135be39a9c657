"""Nobody is refused by encryption at rest; what it costs is said before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import Impact, Role, Snapshot
from galvan.tips.hardening.at_rest.facts import DISK, TABLES

TIP = "hardening"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    if since is not None or not now.cluster.policy.hardening.at_rest:
        return
    for facts in now.having(Role.DATABASE):
        if facts[TABLES]["tables"] != "encrypted":
            what = f"reads and writes each tablespace once (innodb_encryption_rotation_iops={now.cluster.policy.hardening.encryption_iops})"
            yield Impact(TIP, facts.host.name, "disk", what, str(facts[TABLES]["progress"]))
        if facts[DISK]["binlogs"] != "0" and facts[DISK]["binlogs_encrypted"] == "0":
            what = "tools that read binary logs as files need the keys from now on; replicas get them decrypted"
            yield Impact(TIP, facts.host.name, "binlog-readers", what, f"{facts[DISK]['binlogs']} binary logs")
