"""From where an attacker would look. A trial of what a port speaks is made from the nearest place that the walls let through: whether
they let a stranger through is a trial of its own."""

from galvan.cluster.walls import height
from galvan.model import HostFacts, Role, Snapshot

OPERATOR = "operator"
_NEAREST = (Role.OUTSIDER, Role.APPLICATION, Role.LOAD_BALANCER, Role.MONITOR)
_BEHIND = (Role.LOAD_BALANCER, Role.APPLICATION, Role.MONITOR)


def nearest(snapshot: Snapshot, facts: HostFacts) -> str:
    """For a server's port: the vantage that is most like a stranger's, else the operator's own."""
    for role in _BEHIND if height(facts) == "shut" else _NEAREST:
        for host in snapshot.cluster.having(role):
            return host.name
    return OPERATOR


def outside(snapshot: Snapshot, facts: HostFacts) -> str:
    """For a member's port: a stranger's as long as no wall stands, else another member's."""
    return peer_of(facts.host.name, snapshot) if height(facts) else nearest(snapshot, facts)


def peer_of(host: str, snapshot: Snapshot) -> str:
    """Another member: it holds the keys with which the door must open, and those with which it must not."""
    return next((h.name for h in snapshot.cluster.having(Role.DATABASE) if h.name != host), host)
