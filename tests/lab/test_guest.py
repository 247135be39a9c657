"""Database hosts with a kernel of their own: SELinux is really there, and they are hosts like all others of the lab."""

from __future__ import annotations

import signal
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import pytest

from galvan import lab
from galvan.lab import balancer, galera, guests, hosts, topology
from galvan.lab.paths import state_dir
from galvan.lab.podman import container

from .operator import Operator, wait

GROUND = {"guests": "selinux"}


def cards() -> set[str]:
    """The guests' network cards on this machine."""
    own = {f"gv{zlib.crc32(container(f'db{n}').encode()):08x}" for n in (1, 2, 3)}
    return own & {path.name for path in Path("/sys/class/net").iterdir()}


@pytest.mark.guest
def test_two_guests_are_a_cluster(operator: Operator) -> None:
    databases = [host for host in lab.status() if host.role == "database"]
    assert [(host.state, host.cluster_size, host.primary) for host in databases] == [("Synced", 2, True)] * 2
    assert len(cards()) == 2
    assert lab.up(guests="selinux") == lab.current()


@pytest.mark.guest
def test_the_kernel_guards_mariadb_and_lets_all_pass(operator: Operator) -> None:
    """Stock Debian: the policy knows the server, the mode is permissive, and no file is without a label."""
    said = lab.execute(
        "db1",
        "getenforce; ps -o label= -C mariadbd; ps -o label= -C auditd; stat -c %C /usr/sbin/mariadbd /var/lib/mysql /var/log/mysql; "
        "grep -c '^SELINUX=permissive' /etc/selinux/config; find /etc /usr/sbin /var -xdev -context '*:unlabeled_t:*' | head -3",
    )
    assert said.splitlines() == [
        "Permissive",
        "system_u:system_r:mysqld_t:s0",
        "system_u:system_r:auditd_t:s0",
        "system_u:object_r:mysqld_exec_t:s0",
        "system_u:object_r:mysqld_db_t:s0",
        "system_u:object_r:mysqld_log_t:s0",
        "1",
    ]
    assert "unconfined_t" in lab.execute("db1", "id -Z")


@pytest.mark.guest
def test_people_get_in_as_everywhere(operator: Operator) -> None:
    config = ("-F", str(lab.current().ssh_config))
    done = subprocess.run(
        ["ssh", *config, "dba@db2", "sudo -n id -un; hostname"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["root", "db2"]


@pytest.mark.guest
def test_an_audit_reads_a_guest(operator: Operator) -> None:
    audit = operator.json("audit")
    assert {host["host"] for host in audit["hosts"]} >= {"db1", "db2"}
    assert not [
        finding
        for finding in audit["findings"]
        if finding["host"] in ("db1", "db2") and finding["verdict"] == "unknown"
    ]


@pytest.mark.guest
def test_the_application_writes_to_guests(operator: Operator) -> None:
    report = lab.load(seconds=5, writers=2)
    assert report.acknowledged > 0
    assert (report.failed, report.lost, report.unexpected) == (0, 0, 0)
    assert report.equal


@pytest.mark.guest
def test_down_ends_every_guest(operator: Operator) -> None:
    state = lab.current().state
    lab.down()
    assert not guests.running()
    assert not cards()
    assert not state.exists()


@pytest.mark.guest
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_up_that_is_broken_off_leaves_no_guest(how: signal.Signals) -> None:
    """Ctrl-C takes away what was made; after a kill the next `down` finds the guest that nobody wrote down."""
    words = [sys.executable, "-m", "galvan", "lab", "up", "--selinux", "--nodes", "1"]
    heeding = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # a shell's background job passes on that it is ignored
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(words, preexec_fn=heeding, **quiet)
    wait(lambda: bool(guests.running()) or started.poll() is not None)
    assert list(guests.running()) == [container("db1")]
    started.send_signal(how)
    started.wait(60)
    if how == signal.SIGKILL:
        assert guests.running()
        lab.down()
    assert not guests.running()
    assert not cards()
    assert not hosts.containers()
    assert not state_dir().exists()


@pytest.mark.parametrize(
    "options",
    [
        topology.Options(guests="smack"),
        topology.Options(guests="selinux", nodes=4),
        topology.Options(guests="selinux", nodes=2, arbitrator=True),
        topology.Options(guests="apparmor", nodes=2, release="trixie"),
    ],
)
def test_what_guests_cannot_be_is_said(options: topology.Options) -> None:
    with pytest.raises(lab.LabError):
        options.check()


def test_slow_hosts_are_given_time(tmp_path: Path) -> None:
    topology.Options(guests="selinux", nodes=1).check()
    slow = topology.lab_of(topology.Options(guests="selinux", nodes=2), tmp_path)
    assert [host.image for host in slow.hosts] == ["guest", "guest", "tools", "tools", "tools"]
    assert "evs.suspect_timeout=PT30S" in galera.settings(slow, slow.host("db1"), "secret")
    assert "inter 5s" in balancer.config(slow)
