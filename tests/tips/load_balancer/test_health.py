"""How the answer on port 9200 is given: the rendered line itself, by the socat of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from galvan.cluster.answer import PORT
from galvan.tips.load_balancer.health import Endpoint

pytestmark = pytest.mark.skipif(not shutil.which("socat"), reason="socat is not installed (scripts/prepare lab)")
SLOW = "#!/bin/sh\nsleep 0.4\nprintf 'HTTP/1.1 200 OK\\r\\n\\r\\n'\n"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A listener whose answer takes longer than socat waits for a side that has ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    program = tmp_path / "health"
    program.write_text(SLOW)
    program.chmod(0o755)
    _, script, _, _ = Endpoint((), "/run/mysqld/mysqld.sock").files[0]
    lines = [line for line in script.splitlines() if "listen=" in line or line.startswith("socat ")]
    assert len(lines) == 2, lines
    text = "\n".join(lines).replace(f":{PORT}", f":{number}").removesuffix("&")
    running = subprocess.Popen(["sh", "-c", text.replace("\nsocat", "\nexec socat"), str(program)])
    try:
        for _ in range(100):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", number)) == 0:
                    break
            time.sleep(0.05)
        yield number
    finally:
        running.terminate()
        running.wait()


@pytest.mark.parametrize("ends", ["with the question", "with the answer", "without a question"])
def test_whoever_asks_gets_the_whole_answer(port: int, ends: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as asker:
        if ends != "without a question":
            asker.sendall(b"OPTIONS / HTTP/1.0\r\n\r\n")
        if ends == "with the question":
            asker.shutdown(socket.SHUT_WR)
        said = b""
        while more := asker.recv(1000):
            said += more
    assert said == b"HTTP/1.1 200 OK\r\n\r\n"
