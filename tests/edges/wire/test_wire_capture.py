"""Captures: built from bytes, arbitrary, and taken by a real tcpdump on loopback."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_servers import FakeMysql, Pki, member, pcap, segment, server_context  # type: ignore[import-not-found]

from galvan.edges.wire import OperatorDialer, Wire
from galvan.edges.wire.clear import verdict
from galvan.edges.wire.pcap import streams
from galvan.model import Capture, Outcome, Trial, Unreadable

MARK = "galvan-marker-4711"
GREETING = FakeMysql().hello()
GREETING = len(GREETING).to_bytes(3, "little") + b"\0" + GREETING
SSL_REQUEST = b"\x20\0\0\x01" + struct.pack("<IIB23x", 0xAA05 | 0x800, 1 << 24, 45)
PLAIN_LOGIN = b"\x36\0\0\x01" + struct.pack("<IIB23x", 0xA205, 1 << 24, 45) + b"app\0\x14" + bytes(20)

bodies = st.binary(min_size=1, max_size=400)
tls_streams = st.lists(st.tuples(st.sampled_from([20, 21, 22, 23]), bodies), min_size=1, max_size=12)


def tls(records: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body for kind, body in records)


def one_way(
    data: bytes, cuts: list[int], *, port: int = 4567, start: int = 2**32 - 50, syn: bool = True
) -> list[bytes]:
    """The stream from the port, cut into segments; the sequence number wraps on the way."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    made = [segment(port, 40000, start + 1 + a, data[a:b]) for a, b in itertools.pairwise(edges)]
    return ([segment(port, 40000, start, syn=True)] if syn else []) + made


@given(tls_streams, st.lists(st.integers(0, 10_000), max_size=20), st.randoms(use_true_random=False), st.booleans())
def test_tls_in_any_segmentation_and_order_is_encrypted(
    records: list[tuple[int, bytes]], cuts: list[int], rng: random.Random, repeat: bool
) -> None:
    first, *rest = one_way(tls(records), cuts)
    if repeat:
        rest += rng.choices(rest, k=3)
    rng.shuffle(rest)
    assert verdict(pcap([first, *rest]), (4567,), MARK).outcome is Outcome.ENCRYPTED


@given(
    tls_streams,
    tls_streams,
    st.text("abcdefghijklmnopqrstuvwxyz '(),", min_size=8, max_size=200),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
)
def test_one_clear_run_makes_it_clear(
    before: list[tuple[int, bytes]], after: list[tuple[int, bytes]], text: str, cuts: list[int], syn: bool
) -> None:
    data = tls(before) + text.encode() + tls(after)
    if syn:
        assert verdict(pcap(one_way(data, cuts)), (4567,), MARK).outcome is Outcome.CLEAR
    # from the middle, clear bytes that come before a boundary are only met where the marker is in them
    data = tls(before) + MARK.encode() + tls(after)
    assert verdict(pcap(one_way(data, cuts, syn=syn)), (4567,), MARK).outcome is Outcome.CLEAR


@given(st.binary(max_size=600), st.sampled_from([1, 101, 113, 276]))
def test_random_bytes_never_break_it(raw: bytes, link: int) -> None:
    for capture in (raw, pcap([])[:20] + struct.pack("<I", link) + raw, pcap([raw], link), pcap([raw[:40], raw], link)):
        with suppress(Unreadable):
            assert verdict(capture, (4567, 3306), MARK).outcome in Outcome


@pytest.mark.parametrize("link", [1, 113, 276, 0])
@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_each_link_layer(link: int, v6: bool, big: bool) -> None:
    kind = b"\x86\xdd" if v6 else b"\x08\0"
    head = {1: bytes(12) + kind, 113: bytes(14) + kind, 276: kind + bytes(18), 0: b"\2\0\0\0"}[link]
    packets = [segment(4567, 9, 7, syn=True, v6=v6), segment(4567, 9, 8, tls([(23, b"xyz")]), v6=v6, pad=bytes(6))]
    (stream,) = streams(pcap([head + p for p in packets], link, big))
    assert (stream.runs, stream.whole, stream.source[1]) == ((tls([(23, b"xyz")]),), True, 4567)
    assert stream.source[0] == ("::1" if v6 else "10.0.0.1")


def test_a_vlan_tag_is_passed_over_and_an_unknown_link_is_named() -> None:
    tagged = bytes(12) + b"\x81\0\0\x05\x08\0" + segment(4567, 9, 7, b"abc")
    assert streams(pcap([tagged], 1))[0].runs == (b"abc",)
    with pytest.raises(Unreadable, match="147"):
        streams(pcap([b"x"], 147))
    with pytest.raises(Unreadable):
        streams(b"tcpdump: permission denied")


def both(client: bytes, server: bytes, port: int = 3306) -> bytes:
    return pcap(
        [
            segment(5, port, 0, syn=True),
            segment(port, 5, 100, syn=True),
            segment(port, 5, 101, server),
            segment(5, port, 1, client),
        ]
    )


RECORDS = tls([(22, b"hello"), (23, b"data")])
ERROR = b"\x19\0\0\x01\xff\x13\x04#08S01Bad handshake...."[:29]


@pytest.mark.parametrize(
    ("client", "server", "outcome"),
    [
        (SSL_REQUEST + RECORDS, GREETING + RECORDS, Outcome.ENCRYPTED),
        (SSL_REQUEST + RECORDS + b"\x17\x03", GREETING + RECORDS + b"\x17\x03\x03\x40\0", Outcome.ENCRYPTED),
        (b"PROXY TCP4 10.0.0.9 10.0.0.1 5 3306\r\n" + SSL_REQUEST + RECORDS, GREETING + RECORDS, Outcome.ENCRYPTED),
        (PLAIN_LOGIN, GREETING, Outcome.CLEAR),
        (SSL_REQUEST + PLAIN_LOGIN, GREETING, Outcome.CLEAR),
        (SSL_REQUEST + RECORDS, GREETING + b"\x07\0\0\2\0\0\0\2\0\0\0", Outcome.CLEAR),
        (SSL_REQUEST + RECORDS + b"select 1", GREETING + RECORDS, Outcome.CLEAR),
        (b"", GREETING, Outcome.DEAD),
        (b"", GREETING + ERROR, Outcome.DEAD),
        (b"", b"", Outcome.DEAD),
    ],
)
def test_the_mysql_port(client: bytes, server: bytes, outcome: Outcome) -> None:
    trial = verdict(both(client, server), (3306,), MARK)
    assert trial.outcome is outcome, trial.seen


def test_a_port_where_nothing_was_seen_is_named() -> None:
    trial = verdict(both(SSL_REQUEST + RECORDS, GREETING + RECORDS), (3306, 4567), MARK)
    assert (trial.outcome, "port 4567 (0 streams" in trial.seen) == (Outcome.DEAD, True)
    assert verdict(pcap([]), (), MARK).outcome is Outcome.DEAD


def test_the_evidence_shows_port_and_bytes() -> None:
    trial = verdict(both(b"\x08\0\0\0\x03SELECT 1", b""), (3306,), MARK)
    assert trial.outcome is Outcome.CLEAR
    assert "port 3306" in trial.seen
    assert ".....SELECT 1" not in trial.seen or "SELECT 1" in trial.seen


def test_from_the_middle_a_boundary_is_found_or_it_is_clear_text() -> None:
    rng = random.Random(7)
    long = tls([(23, rng.randbytes(16000)), (23, rng.randbytes(9000)), (23, rng.randbytes(70))])
    assert verdict(pcap(one_way(long[5000:-10], [900], syn=False)), (4567,), MARK).outcome is Outcome.ENCRYPTED
    gap = one_way(long, [8000, 9000])
    assert verdict(pcap([gap[0], gap[1], gap[3]]), (4567,), MARK).outcome is Outcome.ENCRYPTED
    text = b"INSERT INTO t VALUES (1);" * 900
    assert verdict(pcap(one_way(text, [900], syn=False)), (4567,), MARK).outcome is Outcome.CLEAR
    noise = b"\x24\0\0\x04" + rng.randbytes(30000)
    assert verdict(pcap(one_way(noise, [900], syn=False)), (4567,), MARK).outcome is Outcome.CLEAR


@given(st.integers(0, 2**32), st.sampled_from([1448, 7240, 16384, 65160]), st.integers(1, 9))
def test_a_tap_that_misses_packets_does_not_make_tls_clear_text(seed: int, packet: int, tenths: int) -> None:
    """A piece between two gaps may lie inside one record."""
    rng = random.Random(seed)
    data = tls([(22, rng.randbytes(300)), *((23, rng.randbytes(16401)) for _ in range(12))])
    first, hello, *rest = one_way(data, [305, *range(305, len(data), packet)])
    kept = [p for p in rest if rng.randrange(10) < tenths]
    trial = verdict(pcap([first, hello, *kept]), (4567,), MARK)
    assert trial.outcome is Outcome.ENCRYPTED, trial


@pytest.mark.parametrize(
    "clear",
    [b"INSERT INTO t VALUES (4711, 'a row of somebody')" * 20, b"\x45\xbf" + bytes(40) + b"\x09", b"\x93" * 19000],
)
def test_after_a_gap_what_no_cipher_writes_is_clear_text(clear: bytes) -> None:
    data = tls([(22, b"hello"), (23, random.Random(1).randbytes(9000))]) + clear
    packets = one_way(data, [10, 5000, len(data) - len(clear)])
    del packets[-2]
    assert verdict(pcap(packets), (4567,), MARK).outcome is Outcome.CLEAR


def test_pieces_alone_prove_nothing() -> None:
    """No record was seen in this stream, or hardly any: it may be anything."""
    rng = random.Random(3)
    assert verdict(pcap(one_way(rng.randbytes(900), [], syn=False)), (4567,), MARK).outcome is Outcome.CLEAR
    data = tls([(23, b"abc")]) + rng.randbytes(4000)
    packets = one_way(data, [8, 9], syn=False)
    assert verdict(pcap([packets[0], packets[2]]), (4567,), MARK).outcome is Outcome.CLEAR


def test_a_reused_port_is_another_stream() -> None:
    packets = [*one_way(RECORDS, []), *one_way(b"clear text", [], start=77)]
    assert len(streams(pcap(packets))) == 2
    assert verdict(pcap(packets), (4567,), MARK).outcome is Outcome.CLEAR


def test_a_packet_that_was_not_kept_whole_leaves_a_gap_and_not_a_lie() -> None:
    text = pcap(one_way(RECORDS + b"clear text here" * 9, [len(RECORDS)]), snap=90)
    assert verdict(text, (4567,), MARK).outcome is Outcome.CLEAR


async def _nothing(*_: Any) -> Any:
    raise Unreadable("no such host")


def wire(record: Any, mark: Any, seconds: float = 0.1) -> Wire:
    return Wire(OperatorDialer(), lambda ref: ref.name, _nothing, record, mark, seconds=seconds)


def test_the_marker_is_written_while_the_tap_runs() -> None:
    events: list[str] = []

    async def record(host: str, ports: tuple[int, ...], seconds: float) -> bytes:
        events.append("begin")
        await asyncio.sleep(seconds)
        events.append("end")
        return both(SSL_REQUEST + RECORDS, GREETING + RECORDS)

    async def mark(vantage: str, asked: Capture) -> None:
        events.append(asked.marker)

    trial = asyncio.run(wire(record, mark, 3.0).attempt("db1", Capture("db1", (3306,), MARK)))
    assert trial.outcome is Outcome.ENCRYPTED
    assert events == ["begin", MARK, MARK, MARK, "end"]


def test_a_tap_or_a_marker_that_fails_measures_nothing() -> None:
    async def record(*_: Any) -> bytes:
        await asyncio.sleep(5)
        return b""

    async def fine(*_: Any) -> None:
        return None

    for tap, marker in ((_nothing, fine), (record, _nothing)):
        trial = asyncio.run(wire(tap, marker).attempt("db1", Capture("db1", (3306,), MARK)))
        assert trial == Trial(Outcome.DEAD, "no such host")


async def _tcpdump(host: str, ports: tuple[int, ...], seconds: float) -> bytes:
    pipe = asyncio.subprocess.PIPE
    argv = ["timeout", str(seconds), "tcpdump", "-i", "lo", "-w", "-", "-U", "port", str(ports[0])]
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    if not out:
        pytest.skip(f"tcpdump cannot record here: {err.decode()[:80]}")
    return out


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="no tcpdump here")
@pytest.mark.parametrize("encrypted", [True, False])
def test_a_real_tap(serve: Callable[[Callable[[socket.socket], None]], int], pki: Pki, encrypted: bool) -> None:
    word = MARK.encode() + bytes(range(256)) * 400
    context = server_context(pki)
    port = serve(member(context, word) if encrypted else lambda s: s.sendall(word))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pki.authority)

    def talk() -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            line = client.wrap_socket(raw, server_hostname="127.0.0.1") if encrypted else raw
            got = 0
            while got < len(word):
                got += len(line.recv(65536))

    async def mark(host: str, marker: str) -> None:
        await asyncio.to_thread(talk)

    trying = Wire(OperatorDialer(), lambda ref: ref.name, _nothing, _tcpdump, mark, seconds=2.5)
    trial = asyncio.run(trying.attempt("here", Capture("here", (port,), MARK)))
    assert trial.outcome is (Outcome.ENCRYPTED if encrypted else Outcome.CLEAR), trial.seen
