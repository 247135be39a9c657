"""From where an attacker would look."""

from galvan.model import Role, Snapshot

OPERATOR = "operator"
_NEAREST = (Role.OUTSIDER, Role.APPLICATION, Role.LOAD_BALANCER, Role.MONITOR)


def nearest(snapshot: Snapshot) -> str:
    """The vantage that is most like a stranger's: an outsider, else an application's host, else the operator's own."""
    for role in _NEAREST:
        for host in snapshot.cluster.having(role):
            return host.name
    return OPERATOR


def peer_of(host: str, snapshot: Snapshot) -> str:
    """Another member: it holds the keys with which the door must open, and those with which it must not."""
    return next((h.name for h in snapshot.cluster.having(Role.DATABASE) if h.name != host), host)
