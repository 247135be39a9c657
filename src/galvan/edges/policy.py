"""What of galvan.yaml's policy is more than one value: maintenance windows, an error budget, an attested backup, walls, doors.

policy:
  window: ["Sat 22:00-04:00 Europe/Berlin", "Tue-Thu 02:00-04:00 UTC"]
  budget: {flow_control: 0.2, p99_ms: 250}
  backup: {max_age_days: 7, attested: 2026-11-20, by: Ann}
  firewall: {operators: [192.0.2.0/24]}
  load_balancer: {door: 3307, connections: 200, pair: {address: 10.0.3.10, interface: eth0}}
  sst: {method: mariabackup, also: [backup]}
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from galvan.edges.controls import controls
from galvan.model import (
    Backup,
    BadInput,
    Balancing,
    Budget,
    Hardening,
    Opening,
    Pair,
    Transfers,
    Walls,
    Window,
)

if TYPE_CHECKING:
    from galvan.edges.inventory import Field

T = TypeVar("T")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(r"(\S+) (\d\d):(\d\d)-(\d\d):(\d\d) (\S+)")
_EXAMPLE = "'Sat 22:00-04:00 Europe/Berlin', 'Mon-Fri 01:00-03:00 UTC', 'daily 02:00-04:00 UTC'"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def window(text: str) -> Window:
    """Raises BadInput with an example; the time zone has to be named, since hosts and operators may differ."""
    match = _WINDOW.fullmatch(text)
    if not match:
        raise BadInput(f"{text!r} is no window: days, from-to and the time zone, as in {_EXAMPLE}")
    days, hour, minute, end_hour, end_minute, zone = match.groups()
    begin, end = int(hour) * 60 + int(minute), int(end_hour) * 60 + int(end_minute)
    if int(hour) > 23 or int(minute) > 59 or int(end_minute) > 59 or end > 24 * 60:
        raise BadInput(f"{text!r}: a time lies between 00:00 and 24:00, as in {_EXAMPLE}")
    if begin == end:
        raise BadInput(f"{text!r} begins and ends at the same time; a whole day is 00:00-24:00")
    return Window(text, _days(days, text), begin, end, _zone(zone, text))


def _days(said: str, text: str) -> frozenset[int]:
    if said == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in said.split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise BadInput(f"{text!r}: {part!r} is no day; days are {', '.join(_DAYS)}, Mon-Fri, or daily")
        begin, end = _DAYS.index(first), _DAYS.index(last if dash else first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _zone(name: str, text: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"{text!r}: this machine knows no time zone {name!r}, as in {_EXAMPLE}") from None
    return name


def attested(text: str) -> tuple[str, str]:
    """ "who, when" as `--attest-backup` takes it: who, and the day. Raises BadInput.

    >>> attested("Ann of storage, 2026-11-20")
    ('Ann of storage', '2026-11-20')
    """
    who, comma, when = (part.strip() for part in text.rpartition(","))
    if not comma or not who:
        raise BadInput(f"{text!r} says not who restored which day's backup; as in 'Ann, 2026-11-20'")
    return who, day(when)


def day(said: str) -> str:
    """One that the calendar has. Raises BadInput."""
    from datetime import date

    try:
        if not _DAY.fullmatch(said):
            raise ValueError
        return date.fromisoformat(said).isoformat()
    except ValueError:
        raise BadInput(f"{said!r} is no day; as in 2026-11-20") from None


def _windows(field: Field) -> tuple[Window, ...]:
    from yaml import SequenceNode

    fields = field.items() if isinstance(field.node, SequenceNode) else [field]
    return tuple(told(item, window) for item in fields)


def told(field: Field, read: Callable[[str], T]) -> T:
    """What a reader makes of the value; its refusal gets the line and the field."""
    try:
        return read(field.text())
    except BadInput as why:
        if str(why).startswith(field.file):
            raise
        raise field.wrong(str(why)) from None


def _budget(field: Field) -> Budget:
    said = field.mapping("flow_control", "p99_ms")
    limits = {name: cast(float, value.typed("float")) for name, value in said.items()}
    if not limits:
        raise field.wrong("a budget needs a limit: flow_control (a share of time, as 0.2) or p99_ms")
    share = limits.get("flow_control")
    if share is not None and not 0 < share <= 1:
        raise said["flow_control"].wrong("a share of time lies above 0 and up to 1, as 0.2")
    return Budget(**limits)


def _backup(field: Field) -> Backup:
    said = field.mapping("attested", "by", "max_age_days")
    if "max_age_days" not in said or ("attested" in said) != ("by" in said):
        raise field.wrong("a backup needs max_age_days, and attested and by together")
    age = said["max_age_days"].typed("int")
    when = told(said["attested"], day) if "attested" in said else ""
    return Backup(int(str(age)), when, said["by"].text() if "by" in said else "")


def _walls(field: Field) -> Walls:
    """policy: {firewall: {operators: [192.0.2.0/24], also: [{port: 9100, from: [10.0.9.0/24]}]}}"""
    said = field.mapping(*(f.name for f in dataclasses.fields(Walls)))
    values: dict[str, Any] = {name: said[name].typed("bool") for name in ("own_address", "allowlist") if name in said}
    values |= {
        name: _sources(said[name]) for name in ("operators", "applications", "replicas", "monitors") if name in said
    }
    if "new_per_second" in said:
        values["new_per_second"] = said["new_per_second"].typed("int")
    if "interface" in said:
        values["interface"] = said["interface"].text(_INTERFACE, "eth0")
    if "backend" in said:
        values["backend"] = said["backend"].one_of("auto", "nftables", "iptables", "firewalld", "ufw")
    if "also" in said:
        values["also"] = tuple(_opening(item) for item in said["also"].items())
    return Walls(**values)


def _opening(field: Field) -> Opening:
    said = field.mapping("port", "from", "protocol", "hosts")
    if missing := sorted({"port", "from"} - said.keys()):
        raise field.wrong(f"an opening needs {', '.join(missing)}, as in {{port: 9100, from: [10.0.9.0/24]}}")
    port = said["port"].port()
    protocol = said["protocol"].one_of("tcp", "udp") if "protocol" in said else "tcp"
    hosts = tuple(item.text() for item in said["hosts"].items()) if "hosts" in said else ()
    return Opening(port, _sources(said["from"]), protocol, hosts)


def _sources(field: Field) -> tuple[str, ...]:
    """Networks, none of which is empty, and none of which holds another: one of the two would be a slip."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for item in field.items():
        text = item.text()
        try:
            network = ipaddress.ip_network(text)
        except ValueError as why:
            raise item.wrong(f"{text!r} is no network ({why}); as in 10.0.3.0/24 or 10.0.3.7") from None
        for other in found:
            if other.version == network.version and other.overlaps(network):
                raise item.wrong(f"{text} and {other} overlap: name the wider one alone")
        found.append(network)
    if not found:
        raise field.wrong("names no network: leave it out, or name one, as in 10.0.3.0/24")
    return tuple(map(str, found))


def _balancing(field: Field) -> Balancing:
    """policy: {load_balancer: {door: 3307, writers: one, connections: 200}}"""
    said = field.mapping(*(f.name for f in dataclasses.fields(Balancing)))
    values: dict[str, Any] = {name: said[name].typed("bool") for name in ("donor", "client_address") if name in said}
    for name, (least, most) in _COUNTS.items():
        if name in said:
            values[name] = _between(said[name], least, most)
    if "interval" in said:
        values["interval"] = said["interval"].typed("float")
        if not 0.5 <= values["interval"] <= 60:
            raise said["interval"].wrong("between two checks lie 0.5 to 60 seconds")
    values |= {name: said[name].port() for name in ("door", "read_door") if name in said}
    if values.get("door", Balancing().door) == values.get("read_door", 0):
        raise said["read_door"].wrong("the door for reads is another port than the door")
    if "writers" in said:
        values["writers"] = said["writers"].one_of("one", "all")
    if "pair" in said:
        values["pair"] = _pair(said["pair"])
    if "statements" in said:
        values["statements"] = said["statements"].text()
    return Balancing(**values)


def _between(field: Field, least: int, most: int) -> int:
    number = int(str(field.typed("int")))
    if not least <= number <= most:
        raise field.wrong(f"{number} does not lie between {least} and {most}")
    return number


def _pair(field: Field) -> Pair:
    said = field.mapping("address", "interface", "router")
    if missing := sorted({"address", "interface"} - said.keys()):
        raise field.wrong(f"a pair needs {', '.join(missing)}, as in {{address: 10.0.3.10, interface: eth0}}")
    address = said["address"].text()
    try:
        address = str(ipaddress.ip_address(address))
    except ValueError:
        raise said["address"].wrong(f"{address!r} is no address, as in 10.0.3.10") from None
    made = Pair(address, said["interface"].text(_INTERFACE, "eth0"))
    return dataclasses.replace(made, router=_between(said["router"], 1, 255)) if "router" in said else made


def _transfers(field: Field) -> Transfers:
    """policy: {sst: {method: mariabackup, also: [backup]}}"""
    said = field.mapping(*(f.name for f in dataclasses.fields(Transfers)))
    values: dict[str, Any] = {}
    if "method" in said:
        values["method"] = said["method"].one_of("rsync", "mariabackup", "secure_rsync")
    if "also" in said:
        values["also"] = tuple(item.text(_METHOD, "backup") for item in said["also"].items())
    if "account" in said:
        values["account"] = said["account"].one_of("socket", "password")
    if "older_scripts" in said:
        values["older_scripts"] = said["older_scripts"].typed("bool")
    return Transfers(**values)


_METHOD = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_COUNTS = {"connections": (0, 100_000), "queue": (0, 100_000), "queue_wait": (1, 3600)}
_INTERFACE = re.compile(r"[A-Za-z0-9._@-]{1,15}")


def _hardening(field: Field) -> Hardening:
    """policy: {hardening: {at_rest: file, encryption_iops: 200, administrators: [ann, "'dba'@'10.0.9.%'"]}}"""
    said = field.mapping(*(f.name for f in dataclasses.fields(Hardening)))
    values: dict[str, Any] = {name: said[name].one_of(*words) for name, words in _WORDS.items() if name in said}
    values |= {name: _between(said[name], least, most) for name, (least, most) in _SPANS.items() if name in said}
    values |= {name: said[name].typed("tuple") for name in _PURPOSES if name in said}
    if "vault" in said:
        values["vault"] = said["vault"].text(_VAULT, "https://vault.example.org:8200/v1/mariadb")
    values |= {name: said[name].typed("bool") for name in ("fips",) if name in said}
    values |= {
        name: tuple(item.text(_USER, "galvan-health") for item in said[name].items())
        for name in ("audit_exclude",)
        if name in said
    }
    if (values.get("at_rest") == "hashicorp") != ("vault" in values):
        raise field.wrong("at_rest: hashicorp and the vault's URL go together")
    return Hardening(**values)


_WORDS = {"at_rest": ("file", "hashicorp"), "audit": ("file", "syslog")}
_SPANS = {
    "encryption_iops": (1, 100_000), "unused_days": (0, 3650), "password_length": (8, 1000), "password_errors": (1, 4_294_967_295),
}  # fmt: skip
_PURPOSES = ("administrators", "applications", "monitors", "backups", "replication")
_USER = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_VAULT = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?/v1/[A-Za-z0-9._/-]+")
SHAPES: Mapping[str, Callable[[Field], object]] = {
    "window": _windows, "budget": _budget, "backup": _backup, "firewall": _walls, "load_balancer": _balancing, "sst": _transfers,
    "hardening": _hardening, "controls": controls,
}  # fmt: skip
