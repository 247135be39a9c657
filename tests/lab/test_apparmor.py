"""AppArmor on real guests: a server under a profile that complains, one that is enforced, what is refused then, and back.

Guests are emulated, and the tests go on from each other, in the order in which they stand, so they wait in the campaign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from galvan import lab
from galvan.edges import denials as files
from galvan.model.denials import Answer

from . import misuse
from .operator import Operator, synced

GROUND = {"guests": "apparmor"}
pytestmark = [pytest.mark.lab, pytest.mark.guest, pytest.mark.campaign]
HOSTS = ("db1", "db2")
TRIED = [
    word
    for event in ("slow-log", "check-9200", "backup-mysqldump", "backup-mariabackup", "ist", "sst")
    for word in ("--event", event)
]
UNDER = "tr -d '\\0' </proc/$(pgrep -o -x mariadbd)/attr/current"
PROFILE = "/etc/apparmor.d/galvan_mariadbd"


@pytest.fixture(scope="module")
def patient(operator: Operator) -> Operator:
    return replace(operator, patience=3600)


def under() -> list[str]:
    return [lab.execute(host, UNDER).strip() for host in HOSTS]


def test_the_packaged_profile_holds_nobody_back(patient: Operator) -> None:
    assert under() == ["unconfined"] * 2
    assert all(
        misused()
        for misused in (misuse.reads_secrets, misuse.writes_outside)
        if not lab.execute(misuse.HOST, misuse.GROUND)
    )
    failed = [f["host"] for f in patient.json("audit", "--tip", "selinux")["findings"] if f["verdict"] == "fail"]
    assert failed == [*HOSTS]


def test_it_learns_what_a_server_under_its_profile_asks_for(patient: Operator) -> None:
    learnt = patient.json("selinux", "learn", "--auto-approve", *TRIED)
    print("learnt:", learnt["events"])
    assert not learnt["failed"]
    assert sum(learnt["events"].values()) > 0
    assert under() == ["galvan_mariadbd (complain)"] * 2
    rules = files.read(patient.home / files.NAME).rules
    assert "galvan_mariadbd/ipc_lock/capability" in rules
    assert not [name for name in rules if "/usr/lib/" in name or "null-" in name], "what its scripts run is its own"
    assert {rule.answer for rule in rules.values()} <= {Answer.ALLOW, Answer.HOLD}


def test_it_is_enforced_and_nothing_is_refused(patient: Operator) -> None:
    patient.json("selinux", "build")
    held = [rule.name for rule in files.read(patient.home / files.NAME).rules.values() if rule.answer is Answer.HOLD]
    accepted = [word for name in held for word in ("--accept-impact", name)]
    done = patient.json("selinux", "enforce", "--auto-approve", *TRIED, *accepted)
    print("enforced:", done["events"])
    assert done["refused"] == ""
    assert set(done["events"].values()) == {0}
    assert under() == ["galvan_mariadbd (enforce)"] * 2
    assert synced()
    assert patient.json("audit", "--tip", "selinux")["rungs"]["selinux"] == "enforced"


MISUSES: tuple[Callable[[], bool], ...] = (
    misuse.reads_secrets, misuse.loads_secrets, misuse.writes_outside, misuse.runs_what_it_likes,
)  # fmt: skip


@pytest.mark.parametrize("misused", MISUSES, ids=lambda misused: misused.__name__)
def test_a_misuse_is_refused_and_noted(patient: Operator, misused: Callable[[], bool]) -> None:
    """The control: the same works as soon as the profile only complains."""
    host = misuse.HOST
    lab.execute(host, misuse.GROUND)
    noted = 'grep -ac \'apparmor="DENIED".*profile="galvan_mariadbd"\' /var/log/audit/audit.log; true'
    before = int(lab.execute(host, noted))
    assert misused() is False
    assert int(lab.execute(host, f"sleep 2; {noted}")) > before
    complain = f"sed 's/^\\(profile [^{{]*\\){{$/\\1flags=(complain) {{/' {PROFILE} >/tmp/complain; apparmor_parser -r /tmp/complain"
    lab.execute(host, f"{complain}; {misuse.GROUND}")
    try:
        assert misused() is True
    finally:
        lab.execute(host, f"apparmor_parser -r {PROFILE}")


def test_it_goes_back(patient: Operator) -> None:
    runs = patient.json("runs")["runs"]
    for run in dict.fromkeys(r["run"] for r in runs if r["status"] == "done" and not r["run"].startswith("undo-")):
        done = patient.run("rollback", run, "--auto-approve")
        assert done.returncode == 0, done.stdout + done.stderr
    assert under() == ["unconfined"] * 2
    for host in HOSTS:
        assert (
            lab.execute(
                host, f"ls {PROFILE} 2>/dev/null; grep -c galvan /sys/kernel/security/apparmor/profiles; true"
            ).strip()
            == "0"
        )
    assert synced()
