"""Login, ClientHello and Served against servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from wire_servers import FakeMysql, Pki, member, server_context  # type: ignore[import-not-found]

from galvan.edges.wire import OperatorDialer, Wire
from galvan.model import ClientHello, Listening, Login, Outcome, SecretRef, Served, Trial, Unreadable

Serve = Callable[[Callable[[socket.socket], None]], int]


async def _nothing(*_: Any) -> Any:
    raise Unreadable("not in this test")


def attempt(what: Any, vantage: str = "operator", **options: Any) -> Trial:
    wire = Wire(OperatorDialer(), lambda ref: ref.name, _nothing, _nothing, _nothing, **options)
    return asyncio.run(wire.attempt(vantage, what))


def login(port: int, tls: bool, password: str = "secret") -> Login:
    return Login("127.0.0.1", port, "app", SecretRef(password), tls)


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
@pytest.mark.parametrize("greets_with", ["mysql_native_password", "caching_sha2_password", "auth_gssapi_client"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_right_password_logs_in_and_a_wrong_one_does_not(
    serve: Serve, pki: Pki, plugin: str, greets_with: str, tls: bool
) -> None:
    port = serve(FakeMysql(server_context(pki), plugin, greets_with))
    assert attempt(login(port, tls)).outcome is Outcome.ACCEPTED
    refused = attempt(login(port, tls, "wrong"))
    assert refused.outcome is Outcome.REFUSED
    assert "1045" in refused.seen
    assert "wrong" not in refused.seen


def test_an_account_that_requires_tls_refuses_without(serve: Serve, pki: Pki) -> None:
    port = serve(FakeMysql(server_context(pki), require_tls=True))
    assert attempt(login(port, False)).outcome is Outcome.REFUSED
    assert attempt(login(port, True)).outcome is Outcome.ACCEPTED


def test_a_cold_cache_is_warmed_over_tls_and_the_password_never_goes_in_clear(serve: Serve, pki: Pki) -> None:
    server = FakeMysql(server_context(pki), "caching_sha2_password", cached=False, require_tls=True)
    assert attempt(login(serve(server), False)).outcome is Outcome.REFUSED
    assert sum(b"secret\0" in heard for heard in server.heard) == 1  # the one over TLS: the fake asserts that


def test_a_cold_cache_without_tls_measures_nothing(serve: Serve) -> None:
    server = FakeMysql(None, "caching_sha2_password", cached=False)
    assert attempt(login(serve(server), False)).outcome is Outcome.DEAD
    assert not any(b"secret" in heard for heard in server.heard)


def test_a_plugin_that_wants_the_password_in_clear_gets_nothing(serve: Serve, pki: Pki) -> None:
    for tls in (False, True):
        server = FakeMysql(server_context(pki), "mysql_clear_password")
        trial = attempt(login(serve(server), tls))
        assert trial.outcome is Outcome.DEAD
        assert "mysql_clear_password" in trial.seen
        assert not any(b"secret" in heard for heard in server.heard)


def test_no_tls_on_offer_is_clear(serve: Serve) -> None:
    port = serve(FakeMysql())
    assert attempt(login(port, True)).outcome is Outcome.CLEAR
    assert attempt(ClientHello("127.0.0.1", port, "TLSv1.2")).outcome is Outcome.CLEAR


@pytest.mark.parametrize(
    "greeting",
    [b"\xff\x10\x04Too many connections", b"\xff\x6a\x04Host not allowed", b"SSH-2.0-OpenSSH_9.2", b"\x0a8.0", b"\xff"],
)
def test_turned_away_or_another_protocol_measures_nothing(serve: Serve, greeting: bytes) -> None:
    port = serve(FakeMysql(greeting=greeting))
    assert attempt(login(port, False)).outcome is Outcome.DEAD


def test_a_closed_port_measures_nothing_and_a_mute_server_neither(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert attempt(login(port, False)).outcome is Outcome.DEAD
    assert attempt(login(serve(lambda s: None), False)).outcome is Outcome.DEAD
    assert attempt(login(serve(lambda s: s.recv(1) and None), False), limit=0.3).outcome is Outcome.DEAD


def test_only_an_unanswered_dial_is_silent() -> None:
    class Dropping:
        async def dial(self, *_: Any) -> Any:
            raise TimeoutError

    wire = Wire(Dropping(), lambda ref: ref.name, _nothing, _nothing, _nothing)
    assert asyncio.run(wire.attempt("app1", login(1, False))).outcome is Outcome.SILENT
    assert attempt(login(1, False), vantage="app1").outcome is Outcome.DEAD
    assert attempt(Listening("db1")).outcome is Outcome.DEAD
    assert attempt(Login("bad..name", 99999, "a", SecretRef("b"), False)).outcome is Outcome.DEAD


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        ("TLSv1.1", Outcome.REFUSED),
        ("TLSv1.2", Outcome.ACCEPTED),
        ("TLSv1.3", Outcome.ACCEPTED),
        ("SSLv2", Outcome.DEAD),
    ],
)
def test_a_server_of_today(serve: Serve, pki: Pki, version: str, outcome: Outcome) -> None:
    trial = attempt(ClientHello("127.0.0.1", serve(FakeMysql(server_context(pki))), version))
    assert trial.outcome is outcome, trial.seen


def test_a_server_that_only_speaks_the_newest_refuses_1_2(serve: Serve, pki: Pki) -> None:
    port = serve(FakeMysql(server_context(pki, low="TLSv1_3")))
    trial = attempt(ClientHello("127.0.0.1", port, "TLSv1.2"))
    assert trial == Trial(Outcome.REFUSED, "TLSv1.2: alert protocol_version (70)")


def test_what_the_librarys_level_refuses_is_no_proof(serve: Serve, pki: Pki) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = server_context(pki, low="TLSv1_1")  # allowed by the setting, refused by OpenSSL's own level
    trial = attempt(ClientHello("127.0.0.1", serve(FakeMysql(context)), "TLSv1.1"))
    assert trial.outcome is Outcome.DEAD
    assert "it was not the server's tls_version" in trial.seen


@pytest.mark.parametrize("low", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("group", [False, True])
def test_which_certificate_is_served(serve: Serve, pki: Pki, other_pki: Pki, group: bool, low: str) -> None:
    context = server_context(pki, pki if group else None, low="TLSv1_2", high=low)
    port = serve(member(context) if group else FakeMysql(context))

    def look(sha256: str, authority: str, name: str) -> Trial:
        return attempt(Served("127.0.0.1", port, sha256, authority, name, group))

    assert look(pki.sha256, pki.authority, "db1.test").outcome is Outcome.MATCHES
    assert look(pki.sha256.upper(), pki.authority, "127.0.0.1").outcome is Outcome.MATCHES
    for trial, named in (
        (look("00", pki.authority, "db1.test"), {"fingerprint"}),
        (look(pki.sha256, other_pki.authority, "db1.test"), {"chain"}),
        (look(pki.sha256, pki.authority, "db2.test"), {"name"}),
        (look(pki.sha256, pki.authority, "127.0.0.2"), {"name"}),
        (look("00", pki.authority, "db2.test"), {"fingerprint", "name"}),
    ):
        assert trial.outcome is Outcome.DIFFERS
        assert {word for word in ("fingerprint", "chain", "name") if word + ":" in trial.seen} == named
    assert look(pki.sha256, "no certificate", "db1.test").outcome is Outcome.DEAD
    assert look(pki.sha256, pki.authority, "").outcome is Outcome.DEAD


def test_no_tls_where_a_certificate_was_wanted(serve: Serve, pki: Pki) -> None:
    plain = serve(lambda s: s.sendall(b"\x24\0\0\x04" + bytes(40)))
    assert attempt(Served("127.0.0.1", plain, "00", pki.authority, "x", True)).outcome is Outcome.CLEAR
    assert attempt(Served("127.0.0.1", serve(FakeMysql()), "00", pki.authority, "x")).outcome is Outcome.CLEAR


def test_bytes_slipped_in_before_tls_are_not_taken(serve: Serve, pki: Pki) -> None:
    class Injecting(FakeMysql):  # type: ignore[misc]
        def say(self, sock: socket.socket, sequence: int, payload: bytes) -> None:
            raw = len(payload).to_bytes(3, "little") + bytes([sequence]) + payload
            sock.sendall(raw + b"\x07\0\0\2\0\0\0\2\0\0\0")

    trial = attempt(login(serve(Injecting(server_context(pki))), True))
    assert trial.outcome is Outcome.DEAD
    assert "before TLS" in trial.seen


def test_the_lenient_context_still_demands_tls_1_2() -> None:
    from galvan.edges.wire.tls import lenient

    assert lenient().minimum_version is ssl.TLSVersion.TLSv1_2
