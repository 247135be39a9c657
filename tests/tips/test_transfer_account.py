"""What a plan does, or refuses, on real output of hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster.settle import settle
from galvan.engine.audit import audit
from galvan.engine.document import from_document, to_document
from galvan.engine.plan import Plan, plan
from galvan.model import BadInput, PutFile, Rung, Sealed, Snapshot, Stage, Transfers, Unsafe
from galvan.pki.steps import certify
from galvan.tips.sst_account import TIP, former
from galvan.tips.sst_account.facts import AUTH, READER, auth, reader
from galvan.tips.sst_account.steps import rotated

SST = (
    "account\tsst\tlocalhost\t\t\t0\t\naccess\tsst\tlocalhost\t549755813887\t101119\t\t\n"
    "way\tsst\tlocalhost\tmysql_native_password\tset\t\t\nasker\troot@localhost"
)
OURS = SST.replace("\tsst\t", "\tgalvan_sst\t").replace("549755813887", "1048896")
KEPT = "kept\t1795818457\tsst\tpassword\nwritten\t1795818457\t\n"


def seen(
    over: str = "account-open", edit: list[list[str]] | None = None, account: str = "socket", method: str = ""
) -> Snapshot:
    found = snapshot_of({"from": over, "edit": edit or []})
    policy = replace(found.cluster.policy, sst=Transfers(method=method, account=account))
    return replace(found, cluster=replace(found.cluster, policy=policy))


def made(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> Plan:
    return plan(audit(snapshot, (TIP,)), snapshot, (TIP,), to, ("db2", "db1"), settle, certify)


def told(plan: Plan) -> list[tuple[Stage, str, tuple[str, ...]]]:
    return [
        (wave.stage, wave.host, tuple(step.id.partition(".")[2].split("@")[0] for step in wave.steps))
        for wave in plan.waves
    ]


def test_transfers_turn_before_the_account_loses_anything() -> None:
    assert told(made(seen())) == [
        (Stage.SST_ACCOUNT, "db2", ("turn",)), (Stage.SST_ACCOUNT, "db1", ("turn",)),
        (Stage.ACCOUNTS, "db2", ("proxies",)), (Stage.ACCOUNTS, "db1", ("proxies", "narrow")),
    ]  # fmt: skip


def test_half_way_nothing_is_narrowed() -> None:
    assert {stage for stage, _, _ in told(made(seen(), Rung.READY))} == {Stage.SST_ACCOUNT}


def test_what_is_done_is_not_done_again() -> None:
    assert made(seen("account-made")).waves == ()


def test_an_account_that_is_not_there_is_made_before_it_is_named() -> None:
    without = [
        [host, "server.grants", row, ""]
        for host in ("db1", "db2")
        for row in (
            "account\tmysql\tlocalhost\t\t\t0\t\n", "access\tmysql\tlocalhost\t18446744073709551615\t\t\t\n",
            "proxy\tmysql\tlocalhost\t\t\t1\t\n", "way\tmysql\tlocalhost\tmysql_native_password\tunusable\t\t\n",
            "way\tmysql\tlocalhost\tunix_socket\tnone\t\t\n",
        )
    ]  # fmt: skip
    first = made(seen(edit=without)).waves[0]
    assert first.stage is Stage.ASKER
    assert "create 'mysql'@'localhost', and grant BINLOG MONITOR, PROCESS, RELOAD" in first.steps[0].title


def test_rsync_needs_none_and_a_later_mariabackup_keeps_it() -> None:
    rsync = [
        [host, "server.variables", "wsrep_sst_method\tmariabackup", "wsrep_sst_method\trsync"]
        for host in ("db1", "db2")
    ]
    taken = made(seen(edit=rsync))
    assert {wave.steps[0].title for wave in taken.waves} == {"no account is named for transfers"}
    assert told(made(seen(edit=rsync, method="mariabackup"))) == told(made(seen()))
    assert made(seen("account-made", method="rsync")).waves == ()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            ["server.variables", "wsrep_sst_method\tmariabackup", "wsrep_sst_method\tmysqldump"],
            "needs an administrator",
        ),
        (["server.grants", "account\tmysql\tlocalhost\t\t\t0", "account\tmysql\tlocalhost\t\t1\t0"], "is locked"),
        (["server.grants", "way\tmysql\tlocalhost\tunix_socket\tnone\t\t\n", ""], "is not let in by the socket"),
        (["host.reading", "file\t", "argument\twsrep-sst-auth\nfile\t"], "stands on the command line"),
    ],
)
def test_what_the_owner_must_mend_is_said(edit: list[str], says: str) -> None:
    refused = made(seen(edit=[[host, *edit] for host in ("db1", "db2")])).refused
    assert says in refused["sst_account"]


def test_the_former_account_is_locked_once_there_is_evidence() -> None:
    edit = [
        ["db1", "server.grants", "asker\troot@localhost", SST],
        ["db1", "sst_account.auth", "kept\t1795818457\troot\tpassword\n", KEPT],
    ]
    waiting = seen("account-made", edit)
    assert [account.user for account in former.lockable(waiting)] == ["sst"]
    assert made(waiting).waves == ()
    db1, db2 = waiting.hosts
    proven = replace(
        waiting, hosts=(db1, replace(db2, readings={**db2.readings, READER.id: reader("mysql\t1795999999\n")}))
    )
    assert former.evidence(proven) == "db2 got its data by mysql since"
    assert told(made(proven)) == [(Stage.OLD_ACCOUNT, "db1", ("lock-'sst'",))]


def test_a_plan_with_a_password_holds_none_and_survives_its_document() -> None:
    with_password = made(seen(account="password"))
    assert [stage for stage, _, _ in told(with_password)] == [
        Stage.ASKER,
        Stage.SST_ACCOUNT,
        Stage.SST_ACCOUNT,
        Stage.OLD_ACCOUNT,
    ]
    puts = [a.content for w in with_password.waves for s in w.steps for a in s.do if isinstance(a, PutFile)]
    assert [type(content) for content in puts] == [Sealed, str, str]
    document: Any = to_document(with_password)
    assert "wsrep_sst_auth" in str(document)
    assert from_document(document, {fact.id: fact for fact in TIP.facts}).waves == with_password.waves


def with_password(half: bool = False) -> Snapshot:
    """As a member says it whose transfers log in with a password of Galvan's."""
    own = "/etc/mysql/mariadb.conf.d/zz-galvan-sst.cnf"
    said = f"auth\tgalvan_sst\tpassword\nserver\tmysql\tmysql\nplace\t{own}\t640\troot:mysql\tgalvan_sst\tpassword\n"
    said += "written\t1795818457\t20261127-222734\n" + ("next\n" if half else "")
    found = seen(
        "account-made", [[host, "server.grants", "asker\troot@localhost", OURS] for host in ("db1", "db2")], "password"
    )
    return replace(found, hosts=tuple(replace(h, readings={**h.readings, AUTH.id: auth(said)}) for h in found.hosts))


def test_a_new_password_is_taken_beside_the_old_and_then_alone() -> None:
    assert made(with_password()).waves == ()
    steps = [*rotated(with_password(), "20261128-000000", None)]
    assert [(step.id.partition(".")[2], step.stage) for step in steps] == [
        ("both", Stage.ASKER), ("turn@db1", Stage.SST_ACCOUNT), ("turn@db2", Stage.SST_ACCOUNT), ("alone", Stage.ACCOUNTS),
        ("clear", Stage.OLD_ACCOUNT),
    ]  # fmt: skip


def test_no_later_step_wants_what_stood_there_before() -> None:
    """Else a run would take the account as it was, with one password, for the account as it ends."""
    steps = [*rotated(with_password(), "20261128-000000", None)]
    for number, step in enumerate(steps):
        later = [
            item
            for s in steps[number + 1 :]
            if (s.host, s.read.id) == (step.host, step.read.id)
            for item in s.want.items()
        ]
        assert not [item for item in step.before.items() if item in later and step.want.get(item[0]) != item[1]]


def test_where_there_is_nothing_to_change_it_is_said() -> None:
    with pytest.raises(BadInput, match="there is no password to change"):
        rotated(seen("account-made"), "x", None)
    with pytest.raises(BadInput, match="the password on db1, db2 is not Galvan's"):
        rotated(seen(), "x", None)
    with pytest.raises(Unsafe, match="was begun and is not done"):
        rotated(with_password(half=True), "x", None)
