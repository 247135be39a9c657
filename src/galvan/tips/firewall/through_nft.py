"""The fate of a packet by nftables rules, as `nft -j list ruleset` prints them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from galvan.tips.firewall.packets import NUMBERS, Doubt, Fate, Packet, address_in, combined, is_address

Row = Mapping[str, Any]
_ENDS = ("accept", "drop", "reject", "return", "queue")


def through_nft(rows: Sequence[Row], packet: Packet, skip: Sequence[str] = ()) -> Fate:
    """Through every base chain at `prerouting` and `input`; `skip`: tables by name, for asking without them."""
    chains: dict[tuple[str, str, str], list[Row]] = {}
    bases: list[Row] = []
    sets: dict[tuple[str, str, str], list[Any]] = {}
    for row in rows:
        if chain := row.get("chain"):
            chains.setdefault((chain["family"], chain["table"], chain["name"]), [])
            if chain.get("hook") in ("input", "prerouting") and chain.get("type") == "filter":
                bases.append(chain)
        elif rule := row.get("rule"):
            chains.setdefault((rule["family"], rule["table"], rule["chain"]), []).append(rule)
        elif named := row.get("set") or row.get("map"):
            sets[named["family"], named["table"], named["name"]] = named.get("elem", [])
    mine = [
        c
        for c in bases
        if c["table"] not in skip and c["family"] in ("inet", packet.family) and not _foreign(c, chains)
    ]
    return combined(_Nft(chains, sets, packet, chain).fate() for chain in mine)


def _foreign(chain: Row, chains: Mapping[tuple[str, str, str], list[Row]]) -> bool:
    """A table of iptables-nft holds parts that nft cannot print; iptables-save can."""
    return chain["table"] in ("filter", "raw", "mangle", "nat", "security") and str(chain["name"]).isupper()


class _Nft:
    def __init__(
        self, chains: Mapping[tuple[str, str, str], list[Row]], sets: Mapping[tuple[str, str, str], list[Any]],
        packet: Packet, base: Row,
    ) -> None:  # fmt: skip
        self._chains, self._sets, self._packet, self._base = chains, sets, packet, base
        self._table = (str(base["family"]), str(base["table"]))
        self._doubts: list[tuple[bool, str]] = []

    def fate(self) -> Fate:
        name = str(self._base["name"])
        ended = self._walk(name, 0)
        where = f"table {' '.join(self._table)}, chain {name}"
        policy = self._base.get("policy", "accept")
        let_in, by = ended or (policy == "accept", f"{where}: policy {policy}")
        return Fate(let_in, by, tuple(text for other, text in self._doubts if other != let_in))

    def _walk(self, chain: str, depth: int) -> tuple[bool, str] | None:
        if depth > 16:
            return None
        for rule in self._chains.get((*self._table, chain), []):
            said = self._rule(rule, depth)
            if said == "return":
                return None
            if isinstance(said, tuple):
                return said
        return None

    def _rule(self, rule: Row, depth: int) -> tuple[bool, str] | str | None:
        text = f"table {' '.join(self._table)}, chain {rule['chain']}, handle {rule.get('handle', '?')}"
        doubtful = False
        for part in rule["expr"]:
            (kind, body), *_ = part.items()
            if kind == "match":
                try:
                    if not self._matches(body):
                        return None
                except Doubt:
                    doubtful = True
            elif kind in ("limit", "xt"):
                doubtful = True
            elif kind == "vmap":
                return self._mapped(body, text, depth)
            elif kind in (*_ENDS, "jump", "goto"):
                return self._verdict(kind, body, text, depth, doubtful)
            elif kind == "set":  # a rate, kept for each address: of the other family it concerns nobody here
                if body["elem"].get("payload", {}).get("protocol") in {"ip", "ip6"} - {self._packet.family}:
                    return None
                doubtful = doubtful or any("limit" in said for said in body.get("stmt", []))
        return None

    def _verdict(self, kind: str, body: Any, text: str, depth: int, doubtful: bool) -> tuple[bool, str] | str | None:
        if kind in ("jump", "goto"):
            ended = self._walk(str(body["target"]), depth + 1)
            if doubtful:
                if ended:
                    self._doubts.append((ended[0], text))
                return None
            return ended or ("return" if kind == "goto" else None)
        if doubtful:
            if kind != "return":
                self._doubts.append((kind == "accept", text))
            return None
        return "return" if kind == "return" else (kind == "accept", text)

    def _mapped(self, body: Row, text: str, depth: int) -> tuple[bool, str] | str | None:
        data = body["data"]
        pairs = data["set"] if isinstance(data, dict) else self._named(str(data))
        for key, verdict in pairs:
            (kind, inner), *_ = verdict.items()
            try:
                if self._equal(body["key"], key):
                    return self._verdict(kind, inner, text, depth, False)
            except Doubt:
                self._verdict(kind, inner, text, depth, True)
        return None

    def _named(self, said: str) -> list[Any]:
        return self._sets.get((*self._table, said.removeprefix("@")), [])

    def _matches(self, body: Row) -> bool:
        left, right, op = body["left"], body["right"], body["op"]
        if op not in ("==", "!=", "in"):
            raise Doubt
        if isinstance(left, dict) and "&" in left:
            return self._flags(left["&"], right, op)
        said = self._equal(left, right)
        return not said if op == "!=" else said

    def _flags(self, left: Any, right: Any, op: str) -> bool:
        """Of the first packet of a connection: SYN alone. One of another protocol has none, and matches nothing about them."""
        field = left[0].get("payload", {}) if isinstance(left[0], dict) else {}
        if (field.get("protocol"), field.get("field")) != ("tcp", "flags") or right != "syn" or "syn" not in left[1]:
            raise Doubt
        return self._packet.protocol == "tcp" and op == "=="

    def _equal(self, left: Any, right: Any) -> bool:
        if isinstance(right, str) and right.startswith("@"):
            return any(self._equal(left, element) for element in self._named(right))
        if isinstance(right, dict) and "set" in right:
            return any(self._equal(left, element) for element in right["set"])
        if isinstance(right, dict) and "elem" in right:
            return self._equal(left, right["elem"]["val"])
        if isinstance(right, list):
            return any(self._equal(left, element) for element in right)
        if isinstance(left, dict) and "concat" in left:
            parts = right.get("concat", []) if isinstance(right, dict) else []
            return len(parts) == len(left["concat"]) and all(map(self._equal, left["concat"], parts))
        return _within(self._value(left), right)

    def _value(self, left: Any) -> Any:
        """What the packet is, in the words of the expression. A part of another protocol is nothing that it has."""
        (kind, body), *_ = left.items()
        packet = self._packet
        if kind == "payload":
            key = (body.get("protocol"), body.get("field"))
            known: dict[tuple[Any, Any], Any] = {
                (packet.family, "saddr"): packet.source, (packet.family, "daddr"): packet.target,
                ("ip" if packet.family == "ip" else "", "protocol"): packet.protocol,
                (packet.protocol, "dport"): packet.port, ("th", "dport"): packet.port if packet.port else None,
            }  # fmt: skip
            if key in known:
                return known[key]
            if body.get("protocol") in ("ip", "ip6", "tcp", "udp", "icmp", "icmpv6", "th") and body.get("field") in (
                "saddr", "daddr", "protocol", "dport", "type",
            ):  # fmt: skip
                return None
        if kind == "meta":
            words = {
                "l4proto": packet.protocol, "iif": packet.interface, "iifname": packet.interface, "pkttype": "host",
                "nfproto": "ipv6" if packet.family == "ip6" else "ipv4", "protocol": packet.family,
            }  # fmt: skip
            if body.get("key") in words:
                return words[body["key"]]
        if kind == "ct" and body.get("key") in ("state", "status"):
            return "new" if body["key"] == "state" else None  # nobody has led it elsewhere
        raise Doubt


def _within(value: Any, right: Any) -> bool:
    if value is None:
        return False
    if isinstance(right, dict) and "prefix" in right:
        return address_in(str(value), f"{right['prefix']['addr']}/{right['prefix']['len']}")
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        if isinstance(value, int):
            return int(low) <= value <= int(high)
        try:
            first, mine, last = (ipaddress.ip_address(str(address)) for address in (low, value, high))
        except ValueError:
            raise Doubt from None
        if not first.version == mine.version == last.version:
            raise Doubt
        return int(first) <= int(mine) <= int(last)
    if isinstance(right, (str, int)):
        text, said = str(right), str(value)
        if text.endswith("*"):
            return said.startswith(text[:-1])
        return address_in(said, text) if is_address(text) else NUMBERS.get(text, text) == NUMBERS.get(said, said)
    raise Doubt
