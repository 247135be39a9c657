"""What a MaxScale has for the members already. It takes no second server at the same address, and a server has one monitor (seen, 23.08.6):
so the owner's are used where they are there, and what they lack is switched on in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.identity import answers_to, server_port
from galvan.model import Blind, HostFacts
from galvan.tips.load_balancer.maxscale.checks import lacking, unlimited
from galvan.tips.load_balancer.maxscale.facts import OWN, Config, Section, config_of
from galvan.tips.load_balancer.maxscale.render import Door, Member, to_members


def members(facts: HostFacts, found: Sequence[HostFacts]) -> tuple[tuple[Member, ...], str]:
    """The members as MaxScale knows them, and the owner's monitor of them (empty: there is neither). Raises Blind where it has only
    some of them, or where no galeramon watches over all."""
    config, host = config_of(facts), facts.host.name
    made = tuple(Member(each.host.name, each.host.address, server_port(each), _called(config, each)) for each in found)
    if not (known := [each.called for each in made if each.called]):
        return made, ""
    if lost := [each.name for each in made if not each.called]:
        raise Blind(
            f"MaxScale on {host} has {', '.join(known)} among its servers, and {', '.join(lost)} not: give it those too, with their monitor"
        )
    for monitor in config.of_type("monitor"):
        if monitor.get("module") == "galeramon" and set(known) <= set(monitor.listed("servers")):
            return made, monitor.name
    raise Blind(f"no galeramon of MaxScale's on {host} watches over {', '.join(known)}, all of them")


def _called(config: Config, member: HostFacts) -> str:
    names = {*answers_to(member), member.host.name, *member.host.names}
    for server in config.of_type("server"):
        theirs = server.file != OWN and not server.name.startswith("galvan-")
        if theirs and server.get("address") in names and (server.get("port") or "3306") == str(server_port(member)):
            return server.name
    return ""


def reached(facts: HostFacts, door: Door) -> Iterator[tuple[Section, tuple[tuple[str, str], ...]]]:
    """Each server of the owner's that lacks something, and what is switched on in it."""
    config = config_of(facts)
    for member in door.members:
        server = config.named(member.called) if member.called else None
        if server and lacking(config, server, door.min_tls):
            caps = door.connections and unlimited(server, "max_routing_connections")
            limit = [("max_routing_connections", str(door.connections))] if caps else []
            yield server, (*to_members(door), *limit)
