"""The rules of a wall in memory: read out of the text that was loaded, printed as nft would, and asked about a packet. Galvan's own
spelling alone is understood; any other is an error.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

Row = dict[str, Any]
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "112": "vrrp"}


def table(name: str, priority: int, text: str) -> list[Row]:
    """The rows of one table, as `nft -j list ruleset` prints them."""
    if not text:
        return []
    place = {"family": "inet", "table": name}
    base = {"name": "input", "type": "filter", "hook": "input", "prio": priority, "policy": "accept"}
    lines = text.partition("  chain input {\n")[2].splitlines()[1:]
    rules = [_rule(line) for line in lines if line.startswith("    ")]
    return [
        {"table": {"family": "inet", "name": name}}, {"chain": {**place, **base}},
        *({"rule": {**place, "chain": "input", "handle": number, **rule}} for number, rule in enumerate(rules)),
    ]  # fmt: skip


def _rule(line: str) -> Row:
    """One line of Galvan's own files; any other is an error."""
    words = re.findall(r'"[^"]*"|\{[^}]*\}|\([^)]*\)|\S+', line)
    said: Row = {"expr": []}
    while words:
        word = words.pop(0)
        if word in ("accept", "drop", "counter"):
            said["expr"].append({word: None})
        elif word == "comment":
            said["comment"] = words.pop(0).strip('"')
        elif word == "update":
            said["expr"].append({"set": _update(words.pop(0), words.pop(0))})
        else:
            said["expr"].append({"match": _match(word, words)})
    return said


def _match(word: str, words: list[str]) -> Row:
    if word in ("iif", "iifname"):
        return {"op": "==", "left": {"meta": {"key": word}}, "right": words.pop(0).strip('"')}
    key = words.pop(0)
    if key == "flags":
        _, mask, op, flag = (words.pop(0) for _ in range(4))
        left: Row = {"&": [{"payload": {"protocol": word, "field": key}}, re.findall(r"\w+", mask)]}
        return {"op": op, "left": left, "right": flag}
    op = words.pop(0) if words[0] == "!=" else "=="
    found = [
        PROTOCOLS.get(part, part) if key == "l4proto" else _value(part)
        for part in re.split(r"[\s,]+", words.pop(0).strip("{} "))
    ]
    if word == "ct":
        return {"op": "in", "left": {"ct": {"key": key}}, "right": found if len(found) > 1 else found[0]}
    assert word in ("meta", "ip", "ip6", "tcp", "udp"), f"a rule that the cluster in memory does not know: {word} {key}"
    left = {"meta": {"key": key}} if word == "meta" else {"payload": {"protocol": word, "field": key}}
    return {"op": op, "left": left, "right": {"set": found} if len(found) > 1 else found[0]}


def _value(text: str) -> Any:
    if "/" in text:
        network = ipaddress.ip_network(text)
        if network.num_addresses > 1:
            return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        return str(network.network_address)
    return int(text) if text.isdigit() else text


def _update(name: str, block: str) -> Row:
    family = block.strip("{ ").split()[0]
    who: Row = {"payload": {"protocol": family, "field": "saddr"}}
    if "limit" in block:
        return {"op": "update", "elem": who, "set": name, "stmt": [{"limit": {}}]}
    return {"op": "update", "elem": {"concat": [who]}, "set": name}


def walk(text: str, packet: Row) -> str:
    """accept, drop, or counted."""
    for rule in (row["rule"] for row in table("", 0, text) if "rule" in row):
        if not all(_fits(part["match"], packet) for part in rule["expr"] if "match" in part):
            continue
        if any("set" in part and "stmt" not in part["set"] for part in rule["expr"]):
            return "counted"
        verdict = next((v for part in rule["expr"] for v in ("accept", "drop") if v in part), "")
        if verdict and not any("set" in part for part in rule["expr"]):  # a rate is never too high here
            return verdict
    return "accept"


def _fits(match: Row, packet: Row) -> bool:
    left = match["left"]
    if "&" in left:  # flags: the first packet of a connection is a bare SYN
        return bool(packet["l4proto"] == "tcp") and (match["right"] == "syn") != (match["op"] == "!=")
    if said := left.get("payload"):
        of = {"ip": ("nfproto", "ipv4"), "ip6": ("nfproto", "ipv6")}.get(
            said["protocol"], ("l4proto", said["protocol"])
        )
        if packet[of[0]] != of[1]:
            return False
        seen = packet[said["field"]]
    else:
        seen = packet[left.get("meta", left.get("ct"))["key"]]
    right = match["right"]
    wanted = (
        right["set"] if isinstance(right, dict) and "set" in right else right if isinstance(right, list) else [right]
    )
    return any(_is(seen, one) for one in wanted) != bool(match["op"] == "!=")


def _is(seen: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        prefix = wanted["prefix"]
        return ipaddress.ip_address(seen) in ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}")
    return bool(seen == wanted)
