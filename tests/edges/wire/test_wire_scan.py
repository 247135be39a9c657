"""Scans, against real sockets: on loopback, and from one network namespace through the wall of another."""

from __future__ import annotations

import ast
import asyncio
import inspect
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from walls import (  # type: ignore[import-not-found]
    BEHIND,
    CLOSED,
    FORGETFUL,
    HOST4,
    HOST6,
    LOSSY,
    OPEN,
    RECOVERING,
    REJECTED,
    REPLYING,
    Ground,
    ground,
    needed,
)

from galvan.edges.wire import OperatorDialer, Sink, Source, Wire, scanner
from galvan.edges.wire.scan import meant, spans
from galvan.model import Outcome, Scan, Trial, Unreadable

RANGES = ((15, 22), (26, 60), (3300, 3310), (4440, 4450), (5000, 5001))
ANSWERING = frozenset((*OPEN, *CLOSED))


async def nothing(*_: Any) -> Any:
    raise Unreadable("not in this test")


def wire(dialer: Any = None, **more: Any) -> Wire:
    return Wire(dialer or OperatorDialer(), lambda ref: "", nothing, nothing, nothing, **more)


@pytest.fixture(scope="module")
def walled() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture
def look(walled: Ground) -> Callable[..., Trial]:
    """Scans as the outsider, with the given environment."""

    def scanned(asked: Scan, environment: Mapping[str, str] | None = None, dialer: Any = None) -> Trial:
        async def ask(vantage: str, script: bytes, limit: float) -> tuple[str, str, int]:
            return await walled.ask(script, environment)  # type: ignore[no-any-return]

        return asyncio.run(wire(dialer, ask=ask).attempt("db1", asked))

    return scanned


def here(asked: Scan) -> Trial:
    return asyncio.run(wire().attempt("operator", asked))


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


# through a wall ------------------------------------------------------------------------------------------------
@needed
@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_open_and_closed_ports_answer_and_walled_ones_do_not(look: Callable[..., Trial], address: str) -> None:
    trial = look(Scan(address, RANGES, ANSWERING, (address, 22)))
    assert trial.outcome is Outcome.MATCHES, trial.seen
    assert "22,3306 open, 5000-5001 closed, 63 silent" in trial.seen


@needed
def test_what_differs_is_named(look: Callable[..., Trial]) -> None:
    trial = look(Scan(HOST4, RANGES, frozenset({22, BEHIND, 4445}), (HOST4, 22)))
    assert trial.outcome is Outcome.DIFFERS
    assert trial.seen.endswith("answering, and should not: 3306,5000-5001; not answering, and should: 4444-4445")


@needed
def test_a_wall_that_says_prohibited_is_a_wall(look: Callable[..., Trial]) -> None:
    trial = look(Scan(HOST4, ((REJECTED, REJECTED),), frozenset(), (HOST4, 22)))
    assert trial.outcome is Outcome.MATCHES, trial.seen
    assert "1 silent, 1 of them called unreachable" in trial.seen


@needed
@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_udp_answers_by_a_reply_or_by_port_unreachable(look: Callable[..., Trial], address: str) -> None:
    trial = look(Scan(address, ((595, 602),), frozenset({600, REPLYING}), (address, 22), "udp"))
    assert trial.outcome is Outcome.MATCHES, trial.seen
    assert "601 open, 600 closed, 6 silent" in trial.seen


@needed
def test_a_silent_control_means_that_nothing_was_measured(look: Callable[..., Trial]) -> None:
    trial = look(Scan(HOST4, RANGES, ANSWERING, (HOST4, BEHIND)))
    assert (trial.outcome, "is silent" in trial.seen) == (Outcome.DEAD, True), trial.seen


@needed
def test_a_control_that_falls_silent_makes_all_that_was_seen_meanwhile_worthless(look: Callable[..., Trial]) -> None:
    trial = look(Scan(HOST4, ((26, 30),), frozenset(), (HOST4, FORGETFUL)))
    assert trial.outcome is Outcome.DEAD
    assert "fell silent" in trial.seen
    assert "after 0 ports: the rest is unknown" in trial.seen


@needed
def test_what_was_silent_while_the_control_was_is_tried_anew(look: Callable[..., Trial]) -> None:
    """The open port loses its first three SYNs, so its first dial ends in silence; nobody expects it to answer."""
    trial = look(Scan(HOST4, ((LOSSY, LOSSY + 3),), frozenset(), (HOST4, RECOVERING)))
    assert trial.outcome is Outcome.DIFFERS, trial.seen
    assert f"answering, and should not: {LOSSY}" in trial.seen


# without a Python ----------------------------------------------------------------------------------------------
@pytest.fixture
def bash_only(tmp_path: Path) -> dict[str, str]:
    for tool in ("bash", "timeout", "tr"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    return {"PATH": str(tmp_path)}


@needed
@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_bash_tries_a_handful(look: Callable[..., Trial], bash_only: dict[str, str], address: str) -> None:
    ports = tuple((port, port) for port in (21, *OPEN, BEHIND, *CLOSED))
    trial = look(Scan(address, ports, ANSWERING, (address, 22)), bash_only)
    assert trial.outcome is Outcome.MATCHES, trial.seen
    assert "22,3306 open, 5000-5001 closed, 2 silent" in trial.seen
    udp = look(Scan(address, ((599, 602),), frozenset({600, REPLYING}), (address, 22), "udp"), bash_only)
    assert udp.outcome is Outcome.MATCHES, udp.seen
    assert "601 open, 600 closed, 2 silent" in udp.seen


@needed
def test_bash_needs_a_living_control_too(look: Callable[..., Trial], bash_only: dict[str, str]) -> None:
    trial = look(Scan(HOST4, ((26, 26),), frozenset(), (HOST4, BEHIND)), bash_only)
    assert (trial.outcome, "is silent" in trial.seen) == (Outcome.DEAD, True)


@needed
def test_many_ports_need_a_python(look: Callable[..., Trial], bash_only: dict[str, str]) -> None:
    trial = look(Scan(HOST4, ((1, 65535),), frozenset(), (HOST4, 22)), bash_only)
    assert (trial.outcome, "no python3 at db1" in trial.seen) == (Outcome.DEAD, True)


class Forwarding:
    """ssh's forwarding to a host with two open ports and one closed."""

    def __init__(self, forbidden: bool = False) -> None:
        self._forbidden = forbidden

    async def dial(self, vantage: str, address: str, port: int, timeout: float) -> tuple[Source, Sink]:
        if self._forbidden:
            raise Unreadable("forwarding is off")
        if port in (22, 3306):
            return await OperatorDialer().dial("operator", "127.0.0.1", self.port, timeout)
        raise ConnectionRefusedError if port == 5000 else TimeoutError

    port = 0


@needed
@pytest.mark.parametrize("forbidden", [False, True])
def test_without_bash_ssh_dials(
    look: Callable[..., Trial], tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch, forbidden: bool
) -> None:
    monkeypatch.setattr(Forwarding, "port", listening)
    asked = Scan(HOST4, ((3306, 3307), (5000, 5000)), frozenset({3306, 5000}), (HOST4, 22))
    trial = look(asked, {"PATH": str(tmp_path)}, Forwarding(forbidden))
    assert trial.outcome is (Outcome.DEAD if forbidden else Outcome.MATCHES), trial.seen
    assert ("forwarding is off" if forbidden else "3306 open, 5000 closed, 1 silent") in trial.seen


@pytest.mark.parametrize(
    ("status", "said", "meaning"),
    [
        (0, "", "open"),
        (1, "bash: connect: Connection refused", "closed"),
        (124, "", "silent"),
        (1, "bash: connect: No route to host", "unreachable"),
    ],
)
def test_bashs_words(status: int, said: str, meaning: str) -> None:
    assert meant(status, said) == meaning


def test_words_of_bash_that_are_no_answer() -> None:
    with pytest.raises(Unreadable, match="Name or service not known"):
        meant(1, "bash: x: Name or service not known")


# on loopback -----------------------------------------------------------------------------------------------------
def test_a_bad_address_a_bad_range_and_a_control_that_is_closed(listening: int) -> None:
    alive = ("127.0.0.1", listening)
    for asked, why in (
        (Scan("nobody.invalid", ((1, 3),), frozenset(), alive), "nobody.invalid"),
        (Scan("127.0.0.1", ((1, 3),), frozenset(), ("nobody.invalid", 22)), "nobody.invalid"),
        (Scan("127.0.0.1", ((0, 3),), frozenset(), alive), "no ranges of ports"),
        (Scan("127.0.0.1", (), frozenset(), alive), "no ranges of ports"),
        (Scan("240.0.0.1", ((1, 3),), frozenset(), ("127.0.0.1", 1)), "so silence would mean nothing"),
    ):
        trial = here(asked)
        assert (trial.outcome, why in trial.seen) == (Outcome.DEAD, True), trial.seen


def test_ports_that_ones_own_dials_may_come_from(listening: int) -> None:
    """A dial of one's own address can meet itself where nobody listens."""
    ports = range(listening - 200, listening + 200) if listening < 65300 else range(listening - 400, listening + 1)
    trial = here(Scan("127.0.0.1", ((ports[0], ports[-1]),), frozenset(ports), ("127.0.0.1", listening)))
    assert trial.outcome is Outcome.MATCHES, trial.seen


# the program ---------------------------------------------------------------------------------------------------
def test_the_scanner_runs_on_old_pythons_and_alone() -> None:
    tree = ast.parse(inspect.getsource(scanner), feature_version=(3, 6))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert set(imported) <= sys.stdlib_module_names
    assert "asyncio" not in imported


def test_ports_keep_the_order_of_their_ranges_and_spread_within_one() -> None:
    ports = scanner.ports_in([[10, 19], [1, 9], [5, 12]])
    assert ports == scanner.ports_in([[10, 19], [1, 9], [5, 12]])
    assert sorted(ports) == list(range(1, 20))
    assert sorted(ports[:10]) == list(range(10, 20)) != ports[:10]


def test_a_connection_table_that_fills_slows_the_scan_down_and_stops_it_at_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "TABLE", str(tmp_path / "nf_"))
    made = scanner.Scanner("127.0.0.1", [[1, 2]], [], ("127.0.0.1", 22), "tcp", 5.0)
    (tmp_path / "nf_max").write_text("1000\n")
    rooms = []
    for used in (100, 425, 500, 900):
        (tmp_path / "nf_count").write_text(f"{used}\n")
        made.look_at_table()
        rooms.append(round(made.room, 3))
    assert rooms == [1.0, 0.5, 0.0, 0.0]
    assert made.peak == 900


def test_ranges_are_compact() -> None:
    assert spans([*range(1, 22), *range(23, 65536)]) == "1-21,23-65535"
    assert spans(range(1, 100, 2)).endswith("21,23 and 38 more ranges")
