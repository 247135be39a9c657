"""The fate of a packet by iptables rules, as `iptables-save` prints them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from galvan.tips.firewall.packets import NUMBERS, Doubt, Fate, Packet, address_in


def through_iptables(saved: str, packet: Packet, skip: Sequence[str] = ()) -> Fate:
    """Through INPUT of a `filter` table as iptables-save prints it, of the packet's family. `skip`: chains left out."""
    chains: dict[str, list[list[str]]] = {}
    policy = "ACCEPT"
    for line in saved.splitlines():
        if line.startswith(":INPUT "):
            policy = line.split()[1]
        elif line.startswith("-A "):
            words = _words(line)
            chains.setdefault(words[1], []).append(words[2:])
    if not chains and policy == "ACCEPT":
        return Fate(True)
    walk = _Iptables(chains, packet, frozenset(skip))
    let_in, by = walk.through("INPUT", 0) or (policy == "ACCEPT", f"INPUT: policy {policy}")
    return Fate(let_in, by, tuple(text for other, text in walk.doubts if other != let_in))


def _words(line: str) -> list[str]:
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]


class _Iptables:
    def __init__(self, chains: Mapping[str, list[list[str]]], packet: Packet, skip: frozenset[str]) -> None:
        self._chains, self._packet, self._skip = chains, packet, skip
        self.doubts: list[tuple[bool, str]] = []

    def through(self, chain: str, depth: int) -> tuple[bool, str] | None:
        if depth > 16:
            return None
        for words in self._chains.get(chain, []):
            target = next((words[n + 1] for n, w in enumerate(words[:-1]) if w in ("-j", "-g", "--jump", "--goto")), "")
            if not target or target in self._skip:
                continue
            try:
                if not _fits(words, self._packet):
                    continue
                doubtful = False
            except Doubt:
                doubtful = True
            text = f"-A {chain} {' '.join(words)}"
            ended = self._target(target, text, depth)
            if ended == "return" and not doubtful:
                return None
            if isinstance(ended, tuple) and doubtful:
                self.doubts.append(ended)
            elif isinstance(ended, tuple):
                return ended
        return None

    def _target(self, target: str, text: str, depth: int) -> tuple[bool, str] | str | None:
        if target in ("ACCEPT", "DROP", "REJECT", "QUEUE", "NFQUEUE"):
            return target == "ACCEPT", text
        if target == "RETURN":
            return "return"
        return self.through(target, depth + 1)


_FREE = (
    "-j",
    "-g",
    "--jump",
    "--goto",
    "--comment",
    "--reject-with",
    "--log-prefix",
    "--log-level",
    "--name",
    "--mask",
    "--set-mark",
)
_BARE = ("--set", "--rsource", "--rdest")
_MODULES = ("tcp", "udp", "comment", "conntrack", "state", "multiport", "pkttype", "recent")


def _fits(words: Sequence[str], packet: Packet) -> bool:
    """Every condition of a rule. Raises where one of them is not understood and no other one already fails."""
    doubt, negated, place, fits = False, False, 0, True
    while place < len(words):
        word = words[place]
        if word == "!":
            negated, place = True, place + 1
            continue
        if word in _BARE:
            place += 1
            continue
        value = words[place + 1] if place + 1 < len(words) else ""
        if word == "--tcp-flags":  # the mask, and which of it is set: of a first packet SYN alone
            value, place = f"{value} {words[place + 2]}", place + 1
        said = _condition(word, value, packet)
        if said is None:
            doubt = True
        elif said == negated:
            fits = False
        negated, place = False, place + 2
    if fits and doubt:
        raise Doubt
    return fits


def _condition(word: str, value: str, packet: Packet) -> bool | None:
    """None where the condition is not understood."""
    if word in _FREE:
        return True
    judge = _CONDITIONS.get(word)
    return judge(value, packet) if judge else None


def _flags(value: str, packet: Packet) -> bool | None:
    mask, _, comp = value.partition(" ")
    return comp == "SYN" if "SYN" in mask.split(",") else None


def _ports(value: str, packet: Packet) -> bool | None:
    return any(_in_range(packet.port, part) for part in value.split(","))


def _interface(value: str, packet: Packet) -> bool | None:
    return packet.interface.startswith(value[:-1]) if value.endswith("+") else packet.interface == value


def _state(value: str, packet: Packet) -> bool | None:
    return "NEW" in value.split(",")


_CONDITIONS: Mapping[str, Callable[[str, Packet], bool | None]] = {
    "-s": lambda value, packet: address_in(packet.source, value),
    "-d": lambda value, packet: address_in(packet.target, value),
    "-p": lambda value, packet: NUMBERS.get(value, value) in (packet.protocol, "all"),
    "--dport": _ports,
    "--dports": _ports,
    "-i": _interface,
    "--ctstate": _state,
    "--state": _state,
    "--tcp-flags": _flags,
    "--pkt-type": lambda value, packet: value in ("unicast", "host"),
    "-m": lambda value, packet: True if value in _MODULES else None,
}
"""As iptables-save spells them."""


def _in_range(port: int, said: str) -> bool:
    low, colon, high = said.partition(":")
    return int(low or 0) <= port <= int((high or 65535) if colon else low)
