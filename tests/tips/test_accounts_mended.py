"""Accounts are locked or narrowed, and never more: who must not be locked is not, and what is said of names stays a name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from practice_cases import FACTS, snapshot_of

from galvan.cluster.grants import GRANTS, Account
from galvan.cluster.logins import Lodge
from galvan.cluster.order import Wave, invert
from galvan.engine.document import wave_document, wave_from
from galvan.model import Finding, Rung, Snapshot, Sql, Stage, Step, Unreadable, Verdict, remaining
from galvan.tips.hardening import accounts
from galvan.tips.hardening.accounts.impact import impact, settled
from galvan.tips.hardening.accounts.steps import to_lock

POLICY = {"applications": ["legacy"], "monitors": ["exporter"], "backups": ["nightly"], "replication": ["feeder"]}
ADDED = "account\t{user}\t{host}\t\t\t0\t\naccess\t{user}\t{host}\t{access}\t101119\t\t\nway\t{user}\t{host}\t{plugin}\t{secret}\t\t\n"


def seen(over: str = "accounts-careless", added: str = "", **more: Any) -> Snapshot:
    """`added`: further rows of every member's accounts."""
    edits = [[db, "server.grants", "asker\t", f"{added}asker\t"] for db in ("db1", "db2")] if added else []
    return snapshot_of({"from": "open", "over": over, "edit": edits, **more})


def row(user: str, host: str, access: int = 0, plugin: str = "mysql_native_password", secret: str = "empty") -> str:
    return ADDED.format(user=user, host=host, access=access, plugin=plugin, secret=secret)


def failing(snapshot: Snapshot) -> list[Finding]:
    return [f for check in accounts.CHECKS for f in check.judge(snapshot) if f.verdict is Verdict.FAIL]


def mended(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> list[Step]:
    return [step for step in accounts.mend(failing(snapshot), snapshot, to) if isinstance(step, Step)]


def statements(steps: Sequence[Step]) -> list[str]:
    return [action.text for step in steps for action in step.do if isinstance(action, Sql)]


def locked(snapshot: Snapshot) -> set[str]:
    return {account.name for account, _ in to_lock(snapshot.having("database")[0], snapshot)}  # type: ignore[arg-type]


# nothing destructive --------------------------------------------------------------------------------------------
def test_the_accounts_that_another_tool_dropped_are_all_left() -> None:
    """dev-sec/ansible-collection-hardening#444: a column `password` is empty on every new server, so every account went."""
    said = statements(mended(seen(hardening=POLICY)))
    assert [
        text for text in said if not re.match(r"ALTER USER .* ACCOUNT LOCK$|REVOKE |SET GLOBAL userstat = ON$", text)
    ] == []
    harmless = (
        "web",
        "ann",
        "ird",
        "gone",
        "sleeping",
        "reader",
        "PUBLIC",
        "'mysql'",
        "mariadb.sys",
        "'root'@'localhost'",
    )
    assert [text for text in said for name in harmless if name in text] == []


def test_what_is_done_and_how_it_is_undone() -> None:
    steps = {
        step.title.partition(":")[0]: step for step in mended(seen(hardening=POLICY)) if step.stage is Stage.ACCOUNTS
    }
    save, *changes = steps.values()
    assert save.title.startswith("save 8 accounts")
    assert {step.host for step in changes} == {"db1"}
    undone = {
        step.do[0].text: step.undo[0].text
        for step in changes
        if isinstance(step.do[0], Sql) and isinstance(step.undo[0], Sql)
    }
    assert undone["ALTER USER 'nopw'@'%' ACCOUNT LOCK"] == "ALTER USER 'nopw'@'%' ACCOUNT UNLOCK"
    assert undone["REVOKE SUPER ON *.* FROM 'feeder'@'10.8.%'"] == "GRANT SUPER ON *.* TO 'feeder'@'10.8.%'"
    assert (
        undone["REVOKE GRANT OPTION ON `app`.* FROM 'legacy'@'10.8.%'"]
        == "GRANT USAGE ON `app`.* TO 'legacy'@'10.8.%' WITH GRANT OPTION"
    )
    (wide,) = [text for text in undone if "CREATE USER" in text]
    assert wide.startswith(
        "REVOKE CREATE USER, FILE, GRANT OPTION, PROCESS, RELOAD, REPLICATION SLAVE, SHUTDOWN, SUPER ON *.*"
    )


def test_the_saved_statements_stay_on_the_way_back() -> None:
    (save,) = [step for step in mended(seen(hardening=POLICY)) if step.id == "hardening.accounts-saved"]
    assert remaining(save, {}) == dict(save.want)
    assert remaining(invert(save), dict(save.want)) == {}


def test_every_step_can_be_taken_back_out_of_what_lies_on_the_host() -> None:
    """Another process reads the wave there, and looks its facts up by their names."""
    steps = mended(seen(hardening=POLICY))
    wave = Wave(Stage.ACCOUNTS, "db1", tuple(step for step in steps if step.stage is Stage.ACCOUNTS))
    assert wave_from(json.loads(json.dumps(wave_document(wave))), FACTS) == wave
    assert {step.read for step in steps} <= set(FACTS.values())


def test_without_a_purpose_nothing_is_taken_away() -> None:
    assert not [text for text in statements(mended(seen())) if text.startswith("REVOKE")]


def test_nothing_is_left_to_do_once_it_is_done() -> None:
    assert [s for s in mended(seen("accounts-mended", hardening=POLICY)) if s.stage is Stage.ACCOUNTS] == []


def test_a_fresh_server_is_left_alone() -> None:
    assert mended(seen("accounts-fresh")) == []
    assert mended(seen("accounts-modern")) == []


def test_below_enforced_nothing_is_locked() -> None:
    assert mended(seen(hardening=POLICY), Rung.READY) == []


def test_logins_are_counted_after_the_restarts_that_would_end_it() -> None:
    counting = [step for step in mended(seen(hardening=POLICY)) if "userstat" in step.title]
    assert [step.host for step in counting] == ["db1", "db2"]
    assert {step.stage for step in counting} == {Stage.HAND_OUT}


def test_what_others_run_as_it_keeps_its_rights() -> None:
    routines = {"db1": {"hardening.routines": "PROCEDURE\tapp\tp\tlegacy@10.8.%\tDEFINER\n"}}
    assert not [text for text in statements(mended(seen(hardening=POLICY, output=routines))) if "legacy" in text]


# who must not be locked -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("added", "more"),
    [
        ("", {"hardening": {"administrators": ["'root'@'%'", "nopw"]}}),
        ("", {"hardening": {"monitors": ["nopw"], "backups": ["root"]}}),
        ("", {"output": {"lb1": {"balancer.check_users": "nopw\n"}, "db1": {"hardening.transfer-user": "nopw=transfer\n"}}}),
        ("", {"output": {"db2": {"hardening.used": "server\t60\t1\t0\t0\nlive\tnopw\t10.8.0.4:0\t1\t1\n"}}}),
    ],
    ids=["administrator", "monitor", "transfer", "replica"],
)  # fmt: skip
def test_whoever_is_needed_is_spared(added: str, more: dict[str, Any]) -> None:
    assert "'nopw'@'%'" not in locked(seen(added=added, **more))


def test_the_operator_is_not_locked_out() -> None:
    """Root with an empty password is a finding, and a person's to mend: he may be the last administrator."""
    snapshot = seen(
        "accounts-fresh",
        edit=[["db1", "server.grants", "mysql_native_password\tunusable", "mysql_native_password\tempty"]],
    )
    assert "hardening.empty-passwords" in {finding.check for finding in failing(snapshot)}
    assert mended(snapshot) == []


def test_the_transfers_user_elsewhere_is_somebody_else() -> None:
    """wsrep_sst_auth names root, who comes over the socket: root from anywhere is none of it."""
    assert "'root'@'%'" in locked(seen(output={"db1": {"hardening.transfer-user": "root=transfer\n"}}))


# who would be hurt ----------------------------------------------------------------------------------------------
COUNTED = "server\t7200\t1\t0\t0\nlive\tnopw\t10.8.0.7:0\t0\t3\nsince\tnopw\t10.8.0.7\t\t9\nsince\tstranger\t10.8.0.9\t\t2\nsince\troot\tlocalhost\t\t5\n"


def test_whom_a_lock_would_shut_out_is_named() -> None:
    snapshot = seen(
        output={
            "db1": {
                "hardening.used": COUNTED,
                "hardening.last-logins": "#since\t20261101 10:00:00\nroot@10.8.0.5\t20261120 03:00:00\n",
            }
        }
    )
    found = {hurt.who: hurt for hurt in impact(snapshot, None)}
    assert set(found) == {"nopw@10.8.0.7", "stranger@10.8.0.9", "root@10.8.0.5"}
    assert found["nopw@10.8.0.7"].evidence == "3 live sessions; 9 logins since the server started 2 hours ago"
    assert "''@'%'" in found["stranger@10.8.0.9"].what
    assert found["root@10.8.0.5"].evidence == "the audit log saw it last at 20261120 03:00:00"
    assert not any(settled(hurt, snapshot) for hurt in found.values())
    assert all(settled(hurt, seen("accounts-mended")) for hurt in found.values())


def test_who_loses_a_right_is_named_in_the_plan_and_holds_nothing_up() -> None:
    said = {hurt.who: hurt.what for hurt in impact(seen(hardening=POLICY), None)}
    assert said["'feeder'@'10.8.%'"] == "would lose SUPER on *.*"
    counted = {db: {"hardening.used": "server\t60\t1\t0\t0\n"} for db in ("db1", "db2")}
    assert list(impact(seen(hardening=POLICY, output=counted), seen())) == []


def test_a_server_that_does_not_count_cannot_say_who_is_hurt() -> None:
    with pytest.raises(Unreadable, match="userstat"):
        list(impact(seen(), seen()))


def test_userstat_does_not_say_since_when_it_counts() -> None:
    """Switched on a minute ago on a server that runs for a hundred days, it would make every account an unused one."""
    counted = {db: {"hardening.used": "server\t8640000\t0\t1\t0\n"} for db in ("db1", "db2")}
    (said,) = [f for f in accounts.CHECKS if f.id == "hardening.unused-accounts"]
    assert {finding.verdict for finding in said.judge(seen(output=counted))} == {Verdict.NOT_APPLICABLE}


def test_where_only_users_are_counted_every_account_of_the_name_may_be_meant() -> None:
    counted = "server\t60\t0\t1\t0\nuser\tnopw\t\t\t4\nuser\troot\t\t\t4\n"
    whole = {db: {"hardening.used": counted} for db in ("db1", "db2")}
    assert {hurt.who for hurt in impact(seen(output=whole), seen())} == {"nopw@?", "root@?"}


# for whom the server takes a login ------------------------------------------------------------------------------
def account(user: str, host: str) -> Account:
    return Account(user, host, False, False, False, "NONE", (), ())


@pytest.mark.parametrize(
    ("user", "client", "taken"),
    [
        ("app", "10.1.3.7", ["'app'@'10.1.3.%'"]),
        ("app", "10.0.3.7", ["'app'@'10.0.0.0/255.255.0.0'"]),
        ("app", "192.0.2.1", ["'app'@'%'"]),
        ("app", "", ["''@'localhost'"]),
        ("other", "", ["''@'localhost'"]),
        ("other", "192.0.2.1", []),
        ("ann", "db1", ["'ann'@'db1'"]),
        ("ann", "10.0.3.7", ["'ann'@'db1'", "'ann'@'10.%'"]),
    ],
)
def test_the_most_telling_host_wins(user: str, client: str, taken: list[str]) -> None:
    known = [
        account("app", "%"), account("app", "10.0.3.%"), account("app", "10.1.3.%"), account("app", "10.0.0.0/255.255.0.0"), account("", "localhost"),
        account("ann", "10.%"), account("ann", "db1"),
    ]  # fmt: skip
    found = [one.name for one in Lodge(known).serving(user, client)]
    assert found == taken


# names ----------------------------------------------------------------------------------------------------------
ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\0": "\\0"})
NAME = st.text(
    st.sampled_from("ab'\"`\\%_ ü-@.\n\t;#*/$()") | st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs",)),
    min_size=1,
    max_size=12,
)


def unquoted(text: str) -> tuple[str, str]:
    """A tokenizer that knows nothing of ours: the two literals after ALTER USER."""
    found, rest = [], text.removeprefix("ALTER USER ")
    for _ in range(2):
        match = re.match(r"'((?:[^'\\]|''|\\.)*)'(?!')", rest, re.S)
        assert match, text
        found.append(
            re.sub(r"''|\\(.)", lambda m: "'" if m[0] == "''" else {"n": "\n"}.get(m[1], m[1]), match[1], flags=re.S)
        )
        rest = rest[match.end() :].removeprefix("@")
    assert rest == " ACCOUNT LOCK"
    return found[0], found[1]


@given(NAME, NAME)
def test_a_name_stays_a_name_in_every_statement(user: str, host: str) -> None:
    snapshot = seen("accounts-fresh", added=row(user.translate(ESCAPED), host.translate(ESCAPED)))
    found = [text for text in statements(mended(snapshot)) if text.startswith("ALTER USER")]
    if user.isprintable() and host.isprintable() and snapshot.of("db1")[GRANTS].of(user, host) and user != "root":
        assert [unquoted(text) for text in found] == [(user, host)]
    elif user != "root":
        assert found == []
