"""The wall in firewalld: a policy object of Galvan's own (`galvan`, from any zone to the host), asked before the zones.

Rich rules of a policy run by priority: what is let in, then what is dropped. An accept here is final for firewalld, so a zone need
not know the port as well. firewalld's stock service `galera` opens these ports to a whole zone, and is not used.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import Blind
from galvan.tips.firewall.table import Allow
from galvan.tips.firewall.wall import Height, Wall, families, port

POLICY = "galvan"
FILE = f"/etc/firewalld/policies/{POLICY}.xml"
ACCEPT, DROP = "-20000", "20000"


def rules(said: Wall) -> tuple[str, ...]:
    """Rich rules in firewalld's own spelling, so that what runs can be compared with them. Raises Blind where the policy asks
    for what rich rules cannot say."""
    if said.interface:
        raise Blind("firewalld chooses by zones, not by interface: leave `interface` out, or bind the zone to it")
    return (*_always(), *_accepts(said), *_drops(said))


def _always() -> Iterator[str]:
    for protocol in ("icmp", "ipv6-icmp"):
        yield f'rule priority="{ACCEPT}" protocol value="{protocol}" accept'
    yield f'rule priority="{ACCEPT}" family="ipv4" port port="68" protocol="udp" accept'
    yield f'rule priority="{ACCEPT}" family="ipv6" source address="fe80::/10" port port="546" protocol="udp" accept'


def _accepts(said: Wall) -> Iterator[str]:
    own = dict(families(said.addresses))
    for allow in said.rules:
        for family, sources in families(allow.sources):
            for source in sources:
                for to in own.get(family, ()) if said.addresses and allow.protocol != "vrrp" else ("",):
                    meant = f' destination address="{_short(to)}"' if to else ""
                    limit = f' limit value="{said.per_second}/s"' if said.limited(allow) else ""
                    kind = {"ip": "ipv4", "ip6": "ipv6"}[family]
                    yield (
                        f'rule priority="{ACCEPT}" family="{kind}" source address="{_short(source)}"{meant} {_to(allow)} accept{limit}'
                    )


def _short(network: str) -> str:
    """firewalld leaves a single address as it was given; this is how it is given."""
    return network.removesuffix("/32") if "." in network else network.removesuffix("/128")


def _to(allow: Allow) -> str:
    if allow.protocol == "vrrp":
        return 'protocol value="vrrp"'
    return f'port port="{port(allow.port)}" protocol="{allow.protocol}"'


def _drops(said: Wall) -> Iterator[str]:
    """The whole wall keeps the drops of the members': so one command shuts it, within the time of a dead-man."""
    for protocol, number in said.guarded:
        yield f'rule priority="{DROP}" port port="{port(number)}" protocol="{protocol}" drop'
    if said.height is Height.SHUT:
        yield f'rule priority="{DROP}" family="ipv4" source address="0.0.0.0/0" drop'
        yield f'rule priority="{DROP}" family="ipv6" source address="::/0" drop'


BASE = """\
<?xml version="1.0" encoding="utf-8"?>
<policy priority="-10" target="CONTINUE">
  <short>Galvan</short>
  <description>Kept by Galvan; put rules of your own into another policy. To undo: galvan rollback</description>
  <ingress-zone name="ANY"/>
  <egress-zone name="HOST"/>
</policy>
"""
"""The policy object without a rule: it changes nothing. firewalld itself adds the rules."""
