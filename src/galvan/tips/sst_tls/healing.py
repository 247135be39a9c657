"""A member that cannot come back because its transfers are spoken otherwise than the others': which lines it needs. Pure.

Such a member asks for a full copy, gets nothing that it understands, ends, and is started again, in a loop that takes one donor
after the other out of service. No plan helps: a plan begins with members that all run.
"""

from __future__ import annotations

from collections.abc import Sequence

from galvan.cluster import optionfile, settle
from galvan.cluster.facts import OWN_CONFIG, SST_CONFIG
from galvan.cluster.optionfile import Entry, Key
from galvan.cluster.transfer import spoken
from galvan.model import HostFacts, Unsafe
from galvan.tips.sst_tls.checks import rivals

TIP, REASON = "sst_tls", "as the other members have it"
METHOD: Key = ("mysqld", "wsrep_sst_method")
LINES = (
    "encrypt",
    "ssl_mode",
    "tca",
    "tcapath",
    "tcert",
    "tkey",
    "ssl_ca",
    "ssl_capath",
    "ssl_cert",
    "ssl_key",
    "sockopt",
)


def file_for(mine: HostFacts, others: Sequence[HostFacts]) -> str:
    """Galvan's option file for the host, with the lines of those that run. Raises Unsafe where they do not differ in them, or
    where the others' lines would not be heeded, or cannot be told."""
    host, theirs = mine.host.name, {facts.host.name: spoken(facts) for facts in others}
    if len({seen.talks for seen in theirs.values()}) > 1:
        said = "; ".join(f"{name}: {seen.said}" for name, seen in theirs.items())
        raise Unsafe(
            f"the members that run do not agree how a transfer is made ({said}): galvan apply --tip sst_tls first"
        )
    wanted = {name: _common(name, others) for name in LINES}
    differs = {name: value for name, value in wanted.items() if mine[SST_CONFIG].get(name) != value}
    there, seen, first = mine[OWN_CONFIG], spoken(mine), next(iter(theirs.values()))
    if not differs and seen.talks == first.talks:
        raise Unsafe(
            f"{host} makes transfers as the others do ({seen.said}): that is not why it does not come back; journalctl -u mariadb "
            "says more"
        )
    if lines := rivals(mine):
        raise Unsafe(
            f"{host} sets {', '.join(lines)} in [mysqld], which the scripts read before [sst]: take it out first"
        )
    entries = {key: entry for key, entry in there.items() if key[0] != "sst" or optionfile.same(key[1]) not in differs}
    if kept := [name for name, value in differs.items() if value is None and not _ours(there, name)]:
        raise Unsafe(
            f"{host} has {', '.join(kept)} in [sst] of a file that is not Galvan's, and no other member has: take it out first"
        )
    entries |= {
        ("sst", name.replace("_", "-") if name == "ssl_mode" else name): Entry(value, TIP, REASON)
        for name, value in differs.items()
        if value
    }
    if seen.method != first.method:
        if shadowed := settle.outdone(mine, [METHOD[1]]):
            raise Unsafe(f"on {host} {', '.join(shadowed)} is read after Galvan's file: correct it there")
        entries[METHOD] = Entry(first.method, TIP, REASON)
    return optionfile.render(entries)


def _ours(there: dict[Key, Entry], name: str) -> bool:
    return any(section == "sst" and optionfile.same(option) == name for section, option in there)


def _common(name: str, others: Sequence[HostFacts]) -> str | None:
    values = {facts[SST_CONFIG].get(name) for facts in others}
    if len(values) > 1:
        raise Unsafe(
            f"the members that run have {name} in [sst] each in its own way: what this host should have cannot be told"
        )
    found = values.pop()
    return None if found is None else str(found)
