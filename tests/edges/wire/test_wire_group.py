"""GroupHello against members on loopback, and the parser of what `openssl s_client -msg` prints."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_servers import Pki, member, server_context  # type: ignore[import-not-found]

from galvan.edges.wire import OperatorDialer, Wire, group
from galvan.edges.wire.records import Alert
from galvan.edges.wire.sclient import END, Heard, heard_by, script
from galvan.model import GroupHello, Outcome, Trial, Unreadable

Serve = Callable[[Callable[[socket.socket], None]], int]
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


async def _nothing(*_: Any) -> Any:
    raise Unreadable("not in this test")


async def shell(vantage: str, text: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("sh", stdin=pipe, stdout=pipe)
    return (await process.communicate(text.encode()))[0].decode()


def hello(port: int, credential: str, run: Any = shell, **options: Any) -> Trial:
    wire = Wire(OperatorDialer(), lambda ref: ref.name, run, _nothing, _nothing, **options)
    return asyncio.run(wire.attempt("operator", GroupHello("127.0.0.1", port, credential)))


@needs_openssl
@pytest.mark.parametrize("high", ["TLSv1_2", "TLSv1_3"])
def test_only_a_members_own_certificate_is_let_in(serve: Serve, pki: Pki, other_pki: Pki, high: str) -> None:
    port = serve(member(server_context(pki, pki, high=high)))
    none, foreign = hello(port, "none"), hello(port, "foreign")
    assert none.outcome is foreign.outcome is Outcome.REFUSED
    assert ("certificate_required" if high == "TLSv1_3" else "handshake_failure") in none.seen
    assert "unknown_ca" in foreign.seen
    assert hello(port, str(pki.folder)).outcome is Outcome.ACCEPTED
    other = hello(port, str(other_pki.folder))
    assert other.outcome is Outcome.REFUSED
    assert "decrypt_error" in other.seen  # an authority of the same name with another key


@pytest.mark.parametrize("high", ["TLSv1_2", "TLSv1_3"])
def test_a_member_that_asks_for_no_certificate_lets_everybody_in(serve: Serve, pki: Pki, high: str) -> None:
    port = serve(member(server_context(pki, high=high)))
    assert hello(port, "none").outcome is hello(port, "foreign").outcome is Outcome.ACCEPTED


def test_a_plaintext_member_is_clear_with_any_credential(serve: Serve) -> None:
    port = serve(lambda s: s.sendall(b"\x24\0\0\x04" + bytes(40)))
    for credential in ("none", "foreign", "/etc/mysql/galvan"):
        trial = hello(port, credential, _nothing)
        assert trial.outcome is Outcome.CLEAR
        assert "44 bytes" in trial.seen


def test_closed_or_mute_is_never_a_refusal(serve: Serve, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "WAIT", 0.3)

    def closes(s: socket.socket) -> None:
        s.recv(4096)

    def mute(s: socket.socket) -> None:
        with server_context(pki).wrap_socket(s, server_side=True) as tls:
            tls.recv(1)

    closed = hello(serve(closes), "none")
    assert (closed.outcome, "without an alert" in closed.seen) == (Outcome.DEAD, True)
    said_nothing = hello(serve(mute), "none")
    assert (said_nothing.outcome, "no word" in said_nothing.seen) == (Outcome.DEAD, True)
    unanswered = hello(serve(lambda s: s.recv(4096) and s.recv(1) and None), "none", dial_timeout=0.3)
    assert (unanswered.outcome, "not answered" in unanswered.seen) == (Outcome.DEAD, True)


def test_no_shared_cipher_says_nothing_about_a_certificate(serve: Serve, pki: Pki) -> None:
    context = server_context(pki, pki, high="TLSv1_2")
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")  # the server's key is no RSA key
    assert hello(serve(member(context)), "foreign").outcome is Outcome.DEAD


@needs_openssl
def test_a_credential_that_is_not_there_measures_nothing(serve: Serve, pki: Pki) -> None:
    port = serve(member(server_context(pki, pki)))
    trial = hello(port, "/nonexistent")
    assert trial.outcome is Outcome.DEAD
    assert "openssl" in trial.seen
    assert hello(port, "/x", _nothing).outcome is Outcome.DEAD


def block(label: str, text: str) -> str:
    return f"<<< TLS 1.3, {label} [length {len(text.split()):04x}]\n    {text}\n"


@pytest.mark.parametrize(
    ("output", "heard"),
    [
        (
            block("RecordHeader", "17 03 03 00 13") + block("InnerContent", "15") + block("Alert", "02 74"),
            Heard(False, Alert(2, 116)),
        ),
        (block("RecordHeader", "17 03 03 00 3d") + block("InnerContent", "17") + "....DONE\n", Heard(True)),
        # a TLS 1.3 record that could not be decrypted shows no inner type: no proof of anything
        (block("RecordHeader", "17 03 03 00 3d"), Heard(problem="closed without an alert")),
        (
            block("RecordHeader", "14 03 03 00 01")
            + block("RecordHeader", "16 03 03 00 28")
            + block("RecordHeader", "17 03 03 00 44"),
            Heard(True),
        ),
        (block("Alert", "01 00"), Heard(problem="closed without an alert")),
        (
            "error:0A000418:SSL routines:x:tlsv1 alert unknown ca:y.c:1600:SSL alert number 48\n",
            Heard(False, Alert(2, 48)),
        ),
        ("sh: openssl: not found\n", Heard(problem="openssl: sh: openssl: not found")),
    ],
)
def test_what_openssl_prints(output: str, heard: Heard) -> None:
    assert heard_by(output + END) == heard


def test_a_script_that_did_not_end_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        heard_by(block("InnerContent", "17"))


@given(st.text())
def test_no_output_breaks_the_parser(output: str) -> None:
    heard_by(output + END)


def test_nothing_in_the_script_escapes_its_quotes() -> None:
    text = script("::1", 4567, "/tmp/a b'; reboot; '")
    assert "-connect '[::1]:4567'" in text
    assert "'/tmp/a b'\"'\"'; reboot; '\"'\"'/cert.pem'" in text


def test_a_foreign_credential_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    from galvan.edges.wire.foreign import present

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert not list(tmp_path.iterdir())


def test_a_certificates_own_file_is_shown_with_its_chain() -> None:
    """openssl takes only the first certificate out of the file of -cert; the member must see the intermediates too."""
    text = script("10.0.0.1", 4567, "/etc/ssl/shop/server.pem", "/etc/ssl/shop/server.key")
    assert "-cert /etc/ssl/shop/server.pem -key /etc/ssl/shop/server.key -cert_chain /etc/ssl/shop/server.pem" in text
