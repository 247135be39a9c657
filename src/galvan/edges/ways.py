"""The way to a host: which bastions stand before it, in order. Pure.

As OpenSSH has it: `a,b` is a chain, and the first hop's own way in the ssh configuration comes before it. A hop that
the configuration sends through itself (`Host *`, ProxyJump bastion) is dialled directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from galvan.model import Host


@dataclass(frozen=True, slots=True)
class Hop:
    """One bastion. Empty user and port 0: as the ssh configuration says."""

    host: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")

    def given(self) -> dict[str, Any]:
        return ({"username": self.user} if self.user else {}) | ({"port": self.port} if self.port else {})

    def is_(self, host: Host) -> bool:
        """Would dialling this hop be the same login as dialling that host of the cluster?"""
        same = self.host in (host.ssh, host.name) and host.ssh in (self.host, host.name)
        return same and self.user == (host.user or "") and self.port == (host.port or 0)


def hop(said: str) -> Hop:
    """
    >>> hop("bob@bastion:2222"), hop("ssh://[fd00::1]:22")
    (Hop(host='bastion', user='bob', port=2222), Hop(host='fd00::1', user='', port=22))
    """
    user, _, rest = said.strip().removeprefix("ssh://").rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit() or ("[" not in rest and ":" in host):
        host, port = rest, ""
    return Hop(host.strip("[]"), user, int(port or 0))


def hops_of(alias: str, jump: str, configured: Callable[[str], str], seen: tuple[str, ...] = ()) -> tuple[Hop, ...]:
    """`jump` as in ProxyJump (`none`: directly); `configured` gives an alias's own ProxyJump, or nothing.

    >>> own = {"inner": "outer", "outer": "outer"}
    >>> [str(one) for one in hops_of("db1", "bob@inner", lambda alias: own.get(alias, ""))]
    ['outer', 'bob@inner']
    """
    hops = tuple(hop(part) for part in jump.split(",") if part.strip())
    if jump.strip().lower() == "none" or not hops or alias in [one.host for one in hops]:
        return ()
    first = hops[0].host
    if first in seen:
        return hops
    return (*hops_of(first, configured(first), configured, (*seen, alias, first)), *hops)
