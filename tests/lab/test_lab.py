"""The practice cluster itself: it comes up whole, its application keeps honest books, it leaves nothing behind."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from galvan import lab
from galvan.edges.wire import OperatorDialer, Wire
from galvan.lab import balancer, books, debian, galera, hosts, topology
from galvan.lab.paths import called
from galvan.lab.podman import container
from galvan.model import Attempt, GroupHello, Login, Outcome, SecretRef, Trial, Unreadable


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Lab]:
    """A lab in a state directory of its own; refuses to start beside another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield lab.up()
        lab.down()


def seen(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.lab
def test_up_makes_a_whole_cluster(practice: lab.Lab) -> None:
    databases = [host for host in lab.status() if host.role == "database"]
    assert [(host.state, host.cluster_size, host.primary) for host in databases] == [("Synced", 3, True)] * 3
    assert all(host.running for host in lab.status())
    assert lab.running()
    assert lab.up() == practice


@pytest.mark.lab
def test_it_is_as_open_as_the_seeds_reader(practice: lab.Lab) -> None:
    variables = lab.execute("db1", "mariadb -N -B -e 'SHOW GLOBAL VARIABLES'")
    assert "have_ssl\tDISABLED" in variables
    assert "bind_address\t0.0.0.0" in variables
    assert lab.execute("db1", "nft list ruleset").strip() == ""
    assert lab.execute("db1", "command -v python3 || echo none").strip() == "none"
    assert "WSREP" not in lab.execute("db1", "systemctl show-environment")  # nothing is left of the bootstrap
    assert "gcomm://10." in lab.execute("db1", "grep wsrep_cluster_address /etc/mysql/mariadb.conf.d/60-galera.cnf")


@pytest.mark.lab
def test_people_get_in_by_key_only(practice: lab.Lab) -> None:
    assert seen(*lab.ssh_argv("db1"), "hostname") == "db1\n"
    config = ("-F", str(practice.ssh_config))
    assert seen("ssh", *config, "dba@mallory", "sudo", "-n", "id", "-un") == "root\n"
    keys = {lab.execute(host.name, "cat /etc/ssh/ssh_host_ed25519_key.pub") for host in practice.hosts}
    assert len(keys) == len(practice.hosts)


def attempt(practice: lab.Lab, what: Attempt) -> Trial:
    """As the operator, who knows the application's password and a wrong one."""

    def secret(ref: SecretRef) -> str:
        return practice.password_file.read_text().strip() if ref.name == "app" else "wrong"

    async def nothing(*_: Any) -> Any:
        raise Unreadable("not in this test")

    return asyncio.run(Wire(OperatorDialer(), secret, nothing, nothing, nothing).attempt("operator", what))


@pytest.mark.lab
def test_a_right_password_is_let_in_and_a_wrong_one_is_not(practice: lab.Lab) -> None:
    address = practice.databases[0].address
    for name, tls, outcome in (("wrong", False, Outcome.REFUSED), ("app", False, Outcome.ACCEPTED)):
        assert attempt(practice, Login(address, 3306, "app", SecretRef(name), tls)).outcome is outcome


@pytest.mark.lab
def test_the_group_port_speaks_clear_text_to_anybody(practice: lab.Lab) -> None:
    for credential in ("none", "foreign"):
        hello = GroupHello(practice.databases[0].address, 4567, credential)
        assert attempt(practice, hello).outcome is Outcome.CLEAR


@pytest.mark.lab
def test_a_short_load_loses_nothing(practice: lab.Lab) -> None:
    report = lab.load(seconds=5)
    assert report.acknowledged > 100
    assert report.transactions == report.acknowledged
    assert (report.failed, report.lost, report.unexpected, report.ambiguous) == (0, 0, 0, 0)
    assert report.equal
    assert report.logins_tls == 0
    assert report.logins_plain > 8


@pytest.mark.lab
def test_a_reader_restarts_under_load(practice: lab.Lab) -> None:
    lab.start_load()
    with pytest.raises(lab.LabError, match="already running"):
        lab.start_load()
    time.sleep(1)
    lab.execute("db2", "systemctl restart mariadb")
    time.sleep(3)
    assert lab.load_status()["acknowledged"] > 0
    report = lab.stop_load()
    assert (report.failed, report.lost, report.unexpected) == (0, 0, 0)
    assert report.equal


@pytest.mark.lab
def test_the_writers_host_dies_under_load(practice: lab.Lab) -> None:
    """Errors there must be, and the books must still be right."""
    lab.start_load()
    time.sleep(1)
    lab.execute("db1", "systemctl restart mariadb")
    time.sleep(5)
    report = lab.stop_load()
    assert report.failed + report.ambiguous > 0
    assert sum(report.errors.values()) == report.failed + report.ambiguous + report.conflicts
    assert report.transactions == report.acknowledged + report.failed + report.ambiguous + report.conflicts
    assert (report.lost, report.unexpected) == (0, 0)
    assert report.equal


@pytest.mark.lab
def test_a_host_reboots_and_keeps_its_journal(practice: lab.Lab) -> None:
    count = "journalctl -u mariadb -o cat --no-pager | grep -c '^Started mariadb'"
    before = int(lab.execute("db3", count))
    subprocess.run([*lab.ssh_argv("db3"), "reboot"], capture_output=True, check=False)
    deadline = time.monotonic() + 60
    while [h.state for h in lab.status() if h.name == "db3"] != ["Synced"] or int(lab.execute("db3", count)) == before:
        assert time.monotonic() < deadline, "db3 did not come back"
        time.sleep(0.5)
    assert int(lab.execute("db3", count)) == before + 1


@pytest.mark.lab
def test_other_options_are_refused_while_a_lab_is_up(practice: lab.Lab) -> None:
    with pytest.raises(lab.LabError, match="other options"):
        lab.up(nodes=2)
    with pytest.raises(lab.LabError, match="no host 'db9'"):
        lab.ssh_argv("db9")
    with pytest.raises(lab.LabError, match=r"db1: .*no such luck"):
        lab.execute("db1", "echo no such luck >&2; exit 3")


@pytest.mark.lab
def test_down_leaves_nothing(practice: lab.Lab) -> None:
    volumes = len(seen("podman", "volume", "ls", "-q").split())
    lab.down()
    assert lab.running() is False
    assert not hosts.containers()
    assert container("db1") not in seen("podman", "ps", "-a", "--format", "{{.Names}}")
    assert called("galvan-lab") not in seen("podman", "network", "ls", "--format", "{{.Name}}").split()
    assert len(seen("podman", "volume", "ls", "-q").split()) == volumes - len(practice.hosts)
    assert not practice.state.exists()
    with pytest.raises(lab.LabError, match="galvan lab up"):
        lab.status()


@pytest.mark.parametrize(
    "options",
    [
        topology.Options(nodes=1),
        topology.Options(nodes=6),
        topology.Options(release="sid"),
        topology.Options(release="bookworm,trixie"),
        topology.Options(sst="mysqldump"),
        topology.Options(subnet="10.0.0.0/30"),
        topology.Options(subnet="lab"),
    ],
)
def test_wrong_options_are_named(options: topology.Options) -> None:
    with pytest.raises(lab.LabError):
        options.check()


def test_a_machines_sources_are_turned_to_another_release() -> None:
    text = (
        "Types: deb\n# kept: no\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "\nTypes: deb\nURIs: http://other.example/\nSuites: nodistro\nComponents: main\n"
    )
    turned = debian.deb822("bookworm", "trixie", [text])
    assert "Suites: trixie trixie-updates" in turned
    assert "nodistro" not in turned
    lines = (
        "deb [signed-by=/k] http://m.example/debian bookworm-security main\n# deb x\ndeb http://o.example stable main\n"
    )
    assert debian.one_line("bookworm", "trixie", [lines]) == (
        "deb [signed-by=/k] http://m.example/debian trixie-security main\n"
    )


def test_a_release_and_an_address_for_each_host(tmp_path: Path) -> None:
    mixed = topology.hosts_of(topology.Options(release="bookworm,bookworm,trixie"))
    assert [host.release for host in mixed] == ["bookworm", "bookworm", "trixie", *["bookworm"] * 3]
    six = topology.lab_of(topology.Options(subnet="fd89:77::/64"), tmp_path)
    assert (six.host("db1").address, six.host("db1").url) == ("fd89:77::b", "[fd89:77::b]")
    assert "server db3 [fd89:77::d]:3306 backup\n" in balancer.config(six)
    text = galera.settings(six, six.host("db2"), "secret")
    assert "gcomm://[fd89:77::b],[fd89:77::c],[fd89:77::d]\n" in text
    assert "wsrep_node_address = [fd89:77::c]\n" in text
    assert "0.0.0.0" not in text


def test_one_writer_unless_asked_otherwise(tmp_path: Path) -> None:
    single = balancer.config(topology.lab_of(topology.Options(), tmp_path))
    assert single.count(" backup\n") == 2
    assert "balance roundrobin" in single
    several = balancer.config(topology.lab_of(topology.Options(multi_writer=True), tmp_path))
    assert " backup\n" not in several
    assert "balance leastconn" in several


def test_the_books_name_what_is_lost_and_what_nobody_promised() -> None:
    book = {"ranges": [[1, 3]], "ambiguous": [4, 5], "longest_gap_s": 1.5, "gaps": [[10.0, 11.5]]}
    summary = {
        "attempts": 6, "acknowledged": 3, "failed": 1, "conflicts": 0, "logins_tls": 0, "logins_plain": 1,
        "seconds": 2.0, "errors": {"2013: gone": 3}, "writers": {"1": book},
    }  # fmt: skip
    whole = books.parse("rows\t5\napp.ledger\t77\nrange\t1\t1\t4\nrange\t1\t6\t6\n")
    holed = books.parse("rows\t1\napp.ledger\t78\nrange\t1\t1\t1\n")
    good = books.report(summary, {"db1": whole, "db2": whole})
    assert (good.lost, good.unexpected, good.ambiguous, good.ambiguous_committed, good.equal) == (0, 1, 2, 1, True)
    assert good.gaps == ((1, 10.0, 11.5),)
    bad = books.report(summary, {"db1": whole, "db2": holed})
    assert (bad.lost, bad.equal) == (2, False)
    blind = books.report(summary, {"db1": whole, "db2": None})
    assert (blind.equal, blind.unread) == (False, ("db2",))
