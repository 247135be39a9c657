"""Bad luck before a run begins: it says what and where, ends with the exit code of the table, and nothing was changed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from galvan import lab

from .operator import Operator, hashes, restarts, synced, wait

pytestmark = pytest.mark.lab
GALERA = "/etc/mysql/mariadb.conf.d/60-galera.cnf"
WALL = """
nft add table inet wall
for way in input output; do
  nft add chain inet wall $way "{ type filter hook $way priority 0; }"
  nft add rule inet wall $way tcp dport 4567 drop
  nft add rule inet wall $way tcp sport 4567 drop
done"""
APPLY = ("apply", "--auto-approve", "--watch", "10")


@contextmanager
def untouched() -> Iterator[None]:
    """Whatever happens inside, no file of Galvan's and no server is touched."""
    before, began = hashes(), time.time()
    yield
    assert hashes() == before
    assert set(restarts(began).values()) == {0}


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    return text


def test_a_member_that_is_not_synced(operator: Operator) -> None:
    lab.execute("db3", "mariadb -e 'SET GLOBAL wsrep_desync=ON'")
    try:
        with untouched():
            text = said(operator.run(*APPLY), 5)
    finally:
        lab.execute("db3", "mariadb -e 'SET GLOBAL wsrep_desync=OFF'")
    assert "nothing was begun: db3 is Donor/Desynced, not Synced" in text
    wait(synced)


def test_a_member_outside_the_primary_component(operator: Operator) -> None:
    lab.execute("db3", WALL)
    try:
        wait(lambda: not synced())
        wait(lambda: "non-Primary" in lab.execute("db3", "mariadb -NBe \"SHOW STATUS LIKE 'wsrep_cluster_status'\""))
        began = time.time()
        text = said(operator.run(*APPLY), 4)
        assert set(restarts(began).values()) == {0}
    finally:
        lab.execute("db3", "nft delete table inet wall")
    assert "db3" in text
    assert "nothing is planned" in text
    wait(synced)


def test_an_operator_whose_clock_is_ahead(operator: Operator) -> None:
    """A certificate of tomorrow would keep its host out of the cluster until then."""
    with untouched():
        done = subprocess.run(
            ["faketime", "-f", "+2d", *operator.command(*APPLY)], env=operator.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
    text = said(done, 5)
    assert "behind this machine's" in text
    assert "the clock of db" in text


def test_a_disk_that_is_full(operator: Operator) -> None:
    """Where Galvan keeps what was there before: without that there is no undo, so there is no change either."""
    lab.execute(
        "db2",
        "mkdir -p /var/lib/galvan; mount -t tmpfs -o size=16k,mode=700 tmpfs /var/lib/galvan; head -c 16k /dev/zero >/var/lib/galvan/full || true",
    )
    try:
        with untouched():
            text = said(operator.run(*APPLY), 5)
    finally:
        lab.execute("db2", "umount /var/lib/galvan; rmdir /var/lib/galvan")
    assert "db2" in text
    assert "the lock could not be written, /var/lib/galvan has 0 kB free" in text


def test_a_data_directory_without_room(operator: Operator) -> None:
    lab.execute(
        "db2",
        """systemctl stop mariadb; cp -a /var/lib/mysql /var/lib/mysql.big; need=$(du -sm /var/lib/mysql | cut -f1)
mount -t tmpfs -o size=$((need + 120))m tmpfs /var/lib/mysql; cp -a /var/lib/mysql.big/. /var/lib/mysql/
chown mysql:mysql /var/lib/mysql; systemctl start mariadb""",
    )
    try:
        wait(synced)
        with untouched():
            text = said(operator.run(*APPLY), 5)
    finally:
        lab.execute(
            "db2", "systemctl stop mariadb; umount /var/lib/mysql; rm -rf /var/lib/mysql.big; systemctl start mariadb"
        )
    assert "MB free under the data directory" in text
    assert "db2" in text
    wait(synced)


def test_a_cache_too_small_for_an_incremental_transfer(operator: Operator) -> None:
    for name in ("db3", "db2", "db1"):
        lab.execute(name, f"sed -i 's/gcache.size=128M/gcache.size=1M/' {GALERA}; systemctl restart mariadb")
        wait(synced)
    lab.start_load(writers=8, pause_ms=0)
    try:
        time.sleep(3)
        with untouched():
            text = said(operator.run(*APPLY), 5)
    finally:
        lab.stop_load()
        for name in ("db3", "db2", "db1"):
            lab.execute(name, f"sed -i 's/gcache.size=1M/gcache.size=128M/' {GALERA}; systemctl restart mariadb")
            wait(synced)
    assert "no member caches enough for an incremental transfer" in text


def test_a_passphrase_that_was_forgotten(operator: Operator) -> None:
    running = operator.start(*APPLY)
    assert running.stdout
    for line in running.stdout:
        if "prepare@" in line and "certificate of the" in line:
            running.send_signal(2)
            break
    running.stdout.read()
    assert running.wait() in (0, 130)
    kept = (operator.home / "passphrase").read_text()
    (operator.home / "passphrase").write_text("what was it again")
    try:
        with untouched():
            text = said(operator.run("resume"), 1)
    finally:
        (operator.home / "passphrase").write_text(kept)
    assert "passphrase" in text
    assert operator.run("rollback", "--auto-approve").returncode == 0
