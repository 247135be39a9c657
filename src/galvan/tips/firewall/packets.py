"""What becomes of the first packet of a new connection, by a host's own rules. Pure.

Two readers: `through_nft` of what `nft -j list ruleset` prints, `through_iptables` of what `iptables-save` prints. What a
reader does not understand leaves a doubt with its fate; nothing is guessed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Packet:
    """From `source` to `target`: the first of a new connection, meant for this host alone."""

    source: str
    target: str
    protocol: str
    port: int
    interface: str = "eth0"

    @property
    def family(self) -> str:
        return "ip6" if ":" in self.source else "ip"


@dataclass(frozen=True, slots=True)
class Fate:
    """`by`: the rule that ended it, or the chain whose policy did. `doubts`: rules that might have ended it otherwise."""

    let_in: bool
    by: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def surely_in(self) -> bool:
        return self.let_in and not self.doubts

    @property
    def surely_out(self) -> bool:
        return not self.let_in and not self.doubts


class Doubt(Exception):
    """A match that cannot be judged."""


def combined(fates: Iterable[Fate]) -> Fate:
    """A packet has to pass every table. One that surely drops it settles it."""
    passed = list(fates)
    out = next((f for f in passed if f.surely_out), None) or next((f for f in passed if not f.let_in), None)
    if out:
        return out
    return Fate(True, doubts=tuple(doubt for fate in passed for doubt in fate.doubts))


NUMBERS = {"112": "vrrp", "vrrp": "vrrp", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}
"""Protocols by number or name, as one name."""


def is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-fA-F:.]+(/\d+)?", text)) and (":" in text or text.count(".") == 3)


def address_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise Doubt from None
