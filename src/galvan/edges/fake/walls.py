"""The wall around a host in memory: nftables alone. Rules are kept as the text that was loaded; what is printed of them, and who
gets through, is worked out from that text, so a wrong rule shuts out here whom it would shut out there.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from galvan.cluster.walls import LIVE, UNIT
from galvan.cluster.walls import RULES as PLACE
from galvan.edges.fake.rules import Row, table, walk
from galvan.model import NotHealed, Role

if TYPE_CHECKING:
    from galvan.edges.fake import Fake
    from galvan.edges.fake.machines import Machine

RULES, SERVICE = f"{PLACE}/rules.nft", f"/etc/systemd/system/{UNIT}"
DEADMAN = "/run/galvan/deadman"
OPERATOR = "192.0.2.10"
"""From where its operator comes."""


@dataclass(slots=True)
class Around:
    """`wall`, `watch`: the text of what runs; `loaded`: of what ran right after Galvan had loaded it. `timers`: what the host
    will do by itself, by limit. `foreign`: rows of tables that are not Galvan's."""

    wall: str = ""
    watch: str = ""
    loaded: str = ""
    enabled: bool = False
    timers: dict[str, str] = field(default_factory=dict)
    fired: int = 0
    listening: set[int] = field(default_factory=set)
    counted: dict[tuple[str, str, int], int] = field(default_factory=dict)
    foreign: list[Row] = field(default_factory=list)
    control: dict[str, str] = field(default_factory=dict)  # what firewall.control says, where it is not the usual
    caller: str = OPERATOR
    strangers: list[str] = field(default_factory=list)  # lines of firewall.guests beside those that are known


# what the rules say --------------------------------------------------------------------------------------------------
def rows(around: Around) -> list[Row]:
    """As `nft -j list ruleset` prints them."""
    return [*table("galvan_watch", -20, around.watch), *table("galvan", -10, around.wall), *around.foreign]


def knock(machine: Machine, source: str, port: int, protocol: str = "tcp") -> bool:
    """A new connection from `source`: is it let in? It is counted where the count would have it refused."""
    packet = {
        "iif": "eth0", "iifname": "eth0", "l4proto": protocol, "nfproto": "ipv6" if ":" in source else "ipv4", "pkttype": "host",
        "state": "new", "saddr": source, "dport": port, "daddr": machine.host.address, "protocol": protocol,
    }  # fmt: skip
    if walk(machine.around.watch, packet) == "counted":
        key = (source, protocol, port)
        machine.around.counted[key] = machine.around.counted.get(key, 0) + 1
    return walk(machine.around.wall, packet) != "drop"


# what a host shows -----------------------------------------------------------------------------------------------
def print_wall(fake: Fake, machine: Machine) -> str:
    around, file = machine.around, machine.files.get(RULES)
    now, then = around.wall, file.content if file else ""
    said = {
        "by": "nft" if now or then else "", "enabled": "yes" if around.enabled else "no", "watch": _mark(around.watch), "wall": _mark(now), "saved": _mark(then),
        "intact": "yes" if not now or now in (then, around.loaded) else "no",
        "lasting": "yes" if now == then and (around.enabled or not now) else "no",
    }  # fmt: skip
    return "".join(f"{key}={value}\n" for key, value in said.items())


def _mark(text: str) -> str:
    match = re.search(r'"galvan ([a-z]+ [0-9a-f]+)"', text)
    return match[1] if match else ""


def print_control(fake: Fake, machine: Machine) -> str:
    there = ("nft", "iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "unshare", "socat", "systemd-run")
    said = {
        **{f"{unit}{what}": value for unit in ("firewalld", "ufw", "nftables", "netfilter-persistent", "iptables")
           for what, value in (("", "inactive"), ("-enabled", ""))},
        "ufw-on": "no", **{f"has-{tool}": "yes" for tool in there}, "has-firewall-cmd": "no", "has-ufw": "no",
        "iptables-kind": "nf_tables", "iptables-rules": "0", "legacy-rules": "0", "nft-chains": "0",
        **machine.around.control,
    }  # fmt: skip
    return "".join(f"{key}={value}\n" for key, value in said.items())


def print_ruleset(fake: Fake, machine: Machine) -> str:
    return json.dumps({"nftables": [{"metainfo": {"json_schema_version": 1}}, *rows(machine.around)]})


def listening(machine: Machine) -> dict[int, str]:
    """Every port on which it can be reached, and the program there."""
    found = {22: "sshd", **dict.fromkeys(machine.around.listening, "socat")}
    if machine.server and machine.server.up:
        found |= {int(machine.server.variables["port"]): "mariadbd", 4567: "mariadbd"}
    if machine.host.role is Role.ARBITRATOR:
        found[4567] = "garbd"
    if machine.host.role is Role.LOAD_BALANCER:
        found[3306] = "haproxy"
    return found


def print_listeners(fake: Fake, machine: Machine) -> str:
    return "ss\n" + "".join(f"tcp 0.0.0.0:{port} {process}\n" for port, process in listening(machine).items())


def print_guests(fake: Fake, machine: Machine) -> str:
    name, clients = machine.host.name, fake.clients
    seen = [(3306, s.client, "mariadbd") for s in clients.sessions if s.member == name]
    seen += [(3306, fake.machines[p.home].host.address, "haproxy") for p in clients.pools if p.door == name]
    if name in fake.group.primary:
        process = "mariadbd" if machine.server else "garbd"
        others = (
            m.address or m.host.address for m in fake.machines.values() if m.host.name in fake.group.primary - {name}
        )
        seen += [(4567, address, process) for address in others]
    lines = [f"{port} {who} {process} {seen.count((port, who, process))}" for port, who, process in dict.fromkeys(seen)]
    return "\n".join([f"22 {machine.around.caller} sshd 1", *lines, *machine.around.strangers, ""])


def print_counted(fake: Fake, machine: Machine) -> str:
    counted = machine.around.counted.items() if machine.around.watch else ()
    elements = [
        {"elem": {"val": {"concat": list(who)}, "counter": {"packets": times, "bytes": 60 * times}}}
        for who, times in counted
    ]
    return json.dumps({"nftables": [{"set": {"name": "peers_ip", "elem": elements}}]}) + "\n" if elements else ""


def print_caller(fake: Fake, machine: Machine) -> str:
    return f"{machine.around.caller} 50022 {machine.host.address} 22\n"


def print_allowlist(fake: Fake, machine: Machine) -> str:
    return "(no such table)\n" if fake.listed is None else "\n".join(["(table)", *fake.listed, ""])


# what is done to it ----------------------------------------------------------------------------------------------
def load(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """Also of a wall that was loaded here before. Cut off in the middle, the file lies there and nothing was loaded."""
    for path, rules in re.findall(r"cat >(\S+) <<'@rules'\n(.*?)@rules\n", text, re.DOTALL):
        machine.write(path, rules)
    (path,) = re.findall(r"^nft (?:-c )?-f (\S+)$", text, re.MULTILINE)[-1:]
    if path not in machine.files:
        raise NotHealed(f"{machine.host.name}: command failed: ls: cannot access '{path}': No such file or directory")
    if whole and f"\nnft -f {path}\n" in text:  # the first part of it only looks whether it could be loaded
        machine.around.wall = machine.around.loaded = machine.files[path].content
    return ""


def unload(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    assert text.endswith(f"rm -f {LIVE}")
    machine.around.wall = machine.around.loaded = ""
    return ""


def count(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    if whole:
        machine.around.watch, machine.around.counted = text.partition("<<'@rules'\n")[2].removesuffix("@rules\n"), {}
    return ""


def count_no_more(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.around.watch, machine.around.counted = "", {}
    return ""


def enable(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """Its first start loads what is kept."""
    assert SERVICE in machine.files, "a unit that is not there cannot be enabled"
    if whole and not machine.around.enabled:
        machine.around.enabled, machine.around.wall = True, machine.files[RULES].content
    return ""


def disable(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.around.enabled = False
    return ""


def tidy(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """The unit is read anew, and an empty directory goes."""
    return ""


def reboot(machine: Machine) -> None:
    """What is only in memory is gone, and so is every timer."""
    around = machine.around
    around.wall = machine.files[RULES].content if around.enabled else ""
    around.watch, around.loaded, around.timers, around.counted = "", "", {}, {}


# the dead-man ----------------------------------------------------------------------------------------------------
def arm(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    head, _, tail = text.partition("\n@undo\n")
    if whole:
        undo = head.partition("/fired\n")[2]
        machine.around.fired = 0
        machine.around.timers |= dict.fromkeys(_listed(tail, "n"), undo)
    return ""


def release(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    (limit,) = re.findall(r"systemctl stop galvan-deadman-(\S+)\.timer", text)
    if limit not in machine.around.timers or machine.around.fired:
        raise NotHealed(f"{machine.host.name}: command failed: the host has already undone it by itself")
    del machine.around.timers[limit]
    return ""


def settle(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    if whole:
        fire(fake, machine)
    return ""


def fire(fake: Fake, machine: Machine) -> None:
    """Time has run out: the host does by itself what it was told to."""
    from galvan.edges.fake import scripts

    for undo in machine.around.timers.values():
        machine.around.fired += 1
        scripts.run(fake, machine, undo, True)
    machine.around.timers.clear()


def dial(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    for to in _listed(text, "to"):
        address, _, port = to.rpartition("@")
        if not _reached(fake, machine, address, int(port)):
            raise NotHealed(f"{machine.host.name}: command failed: {address} port {port} does not answer")
    return ""


def _reached(fake: Fake, source: Machine, address: str, port: int) -> bool:
    target = next((m for m in fake.machines.values() if m.host.address == address), None)
    return bool(target and target.reachable and port in listening(target) and knock(target, source.host.address, port))


def listen(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.around.listening |= {int(port) for port in _listed(text, "p")} - listening(machine).keys()
    return ""


def quiet(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.around.listening.clear()
    return ""


def _listed(text: str, name: str) -> Iterator[str]:
    match = re.search(rf"^for {name} in (.*); do", text, re.MULTILINE)
    assert match, text
    yield from shlex.split(match[1].partition("; do")[0])
