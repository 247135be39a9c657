"""The ladder of encryption at rest, planned on real output: keys before restarts, restarts before tables, and where it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster.facts import OWN_CONFIG
from galvan.cluster.order import invert
from galvan.cluster.settle import LOADED, _joined
from galvan.engine.audit import audit
from galvan.model import Blind, HostFacts, PutFile, Rung, SecretRef, Setting, Snapshot, Stage, Step, Verdict, remaining
from galvan.tips import TIPS
from galvan.tips.hardening import at_rest
from galvan.tips.hardening.at_rest.facts import disk

ASKED = {"hardening": {"at_rest": "file"}}
KEPT = {"1": "5338a7b91d3ab5d9", "2": "3a307e837aeb5139"}
TIP = next(tip for tip in TIPS if tip.id == "hardening")


def planned(said: dict[str, Any], to: Rung = Rung.ENFORCED) -> list[Step | Setting]:
    seen = snapshot_of(said)
    mine = {check.id for check in at_rest.CHECKS}
    failing = [f for f in audit(seen, [TIP]) if f.check in mine and f.verdict is Verdict.FAIL]
    return [change for change in at_rest.mend(failing, seen, to) if isinstance(change, Step | Setting)]


def stages(changes: list[Step | Setting], host: str = "db1") -> dict[str, Stage]:
    return {
        change.id.partition("@")[0] if isinstance(change, Step) else change.name: change.stage
        for change in changes
        if change.host == host
    }


def test_keys_before_encryption_before_tables() -> None:
    found = stages(planned({"from": "at-rest-none", **ASKED}))
    assert found["hardening.at-rest-keys"] is Stage.PREPARE
    assert found["plugin_load_add"] is found["file_key_management_filename"] is Stage.FIRST_RESTART
    assert found["innodb_encrypt_log"] is found["encrypt_binlog"] is Stage.STAGE_STRICT
    assert found["innodb_encrypt_tables"] is found["hardening.at-rest-tables"] is Stage.ENCRYPT


def test_no_secret_is_in_a_step() -> None:
    puts = [
        action
        for change in planned({"from": "at-rest-none", **ASKED})
        if isinstance(change, Step)
        for action in change.do
        if isinstance(action, PutFile)
    ]
    assert puts
    assert all(isinstance(put.content, SecretRef) and put.mode == 0o600 and put.owner == "mysql:mysql" for put in puts)


def test_half_way_only_makes_the_keys_known() -> None:
    assert set(stages(planned({"from": "at-rest-none", **ASKED}, Rung.READY)).values()) == {
        Stage.PREPARE,
        Stage.FIRST_RESTART,
    }


def test_nothing_is_planned_where_nobody_asks() -> None:
    assert planned({"from": "at-rest-none"}) == []


def test_nothing_is_planned_where_all_is_encrypted() -> None:
    assert planned({"from": "at-rest", "escrow": KEPT, **ASKED}) == []


def test_no_second_set_of_keys_beside_the_first() -> None:
    with pytest.raises(Blind, match="this machine does not keep"):
        planned({"from": "at-rest", **ASKED})


def test_one_members_own_keys_are_not_mixed_with_others() -> None:
    output = {"db2": {"hardening.at_rest_files": "named=/etc/mysql/keys.enc\npassword=file\nkey 1=0123456789abcdef\n"}}
    with pytest.raises(Blind, match="bring the same to every member first"):
        planned({"from": "at-rest-none", "output": output, **ASKED})


def test_a_kept_key_that_no_host_has_is_laid_down_and_read() -> None:
    found = stages(planned({"from": "at-rest", "escrow": KEPT | {"3": "0123456789abcdef"}, **ASKED}))
    assert found == {
        "hardening.at-rest-newer": Stage.STAGE_STRICT, "hardening.at-rest-keys": Stage.PREPARE,
        "file_key_management_filename": Stage.FIRST_RESTART, "innodb_default_encryption_key_id": Stage.ENCRYPT,
    }  # fmt: skip


def test_the_way_back_stops_while_a_binary_log_needs_a_key() -> None:
    gate = next(c for c in planned({"from": "at-rest-none", **ASKED}) if isinstance(c, Step) and "at-rest-left" in c.id)
    back = invert(gate)
    assert remaining(gate, {"left": "nothing"}) == {}
    assert remaining(back, {"left": "nothing"}) == {}
    assert remaining(back, {"left": "2 binary logs"}) == {"left": "nothing"}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("redo=80\naria=0\nbinlogs=2\nbinlogs_odd=0\nbinlogs_encrypted=0\n", "nothing"),
        ("redo=240\naria=0\nbinlogs=0\n", "the redo log"),
        ("redo=80\naria=3\nbinlogs=2\nbinlogs_odd=0\nbinlogs_encrypted=1\n", "3 Aria tables and 1 binary logs"),
    ],
)
def test_what_needs_a_key_is_read_off_the_disk(said: str, left: str) -> None:
    assert disk(said)["left"] == left


def test_what_two_load_is_one_line() -> None:
    seen = snapshot_of({"from": "at-rest-none"})
    facts = HostFacts(seen.hosts[0].host, {OWN_CONFIG.id: {}})
    there = Snapshot(seen.cluster, (facts,), {}, 0.0)
    needs = [
        Setting("db1", "mysqld", LOADED, plugin, Stage.FIRST_RESTART, "hardening", f"{plugin} is wanted")
        for plugin in ("a", "b")
    ]
    assert [need.value for need in _joined(needs, there)] == ["a;b"]
