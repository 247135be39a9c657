"""A wall as a value: what is let in, how high it stands, and what happens to the rest. Backends render it."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from galvan.model import BadInput, HostFacts, Role, Snapshot
from galvan.tips.firewall.facts import LISTENERS
from galvan.tips.firewall.table import CLIENTS, MEMBERS_ONLY, Allow, named, networks, of_host

EPHEMERAL = 32768
"""From here on ports are given to whoever asks for none (Linux), and serve nobody for long."""


class Height(StrEnum):
    """`members`: their ports are shut to strangers, everything else is as before. `shut`: what no rule lets in is dropped."""

    MEMBERS = "members"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class Wall:
    """`interface`, `addresses`: stricter, only what comes in there and for these. `per_second`: new connections to the
    server's port from one address. Empty and 0: not asked for. `listening`: protocol and port of what is served now, for the count alone."""

    allows: tuple[Allow, ...]
    height: Height = Height.SHUT
    interface: str = ""
    addresses: tuple[str, ...] = ()
    per_second: int = 0
    listening: tuple[tuple[str, int], ...] = ()

    @property
    def rules(self) -> tuple[Allow, ...]:
        """Those that this height needs: the others' ports are not touched before all is shut."""
        if self.height is Height.SHUT:
            return self.allows
        return tuple(a for a in self.allows if a.purpose in MEMBERS_ONLY)

    @property
    def served(self) -> tuple[tuple[str, int], ...]:
        """Protocol and port of all that matters to somebody: what the table knows, and what listens."""
        return tuple(sorted({*((a.protocol, a.port) for a in self.allows if a.port), *self.listening}))

    @property
    def guarded(self) -> tuple[tuple[str, int], ...]:
        """Protocol and port of what is for members only."""
        return tuple(sorted({(a.protocol, a.port) for a in self.allows if a.purpose in MEMBERS_ONLY}))

    def limited(self, allow: Allow) -> bool:
        return bool(self.per_second) and allow.purpose == CLIENTS


def wall_of(facts: HostFacts, snapshot: Snapshot, height: Height) -> Wall:
    """What the policy wants of this host. Raises Unreadable where a port or an address cannot be known."""
    said = snapshot.cluster.policy.firewall
    pair = snapshot.cluster.policy.load_balancer.pair if facts.host.role is Role.LOAD_BALANCER else None
    own = networks((*named(facts.host), *((pair.address,) if pair else ()))) if said.own_address else ()
    heard = {(e.protocol, e.port) for e in facts[LISTENERS] if not e.local and 0 < e.port < EPHEMERAL}
    return Wall(of_host(facts, snapshot), height, said.interface, own, said.new_per_second, tuple(sorted(heard)))


def families(sources: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The networks of each family, those without any left out. Raises BadInput for what is no network: nothing else may
    stand in a rule.

    >>> families(("10.0.0.1/32", "fd00::/64"))
    (('ip', ('10.0.0.1/32',)), ('ip6', ('fd00::/64',)))
    """
    found: dict[str, list[str]] = {"ip": [], "ip6": []}
    for text in sources:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise BadInput(f"{text!r} is no network, and cannot stand in a rule") from None
        found["ip" if network.version == 4 else "ip6"].append(str(network))
    return tuple((family, tuple(mine)) for family, mine in found.items() if mine)


def port(number: int) -> int:
    """Raises BadInput for what is no port."""
    if not 0 < number < 65536:
        raise BadInput(f"{number} is no port")
    return number


def word(text: str) -> str:
    """An interface's name. Raises BadInput: it stands in rules as it is."""
    if not text or len(text) > 15 or not all(c.isalnum() or c in "._-@" for c in text) or not text.isascii():
        raise BadInput(f"{text!r} is no interface's name")
    return text


def mark(height: str, body: str) -> str:
    """What a wall says of itself in a comment, so that a look at the running rules tells which one it is."""
    return f"galvan {height} {hashlib.sha256(body.encode()).hexdigest()[:16]}"
