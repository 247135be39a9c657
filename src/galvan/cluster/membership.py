"""Do the hosts that somebody named make up one cluster, all of it and nothing else? Pure questions on a snapshot.

A member that nobody named would be left behind when the others stop speaking clear text, and a host of another cluster
would be brought into this one: so an audit says it, and nothing is planned until it is mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from galvan.cluster.facts import PLATFORM, STATUS, VARIABLES
from galvan.model import Cluster, HostFacts, Role, Snapshot, Unreadable

_NOBODY = ("", "00000000-0000-0000-0000-000000000000")


def misfits(snapshot: Snapshot, cluster: Cluster) -> tuple[str, ...]:
    """What does not fit, as sentences. `cluster` is the whole one: the snapshot may be of a few of its hosts. Facts that
    were not read say nothing here; that they are missing is said elsewhere."""
    members = [facts for facts in snapshot.having(Role.DATABASE) if _read(facts)]
    return (*_servers(snapshot), *_clusters(members), *_twins(members), *_strangers(members, cluster))


def _read(facts: HostFacts) -> bool:
    return not any(isinstance(facts.readings.get(fact.id), Unreadable | None) for fact in (STATUS, VARIABLES))


def _servers(snapshot: Snapshot) -> Iterator[str]:
    """Hosts that ssh reaches, and where no Galera member answers."""
    for facts in snapshot.having(Role.DATABASE):
        why = facts.readings.get(VARIABLES.id)
        answers = any(not isinstance(reading, Unreadable) for reading in facts.readings.values())
        if isinstance(why, Unreadable) and answers:
            yield (
                f"{facts.host.name} is named as a database host, and no server answers there ({why}): start it, or correct "
                "its role in galvan.yaml or its group in the inventory"
            )
        elif not isinstance(why, Unreadable | None) and str(facts[VARIABLES].get("wsrep_on")) not in ("ON", "1"):
            yield f"{facts.host.name} runs a server that is no Galera member (wsrep_on is not ON): it is none of this cluster"


def _clusters(members: Sequence[HostFacts]) -> Iterator[str]:
    for what, key, fact in (
        ("state UUID", "wsrep_cluster_state_uuid", STATUS), ("name", "wsrep_cluster_name", VARIABLES),
    ):  # fmt: skip
        parties: dict[str, list[str]] = {}
        for facts in members:
            if (said := str(facts[fact].get(key) or "")) not in _NOBODY:
                parties.setdefault(said, []).append(facts.host.name)
        if len(parties) > 1:
            sides = "; ".join(f"{', '.join(hosts)}: {said}" for said, hosts in parties.items())
            yield (
                f"these hosts belong to {len(parties)} clusters, by the {what} ({sides}): one galvan.yaml describes one "
                "cluster, so write a file for each"
            )
            return


def _twins(members: Sequence[HostFacts]) -> Iterator[str]:
    for one, other in combinations(members, 2):
        mine, yours = (str(facts[STATUS].get("wsrep_gcomm_uuid") or "") for facts in (one, other))
        if mine == yours and mine not in _NOBODY:
            yield (
                f"{one.host.name} and {other.host.name} are one member ({one.host.address} and {other.host.address}): "
                "name it once"
            )


def _strangers(members: Sequence[HostFacts], cluster: Cluster) -> Iterator[str]:
    """Members that a host counts and nobody named. An arbitrator has no address in the list."""
    named = cluster.having(Role.DATABASE, Role.ARBITRATOR)
    ours = {word for host in named for word in (host.address, host.name, host.ssh, *host.names)}
    for facts in members:
        platform = facts.readings.get(PLATFORM.id)
        ours |= set(str(platform.get("addresses") or "").split()) if isinstance(platform, dict) else set()
    for facts in members:
        status = facts[STATUS]
        size = str(status.get("wsrep_cluster_size") or "")
        if not size.isdigit() or int(size) <= len(named):
            continue
        incoming = [_host(said) for said in str(status.get("wsrep_incoming_addresses") or "").split(",")]
        unknown = sorted({said for said in incoming if said and said not in ours and said.lower() != "auto"})
        who = f": {', '.join(unknown)}" if unknown else ", perhaps an arbitrator (garbd), which shows no address"
        yield (
            f"{facts.host.name} counts {size} members, and {len(named)} are named{who}. Add what is missing to galvan.yaml "
            "or to the inventory: a member that is left out would be cut off"
        )
        return


def _host(said: str) -> str:
    """
    >>> _host("10.0.0.4:3306"), _host("[fd00::1]:3306"), _host("")
    ('10.0.0.4', 'fd00::1', '')
    """
    host, _, _ = said.strip().rpartition(":")
    return host.strip("[]")
