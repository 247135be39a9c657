"""What a cloud lets in at a host against the table: too much, or too little. Pure; ICMP is left out, as in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Protocol

from galvan.model import Finding, Judgement, Rung, Severity, Unreadable, Verdict
from galvan.tips.firewall.groups.arrange import PROTOCOLS
from galvan.tips.firewall.groups.spans import Spans, merged, minus, spans, told
from galvan.tips.firewall.table import Allow

CHECK, CONTROL, SEVERITY = "firewall.security-groups", "NW-08", Severity.MEDIUM
WANT = "the security groups let in what the policy opens, and nothing else"
_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
_ICMP = frozenset({1, 58})
_EVERY, _SHOWN = -1, 6


class Let(Protocol):
    @property
    def group(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def networks(self) -> tuple[str, ...]: ...
    @property
    def unread(self) -> str: ...


Wanted = Mapping[tuple[int, int], Spans]


def finding(host: str, said: Judgement) -> Finding:
    return Finding(CHECK, "firewall", host, SEVERITY, said.verdict, said.seen, said.want, Rung.OPEN)


def unknown(why: Unreadable) -> Judgement:
    return Judgement(Verdict.UNKNOWN, str(why), WANT)


def judge(policy: Iterable[Allow], lets: Sequence[Let], own: Iterable[str]) -> Judgement:
    """Of one host. `own`: its addresses, since what it sends to itself never meets a group.

    Too much is too much whatever could not be read. What is missing may stand in a rule whose sources could not be read,
    so then nobody knows.
    """
    itself = spans(own)
    wanted = _wanted(policy, itself)
    much = [*_too_much(wanted, lets, itself)]
    few = [*_missing(wanted, lets)]
    unread = list(dict.fromkeys(f"{let.group}: {let.unread}" for let in lets if let.unread))
    seen = [f"lets in too much: {_some(much)}"] if much else []
    seen += [f"does not let in: {_some(few)}"] if few and not unread else []
    seen += [f"could not be read: {_some(unread)}"] if unread else []
    if much or (few and not unread):
        return Judgement(Verdict.FAIL, "; ".join(seen), WANT)
    if unread:
        return Judgement(Verdict.UNKNOWN, "; ".join(seen), WANT)
    groups = ", ".join(sorted({let.group for let in lets}))
    return Judgement(Verdict.PASS, f"as the policy says ({groups or 'no rules'})", WANT)


def _wanted(policy: Iterable[Allow], itself: Spans) -> Wanted:
    found: dict[tuple[int, int], Spans] = {}
    for allow in policy:
        key = PROTOCOLS[allow.protocol], allow.port
        found[key] = merged((*found.get(key, ()), *minus(spans(allow.sources), itself)))
    return found


def _number(let: Let) -> int:
    return _NUMBERS.get(let.protocol) or int(let.protocol)


def _has_ports(number: int) -> bool:
    return number in (PROTOCOLS["tcp"], PROTOCOLS["udp"])


def _ports(let: Let) -> tuple[int, int]:
    return (0, 65535) if let.first < 0 else (let.first, let.last)


def _too_much(wanted: Wanted, lets: Sequence[Let], itself: Spans) -> Iterator[str]:
    """Told with the networks as the group has them: of those, something is let in that the policy does not open."""
    found: dict[tuple[str, str], list[str]] = {}
    for let in lets:
        for what, opened in _parts(wanted, let):
            for network in let.networks:
                if minus(spans([network]), merged((*opened, *itself))):
                    found.setdefault((what, let.group), []).append(str(ip_network(network, strict=False)))
    yield from (f"{what} from {_some(sources)} ({group})" for (what, group), sources in found.items())


def _parts(wanted: Wanted, let: Let) -> Iterator[tuple[str, Spans]]:
    """The ports of a rule, each with those for whom the policy opens it."""
    number = _number(let)
    if number in _ICMP:
        return
    if number == _EVERY:
        yield "every port of every protocol", ()
    elif not _has_ports(number):
        yield _told(number, 0), wanted.get((number, 0), ())
    else:
        begin, end = _ports(let)
        for port in sorted(port for proto, port in wanted if proto == number and begin <= port <= end):
            yield from _range(number, begin, port - 1)
            yield _told(number, port), wanted[number, port]
            begin = port + 1
        yield from _range(number, begin, end)


def _range(number: int, first: int, last: int) -> Iterator[tuple[str, Spans]]:
    if first <= last:
        yield f"{_told(number, first)}{f'-{last}' if last > first else ''}", ()


def _missing(wanted: Wanted, lets: Sequence[Let]) -> Iterator[str]:
    for (number, port), sources in wanted.items():
        there = spans(network for let in lets if _covers(let, number, port) for network in let.networks)
        if left := minus(sources, there):
            yield f"{_told(number, port)} from {_some(told(left))}"


def _covers(let: Let, number: int, port: int) -> bool:
    first, last = _ports(let)
    return _number(let) in (number, _EVERY) and (
        _number(let) == _EVERY or not _has_ports(number) or first <= port <= last
    )


def _told(number: int, port: int) -> str:
    name = next((name for name, known in PROTOCOLS.items() if known == number), f"protocol {number}")
    return f"{name} {port}" if _has_ports(number) else name


def _some(said: Sequence[str]) -> str:
    more = len(said) - _SHOWN
    return ", ".join((*said[:_SHOWN], f"and {more} more") if more > 0 else said)
