"""Is a captured stream TLS, or clear text? Pure; what is not seen to be TLS counts as clear text.

A stream that was captured from its beginning has to be records from the first byte; only the MySQL prelude may come
before: the server's greeting (or its error) and the client's SSLRequest, which carry no data. A run from the middle
(the capture began later, or missed a packet) has to fall into records from some boundary within the first 18 KiB on. A
run that is shorter may lie inside one record: it tells nothing by itself, and is taken for what the rest of its stream is,
unless no cipher would have written it.
"""

from __future__ import annotations

from dataclasses import dataclass

from galvan.edges.wire.packets import SSL
from galvan.edges.wire.pcap import Stream, streams
from galvan.edges.wire.records import APPLICATION, HEADER, LARGEST, plausible, split
from galvan.model import Outcome, Trial

PROXY2 = b"\r\n\r\n\x00\r\nQUIT\n"  # signature of the PROXY protocol, version 2
PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"


@dataclass(frozen=True, slots=True)
class Judged:
    """One stream: how many TLS records it holds, and the first clear bytes if there are any. `untold`: bytes in runs between
    gaps that are too short to hold a record's boundary."""

    records: int
    clear: bytes = b""
    untold: int = 0


def judge(stream: Stream, server: bool) -> Judged:
    """`server`: the stream comes from the watched port."""
    count = told = 0
    untold: list[bytes] = []
    for place, run in enumerate(stream.runs):
        if place == 0 and stream.whole:
            run = after_prelude(run, server)
            found, rest = split(run)
            if rest and not plausible(rest[:HEADER]):
                return Judged(count, rest)
            count += len(found)
        else:
            boundary = first_boundary(run)
            if boundary is None:
                if len(run) > HEADER + LARGEST or no_cipher(run):
                    return Judged(count, run)
                untold.append(run)
                continue
            count += len(split(run[boundary:])[0])
        told += len(run)
    size = sum(map(len, untold))
    if untold and not (count and (stream.whole or told >= size)):
        return Judged(count, untold[0])
    return Judged(count, b"", size)


def no_cipher(run: bytes) -> bool:
    """Eight zeros in a row, which come once in 2**56 places of ciphertext, or mostly printable bytes, of which it has 38 in 100."""
    printable = len(run) - len(run.translate(None, PRINTABLE))
    return bytes(8) in run or (len(run) >= 48 and 4 * printable > 3 * len(run))


def after_prelude(run: bytes, server: bool) -> bytes:
    """Without the clear packets that may come before TLS at the MySQL port."""
    if not server and run[:12] == PROXY2 and len(run) >= 16:
        run = run[16 + int.from_bytes(run[14:16], "big") :]
    elif not server and run[:6] == b"PROXY " and b"\r\n" in run[:107]:
        run = run.partition(b"\r\n")[2]
    size = int.from_bytes(run[:3], "little")
    if server and run[3:4] == b"\0" and run[4:5] in (b"\x0a", b"\xff") and 3 <= size <= 1024:
        return after_error(run[4 + size :])
    if not server and run[:4] == b"\x20\0\0\x01" and int.from_bytes(run[4:8], "little") & SSL:
        return run[36:]
    return run


def after_error(run: bytes) -> bytes:
    """Without the error packet that a server sends after a client that said nothing (a health check). Any error that
    follows a login in clear is met in the client's stream."""
    size = int.from_bytes(run[:3], "little")
    return run[4 + size :] if run[4:5] == b"\xff" and 3 <= size <= 512 else run


def first_boundary(run: bytes) -> int | None:
    """The offset from which the run is nothing but records (the last one may be cut off), or None."""
    for at in range(min(len(run), HEADER + LARGEST + 1)):
        if not plausible(run[at : at + HEADER]):
            continue
        found, rest = split(run[at:])
        if rest and not plausible(rest[:HEADER]):
            continue
        # one record that ends nowhere proves little: it has to be at the front, or look like TLS traffic under way
        if found or at == 0 or (len(rest) >= HEADER and rest[:3] == bytes([APPLICATION, 3, 3])):
            return at
    return None


def verdict(pcap: bytes, ports: tuple[int, ...], marker: str) -> Trial:
    """CLEAR with the evidence, DEAD for a port where no TLS record was seen, else ENCRYPTED with the counts.

    Raises Unreadable where the bytes are no capture.
    """
    flows = dict.fromkeys(ports, 0)
    sizes, records, untold = dict(flows), dict(flows), dict(flows)
    for stream in streams(pcap):
        port = next((p for p in (stream.source[1], stream.target[1]) if p in flows), None)
        if port is None:
            continue
        flows[port] += 1
        sizes[port] += stream.size
        if marker and any(marker.encode() in run for run in stream.runs):
            return Trial(Outcome.CLEAR, f"port {port}: the marker {marker} went over the wire in clear ({stream})")
        judged = judge(stream, stream.source[1] == port)
        if judged.clear:
            return Trial(Outcome.CLEAR, f"port {port}: clear text ({stream}): {shown(judged.clear)}")
        records[port] += judged.records
        untold[port] += judged.untold
    if missing := [port for port in ports if not records[port]]:
        names = ", ".join(f"{p} ({flows[p]} streams, {sizes[p]} bytes)" for p in missing)
        return Trial(Outcome.DEAD, f"nothing was measured: no TLS record, and no clear text, was seen on port {names}")
    if not ports:
        return Trial(Outcome.DEAD, "nothing was measured: no port was named")
    return Trial(
        Outcome.ENCRYPTED,
        "; ".join(
            f"port {p}: only TLS in {flows[p]} streams, {sizes[p]} bytes, {records[p]} records{pieces(untold[p])}"
            for p in ports
        ),
    )


def pieces(size: int) -> str:
    return f" ({size} bytes lay in pieces of a record, between packets that the tap missed)" if size else ""


def shown(data: bytes) -> str:
    """The first bytes as ASCII, dots for the rest."""
    return "".join(chr(b) if 32 <= b < 127 else "." for b in data[:48])
