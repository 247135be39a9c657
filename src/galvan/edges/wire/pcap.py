"""A packet capture as bytes → TCP streams: pure, no library, and no packet can make it fail.

Reads the classic libpcap format that `tcpdump -w -` writes (either byte order, micro- or nanoseconds), over Ethernet,
Linux cooked v1 and v2 (`-i any`), BSD loopback and raw IP. A capture that was cut off at its end is read up to there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from galvan.model import Unreadable

MAGICS = {
    b"\xd4\xc3\xb2\xa1": "little",
    b"\x4d\x3c\xb2\xa1": "little",
    b"\xa1\xb2\xc3\xd4": "big",
    b"\xa1\xb2\x3c\x4d": "big",
}
IPV4, IPV6 = 0x0800, 0x86DD
VLANS = (0x8100, 0x88A8)
EXTENSIONS = (0, 43, 60)  # IPv6 hop-by-hop, routing, destination options
FRAGMENT, TCP = 44, 6
SYN = 0x02
HALF, WHOLE = 1 << 31, 1 << 32


@dataclass(frozen=True, slots=True)
class Segment:
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    syn: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of one connection: its bytes in order, in runs that are broken where a packet was not captured."""

    source: tuple[str, int]
    target: tuple[str, int]
    runs: tuple[bytes, ...]
    whole: bool  # the first run begins with the connection itself

    @property
    def size(self) -> int:
        return sum(map(len, self.runs))

    def __str__(self) -> str:
        return "{}:{} → {}:{}".format(*self.source, *self.target)


@dataclass(slots=True)
class _Pieces:
    """Collects one direction. Offsets count from `start`, so that the 32-bit sequence may wrap."""

    start: int
    whole: bool
    found: list[tuple[int, bytes]] = field(default_factory=list)
    last: int = 0

    def offset(self, sequence: int) -> int:
        """The offset nearest to the last one seen."""
        step = (sequence - self.start - self.last + HALF) % WHOLE - HALF
        return self.last + step

    def add(self, sequence: int, data: bytes) -> None:
        at = self.offset(sequence)
        self.last = at
        if self.whole and at < 0:  # a keepalive repeats the byte before the first
            at, data = 0, data[-at:]
        self.found.append((at, data))

    def runs(self) -> tuple[tuple[bytes, ...], bool]:
        """Runs in order, each byte once (the first copy seen of an overlap wins), and whether they begin at the start."""
        done: list[bytearray] = []
        end: int | None = None
        begins = False
        for at, data in sorted(self.found, key=lambda piece: piece[0]):
            if end is None or at > end:
                begins = begins or (end is None and self.whole and at <= 0)
                done.append(bytearray(data))
                end = at + len(data)
            elif at + len(data) > end:
                done[-1] += data[end - at :]
                end = at + len(data)
        return tuple(bytes(run) for run in done), begins


def streams(pcap: bytes) -> tuple[Stream, ...]:
    """Every direction in which payload was seen, in the order of first sight. Raises Unreadable for no pcap at all.

    A port that is used again (a SYN with another sequence number) begins a new stream.
    """
    current: dict[tuple[tuple[str, int], tuple[str, int]], _Pieces] = {}
    order: list[tuple[tuple[str, int], tuple[str, int], _Pieces]] = []
    for segment in segments(pcap):
        key = (segment.source, segment.target)
        begin = (segment.sequence + 1) % WHOLE
        pieces = current.get(key)
        if pieces is None or (segment.syn and not (pieces.whole and pieces.start == begin)):
            pieces = _Pieces(begin if segment.syn else segment.sequence, segment.syn)
            current[key] = pieces
            order.append((*key, pieces))
        if segment.data:
            pieces.add(begin if segment.syn else segment.sequence, segment.data)
    made = ((source, target, pieces.runs()) for source, target, pieces in order if pieces.found)
    return tuple(Stream(source, target, runs, whole) for source, target, (runs, whole) in made)


def segments(pcap: bytes) -> Iterator[Segment]:
    """The TCP segments in the capture; packets of another kind, and broken ones, are passed over."""
    order = MAGICS.get(pcap[:4])
    if order is None or len(pcap) < 24:
        raise Unreadable("the tap brought no capture (is tcpdump there, and allowed?)")
    big = order == "big"
    link = int.from_bytes(pcap[20:24], "big" if big else "little") & 0xFFFF
    at = 24
    while at + 16 <= len(pcap):
        size = int.from_bytes(pcap[at + 8 : at + 12], "big" if big else "little")
        frame = pcap[at + 16 : at + 16 + size]
        at += 16 + size
        inner = _network(link, frame)
        segment = _internet(inner) if inner else None
        if segment is not None:
            yield segment


def _network(link: int, frame: bytes) -> bytes:
    """The IP packet inside a link-layer frame; b"" where there is none."""
    if link in (12, 14, 101, 228, 229):  # raw IP
        return frame
    if link in (0, 108):  # BSD loopback: a family number, then IP
        return frame[4:]
    place = {1: (12, 14), 113: (14, 16), 276: (0, 20)}.get(link)  # Ethernet, Linux cooked v1, v2: (type at, IP at)
    if place is None:
        raise Unreadable(f"the capture has link type {link}, which is not known here")
    kind, at = int.from_bytes(frame[place[0] : place[0] + 2], "big"), place[1]
    while kind in VLANS and len(frame) >= at + 4:
        kind, at = int.from_bytes(frame[at + 2 : at + 4], "big"), at + 4
    return frame[at:] if kind in (IPV4, IPV6) else b""


def _internet(packet: bytes) -> Segment | None:
    version = packet[0] >> 4
    if version == 4 and len(packet) >= 20:
        head, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
        fragment = int.from_bytes(packet[6:8], "big") & 0x1FFF
        if packet[9] != TCP or fragment or head < 20:
            return None
        body = packet[head : total or None]  # 0: a packet larger than 64 KiB, made by offloading
        return _tcp(_dotted(packet[12:16]), _dotted(packet[16:20]), body)
    if version == 6 and len(packet) >= 40:
        size = int.from_bytes(packet[4:6], "big")
        body, following = packet[40 : 40 + size if size else None], packet[6]
        while following in EXTENSIONS and len(body) >= 8:
            following, body = body[0], body[(body[1] + 1) * 8 :]
        if following == FRAGMENT and len(body) >= 8 and not int.from_bytes(body[2:4], "big") & 0xFFF8:
            following, body = body[0], body[8:]
        if following == TCP:
            return _tcp(_colons(packet[8:24]), _colons(packet[24:40]), body)
    return None


def _tcp(source: str, target: str, body: bytes) -> Segment | None:
    if len(body) < 20:
        return None
    head = (body[12] >> 4) * 4
    if head < 20:
        return None
    here, there = int.from_bytes(body[0:2], "big"), int.from_bytes(body[2:4], "big")
    sequence = int.from_bytes(body[4:8], "big")
    return Segment((source, here), (target, there), sequence, bool(body[13] & SYN), body[head:])


def _dotted(raw: bytes) -> str:
    return ".".join(map(str, raw))


def _colons(raw: bytes) -> str:
    return str(IPv6Address(raw))
