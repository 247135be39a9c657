"""Encryption at rest on real hosts: all the way up under load and through a kill, transfers, a new key, and the way back."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator

import pytest

from galvan import lab

from .operator import Operator, restarts, synced, wait

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
HOSTS = ("db1", "db2", "db3")
BINLOG = """
printf '[mysqld]\\nlog_bin=/var/lib/mysql/binlog\\nlog_slave_updates=ON\\n' >/etc/mysql/mariadb.conf.d/70-binlog.cnf
systemctl restart mariadb"""
FILL = """
mariadb <<'EOF'
CREATE DATABASE vault;
USE vault;
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, said VARCHAR(1000) NOT NULL);
CREATE TABLE unopened LIKE t;
INSERT INTO t (said) SELECT CONCAT('a-marker-in-clear ', RPAD(SHA2(RAND(), 512), 900, SHA2(RAND(), 256))) FROM seq_1_to_40000;
INSERT INTO unopened (said) VALUES ('a-marker-in-clear');
EOF"""
MARKED = "cat /var/lib/mysql/vault/*.ibd | grep -a -o a-marker-in-clear | wc -l"
ENCRYPTED = (
    "mariadb -N -B -e 'SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION > 0'"
)
ANEW = """
systemctl stop mariadb; rm -f /var/lib/mysql/grastate.dat
systemctl set-environment 'MYSQLD_OPTS=--wsrep-sst-method={method} --wsrep-sst-donor=db2'
systemctl start mariadb; systemctl unset-environment MYSQLD_OPTS
journalctl -u mariadb -o cat -n 400 --no-pager | grep -c '{method} SST completed on joiner'"""
KEYS_OF = "mariadb -N -B -e \"SELECT GROUP_CONCAT(DISTINCT CURRENT_KEY_ID) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME LIKE 'vault/%' OR NAME LIKE 'app/%'\""


@pytest.fixture(scope="module")
def keeper(operator: Operator) -> Iterator[Operator]:
    """An operator whose policy asks for it, with 40 MB there and eight writers at work all the while."""
    for host in HOSTS:
        lab.execute(host, BINLOG)
        wait(synced)
    lab.execute("db1", FILL)
    operator.govern("{hardening: {at_rest: file}}")
    lab.start_load(writers=8)
    yield dataclasses.replace(operator, tips=("hardening",))
    report = lab.stop_load()
    assert (report.failed, report.lost, report.unexpected) == (0, 0, 0), (report.errors, report.gaps)
    assert report.equal


def proofs(keeper: Operator) -> dict[str, str]:
    said = json.loads(keeper.run("verify", "--write-marker", "--format", "json").stdout)["proofs"]
    return {proof["id"]: proof["verdict"] for proof in said if ".at-rest-" in proof["id"]}


def test_in_clear_text_every_proof_fails(keeper: Operator) -> None:
    assert len(found := proofs(keeper)) == 9
    assert set(found.values()) == {"fail"}
    wait(lambda: all(int(lab.execute(host, MARKED)) > 10_000 for host in HOSTS))  # as they are written back


def test_up_through_a_kill(keeper: Operator) -> None:
    began = time.time()
    run = keeper.start("apply", "--auto-approve", "--watch", "1")
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line)
        if "encrypt@" in line:
            run.kill()
            break
    run.wait()
    assert "encrypt@" in said[-1], "".join(said)
    resumed = keeper.run("resume", "--watch", "1")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert all(count == 2 for count in restarts(began).values())
    assert {host: int(lab.execute(host, MARKED)) for host in HOSTS} == dict.fromkeys(HOSTS, 0)
    found = keeper.json("audit", "--all")["findings"]
    verdicts = {(f["check"], f["verdict"]) for f in found if ".at-rest-" in f["check"]}
    assert {check for check, verdict in verdicts if verdict != "pass"} == {"hardening.at-rest-left"}
    assert set(proofs(keeper).values()) == {"pass"}


@pytest.mark.parametrize("method", ["rsync", "mariabackup"])
def test_a_member_gets_all_its_data_anew(keeper: Operator, method: str) -> None:
    for donor in ("db1", "db2"):  # db2 gives: the balancer would cut writers at one that feeds another
        lab.execute(donor, f"mariadb -e \"SET GLOBAL wsrep_sst_method='{method}'\"")
    assert int(lab.execute("db3", ANEW.format(method=method), limit=300)) >= 1
    wait(synced)
    assert int(lab.execute("db3", MARKED)) == 0
    assert lab.execute("db3", "mariadb -N -B -e 'SELECT COUNT(*) FROM vault.t'").strip() == "40000"


def test_back_as_far_as_nothing_needs_a_key(keeper: Operator) -> None:
    """It decrypts and restarts without encryption; the keys stay until the last binary log that needs one is gone."""
    kept = sorted(path.name for path in keeper.home.glob("state/clusters/*/at-rest/*.key"))
    done = keeper.run("rollback", "--auto-approve")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "binary logs on this host are still encrypted" in done.stdout + done.stderr
    assert {host: int(lab.execute(host, ENCRYPTED)) for host in HOSTS} == dict.fromkeys(HOSTS, 0)
    for host in HOSTS:
        lab.execute(host, "mariadb -e 'FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY'")
    done = keeper.run("rollback", "--auto-approve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {lab.execute(host, "ls /etc/mysql/galvan 2>/dev/null || true").strip() for host in HOSTS} == {""}
    assert sorted(path.name for path in keeper.home.glob("state/clusters/*/at-rest/*.key")) == kept


def test_a_new_key(keeper: Operator) -> None:
    """Up once more, with the keys that are kept; then another one."""
    done = keeper.run("apply", "--auto-approve", "--watch", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    began = time.time()
    done = keeper.run("rotate", "at-rest-key", "--auto-approve", "--watch", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(count == 1 for count in restarts(began).values())
    assert {host: lab.execute(host, KEYS_OF).strip() for host in HOSTS} == dict.fromkeys(HOSTS, "3")
    assert lab.execute("db1", "mariadb -N -B -e 'SELECT COUNT(*) FROM vault.t'").strip() == "40000"
    lab.execute("db2", "mariadb -e 'CREATE TABLE vault.later (id INT PRIMARY KEY)'")
    wait(lambda: "later" in lab.execute("db1", "ls /var/lib/mysql/vault"))
    began = time.time()
    done = keeper.run(
        "rotate", "at-rest-key", "--auto-approve", "--watch", "1"
    )  # appliers made it with the key that they knew
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(restarts(began).values()) == {0}
    assert {host: lab.execute(host, KEYS_OF).strip() for host in HOSTS} == dict.fromkeys(HOSTS, "3")


def test_a_key_in_use_is_not_taken_away(keeper: Operator) -> None:
    """The latest run is the rotation's."""
    done = keeper.run("rollback", "--auto-approve")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no table needs a newer key" in done.stdout + done.stderr
    assert {host: lab.execute(host, KEYS_OF).strip() for host in HOSTS} == dict.fromkeys(HOSTS, "3")
    wait(synced)
