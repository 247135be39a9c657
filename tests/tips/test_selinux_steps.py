"""What a plan would do to a host with SELinux or AppArmor, on real output of a guest; and what it refuses, with what to install."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster.order import invert
from galvan.engine.audit import audit
from galvan.model import Blind, Impact, Rung, Shell, Snapshot, Stage, Step, remaining
from galvan.model.denials import Answer, Book, Denial, Rule
from galvan.tips import selinux
from galvan.tips.selinux import apparmor, steps
from galvan.tips.selinux.events import Event, Skipped, events

WATCHED: dict[str, Any] = {"from": "open", "over": "selinux-watched"}
NONE = {"selinux.state": "container=yes\nkernel=off\nconfig=\napparmor=off\n"}
MODULE = "; galvan_galera 4\n; boolean mysql_connect_any on\n(optional galvan_galera_1 (allow mysqld_t initrc_tmp_t (file (write))))\n"
APPARMOR = {
    "selinux.state": "container=no\nkernel=off\nconfig=\napparmor=on\nhas-apparmor_parser=yes\ncontext=unconfined\nexe=/usr/sbin/mariadbd\n",
    "selinux.denials": "since 0\nlost 0\nfree 3000000\nsource journal\n\nend",
    "selinux.profile": "context=unconfined\nown=\nmode=\nforeign=\n",
    "selinux.config": "", "selinux.ports": "", "selinux.labels": "off",
}  # fmt: skip


def seen(learnt: str = "", profile: str = "", **said: Any) -> Snapshot:
    """db1 is the guest; db2 has no SELinux."""
    output = {"db2": NONE, **said.pop("output", {})}
    snapshot = snapshot_of({**WATCHED, **said, "output": output})
    return replace(snapshot, cluster=replace(snapshot.cluster, learnt=learnt, profile=profile))


def planned(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> dict[str, Step]:
    failing = [f for f in audit(snapshot, (selinux.TIP,)) if f.verdict == "fail"]
    return {step.id: step for step in steps.mend(failing, snapshot, to)}


def text(step: Step) -> str:
    return "\n".join(action.text for action in (*step.do, *step.undo) if isinstance(action, Shell))


def test_labels_come_before_anything_is_refused() -> None:
    made = planned(seen(), Rung.READY)
    assert list(made) == ["selinux.widen@db1", "selinux.labels@db1"]
    assert {step.stage for step in made.values()} == {Stage.LABEL}
    assert dict(made["selinux.widen@db1"].want) == {
        "local.tcp.4567": "mysqld_port_t", "local.tcp.4568": "mysqld_port_t", "local.tcp.4444": "mysqld_port_t", "permissive.mysqld_t": "400",
    }  # fmt: skip
    assert made["selinux.labels@db1"].want["wrong"] == 0


def test_a_port_that_the_policy_calls_something_else_is_modified() -> None:
    said = text(planned(seen())["selinux.widen@db1"])
    assert re.search(r"echo port -m -t mysqld_port_t -p tcp 4444", said)
    assert re.search(r"echo port -a -t mysqld_port_t -p tcp 4567", said)
    assert re.search(r"echo port -d -p tcp 4444", said)


def test_an_administrators_label_comes_back() -> None:
    edit = [["db1", "selinux.state", "dontaudit=on", "dontaudit=on\nlocal.tcp.4568=http_port_t"]]
    step = planned(seen(edit=edit))["selinux.widen@db1"]
    assert step.before["local.tcp.4568"] == "http_port_t"
    assert "port -m -t http_port_t -p tcp 4568" in text(step)
    assert remaining(invert(step), step.before) == {}


def test_the_learnt_module_enforces_and_everything_of_it_can_be_undone() -> None:
    made = planned(seen(learnt=MODULE))
    step = made["selinux.confine@db1"]
    assert dict(step.want) == {
        "kernel": "enforcing", "dontaudit": "on", "module": sha256(MODULE.encode()).hexdigest(), "boolean.mysql_connect_any": "1",
    }  # fmt: skip
    assert step.before == {"kernel": "permissive", "dontaudit": "on", "module": None, "boolean.mysql_connect_any": "0"}
    assert step.deadman is not None
    assert isinstance(step.do[-1], Shell)
    assert step.do[-1].text == "setenforce 1"
    assert isinstance(step.undo[0], Shell)
    assert step.undo[0].text.startswith("setenforce 0")
    assert "-X 400 -r galvan_galera" in step.undo[0].text
    assert list(made)[-1] == "selinux.boots@db1"
    assert "SELINUX=enforcing" in str(made["selinux.boots@db1"].want["text"]).splitlines()


def test_what_was_watched_is_no_longer() -> None:
    edit = [["db1", "selinux.state", "dontaudit=on", "dontaudit=off\npermissive.mysqld_t=400"]]
    step = planned(seen(learnt=MODULE, edit=edit))["selinux.confine@db1"]
    assert step.want["permissive.mysqld_t"] is None
    assert step.before["permissive.mysqld_t"] == "400"
    assert 'semodule "$@" -DB' in text(step)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (["db1", "selinux.state", "has-semanage=yes", "has-semanage=no"], "db1 has no semanage: install policycoreutils-python-utils"),
        (["db1", "selinux.state", "context=system_u:system_r:mysqld_t:s0", "context=system_u:system_r:unconfined_service_t:s0"], "runs as unconfined_service_t"),
        (["db1", "selinux.state", "secure_mode_policyload=0", "secure_mode_policyload=1"], "takes no new policy until it boots"),
    ],
    ids=["tools", "unconfined", "locked"],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_what_to_do(edit: list[str], why: str) -> None:
    with pytest.raises(Blind, match=why):
        planned(seen(edit=[edit]))


def test_nothing_is_enforced_that_nobody_tried() -> None:
    found: list[Impact] = [*selinux.TIP.impact(seen(), None)]
    assert {impact.host for impact in found} == {"db1"}
    assert "unlearnt" in {impact.who for impact in found}
    assert "mysqld_t/initrc_tmp_t/file" in {impact.who for impact in found}


def test_what_the_module_covers_hurts_nobody() -> None:
    names = {impact.who for impact in selinux.TIP.impact(seen(learnt=MODULE), None)}
    assert "mysqld_t/initrc_tmp_t/file" not in names
    assert "mysqld_t/domain/dir" in names


def test_a_container_has_no_proofs_and_a_guest_has() -> None:
    assert {proof.host for proof in selinux.TIP.proofs(seen())} == {"db1"}


# events -------------------------------------------------------------------------------------------------------------------
def tried(*chosen: str, **said: Any) -> dict[str, Event | Skipped]:
    snapshot = seen(**said)
    found = events(snapshot.of("db1"), snapshot, chosen)
    return {one.event if isinstance(one, Skipped) else one.id: one for one in found}


def test_the_seeds_events_are_all_there() -> None:
    found = tried()
    assert list(found) == [
        "slow-log",
        "binlog",
        "tls-reload",
        "check-9200",
        "backup-mysqldump",
        "backup-mariabackup",
        "ist",
        "sst-mariabackup",
    ]
    assert isinstance(found["tls-reload"], Skipped)


def test_a_binary_log_that_replicas_follow_is_never_switched_off() -> None:
    on = tried("binlog", edit=[["db1", "selinux.paths", "log_bin\tOFF", "log_bin\tON"]])["binlog"]
    off = tried("binlog")["binlog"]
    assert isinstance(on, Event)
    assert isinstance(off, Event)
    assert on.passes == ()
    assert [one.options for one in off.passes] == ["--log-bin=galvan_rehearsal", ""]


# AppArmor ---------------------------------------------------------------------------------------------------------------
def profiled(**said: str) -> Snapshot:
    output = {**APPARMOR, **{f"selinux.{key}": value for key, value in said.items() if key != "learnt"}}
    return seen(profile=said.get("learnt", ""), output={"db1": output})


def test_an_empty_packaged_profile_is_answered_by_one_that_complains() -> None:
    made = planned(profiled(), Rung.READY)
    assert list(made) == ["selinux.profile@db1"]
    assert made["selinux.profile@db1"].want["mode"] == "complain"


def test_the_profile_is_enforced_once_the_server_is_under_it() -> None:
    with pytest.raises(Blind, match="galvan node restart db1"):
        planned(profiled(learnt="1\n/etc/hosts r,\n", profile="context=unconfined\nown=a\nmode=complain\nforeign=\n"))
    under = "context=galvan_mariadbd (complain)\nown=a\nmode=complain\nforeign=\n"
    step = planned(profiled(learnt="1\n/etc/hosts r,\n", profile=under))["selinux.enforce-profile@db1"]
    assert step.want["mode"] == "enforce"
    assert step.deadman is not None


def test_a_profile_of_somebody_elses_is_left_alone() -> None:
    with pytest.raises(Blind, match="not Galvan's: /etc"):
        planned(profiled(profile="context=unconfined\nown=\nmode=\nforeign=/etc/apparmor.d/usr.sbin.mysqld \n"))


def test_what_apparmor_noted_becomes_lines_and_dangers_wait() -> None:
    noted = Denial(1, 1, frozenset({"wc"}), "mariadbd", apparmor.PROFILE, "open", "file", "/etc/cron.d/x")
    known = apparmor.known(noted)
    rule = Rule(known.rule, known.permissions, Answer.ALLOW, "")
    assert (rule.name, rule.permissions) == ("galvan_mariadbd//etc/cron.d/x/file", {"w"})
    assert [*apparmor.dangers(rule)]
    reads = Rule("galvan_mariadbd//proc/[0-9]*/stat/file", frozenset("r"), Answer.ALLOW, "")
    assert apparmor.granted(Book({reads.name: reads}, {})) == ("/proc/[0-9]*/stat r,",)


@pytest.mark.skipif(not shutil.which("apparmor_parser"), reason="apparmor_parser is not installed here")
@pytest.mark.parametrize("complain", [True, False])
def test_the_profile_is_one_that_apparmor_takes(tmp_path: Path, complain: bool) -> None:
    paths = {
        "datadir": "/var/lib/mysql/",
        "tmpdir": "/tmp",
        "log_error": "/var/log/mysql/error.log",
        "plugin_dir": "/usr/lib/mysql/plugin/",
    }
    learnt = ("/usr/bin/dash ix,", "/proc/[0-9]*/stat r,", "capability chown,", "network inet dgram,")
    (tmp_path / "profile").write_text(apparmor.profile(paths, "/usr/sbin/mariadbd", learnt, complain))
    done = subprocess.run(
        ["apparmor_parser", "-Q", "-K", str(tmp_path / "profile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
