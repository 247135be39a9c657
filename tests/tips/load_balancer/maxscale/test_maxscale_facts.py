"""What a host shows of its MaxScale: no secret leaves it, and what cannot be read is not guessed. The script runs for real on files
like those of MaxScale's documentation; only the version is put into its mouth."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvan.cluster.facts import lines
from galvan.model import Unreadable
from galvan.tips.load_balancer.maxscale import checks, facts
from galvan.tips.load_balancer.maxscale.facts import CONFIG, DOOR, config, listeners

MAIN = """\
# MaxScale documentation:  password=inacomment
[maxscale]
threads=auto
admin_host = 0.0.0.0
admin_ssl_passphrase=pass:topsecret1

[server1]
type=server
address=10.0.0.11
ssl-ca=/x/ca.pem
ssl=true
monitorpw=topsecret2
   topsecret3

[Galera-Monitor]
type=monitor
module=galeramon
servers=server1,
        server2
user=maxscale
password=61DD955512C39A4A8BC4BB1E5F11670561DD955512C39A4A8BC4BB1E5F116705

[RW]
type=service
router=readwritesplit
replication_custom_options=MASTER_PASSWORD=topsecret4
filters=QLA | MyFirewall
password=topsecret5

[RW-Listener]
type=listener
service=RW
port=4006
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "maxscale.cnf").write_text(MAIN)
    more, kept = tmp_path / "maxscale.cnf.d" / "sub", tmp_path / "kept"
    for folder in (more, kept, tmp_path / "maxscale.cnf.d" / ".hidden"):
        folder.mkdir(parents=True)
    (more / "a.cnf").write_text("[MyFirewall]\ntype=filter\nmodule=firewall\nmode=idle\n")
    (more / "a.txt").write_text("[Not]\ntype=server\n")
    (tmp_path / "maxscale.cnf.d" / ".hidden" / "b.cnf").write_text("[Hidden]\ntype=server\n")
    (kept / "MyFirewall.cnf").write_text("[MyFirewall]\ntype=filter\nmodule=firewall\nmode=supervise\n")
    (tmp_path / ".secrets").write_text("{}")
    return tmp_path


def read(host: Path) -> str:
    text = CONFIG.query.text.replace("/etc/maxscale.cnf", str(host / "maxscale.cnf")).replace(
        "/var/lib/maxscale", str(host)
    )
    text = text.replace("${data:-" + str(host) + "}/maxscale.cnf.d", str(host / "kept"))
    text = "maxscale() { echo 'MaxScale 24.02.4'; }\n" + text
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_secret_leaves_the_host(host: Path) -> None:
    output = read(host)
    assert "topsecret" not in output
    assert "61DD9555" not in output
    assert "inacomment" not in output


def test_what_is_told(host: Path) -> None:
    found = config(read(host))
    assert found
    assert found.version == (24, 2, 4)
    assert found.keys
    assert [section.name for section in found.sections] == [
        "maxscale",
        "server1",
        "Galera-Monitor",
        "RW",
        "RW-Listener",
        "MyFirewall",
    ]
    assert found.core.get("admin_host") == "0.0.0.0"
    assert found.core.secrets == {"admin_ssl_passphrase": "clear"}
    server, monitor, service = (found.named(name) for name in ("server1", "Galera-Monitor", "RW"))
    assert server
    assert monitor
    assert service
    assert (server.get("ssl_ca"), server.on("ssl"), server.secrets) == ("/x/ca.pem", True, {"monitorpw": "clear"})
    assert monitor.listed("servers") == ("server1", "server2")
    assert (monitor.secrets, service.secrets) == ({"password": "encrypted"}, {"password": "clear"})
    assert service.listed("filters") == ("QLA", "MyFirewall")
    assert listeners(read(host)) == {"RW-Listener": "false"}


def test_what_was_changed_while_it_ran_is_what_holds(host: Path) -> None:
    found = config(read(host))
    assert found
    kept = found.named("MyFirewall")
    assert kept
    assert (kept.runtime, kept.get("mode")) == (True, "supervise")
    assert checks.mode(found) == "supervise"


def test_hexadecimal_without_a_key_is_a_clear_password(host: Path) -> None:
    (host / ".secrets").unlink()
    found = config(read(host))
    assert found
    assert not found.keys
    assert {"password": "clear"} in [section.secrets for section in found.of_type("monitor")]


def test_where_no_maxscale_is_nothing_is_said() -> None:
    for fact in (CONFIG, DOOR):
        done = subprocess.run(["sh"], input=fact.query.text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    assert config("") is None
    assert listeners("") == {}


@pytest.mark.parametrize(
    "output", ["error", "version=\nkeys=no\n", "version=MaxScale 24.02.4\nkeys=yes\nwhat is this\n"]
)
def test_what_cannot_be_read_is_not_guessed(output: str) -> None:
    with pytest.raises(Unreadable):
        config(output)


@given(st.text())
def test_the_reader_says_unreadable_or_gives_sections(output: str) -> None:
    try:
        found = config("version=MaxScale 24.02.4\nkeys=no\n" + output)
    except Unreadable:
        return
    assert found


def test_scripts_are_sh() -> None:
    for text in (CONFIG.query.text, DOOR.query.text):
        assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    assert "mariadb" not in DOOR.query.text, "the default password is no argument"
    assert lines("default_login=no\nsockets=127.0.0.1:8989\n") == {"default_login": "no", "sockets": "127.0.0.1:8989"}
    assert facts.OWN.startswith("/etc/maxscale.cnf.d/")
