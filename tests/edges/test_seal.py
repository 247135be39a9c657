"""What is sealed on one host can be opened by the other one's key, and by nothing that passes through Galvan."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from galvan.edges.actions import seal
from galvan.engine.document import _content, _content_from
from galvan.model import Sealed, Shell


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("pair")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lb1 -days 2 -keyout {key} -out {certificate} 2>/dev/null"
    )
    assert made.returncode == 0
    return str(key), str(certificate)


def test_only_the_holder_of_the_key_reads_it(pair: tuple[str, str], tmp_path: Path) -> None:
    key, certificate = pair
    done = run(
        seal(
            Shell("echo 'app\t*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'; echo \"it's $((1+1))\""),
            Path(certificate).read_text(),
        )
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-----BEGIN CMS-----")
    assert "2470C0C0" not in done.stdout + done.stderr
    message = tmp_path / "message"
    message.write_text(done.stdout)
    opened = run(f"openssl cms -decrypt -inform PEM -in {message} -recip {certificate} -inkey {key}")
    assert opened.stdout == "app\t*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19\nit's 2\n"


def test_a_script_that_fails_seals_nothing(pair: tuple[str, str]) -> None:
    done = run(seal(Shell("echo half; exit 3"), Path(pair[1]).read_text()))
    assert done.returncode != 0
    assert done.stdout == ""


def test_what_is_no_certificate_seals_nothing() -> None:
    done = run(seal(Shell("echo secret"), "no certificate\n"))
    assert done.returncode != 0
    assert "secret" not in done.stdout + done.stderr


def test_a_plan_holds_where_it_comes_from_and_not_what_it_is() -> None:
    sealed = Sealed("db1", Shell("cat /etc/x"), "/etc/galvan/sealed/cert.pem")
    assert _content_from(json.loads(json.dumps(_content(sealed)))) == sealed
