"""What a host shows of its firewall, of who listens, and of who is connected. All read only; no fact lists a secret."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from galvan.cluster.facts import lines
from galvan.cluster.walls import WALLED
from galvan.model import Fact, Shell, State, Unreadable
from galvan.tips.firewall.packets import NUMBERS

HOSTS = frozenset(WALLED)


@dataclass(frozen=True, slots=True)
class Listener:
    """`address` as it is bound, `*` for any; `process` is `systemd` for a socket unit. `door`: no port of an administrator's."""

    protocol: str
    address: str
    port: int
    process: str
    door: bool = True

    @property
    def local(self) -> bool:
        """Only this host can reach it."""
        return self.address.startswith("127.") or self.address == "::1"


_ADMIN = {"proxysql": {6032, 6070, 6080}, "maxscale": {8989}}
"""Ports of balancers that serve no application, by the program that listens on them."""


def listeners(output: str) -> tuple[Listener, ...]:
    """Lines: protocol, bound address:port, process; `vrrp PROCESS`, which has no port; then `stats PORT` for each bind of HAProxy's with a stats page."""
    rows = [line.split() for line in output.splitlines() if line.strip()]
    if ["ss"] not in rows:
        raise Unreadable("the host has no ss (iproute2), so what listens there cannot be seen")
    stats = {int(row[1]) for row in rows if row[0] == "stats" and row[1].isdigit()}
    found = []
    for row in rows:
        if row[:1] == ["vrrp"]:
            found.append(Listener("vrrp", "*", 0, row[1]))
        if row[0] not in ("tcp", "udp") or len(row) != 3:
            continue
        address, _, port = row[1].rpartition(":")
        admin = (row[2] == "haproxy" and int(port) in stats) or int(port) in _ADMIN.get(row[2], ())
        found.append(Listener(row[0], _bare(address), int(port), row[2], not admin))
    return tuple(dict.fromkeys(found))


def _bare(address: str) -> str:
    return address.strip("[]").partition("%")[0].removeprefix("::ffff:") or "*"


LISTENERS: Fact[tuple[Listener, ...]] = Fact(
    "firewall.listeners",
    Shell(
        "command -v ss >/dev/null && echo ss\n"
        "ss -Hlntup | awk '{p=$7; sub(/^users:\\(\\(\"/, \"\", p); sub(/\".*/, \"\", p); print $1, $5, (p == \"\" ? \"-\" : p)}' | sort -u\n"
        "ss -Hlnwp | sed -n 's/.*:112 .*((\"\\([^\"]*\\)\".*/vrrp \\1/p' | sort -u\n"
        "[ -r /etc/haproxy/haproxy.cfg ] && awk '"
        "/^[^ \\t#]/ {if (s) for (b in bind) print \"stats\", b; split(\"\", bind); s=0} "
        "$1 == \"bind\" {n=split($2, part, \":\"); bind[part[n]]=1} "
        "($1 == \"stats\" && $2 ~ /^(enable|uri|admin)$/) || /prometheus-exporter/ {s=1} "
        "END {if (s) for (b in bind) print \"stats\", b}' /etc/haproxy/haproxy.cfg; true"
    ),
    listeners,
    stable=False,
    roles=HOSTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who is connected to a listening port now."""

    address: str
    protocol: str
    port: int
    process: str
    times: int


def guests(output: str) -> tuple[Guest, ...]:
    """Lines: port, address, process, number of connections; loopback is left out."""
    found = []
    for line in output.splitlines():
        port, address, process, times = line.split()
        try:
            if not ipaddress.ip_address(address).is_loopback:
                found.append(Guest(address, "tcp", int(port), process, int(times)))
        except ValueError:
            raise Unreadable(f"ss printed {line!r}, which names no address and port") from None
    return tuple(found)


GUESTS: Fact[tuple[Guest, ...]] = Fact(
    "firewall.guests",
    Shell(
        "ss -Htanp state listening state established | awk '\n"
        '{ n = split($4, h, ":"); who = $5; sub(/:[0-9]+$/, "", who); gsub(/[][]/, "", who); sub(/^::ffff:/, "", who); sub(/%.*/, "", who)\n'
        '  p = $6; sub(/^users:\\(\\("/, "", p); sub(/".*/, "", p); if (p == "") p = "-" }\n'
        '$1 == "LISTEN" { open[h[n]] = 1 } $1 == "ESTAB" { seen[h[n] " " who " " p]++ }\n'
        "END { for (key in seen) { split(key, part, \" \"); if (part[1] in open) print key, seen[key] } }'"
    ),
    guests,
    stable=False,
    roles=HOSTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """From where this very connection came, and at which port it was let in."""

    address: str
    port: int


def caller(output: str) -> Caller:
    words = output.split()
    if len(words) != 4:
        raise Unreadable("the host does not show from where this connection came (SSH_CONNECTION)")
    return Caller(_bare(words[0]), int(words[3]))


CALLER: Fact[Caller] = Fact(
    "firewall.caller",
    Shell(  # sudo drops the variable, so the parents are asked until one has it
        "p=$$\nwhile [ \"${p:-0}\" -gt 1 ]; do\n"
        "  c=$(tr '\\0' '\\n' </proc/$p/environ 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')\n"
        '  [ -z "$c" ] || { echo "$c"; break; }\n'
        "  p=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$p/status)\ndone; true"
    ),
    caller,
    stable=False,
    roles=HOSTS,
)  # fmt: skip
CONTROL: Fact[State] = Fact(
    "firewall.control",
    Shell(
        "for u in firewalld ufw nftables netfilter-persistent iptables; do\n"
        "  echo $u=$(systemctl is-active $u 2>/dev/null) $u-enabled=$(systemctl is-enabled $u 2>/dev/null)\ndone | tr ' ' '\\n'\n"
        "grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf && echo ufw-on=yes || echo ufw-on=no\n"
        "for t in nft iptables ip6tables iptables-restore ip6tables-restore firewall-cmd ufw unshare socat systemd-run; do\n"
        "  command -v $t >/dev/null && echo has-$t=yes || echo has-$t=no\ndone\n"
        "echo iptables-kind=$(iptables -V 2>/dev/null | sed 's/.*(\\(.*\\)).*/\\1/')\n"
        "v=$(case $(iptables -V 2>/dev/null) in *nf_tables*) iptables-save -t filter 2>/dev/null ;; esac | grep -v GALVAN | grep -c -e '^-A INPUT' -e '^:INPUT DROP'); echo iptables-rules=${v:-0}\n"
        "l=$(command -v iptables-legacy-save >/dev/null && grep -qs filter /proc/net/ip_tables_names && iptables-legacy-save -t filter 2>/dev/null | grep -v GALVAN | grep -c '^-A INPUT'); echo legacy-rules=${l:-0}\n"
        'n=$(nft -j list chains 2>/dev/null | tr \'{\' \'\\n\' | grep \'"hook": "input"\' | grep -v -e \'"table": "galvan\' -e \'"table": "firewalld"\' -e \'"table": "filter"\' | grep -c \'type": "filter\'); echo nft-chains=${n:-0}'
    ),
    lines,
    roles=HOSTS,
)
"""Which firewalls are there, which run, and which of them hold rules of their own about what comes in."""
RULESET: Fact[Sequence[Mapping[str, Any]]] = Fact(
    "firewall.ruleset",
    Shell("command -v nft >/dev/null || { echo '{\"nftables\": []}'; exit 0; }; nft -j list ruleset"),
    lambda output: _ruleset(output),
    stable=False,
    roles=HOSTS,
)
"""The whole nftables ruleset (that of iptables-nft and firewalld is in it), as `nft -j` prints it."""


def _ruleset(output: str) -> Sequence[Mapping[str, Any]]:
    try:
        return tuple(json.loads(output)["nftables"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise Unreadable(f"nft did not print its rules: {wrong}") from None


SAVED: Fact[str] = Fact(
    "firewall.saved",
    Shell(  # the legacy tables are only asked where they are in use: asking would make them
        "for t in iptables ip6tables; do\n"
        "  [ $t = iptables ] || echo '# ip6tables'\n"
        "  case $($t -V 2>/dev/null) in *nf_tables*) $t-save -t filter 2>/dev/null ;; esac\n"
        "  [ $t = iptables ] && n=ip_tables_names || n=ip6_tables_names\n"
        "  if grep -qsx filter /proc/net/$n; then for s in $t-legacy-save $t-save; do command -v $s >/dev/null && { $s -t filter 2>/dev/null; break; }; done; fi\n"
        "done; true"
    ),
    str,
    stable=False,
    roles=HOSTS,
)
"""What iptables-save and ip6tables-save print of their tables `filter`: nft cannot print all that stands there."""
BYPASS: Fact[tuple[str, ...]] = Fact(
    "firewall.bypass",
    Shell(
        "{ nft list ruleset 2>/dev/null | grep -E 'dnat (ip |ip6 )?to'; iptables-save -t nat 2>/dev/null | grep -E -- '-j (DNAT|REDIRECT)'; "
        "ip6tables-save -t nat 2>/dev/null | grep -E -- '-j (DNAT|REDIRECT)'; } | sed 's/^[[:space:]]*//; s/counter packets [0-9]* bytes [0-9]* //' | sort -u | head -n 40"
    ),
    lambda output: tuple(output.splitlines()),
    roles=HOSTS,
)
"""What is led past the input rules: published container ports reach their container by DNAT and are never asked here."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody whom the wall would refuse, as the host counted: packets of new connections, by protocol and port."""

    address: str
    protocol: str
    port: int
    times: int


def peers(output: str) -> tuple[Peer, ...]:
    """What `nft -j list set` printed for each set of the count, then the lists of the module `recent`. Raises Unreadable where a set
    is full: whoever came after that is not in it."""
    found: list[Peer] = []
    for line in output.splitlines():
        if line.startswith("{"):
            for row in _ruleset(line):
                said = row.get("set", {})
                if len(said.get("elem", [])) >= said.get("size", 1 << 32):
                    raise Unreadable(
                        "the count of who comes is full (somebody scans the ports): nft flush table inet galvan_watch"
                    )
                found += [_peer(element) for element in said.get("elem", [])]
        elif line.startswith("recent "):
            _, name, address, times = line.split()
            found.append(
                Peer(address, "tcp" if name.rpartition("_")[2] != "0" else "", int(name.rpartition("_")[2]), int(times))
            )
    return tuple(found)


def _peer(element: Any) -> Peer:
    said = element["elem"] if isinstance(element, dict) and "elem" in element else {"val": element}
    address, *rest = said["val"]["concat"]
    times = said.get("counter", {}).get("packets", 0)
    protocol = NUMBERS.get(str(rest[0]), str(rest[0]))
    return Peer(str(address), protocol, int(rest[1]) if len(rest) > 1 else 0, int(times))


COUNTED: Fact[tuple[Peer, ...]] = Fact(
    "firewall.counted",
    Shell(
        "for s in peers_ip peers_ip6 odd_ip odd_ip6; do nft -j list set inet galvan_watch $s 2>/dev/null; done\n"
        'for f in /proc/net/xt_recent/galvan_*; do [ -e "$f" ] && sed -n "s/^src=\\([^ ]*\\) .*oldest_pkt: \\([0-9]*\\) .*/recent ${f##*/} \\1 \\2/p" $f; done; true'
    ),
    peers,
    stable=False,
    roles=HOSTS,
)
"""Exactly and per peer; empty while nothing counts."""
OBJECT: Fact[State] = Fact(
    "firewall.object",
    Shell(
        "systemctl is-active -q firewalld 2>/dev/null || { echo object=no; echo unsaved=no; exit 0; }\n"
        "busctl --json=short call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.policy getPolicies |\n"
        "  grep -q '\"galvan\"' && { echo object=yes; echo unsaved=no; exit 0; }\n"
        "echo object=no\n"
        "for k in --list-all-zones --list-all-policies --direct; do\n"
        "  [ $k = --direct ] && k='--direct --get-all-rules'\n"
        "  r=$(firewall-cmd $k 2>/dev/null | grep -v '^  interfaces:' | sed 's/ (.*active)$//; s/ (active)$//')\n"
        "  p=$(firewall-cmd --permanent $k 2>/dev/null | grep -v '^  interfaces:' | sed 's/ (.*active)$//; s/ (active)$//')\n"
        '  [ "$r" = "$p" ] || { echo unsaved=yes; exit 0; }\ndone; echo unsaved=no'
    ),
    lines,
    roles=HOSTS,
)
"""firewalld: is Galvan's policy object known, and does anything run that a reload would lose?"""
