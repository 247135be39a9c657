"""Fixtures: throwaway certificates, and servers on loopback in threads. What they speak is in `wire_servers`."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # so that `wire_servers` is found however pytest imports

from wire_servers import Gone, Pki, make  # type: ignore[import-not-found]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def other_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make(tmp_path_factory.mktemp("other"))


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Starts a server on loopback that handles each connection with the given function; gives its port."""
    open_sockets: list[socket.socket] = []

    def start(handle: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError, Gone):
                connection.settimeout(8)
                handle(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in open_sockets:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
