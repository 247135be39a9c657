"""What the rules let in is what the policy lets in, for every backend, whatever the policy.

The rules are loaded into the real kernel (in a network namespace of their own) and read back as the host would print them;
the readers that judge foreign rules judge these. firewalld's rich rules are judged by a small model here.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.edges.fake import rules
from galvan.model import BadInput
from galvan.tips.firewall import firewalld, iptables, nft
from galvan.tips.firewall.packets import Fate, Packet
from galvan.tips.firewall.table import CLIENTS, EXTRA, GROUP, MEMBERS_ONLY, SST, Allow, networks
from galvan.tips.firewall.through_iptables import through_iptables
from galvan.tips.firewall.through_nft import through_nft
from galvan.tips.firewall.wall import Height, Wall

needs_root = pytest.mark.skipif(
    not all(map(shutil.which, ("nft", "unshare", "iptables-save")))
    or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0,
    reason="needs root, nftables and iptables",
)
PORTS = st.sampled_from([22, 3306, 4444, 4567, 4568, 9200, 33060])
OWN = ("10.9.0.1", "fd09::1")
V4 = st.builds(
    lambda a, b, length: f"10.{a % 3}.{b % 4}.0/{length}",
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([16, 24, 32, 30, 8]),
)
V6 = st.builds(lambda a, length: f"fd{a % 3:02x}::/{length}", st.integers(0, 9), st.sampled_from([16, 64, 128, 48]))
ALLOWS = st.lists(
    st.builds(
        lambda protocol, port, sources, purpose: Allow("db1", protocol, port, networks(sources), purpose),
        st.sampled_from(["tcp", "tcp", "tcp", "udp"]), PORTS, st.lists(V4 | V6, min_size=1, max_size=4), st.sampled_from([GROUP, SST, CLIENTS, EXTRA]),
    ),
    max_size=6,
)  # fmt: skip
WALLS = st.builds(
    lambda allows, height, inside, own: Wall(tuple(allows), height, "eth0" if inside else "", ("10.9.0.1/32", "fd09::1/128") if own else ()),
    ALLOWS, st.sampled_from(list(Height)), st.booleans(), st.booleans(),
)  # fmt: skip
PACKETS = st.builds(
    lambda source, protocol, port, interface: Packet(source, OWN[":" in source], protocol, port, interface),
    st.sampled_from(["10.0.0.0", "10.0.1.0", "10.1.2.0", "10.2.3.1", "172.16.0.1", "fd00::", "fd01::1", "fd02::", "2001:db8::1"]),
    st.sampled_from(["tcp", "tcp", "udp"]), PORTS | st.sampled_from([1, 80, 65535]), st.sampled_from(["eth0", "eth1"]),
)  # fmt: skip


def policy(wall: Wall, packet: Packet) -> bool:
    """What the policy says, in its own words."""
    for allow in wall.allows:
        there = (allow.protocol, allow.port) == (packet.protocol, packet.port)
        from_there = any(ipaddress.ip_address(packet.source) in ipaddress.ip_network(n) for n in allow.sources)
        counts = wall.height is Height.SHUT or allow.purpose in MEMBERS_ONLY
        if there and from_there and counts and wall.interface in ("", packet.interface):
            return True
    return wall.height is Height.MEMBERS and (packet.protocol, packet.port) not in wall.guarded


def in_a_namespace(script: str, text: str) -> str:
    done = subprocess.run(
        ["unshare", "-n", "sh", "-ec", script], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + text
    return done.stdout


@needs_root
@settings(max_examples=60, deadline=None)
@given(WALLS, st.lists(PACKETS, min_size=10, max_size=20))
def test_nftables(wall: Wall, packets: Sequence[Packet]) -> None:
    rows = json.loads(in_a_namespace("nft -f -; nft -j list ruleset", nft.wall(wall) + nft.watch(wall)))["nftables"]
    for packet in packets:
        agrees(through_nft(rows, packet), policy(wall, packet), packet)


@needs_root
@settings(max_examples=30, deadline=None)
@given(WALLS, st.lists(PACKETS, min_size=10, max_size=20))
def test_the_cluster_in_memory_reads_them_as_the_kernel_does(wall: Wall, packets: Sequence[Packet]) -> None:
    text = nft.wall(wall)
    rows = json.loads(in_a_namespace("nft -f -; nft -j list ruleset", text))["nftables"]
    printed = rules.table("galvan", -10, text)
    for packet in packets:
        assert through_nft(printed, packet).let_in == through_nft(rows, packet).let_in, packet
        if packet.interface == "eth0":
            assert (rules.walk(text, said(packet)) != "drop") == policy(wall, packet), packet


def said(packet: Packet) -> rules.Row:
    """As the cluster in memory puts it."""
    return {
        "iif": packet.interface, "iifname": packet.interface, "l4proto": packet.protocol, "pkttype": "host", "state": "new",
        "nfproto": "ipv6" if packet.family == "ip6" else "ipv4", "saddr": packet.source, "daddr": packet.target,
        "dport": packet.port, "protocol": packet.protocol,
    }  # fmt: skip


@needs_root
@settings(max_examples=40, deadline=None)
@given(WALLS, st.lists(PACKETS, min_size=10, max_size=20))
def test_iptables(wall: Wall, packets: Sequence[Packet]) -> None:
    saved = {}
    for family, prefix in (("ip", "iptables"), ("ip6", "ip6tables")):
        script = f"{prefix}-restore --noflush; {prefix} -I INPUT -j GALVAN; {prefix}-save -t filter"
        saved[family] = in_a_namespace(script, iptables.wall(wall, family))
    for packet in packets:
        agrees(through_iptables(saved[packet.family], packet), policy(wall, packet), packet)


def agrees(fate: Fate, wanted: bool, packet: Packet) -> None:
    assert fate.let_in == wanted, (packet, fate)
    assert not fate.doubts, (packet, fate)


@settings(max_examples=200, deadline=None)
@given(WALLS.filter(lambda wall: not wall.interface), PACKETS)
def test_firewalld(wall: Wall, packet: Packet) -> None:
    assert rich(firewalld.rules(wall), packet) == policy(wall, packet)


def rich(rules: Sequence[str], packet: Packet) -> bool:
    """A model of rich rules in a policy that is asked before all zones: by priority, the first that fits ends it."""
    said = [
        dict(re.findall(r'(\w+)="([^"]*)"', re.sub(r"(source|destination) address", r"\1", rule))) | {"end": end(rule)}
        for rule in rules
    ]
    for rule in sorted(said, key=lambda rule: int(rule["priority"])):
        family = {"ipv4": "ip", "ipv6": "ip6"}.get(rule.get("family", ""), packet.family)
        if family != packet.family or ("value" in rule):
            continue
        if "source" in rule and not inside(packet.source, rule["source"]):
            continue
        if "destination" in rule and not inside(packet.target, rule["destination"]):
            continue
        if "port" in rule and (rule["port"], rule["protocol"]) != (str(packet.port), packet.protocol):
            continue
        return rule["end"] == "accept"
    return True


def end(rule: str) -> str:
    return next(word for word in rule.split() if word in ("accept", "drop"))


def inside(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


@needs_root
def test_a_rate_is_loaded_and_leaves_a_doubt() -> None:
    wall = Wall((Allow("db1", "tcp", 3306, ("10.0.0.0/8",), CLIENTS),), per_second=50)
    rows = json.loads(in_a_namespace("nft -f -; nft -j list ruleset", nft.wall(wall)))["nftables"]
    fate = through_nft(rows, Packet("10.0.0.1", "10.9.0.1", "tcp", 3306))
    assert fate.let_in
    assert len(fate.doubts) == 1
    assert through_nft(rows, Packet("11.0.0.1", "10.9.0.1", "tcp", 3306)).let_in is False
    saved = in_a_namespace(
        "iptables-restore --noflush; iptables -I INPUT -j GALVAN; iptables-save", iptables.wall(wall, "ip")
    )
    assert "hashlimit-above 50/sec" in saved


@pytest.mark.parametrize(
    "render", [nft.wall, nft.watch, lambda w: iptables.wall(w, "ip"), lambda w: "".join(firewalld.rules(w))]
)
@pytest.mark.parametrize(
    "wall",
    [
        Wall((Allow("db1", "tcp", 22, ('10.0.0.1"; flush ruleset',), SST),)),
        Wall((Allow("db1", "tcp", 70000, ("10.0.0.1/32",), SST),)),
        Wall((Allow("db1", "tcp", 22, ("10.0.0.1/32",), SST),), interface='eth0" accept; #'),
        Wall((Allow("db1", "tcp", 22, ("10.0.0.1/32",), SST),), addresses=("10.0.0.1 accept",)),
    ],
)  # fmt: skip
def test_nothing_unchecked_comes_into_a_rule(render: Callable[[Wall], str], wall: Wall) -> None:
    with pytest.raises((BadInput, Exception), match=r"no network|no port|no interface|zones"):
        render(wall)


FOREIGN = """
table inet site {
 set friends { type ipv4_addr; flags interval; elements = { 10.0.0.0/24 } }
 chain in { type filter hook input priority 0; policy drop
  iif lo accept
  ct state established,related accept
  ip saddr @friends tcp dport vmap { 22 : accept, 4567 : jump deep }
  tcp dport 3306 limit rate 10/second accept
 }
 chain deep { ip saddr 10.0.0.66 drop
  accept
 }
}
"""


@needs_root
@pytest.mark.parametrize(
    ("source", "port", "let_in", "doubts"),
    [("10.0.0.5", 22, True, 0), ("10.0.0.5", 4567, True, 0), ("10.0.0.66", 4567, False, 0), ("10.0.1.5", 22, False, 0), ("10.0.1.5", 3306, False, 1)],
)  # fmt: skip
def test_foreign_rules_are_judged(source: str, port: int, let_in: bool, doubts: int) -> None:
    text = FOREIGN.replace(" { type", " {\n type").replace(" }\n", "\n }\n").replace("{ ip saddr 10", "{\n ip saddr 10")
    rows = json.loads(in_a_namespace("nft -f -; nft -j list ruleset", text))["nftables"]
    fate = through_nft(rows, Packet(source, "10.9.0.1", "tcp", port))
    assert (fate.let_in, len(fate.doubts)) == (let_in, doubts), fate
    assert "table inet site" in fate.by or fate.let_in


SAVED = """\
*filter
:INPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -s 10.0.0.0/24 -p tcp -m multiport --dports 4567,4568 -m comment --comment "the group -j DROP" -j ACCEPT
-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -p tcp -m tcp --dport 22 -j site
-A INPUT -p tcp -m geoip --source-country DE -m tcp --dport 3306 -j ACCEPT
-A site -s 10.1.0.0/16 -j RETURN
-A site -j ACCEPT
COMMIT
"""


@pytest.mark.parametrize(
    ("source", "port", "let_in", "doubts"),
    [("10.0.0.5", 4568, True, 0), ("10.0.1.5", 4568, False, 0), ("10.2.0.5", 22, True, 0), ("10.1.0.5", 22, False, 0), ("11.0.0.1", 22, False, 0), ("11.0.0.1", 3306, False, 1)],
)  # fmt: skip
def test_saved_rules_are_judged(source: str, port: int, let_in: bool, doubts: int) -> None:
    fate = through_iptables(SAVED, Packet(source, "10.9.0.1", "tcp", port))
    assert (fate.let_in, len(fate.doubts)) == (let_in, doubts), fate
