"""SELinux on real guests: from stock permissive to enforcing, what is refused then, and back to exactly what was there.

Guests are emulated, so a new policy takes a minute and the tests go on from each other, in the order in which they stand: half an
hour and more, so they wait in the campaign.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from galvan import lab
from galvan.edges import denials as files
from galvan.lab import guests
from galvan.model.denials import Answer

from . import misuse
from .operator import Operator, synced, wait

GROUND = {"guests": "selinux"}
pytestmark = [pytest.mark.lab, pytest.mark.guest, pytest.mark.campaign]
HOSTS = ("db1", "db2")
EVENTS = ("slow-log", "check-9200", "backup-mysqldump", "backup-mariabackup", "ist", "sst")
TRIED = [word for event in EVENTS for word in ("--event", event)]
"""All but those that a guest without certificates does not know, and the binary log's two restarts more."""
STATE = (
    "getenforce; cat /etc/selinux/config; semodule -lfull | grep -v '^100 '; semanage port -l -C; semanage fcontext -l -C; "
    "ls -d /var/lib/selinux/default/active/disable_dontaudit; ls -Zd /var/log/mysql /etc/selinux/config; "
    "find /etc/mysql /var/lib/mysql /var/log/mysql -maxdepth 1 ! -name '*.log' ! -name '*.0*' ! -name 'ib*tmp*' ! -name '*rehearsal*' "
    "! -name 'xtrabackup_*' ! -name 'mariadb_backup_*' ! -name 'debian-*.flag' ! -name '*_upgrade_info' "  # what a full copy brings or does not
    "-printf '%Z %p\\n' | sort"
)


@pytest.fixture(scope="module")
def patient(operator: Operator) -> Operator:
    return replace(operator, patience=3600)


def states() -> dict[str, str]:
    return {host: lab.execute(host, STATE + "; true") for host in HOSTS}


def changed(before: dict[str, str]) -> dict[str, list[str]]:
    """By host, the lines that are other ones now."""
    lines = {host: difflib.ndiff(before[host].splitlines(), text.splitlines()) for host, text in states().items()}
    kept = {host: [line for line in found if line[0] in "+-"] for host, found in lines.items()}
    print(kept)
    return {host: found for host, found in kept.items() if found}


def said(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def stock(operator: Operator) -> dict[str, str]:
    """As a guest comes, but for what the seed's reader did: a log directory made by hand, with a log that root made in it."""
    for host in HOSTS:
        lab.execute(
            host,
            "mv /var/log/mysql /var/log/mysql.stock; mkdir /var/log/mysql; touch /var/log/mysql/mysql-slow.log; chown -R mysql: /var/log/mysql; "
            "mariadb -e \"SET GLOBAL slow_query_log_file='/var/log/mysql/mysql-slow.log'\"",
        )
    return states()


def test_a_stock_guest_is_open(patient: Operator, stock: dict[str, str]) -> None:
    seen = patient.json("audit", "--tip", "selinux")
    failed = {f["check"] for f in seen["findings"] if f["verdict"] == "fail" and f["host"] == "db1"}
    assert {"selinux.enforcing", "selinux.ports", "selinux.labels"} <= failed
    assert seen["rungs"]["selinux"] == "open"
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]


def test_nothing_is_enforced_that_was_not_learnt(patient: Operator, stock: dict[str, str]) -> None:
    refused = patient.run("selinux", "enforce", "--auto-approve")
    assert refused.returncode == 5, said(refused)
    assert "unlearnt" in refused.stderr
    assert changed(stock) == {}


def test_it_learns_from_the_clusters_own_life(patient: Operator, stock: dict[str, str]) -> None:
    began = time.monotonic()
    learnt = patient.json("selinux", "learn", "--auto-approve", *TRIED)
    events = learnt["events"]
    print("learnt:", events, f"{time.monotonic() - began:.0f} s")
    assert not learnt["failed"]
    assert {
        f"{event}@{host}" for event in ("slow-log", "ist", "sst-mariabackup", "backup-mariabackup") for host in HOSTS
    } <= set(events)
    assert sum(events.values()) > 0
    book = files.read(patient.home / files.NAME)
    assert "mysqld_t/initrc_tmp_t/file" in book.rules
    assert {rule.answer for rule in book.rules.values()} <= {Answer.ALLOW, Answer.LABEL, Answer.HOLD}
    for host in HOSTS:
        assert "mysqld_log_t" in lab.execute(host, "stat -c %C /var/log/mysql/mysql-slow.log")
        assert "disable_dontaudit" not in lab.execute(host, "ls /var/lib/selinux/default/active")
    assert synced()


def test_a_planted_dangerous_rule_is_held_back(patient: Operator) -> None:
    path = patient.home / files.NAME
    text = path.read_text()
    planted = "- rule: mysqld_t/shadow_t/file\n  permissions: [read]\n  answer: hold\n  attention: [passwords]\n"
    path.write_text(text + planted)
    built = patient.json("selinux", "build")
    assert "mysqld_t/shadow_t/file" in built["held"]
    assert "shadow_t" not in (patient.home / "galvan_galera.cil").read_text()
    assert patient.run("selinux", "build", "--accept", "mysqld_t/nothing_t/file").returncode == 1
    book = files.read(path)
    path.write_text(
        files.render(replace(book, rules={n: r for n, r in book.rules.items() if n != "mysqld_t/shadow_t/file"}))
    )


def test_a_module_that_the_policy_does_not_take_changes_nothing(patient: Operator) -> None:
    module = patient.home / "galvan_galera.cil"
    good, before = module.read_text(), states()
    module.write_text(good + "(allow mysqld_t nosuch_t (file (read)))\n")
    broken = patient.run("apply", "--tip", "selinux", "--auto-approve", "--watch", "1")
    module.write_text(good)
    assert broken.returncode in (1, 5), said(broken)
    assert changed(before) == {}


def test_it_enforces_and_nothing_is_refused(patient: Operator) -> None:
    began = time.monotonic()
    accepted = [
        w
        for rule in files.read(patient.home / files.NAME).rules.values()
        if rule.answer is Answer.HOLD
        for w in ("--accept-impact", rule.name)
    ]
    # the lab's members came by rsync, before anybody learnt: what was noted of that is in no event, and is taken by name
    refused = patient.run("selinux", "enforce", "--auto-approve", *TRIED, *accepted).stderr
    earlier = set(re.findall(r"(\S+) on db\d: [^;]*: would be refused", refused))
    assert "mysqld_t/rsync_exec_t/file" in earlier, refused
    accepted += [word for name in sorted(earlier) for word in ("--accept-impact", name)]
    done = patient.json("selinux", "enforce", "--auto-approve", *TRIED, *accepted)
    print("enforced:", done["events"], f"{time.monotonic() - began:.0f} s")
    assert done["refused"] == ""
    assert set(done["events"].values()) == {0}
    for host in HOSTS:
        assert lab.execute(host, "getenforce").strip() == "Enforcing"
        assert "SELINUX=enforcing" in lab.execute(host, "cat /etc/selinux/config").splitlines()
        assert "permissive_" not in lab.execute(host, "semodule -l")
    assert synced()
    audit = patient.json("audit", "--tip", "selinux")
    assert audit["rungs"]["selinux"] == "enforced"


def test_the_kernel_says_so_too(patient: Operator) -> None:
    proofs = patient.json("verify", "--tip", "selinux")["proofs"]
    assert len(proofs) == 12
    assert {proof["verdict"] for proof in proofs} == {"pass"}
    assert patient.json("audit", "--tip", "selinux")["rungs"]["selinux"] == "proven"


def denied(host: str, since: str) -> list[str]:
    """What the kernel noted of the server since then."""
    notes = (
        f"sleep 1; ausearch --input-logs --raw -m avc -ts {since} </dev/null | grep 'scontext=[^ ]*:mysqld_t:'; true"
    )
    return lab.execute(host, notes).splitlines()


def now(host: str) -> str:
    return lab.execute(host, "date '+%x %X'").strip()


def test_what_else_a_cluster_lives_through_is_not_refused(patient: Operator) -> None:
    """Under the enforcing kernel: TLS for clients, by a run of Galvan's with its two restarts; the certificates read anew; and a member that
    rests, restarts and comes back."""
    since = {host: now(host) for host in HOSTS}
    done = patient.json("apply", "--tip", "client_tls", "--to", "ready", "--auto-approve")
    assert done["status"] == "done", done
    for host in HOSTS:
        assert "TLSv1" in lab.execute(host, "mariadb -N -B -e 'FLUSH SSL; SELECT @@tls_version'")
        assert lab.execute(host, "mariadb -N -B -e 'SELECT @@have_ssl'").strip() == "YES"
    for verb in ("drain", "restart", "undrain"):
        rested = patient.run("node", verb, "db2")
        assert rested.returncode == 0, said(rested)
    assert synced()
    assert {host: denied(host, since[host]) for host in HOSTS} == {host: [] for host in HOSTS}
    assert {lab.execute(host, "getenforce").strip() for host in HOSTS} == {"Enforcing"}


# what the server must not do, for real -----------------------------------------------------------------------------------------
GROUND_FOR_MISUSE = f"{misuse.GROUND}; chcon -t shadow_t /etc/misuse"


def dials_elsewhere() -> bool:
    """sshd answers a replica with its own banner, which is no server's; a kernel that refuses says error 13."""
    misuse.sql(
        "CHANGE MASTER 'misuse' TO MASTER_HOST='127.0.0.1', MASTER_PORT=22, MASTER_USER='x', MASTER_PASSWORD='x', MASTER_CONNECT_RETRY=1"
    )
    misuse.sql("START SLAVE 'misuse'")
    time.sleep(8)
    seen = misuse.sql("SHOW SLAVE 'misuse' STATUS")
    misuse.sql("STOP SLAVE 'misuse'; RESET SLAVE 'misuse' ALL")
    return "(13" not in seen and "Permission denied" not in seen


MISUSES: tuple[Callable[[], bool], ...] = (
    misuse.reads_secrets, misuse.loads_secrets, misuse.writes_outside, misuse.runs_what_it_likes, dials_elsewhere,
)  # fmt: skip


@pytest.mark.parametrize("misused", MISUSES, ids=lambda misused: misused.__name__)
def test_a_misuse_is_refused_and_noted(patient: Operator, misused: Callable[[], bool]) -> None:
    """The control: the same works as soon as the kernel only takes notes."""
    lab.execute("db2", GROUND_FOR_MISUSE)
    since = now("db2")
    assert misused() is False
    assert denied("db2", since)
    lab.execute("db2", "setenforce 0; " + GROUND_FOR_MISUSE)
    try:
        assert misused() is True
    finally:
        lab.execute("db2", "setenforce 1")


def test_a_foreign_port_is_refused(patient: Operator) -> None:
    """An option file that asks for it: the server does not start so, and starts as before without it."""
    start = "systemctl set-environment MYSQLD_OPTS=--extra-port=8080; systemctl stop mariadb; systemctl start mariadb >/dev/null 2>&1; echo $?"
    assert lab.execute("db2", start).strip() != "0"
    lab.execute("db2", "setenforce 0; systemctl reset-failed mariadb")
    try:
        assert lab.execute("db2", start).strip() == "0"
    finally:
        lab.execute("db2", "systemctl unset-environment MYSQLD_OPTS; systemctl restart mariadb; setenforce 1")
    wait(synced, 300)


# and back ----------------------------------------------------------------------------------------------------------------------
def test_everything_goes_back_to_what_it_was(patient: Operator, stock: dict[str, str], tmp_path: Path) -> None:
    runs = patient.json("runs")["runs"]
    ended = [r["run"] for r in runs if r["status"] == "done" and not r["run"].startswith("undo-")]
    for run in dict.fromkeys(ended):  # a run that went on is listed with each of its attempts
        done = patient.run("rollback", run, "--auto-approve")
        assert done.returncode == 0, said(done)
    lab.execute(
        "db2",
        "rm -rf /srv/misuse /etc/misuse; mariadb -e 'DROP DATABASE IF EXISTS misuse'",
    )
    for host in HOSTS:  # a directory that is empty again may stay
        lab.execute(host, "find /etc/mysql/galvan -depth -type d -empty -delete 2>/dev/null; true")
    assert changed(stock) == {}


# hosts that are not as they should be ------------------------------------------------------------------------------------------
LITTLE = (
    "mount -t tmpfs -o size=60m,mode=700,context=system_u:object_r:auditd_log_t:s0 tmpfs /var/log/audit; "
    "pkill -x auditd; sleep 2; systemctl reset-failed auditd; systemctl start auditd; auditctl -m lab"
)
ENOUGH = "pkill -x auditd; sleep 2; umount /var/log/audit; systemctl reset-failed auditd; systemctl start auditd; auditctl -m lab"


def of_denials(patient: Operator) -> dict[str, str]:
    found = patient.json("audit", "--tip", "selinux", code=(0, 4))["findings"]
    return {f["host"]: f["seen"] for f in found if f["check"] == "selinux.denials" and f["verdict"] == "unknown"}


def test_a_full_audit_partition_teaches_nothing(patient: Operator) -> None:
    """auditd stops for good once little room is left, long before there is none: a quiet log then says nothing."""
    before, book = states(), patient.home / files.NAME
    learnt = book.read_text() if book.exists() else ""
    lab.execute("db2", LITTLE)
    try:
        lab.execute("db2", "head -c 30000000 /dev/zero >/var/log/audit/filled; auditctl -m lab; sleep 2")
        assert "suspended its log" in of_denials(patient)["db2"]
        refused = patient.run("selinux", "learn", "--auto-approve", "--event", "slow-log")
        assert refused.returncode == 4, said(refused)
        assert "suspended its log" in refused.stderr
        assert changed(before) == {}
        assert (book.read_text() if book.exists() else "") == learnt
        lab.execute("db2", "rm /var/log/audit/filled; auditctl -m lab; sleep 2")
        assert "suspended its log" in of_denials(patient)["db2"], "room alone does not wake it"
        lab.execute("db2", "systemctl kill -s USR2 auditd; sleep 2")
        assert of_denials(patient) == {}
    finally:
        lab.execute("db2", ENOUGH)


def test_a_member_whose_kernel_runs_no_selinux_is_left_out(patient: Operator, stock: dict[str, str]) -> None:
    lab.execute("db2", "systemctl stop mariadb; sync", limit=600)
    guests.reboot(lab.current().host("db2"), "none")
    lab.execute("db2", "systemctl start mariadb", limit=600)
    wait(synced, 300)
    other = lab.execute("db2", STATE + "; true")
    modes = {host["host"]: host["kernel"] for host in patient.json("selinux", "status")["hosts"]}
    assert modes["db1"] == "permissive"
    assert "no SELinux" in modes["db2"]
    learnt = patient.run("selinux", "learn", "--auto-approve", "--event", "slow-log")
    assert learnt.returncode == 0, said(learnt)
    assert "db2 is left out: the kernel runs no SELinux" in learnt.stdout + learnt.stderr
    assert lab.execute("db2", STATE + "; true") == other
    failed = [
        f
        for f in patient.json("audit", "--tip", "selinux")["findings"]
        if f["host"] == "db2" and f["verdict"] == "fail"
    ]
    assert [(f["check"], f["seen"]) for f in failed] == [("selinux.enforcing", "kernel=off, SELINUX=permissive")]
