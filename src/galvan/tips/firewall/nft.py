"""The wall in nftables: a table of Galvan's own, loaded in one transaction; no other table is touched.

A drop in any table is the end of a packet, an accept only of its way through that table: so this wall takes away and opens
nothing that another table shuts. It stands before the tables at priority `filter`. The count stands before the wall.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.tips.firewall.table import Allow
from galvan.tips.firewall.wall import Height, Wall, families, mark, port, word

TABLE, WATCH = "galvan", "galvan_watch"
PEERS = 65535
"""How many peers each set of the count holds."""
_ALWAYS = """\
    iif "lo" accept
    ct state established,related accept
    tcp flags & (fin | syn | rst | ack) != syn accept
    meta l4proto { 1, 58 } accept
    meta nfproto ipv4 udp dport 68 accept
    udp dport 546 ip6 saddr fe80::/10 accept
"""
"""Loopback, what belongs to a connection that was let in, what opens none (a connection from before the kernel began to track any,
and silent since, is not cut), ICMP with neighbour discovery, and leases of addresses. Protocols are
numbers here: a small host has no /etc/protocols, and nft then knows none by name."""


def wall(said: Wall) -> str:
    """The file that puts the wall up in place of the one before, whole or not at all."""
    body = "".join(f"    {line}\n" for line in (*_limits(said), *_accepts(said), *_drops(said)))
    return _file(TABLE, -10, _sets(said), mark(said.height, body), body)


def watch(said: Wall) -> str:
    """Counts whom a shut wall would refuse, and drops nothing: by address, protocol and port where something is served, and by address
    and protocol elsewhere, so that a scan of all ports does not fill the count."""
    sets, counts = [], []
    for family, address in (("ip", "ipv4_addr"), ("ip6", "ipv6_addr")):
        for name, kind in (("peers", "inet_proto . inet_service"), ("odd", "inet_proto")):
            sets.append(
                f"  set {name}_{family} {{ type {address} . {kind}; flags dynamic; size {PEERS}; timeout 8d; counter; }}\n"
            )
        one = f"meta nfproto {_NFPROTO[family]}"
        for protocol in ("tcp", "udp"):
            if ports := [str(port(number)) for which, number in said.served if which == protocol]:
                key = f"{{ {family} saddr . meta l4proto . th dport }}"
                counts.append(f"{one} {protocol} dport {{ {', '.join(ports)} }} update @peers_{family} {key} accept")
        counts.append(f"{one} update @odd_{family} {{ {family} saddr . meta l4proto }}")
    body = "".join(f"    {line}\n" for line in (*_accepts(said), *_NOISE, *counts))
    return _file(WATCH, -20, "".join(sets), mark("count", body), body)


_NFPROTO = {"ip": "ipv4", "ip6": "ipv6"}
_NOISE = ("meta pkttype { broadcast, multicast } accept",)
"""What nobody sent to this host in particular is nobody's loss."""


def _file(table: str, priority: int, sets: str, comment: str, body: str) -> str:
    return (
        f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{sets}  chain input {{\n"
        f"    type filter hook input priority {priority}; policy accept;\n"
        f'    counter comment "{comment}"\n{_ALWAYS}{body}  }}\n}}\n'
    )


def _sets(said: Wall) -> str:
    if not any(said.limited(allow) for allow in said.rules):
        return ""
    return "".join(
        f"  set new_{family} {{ type {kind}; flags dynamic; size 65535; timeout 1m; }}\n"
        for family, kind in (("ip", "ipv4_addr"), ("ip6", "ipv6_addr"))
    )


def _limits(said: Wall) -> Iterator[str]:
    for number in sorted({allow.port for allow in said.rules if said.limited(allow)}):
        for family in ("ip", "ip6"):
            rate = f"limit rate over {said.per_second}/second burst {2 * said.per_second} packets"
            yield f"meta nfproto {_NFPROTO[family]} tcp dport {port(number)} ct state new update @new_{family} {{ {family} saddr {rate} }} drop"


def _accepts(said: Wall) -> Iterator[str]:
    where = f'iifname "{word(said.interface)}" ' if said.interface else ""
    own = dict(families(said.addresses))
    for allow in said.rules:
        for family, sources in families(allow.sources):
            if said.addresses and family not in own:
                continue  # none of its addresses are of this family, so nothing is meant for them
            to = f"{family} daddr {_set(own[family])} " if said.addresses and allow.protocol != "vrrp" else ""
            yield f"{where}{to}{_to(allow)}{family} saddr {_set(sources)} ct state new accept"


def _to(allow: Allow) -> str:
    if allow.protocol == "vrrp":
        return "meta l4proto 112 "
    return f"{allow.protocol} dport {port(allow.port)} "


def _drops(said: Wall) -> Iterator[str]:
    if said.height is Height.SHUT:
        yield "drop"
        return
    for protocol, number in said.guarded:
        yield f"{protocol} dport {port(number)} drop"


def _set(networks: tuple[str, ...]) -> str:
    return f"{{ {', '.join(networks)} }}"
