"""Discovery: from one member to the whole cluster's file."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galvan.cluster.facts import PLATFORM, VARIABLES, rows
from galvan.cluster.identity import bare
from galvan.cluster.precedence import GIVEN
from galvan.edges.connections import UnknownKey, default_config
from galvan.edges.inventories import aliases_in
from galvan.edges.ssh import SshReader
from galvan.engine.gather import gather
from galvan.model import BadInput, Cluster, Fact, Host, HostFacts, Policy, Role, Shell, Sql, Unreadable, Walls
from galvan.tips.firewall.facts import CALLER
from galvan.tips.firewall.table import networks

EVERYWHERE = frozenset(Role)
MEMBERS: Fact[tuple[tuple[str, ...], ...]] = Fact(
    "discover.members",
    Sql("SELECT node_name, node_incoming_address FROM mysql.wsrep_cluster_members ORDER BY node_name"),
    lambda output: rows(output, 2),
)
NEIGHBOURS: Fact[Mapping[str, int]] = Fact(
    "discover.neighbours",
    Shell("p=$(" + GIVEN.format(name="port") + "); case $p in ''|*[!0-9]*) p=3306;; esac\n"
          "ss -Htan \"( sport = :$p or sport = :9200 )\" | awk '{a=$5; sub(/:[0-9]+$/, \"\", a); gsub(/[][]/, \"\", a); sub(/^::ffff:/, \"\", a); n[a]++} END {for (a in n) if (a !~ /[*]/) print n[a], a}'"),
    lambda output: {line.split()[1]: int(line.split()[0]) for line in output.splitlines() if len(line.split()) == 2},
    stable=False,
)  # fmt: skip
PEERS: Fact[frozenset[str]] = Fact(
    "discover.peers",
    Shell("ss -Htn '( sport = :4567 or dport = :4567 )' | awk '{a=$5; sub(/:[0-9]+$/, \"\", a); gsub(/[][]/, \"\", a); sub(/^::ffff:/, \"\", a); print a}' | sort -u"),
    lambda output: frozenset(output.split()),
    stable=False,
)  # fmt: skip
"""Who speaks on the group port: the other members, an arbitrator among them."""
WHO: Fact[Mapping[str, str]] = Fact(
    "discover.who",
    Shell(
        "hostname -s; hostname -I; for k in haproxy proxysql maxscale; do systemctl is-active -q $k && echo kind=$k; done; systemctl is-active -q garb && echo garb=yes; true"
    ),
    lambda output: _who(output),
    roles=EVERYWHERE,
)
FACTS = (VARIABLES, PLATFORM, MEMBERS, NEIGHBOURS, PEERS, WHO, CALLER)


def _who(output: str) -> Mapping[str, str]:
    name, addresses, *kinds = [*output.splitlines(), "", ""]
    kind = next((line.removeprefix("kind=") for line in kinds if line.startswith("kind=")), "")
    return {"name": name.strip(), "addresses": addresses.strip(), "kind": kind, "garb": "yes" * ("garb=yes" in kinds)}


@dataclass(frozen=True, slots=True)
class Found:
    cluster: Cluster
    notes: tuple[str, ...]


async def discover(
    seed: str, ssh_config: Sequence[str], given: Mapping[Role, Sequence[str]], name: str | None = None
) -> Found:
    """Asks the seed for the members, the members for who talks to them. Raises Unreadable where the seed cannot be read."""
    config = _whole(ssh_config)
    aliases = _aliases(config or tuple(default_config()))
    first = await _ask(Host(seed, "0.0.0.0", Role.DATABASE, seed), config)  # noqa: S104 - a placeholder, never dialled
    members = [await _database(node, address, seed, first, aliases, config) for node, address in _members(first, seed)]
    spoken = members[0][0].address
    extra = [await _named(alias, role, spoken, config) for role, names in given.items() for alias in names]
    notes: list[str] = []
    extra += await _arbitrators(first, members, extra, aliases, config, notes)
    balancers = await _balancers(members, extra, aliases, config, notes)
    hosts = (*[host for host, _ in members], *balancers, *extra)
    said = str(first[VARIABLES].get("wsrep_cluster_name") or "galera")
    policy = Policy(firewall=Walls(operators=_operators([facts for _, facts in members], notes)))
    found = Cluster(name or re.sub(r"[^A-Za-z0-9._-]", "-", said), hosts, policy, ssh_config=config)
    return Found(found, tuple(notes))


def _operators(members: Sequence[HostFacts], notes: list[str]) -> tuple[str, ...]:
    """From where the members see us come. Where they do not say, nothing is written, and no wall is planned."""
    try:
        seen = networks(facts[CALLER].address for facts in members)
    except Unreadable:
        return ()
    notes.append(
        f"operators are let in from {', '.join(seen)}, whence you come now (policy: firewall: operators); name the networks of "
        "your colleagues there before you plan the firewall"
    )
    return seen


def _whole(files: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(file).expanduser().absolute()) for file in files)


async def _ask(host: Host, config: tuple[str, ...]) -> HostFacts:
    cluster = Cluster("discovery", (host,), ssh_config=config)
    async with SshReader(cluster, FACTS) as reader:
        return (await gather(cluster, FACTS, reader)).of(host.name)


def _members(first: HostFacts, seed: str) -> list[tuple[str, str]]:
    if str(first[VARIABLES].get("wsrep_on")) != "ON":
        raise BadInput(f"{seed} runs no Galera cluster (wsrep_on is not ON)")
    table = [(node, bare(address)) for node, address in first[MEMBERS] if address]  # an arbitrator has none
    if not table:
        raise Unreadable(f"{seed} lists no member of its cluster; is it in the primary component?")
    return table


async def _database(
    node: str, address: str, seed: str, first: HostFacts, aliases: Mapping[str, str], config: tuple[str, ...]
) -> tuple[Host, HostFacts]:
    """The member under the first name that ssh lets us in with: an alias for its address, its own name, the address."""
    if address in str(first[WHO]["addresses"]).split() or str(first[VARIABLES].get("wsrep_node_name")) == node:
        host = Host(_name(node, address), address, Role.DATABASE, seed)
        return host, HostFacts(host, first.readings)
    why = ""
    for ssh in dict.fromkeys(filter(None, (aliases.get(address), node, address))):
        host = Host(_name(node, address), address, Role.DATABASE, ssh)
        facts = await _ask(host, config)
        try:
            facts[WHO]
        except UnknownKey:
            raise
        except Unreadable as reason:
            why = str(reason)
            continue
        return host, facts
    raise Unreadable(f"the member {node} ({address}) could not be read: {why}")


def _name(node: str, address: str) -> str:
    return node if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", node) else address


async def _named(alias: str, role: Role, spoken: str, config: tuple[str, ...]) -> Host:
    """`spoken`: the address of a member. A host with addresses of both kinds gets the one that members can be dialled from."""
    facts = await _ask(Host(alias, "0.0.0.0", role, alias), config)  # noqa: S104 - a placeholder, never dialled
    who = facts[WHO]
    address = own_address(who["addresses"].split(), spoken)
    if not address:
        raise Unreadable(f"{alias} told no address of its own")
    return Host(alias, address, role, alias, kind=(who["kind"] or "haproxy") if role is Role.LOAD_BALANCER else "")


def own_address(said: Sequence[str], spoken: str) -> str:
    """The first address of the kind that the cluster speaks, else the first of any kind; empty where there is none.

    >>> own_address(["10.0.0.6", "fd00::15"], "fd00::b"), own_address(["fd00::15", "10.0.0.6"], "10.0.0.11")
    ('fd00::15', '10.0.0.6')
    >>> own_address(["10.0.0.6"], "fd00::b"), own_address(["127.0.0.1"], "10.0.0.11")
    ('10.0.0.6', '')
    """
    usable = [a for a in said if not ipaddress.ip_address(a).is_loopback]
    alike = [a for a in usable if (":" in a) == (":" in spoken)]
    return next(iter([*alike, *usable]), "")


async def _arbitrators(
    first: HostFacts, members: Sequence[tuple[Host, HostFacts]], extra: Sequence[Host], aliases: Mapping[str, str],
    config: tuple[str, ...], notes: list[str],
) -> list[Host]:  # fmt: skip
    """Members that serve nobody are listed without an address, so they are looked for among those who speak on the
    group port; one that is not found would make every gate refuse, so it is at least mentioned."""
    missing = sum(not address for _, address in first[MEMBERS])
    missing -= sum(host.role is Role.ARBITRATOR for host in extra)
    known = {host.address for host, _ in members} | {host.address for host in extra}
    peers = frozenset[str]().union(*(facts[PEERS] for _, facts in members)) if missing > 0 else frozenset[str]()
    found = []
    for address in sorted(peers - known):
        alias = aliases.get(address, address)
        host = Host(alias, address, Role.ARBITRATOR, alias)
        try:
            garb = (await _ask(host, config))[WHO]["garb"]
        except Unreadable:
            continue
        if garb:
            found.append(host)
            notes.append(f"{host.name} ({address}) runs garbd and speaks on the group port: taken as an arbitrator")
    if missing > len(found):
        notes.append(
            f"the cluster counts {missing - len(found)} members without data (garbd) that were not found: name each with "
            "--arbitrator HOST, or nothing will be restarted"
        )
    return found


async def _balancers(
    members: Sequence[tuple[Host, HostFacts]], extra: Sequence[Host], aliases: Mapping[str, str], config: tuple[str, ...],
    notes: list[str],
) -> list[Host]:  # fmt: skip
    """Whoever talks to several members and runs a balancer. Others are only mentioned."""
    known = {host.address for host, _ in members} | {host.address for host in extra}
    known |= {address for _, facts in members for address in facts[WHO]["addresses"].split()}
    seen: dict[str, int] = {}
    for _, facts in members:
        for address in facts[NEIGHBOURS]:
            seen[address] = seen.get(address, 0) + 1
    found = []
    for address in sorted(set(seen) - known - {"127.0.0.1", "::1"}):
        ssh = aliases.get(address, address)
        host = Host(ssh, address, Role.LOAD_BALANCER, ssh)
        facts = await _ask(host, config)
        try:
            kind = facts[WHO]["kind"]
        except Unreadable:
            notes.append(
                f"{address} talks to {seen[address]} members, and ssh does not reach it: name it if it is a balancer"
            )
            continue
        if kind:
            found.append(replace(host, kind=kind))
            notes.append(
                f"{host.name} ({address}) runs {kind} and talks to {seen[address]} members: taken as a load balancer"
            )
        else:
            notes.append(
                f"{address} talks to {seen[address]} members and runs no balancer: an application, a monitor or a replica?"
            )
    return found


def _aliases(config: Sequence[str]) -> Mapping[str, str]:
    """Address → the alias under which the user's ssh configuration knows it."""
    found: dict[str, str] = {}
    for alias, address in aliases_in(config).items():
        found.setdefault(address, alias)
    return found


def run(seed: str, ssh_config: Sequence[str], given: Mapping[Role, Sequence[str]], name: str | None) -> Found:
    return asyncio.run(discover(seed, ssh_config, given, name))
