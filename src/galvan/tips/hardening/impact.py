"""Who would be hurt when the server becomes strict."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import number, text
from galvan.model import HostFacts, Impact, Role, Snapshot
from galvan.tips.hardening.facts import COUNTED
from galvan.tips.hardening.files import EXCHANGE

TIP = "hardening"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """The server counts LOAD DATA and does not say whose it was. In a window only what came in it counts."""
    for facts in now.having(Role.DATABASE):
        yield from _files(facts, since)
        if since is None:
            yield from _lenient(facts)


def _files(facts: HostFacts, since: Snapshot | None) -> Iterator[Impact]:
    seen, host = facts[VARIABLES], facts.host.name
    count = number(facts[COUNTED], "Com_load")
    evidence = f"Com_load={count} since the start {number(facts[COUNTED], 'Uptime')} s ago"
    if since is not None:
        early = number(since.of(host)[COUNTED], "Com_load")
        count, evidence = max(0, count - early), f"Com_load grew by {count - early} in the window"
    if not count:
        return
    if since is None and not str(seen.get("secure_file_priv") or ""):
        yield Impact(
            TIP,
            host,
            "file-loaders",
            f"could read and write files in {EXCHANGE} only, from the restart on",
            evidence,
            widen=True,
        )
    if seen.get("local_infile") == "ON":
        yield Impact(TIP, host, "local-file-loaders", "would be refused LOAD DATA LOCAL", evidence)


def _lenient(facts: HostFacts) -> Iterator[Impact]:
    modes = text(facts[VARIABLES], "sql_mode")
    if not {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "TRADITIONAL"} & set(modes.split(",")):
        what = "would get an error instead of a warning for values that do not fit"
        yield Impact(
            TIP,
            facts.host.name,
            "lenient-writers",
            what,
            f"@@sql_mode={modes or '(empty)'}; sessions that set their own are not concerned",
        )
