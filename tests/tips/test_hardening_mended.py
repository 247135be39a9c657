"""What the tip would change on a fresh server, and on a cluster in memory: one restart, in its own name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from practice_cases import snapshot_of

from galvan.cluster.settle import settle
from galvan.model import Finding, Hardening, Rung, Setting, Snapshot, Stage, Step, Verdict
from galvan.tips import TIPS
from galvan.tips.hardening import impact, modes, proofs, steps
from galvan.tips.hardening.checks import CHECKS
from galvan.tips.hardening.files import EXCHANGE, LOGS

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))
from practice import carry, insecure, judged, planned, run

TIP = next(tip for tip in TIPS if tip.id == "hardening")


def failing(snapshot: Snapshot) -> list[Finding]:
    return [f for check in CHECKS for f in check.judge(snapshot) if f.verdict is Verdict.FAIL]


def mended(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> tuple[dict[str, Setting], dict[str, Step]]:
    wanted = [*steps.mend(failing(snapshot), snapshot, to)]
    settings = {f"{n.name}={n.value}": n for n in wanted if isinstance(n, Setting)}
    return settings, {s.title: s for s in wanted if isinstance(s, Step)}


def test_what_a_fresh_server_lacks_is_asked_for_once() -> None:
    settings, made = mended(snapshot_of({"from": "fresh-10.11"}))
    assert {name for name, need in settings.items() if need.live} == {
        "local_infile=OFF", "max_password_errors=1000", "strict_password_validation=ON",
    }  # fmt: skip
    assert {name for name, need in settings.items() if not need.live} == {
        f"secure_file_priv={EXCHANGE}", "symbolic_links=OFF", "plugin_load_add=simple_password_check", "plugin_load_add=server_audit",
        "simple_password_check_minimal_length=14", "server_audit=FORCE_PLUS_PERMANENT", "server_audit_logging=ON",
        "server_audit_events=CONNECT,QUERY_DDL,QUERY_DCL", "server_audit_output_type=file",
        f"server_audit_file_path={LOGS}/server_audit.log", "server_audit_file_rotate_size=10000000",
    }  # fmt: skip
    assert {need.stage for need in settings.values() if not need.live} == {Stage.FIRST_RESTART}
    assert set(made) == {
        f"make {EXCHANGE}",
        f"make {LOGS}",
        "/var/lib/mysql: 0755 mysql:mysql becomes 0750 mysql:mysql",
    }


def test_half_way_up_nothing_is_refused() -> None:
    settings, _ = mended(snapshot_of({"from": "fresh-10.11"}), Rung.READY)
    assert not {need.stage for need in settings.values()} & {Stage.REFUSE}


def test_the_audit_log_goes_where_the_policy_says() -> None:
    snapshot = snapshot_of({"from": "fresh-10.11"})
    policy = replace(snapshot.cluster.policy, hardening=Hardening(audit="syslog", audit_exclude=("galvan-health",)))
    settings, made = mended(replace(snapshot, cluster=replace(snapshot.cluster, policy=policy)))
    assert {"server_audit_output_type=syslog", "server_audit_excl_users=galvan-health"} <= set(settings)
    assert not [name for name in settings if name.startswith("server_audit_file")]
    assert f"make {LOGS}" not in made


def test_modes_come_back_exactly() -> None:
    key = "/etc/ssl/server-key.pem"
    line = f"tag\tdata\t/var/lib/mysql\ntag\tkey\t{key}\nstat\t604\troot\tssl\tregular file\t/\t{key}\n"
    snapshot = snapshot_of(
        {"from": "fresh-10.11", "edit": [["db1", "hardening.files", "tag\tdata\t/var/lib/mysql\n", line]]}
    )
    (step,) = modes.mend(snapshot.of("db1"), ["hardening.keys-closed"])
    assert (step.before, step.want) == ({key: "0604 root:ssl"}, {key: "0640 root:mysql"})
    assert [action.text for action in step.do] == [f"chown root:mysql {key}; chmod 0640 {key}"]  # type: ignore[union-attr]
    assert [action.text for action in step.undo] == [f"chown root:ssl {key}; chmod 0604 {key}"]  # type: ignore[union-attr]


def test_an_administrators_login_is_not_opened_to_the_servers_group() -> None:
    home = "/root/.my.cnf"
    lines = f"tag\tdata\t/var/lib/mysql\ntag\tlogin\t{home}\nsecret\tpassword\t{home}\nstat\t644\troot\troot\tregular file\t/\t{home}\n"
    snapshot = snapshot_of(
        {"from": "fresh-10.11", "edit": [["db1", "hardening.files", "tag\tdata\t/var/lib/mysql\n", lines]]}
    )
    (step,) = modes.mend(snapshot.of("db1"), ["hardening.login-files", "hardening.secrets-closed"])
    assert step.want == {home: "0600 root:root"}


def test_who_loads_files_is_named_before_anything_is_done() -> None:
    used = {"db1": {"hardening.counted": "Com_load\t12\nUptime\t3600\n"}}
    snapshot = snapshot_of({"from": "fresh-10.11", "output": used})
    found = {i.who: i for i in impact.impact(snapshot, None)}
    assert {who: i.widen for who, i in found.items()} == {"file-loaders": True, "local-file-loaders": False}
    assert "Com_load=12" in found["file-loaders"].evidence
    assert [*impact.impact(snapshot_of({"from": "fresh-10.11"}), None)] == []
    assert [*impact.impact(snapshot, snapshot)] == [], "nothing came in the window"


def test_what_can_be_unloaded_is_not_unloaded_to_show_it() -> None:
    loaded = {"db1": {"hardening.plugins": "SERVER_AUDIT\tACTIVE\tAUDIT\tON\tserver_audit.so\n"}}
    for said, word in (({}, "UNINSTALL"), ({"output": loaded}, "SELECT")):
        found = {p.id.split("@")[0]: p for p in proofs.proofs(snapshot_of({"from": "fresh-10.11", **said}))}
        assert found["hardening.audit-stays"].attempt.statement.startswith(word)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["have_symlink", "local_infile"])
def test_alone_it_costs_one_restart_at_most_in_its_own_name(name: str) -> None:
    fake = insecure()
    for machine in fake.machines.values():
        if machine.server:
            machine.server.variables[name] = {"have_symlink": "YES", "local_infile": "ON"}[name]
    made = run(planned(fake, (TIP,)))
    static = name == "have_symlink"
    assert dict(made.restarts) == (
        dict.fromkeys(("db1", "db2", "db3"), 1) if static else {w.host: 0 for w in made.waves}
    )
    assert {tip for wave in made.waves for tip in wave.tips} == {"hardening"}
    run(carry(fake, made))
    assert not [f for f in run(judged(fake, (TIP,)))[1] if f.verdict is Verdict.FAIL and f.rung is not Rung.OPEN]


def test_plugins_of_two_rooms_are_one_line() -> None:
    snapshot, _ = run(judged(insecure(), (TIP,)))
    needs = [
        Setting("db1", "mysqld", "plugin_load_add", name, Stage.FIRST_RESTART, "hardening", name)
        for name in ("server_audit", "file_key_management")
    ]
    (written,) = [step for step in settle(needs, snapshot) if step.title.startswith("write")]
    assert 'plugin_load_add = "server_audit;file_key_management"' in written.do[0].content  # type: ignore[union-attr, operator]
