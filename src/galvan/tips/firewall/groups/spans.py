"""Sets of addresses as spans of numbers, so that what one set has and another has not is exact. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

Span: TypeAlias = tuple[int, int, int]  # IP version, first, last
Spans: TypeAlias = tuple[Span, ...]


def spans(networks: Iterable[str]) -> Spans:
    """Sorted, and none touches another."""
    found = []
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        found.append((network.version, int(network.network_address), int(network.broadcast_address)))
    return merged(found)


def merged(found: Iterable[Span]) -> Spans:
    """
    >>> merged([(4, 5, 9), (4, 0, 4), (6, 0, 1)])
    ((4, 0, 9), (6, 0, 1))
    """
    done: list[Span] = []
    for version, first, last in sorted(found):
        if done and done[-1][0] == version and first <= done[-1][2] + 1:
            done[-1] = (version, done[-1][1], max(last, done[-1][2]))
        else:
            done.append((version, first, last))
    return tuple(done)


def minus(whole: Spans, taken: Spans) -> Spans:
    """
    >>> minus(((4, 0, 9),), ((4, 3, 4), (6, 0, 9)))
    ((4, 0, 2), (4, 5, 9))
    """
    left = list(whole)
    for version, first, last in taken:
        rest: list[Span] = []
        for span in left:
            if span[0] != version or last < span[1] or first > span[2]:
                rest.append(span)
                continue
            if span[1] < first:
                rest.append((version, span[1], first - 1))
            if last < span[2]:
                rest.append((version, last + 1, span[2]))
        left = rest
    return merged(left)


def told(found: Spans) -> tuple[str, ...]:
    """
    >>> told(spans(["10.0.0.0/25", "10.0.0.128/25", "fd00::1"]))
    ('10.0.0.0/24', 'fd00::1/128')
    """
    lines: list[str] = []
    for version, first, last in found:
        if version == 4:
            lines += map(
                str, ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
            )
        else:
            lines += map(
                str, ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))
            )
    return tuple(lines)
