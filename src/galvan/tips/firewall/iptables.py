"""The wall in iptables and ip6tables: a chain of Galvan's own, asked first by INPUT; no other rule is touched.

What it lets in returns to the rules that stood there before, so it takes away and opens nothing that they shut.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.tips.firewall.table import Allow
from galvan.tips.firewall.wall import Height, Wall, families, mark, port, word

CHAIN, WATCH = "GALVAN", "GALVAN-WATCH"
FAMILIES = ("ip", "ip6")
_ICMP = {"ip": "icmp", "ip6": "ipv6-icmp"}
_LEASE = {"ip": "-p udp --dport 68", "ip6": "-s fe80::/10 -p udp --dport 546"}


def wall(said: Wall, family: str) -> str:
    """For `iptables-restore --noflush` (or ip6tables-restore): the chain anew, and the first place in INPUT."""
    return _table(CHAIN, said.height, family, [*_limits(said, family), *_returns(said, family), *_drops(said)])


def watch(said: Wall, family: str) -> str:
    """Where there is no nft: the module `recent` keeps the address of each peer that would be refused, one list for each
    port that the table knows and one for all others (/proc/net/xt_recent)."""
    known = [number for protocol, number in said.served if protocol == "tcp"]
    lists = [f"-p tcp --dport {n} -m recent --name galvan_{family}_{n} --set --rsource -j RETURN" for n in known]
    last = f"-m recent --name galvan_{family}_0 --set --rsource"
    quiet = ["-m pkttype --pkt-type broadcast -j RETURN", "-m pkttype --pkt-type multicast -j RETURN"]
    return _table(WATCH, "count", family, [*_returns(said, family), *quiet, *lists, last])


def _table(chain: str, height: str, family: str, rules: list[str]) -> str:
    always = [
        "-i lo -j RETURN",
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-p tcp ! --syn -j RETURN",
        f"-p {_ICMP[family]} -j RETURN",
    ]
    body = "".join(f"-A {chain} {rule}\n" for rule in [*always, f"{_LEASE[family]} -j RETURN", *rules])
    said = f'-A {chain} -m comment --comment "{mark(height, body)}"\n'
    return f"*filter\n:{chain} - [0:0]\n{said}{body}COMMIT\n"


def _limits(said: Wall, family: str) -> Iterator[str]:
    for number in sorted({allow.port for allow in said.rules if said.limited(allow)}):
        yield (
            f"-p tcp --dport {port(number)} -m conntrack --ctstate NEW -m hashlimit --hashlimit-name galvan-{family}-{number} "
            f"--hashlimit-mode srcip --hashlimit-above {said.per_second}/sec --hashlimit-burst {2 * said.per_second} -j DROP"
        )


def _returns(said: Wall, family: str) -> Iterator[str]:
    where = f"-i {word(said.interface)} " if said.interface else ""
    own = dict(families(said.addresses)).get(family, ())
    for allow in said.rules:
        for source in dict(families(allow.sources)).get(family, ()):
            for to in own if said.addresses and allow.protocol != "vrrp" else ("",):
                meant = f"-d {to} " if to else ""
                yield f"{where}-s {source} {meant}{_to(allow)}-m conntrack --ctstate NEW -j RETURN"


def _to(allow: Allow) -> str:
    return "-p 112 " if allow.protocol == "vrrp" else f"-p {allow.protocol} --dport {port(allow.port)} "


def _drops(said: Wall) -> Iterator[str]:
    if said.height is Height.SHUT:
        yield "-j DROP"
        return
    for protocol, number in said.guarded:
        yield f"-p {protocol} --dport {port(number)} -j DROP"
