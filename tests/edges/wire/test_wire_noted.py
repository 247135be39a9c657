"""Does a server write down who knocked? Against servers on loopback; what a log holds is what the test puts in."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

from wire_servers import FakeMysql, Pki, server_context  # type: ignore[import-not-found]

from galvan.edges.wire import OperatorDialer, Wire
from galvan.model import Noted, Outcome, Trial, Unreadable

Serve = Callable[[Callable[[socket.socket], None]], int]


def attempt(port: int, log: str, writes: bool = True) -> tuple[Trial, list[str]]:
    asked: list[str] = []

    async def run(host: str, script: str) -> str:
        asked.append(script)
        (name,) = re.findall(r"galvan-[0-9a-f]{12}", script)
        return f"20261127 22:22:37,db1,{name},10.0.0.66,6,0,FAILED_CONNECT,,,1045\n" if writes else ""

    async def nothing(*_: Any) -> Any:
        raise Unreadable("not in this test")

    wire = Wire(OperatorDialer(), lambda ref: ref.name, run, nothing, nothing)
    return asyncio.run(wire.attempt("operator", Noted("db1", "127.0.0.1", port, log))), asked


def test_the_name_stands_in_the_log(serve: Serve, pki: Pki) -> None:
    seen, asked = attempt(serve(FakeMysql(server_context(pki))), "/var/log/mysql/server_audit.log")
    assert seen.outcome is Outcome.MATCHES
    assert "FAILED_CONNECT" in seen.seen
    assert "tail -n 5000 /var/log/mysql/server_audit.log" in asked[0]


def test_a_server_without_tls_is_knocked_at_in_clear_text(serve: Serve) -> None:
    seen, asked = attempt(serve(FakeMysql(None)), "syslog")
    assert seen.outcome is Outcome.MATCHES
    assert "journalctl -t mysql-server_auditing" in asked[0]


def test_a_log_that_does_not_hold_it_differs(serve: Serve, pki: Pki) -> None:
    assert (
        attempt(serve(FakeMysql(server_context(pki))), "/var/log/mysql/server_audit.log", writes=False)[0].outcome
        is Outcome.DIFFERS
    )
    seen, asked = attempt(serve(FakeMysql(server_context(pki))), "")
    assert (seen.outcome, asked) == (Outcome.DIFFERS, [])
    assert "no audit log" in seen.seen


def test_a_server_that_is_away_measures_nothing() -> None:
    assert attempt(1, "syslog")[0].outcome is Outcome.DEAD
