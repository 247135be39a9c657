"""Is every member connected with every other one itself? Where two are not, a third relays between them, and its restart
splits the group: seen live with an arbitrator that nobody dialled, and the primary component was lost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import LINKS, VARIABLES
from galvan.cluster.identity import group_port
from galvan.model import HostFacts, Snapshot, Unreadable


def relayed(host: str, snapshot: Snapshot) -> Iterator[str]:
    """Pairs of members that would lose sight of each other while `host` is away. One side that sees the link is enough."""
    staying = [facts for facts in snapshot.having(*MEMBERS) if facts.host.name != host]
    for one, other in combinations(staying, 2):
        seen = _sees(one, other), _sees(other, one)
        who = f"{one.host.name} and {other.host.name}"
        if True in seen:
            continue
        if None in seen:
            blind = one if seen[0] is None else other
            yield f"whether {who} are connected directly could not be seen ({blind.readings.get(LINKS.id)})"
        else:
            yield (
                f"{who} have no direct connection, so another member relays between them and its restart would split the "
                "group: let both dial all members (wsrep_cluster_address, GALERA_NODES) and through any firewall between them"
            )


def _sees(one: HostFacts, other: HostFacts) -> bool | None:
    """None: it could not look. Who listens on which port is known of a database host only; garbd's is the usual one."""
    mine, yours = one.readings.get(LINKS.id), other.readings.get(LINKS.id)
    if mine is None or isinstance(mine, Unreadable):
        return None
    known = frozenset() if yours is None or isinstance(yours, Unreadable) else other[LINKS].own
    ports = {_port(one), _port(other)}
    return any(f"{port}@{address}" in one[LINKS].peers for port in ports for address in {other.host.address, *known})


def _port(facts: HostFacts) -> int:
    return group_port(facts) if VARIABLES.id in facts.readings else 4567
