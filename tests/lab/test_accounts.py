"""Accounts on real members: found, locked and narrowed under load, and given back to the byte."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from galvan import lab
from galvan.edges import actions as made
from galvan.edges.script import read, render
from galvan.model import (
    Action,
    Cluster,
    Fact,
    Hardening,
    Host,
    HostFacts,
    Policy,
    Role,
    Rung,
    Shell,
    Snapshot,
    Sql,
    Step,
    Verdict,
)  # fmt: skip
from galvan.tips.hardening import accounts
from galvan.tips.hardening.accounts.facts import STANDING

from . import people
from .operator import Operator

pytestmark = pytest.mark.lab
MINE = {check.id for check in accounts.CHECKS}
STRANGER = "mariadb --no-defaults -h 127.0.0.1 -u galvan-stranger"
FRESH = {"hardening.accounts-from-anywhere", "hardening.password-forms"}
"""The lab's application comes from anywhere, with a password of the server's default form. All else is well there."""


def mine(operator: Operator, verdict: str = "fail") -> set[str]:
    found = operator.json("audit", "--tip", "hardening", code=(0, 4))["findings"]
    return {f["check"] for f in found if f["verdict"] == verdict and f["check"] in MINE}


@pytest.fixture(scope="module")
def planted(operator: Operator) -> dict[str, str]:
    """What every member says of its accounts once the careless ones are there."""
    people.plant(people.HARMLESS, people.CARELESS)
    operator.govern(people.POLICY)
    return {host.name: people.shown(host.name) for host in lab.current().databases}


def test_a_fresh_cluster_raises_no_false_alarm(operator: Operator) -> None:
    assert mine(operator) == FRESH
    assert mine(operator, "unknown") == set()


def test_harmless_accounts_raise_none_either(operator: Operator) -> None:
    """Roles, PUBLIC, the socket, a locked and an expired account, and a name that nobody would choose."""
    people.plant(people.HARMLESS)
    try:
        assert mine(operator) == FRESH
    finally:
        drop = "SELECT CONCAT('DROP USER ', QUOTE(User), '@', QUOTE(Host), ';') FROM mysql.global_priv WHERE Host <> '' AND User NOT IN ('app', 'root', 'mysql', 'mariadb.sys', 'clustercheck')"
        lab.execute(
            "db1",
            f"{people.CLIENT} -r -e \"{drop}\" | {people.CLIENT}; {people.CLIENT} -e 'DROP ROLE reader, boss; REVOKE ALL ON app.* FROM PUBLIC'",
        )


# names ----------------------------------------------------------------------------------------------------------
ODD = st.text(st.sampled_from("ab'\"`\\%_ ü-@.;#*/$()€"), min_size=1, max_size=10).filter(
    lambda said: said == said.strip()
)
PLACE = ODD.filter(lambda said: "@" not in said)  # which the server does not take for a host
HELD = st.sets(st.sampled_from(["FILE", "SUPER", "PROCESS", "RELOAD", "SELECT", "SHUTDOWN"]), min_size=1)
SCRAP = (
    "SELECT CONCAT('DROP USER ', QUOTE(User), '@', QUOTE(Host), ';') FROM mysql.global_priv WHERE Host LIKE '%.scrap'"
)
GONE = f'{people.CLIENT} -r -e "{SCRAP}" | {people.CLIENT}'


def looked(policy: Policy, *more: Fact[Any]) -> Snapshot:
    facts = [fact for fact in (*accounts.FACTS, *more) if Role.DATABASE in fact.roles]
    said = lab.execute("db1", f"sh 2>/dev/null <<'@whole'\n{render(facts, 'mark')}\n@whole")
    printed, host = read(facts, "mark", said, ""), Host("db1", "10.0.0.11", Role.DATABASE, "db1")
    readings = {fact.id: fact.parse(str(printed[fact.id])) for fact in facts}
    return Snapshot(Cluster("lab", (host,), policy), (HostFacts(host, readings),), {}, time.time())


def carried(steps: Iterable[tuple[Action, ...]]) -> None:
    script = ""
    for action in (action for actions in steps for action in actions):
        assert isinstance(action, Sql | Shell)
        text = made.statement(action, "trial") if isinstance(action, Sql) else made.shell(action, "trial")
        script += f"sh <<'@step'\n{text}\n@step\n"
    lab.execute("db1", f"set -e\n{script}")


def quoted(name: str) -> str:
    """As another hand would write it."""
    return "`" + name.replace("`", "``") + "`"


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(
    st.lists(st.tuples(ODD, PLACE, HELD, st.booleans()), min_size=8, max_size=12, unique_by=lambda one: one[0].lower())
)
def test_any_name_is_locked_or_narrowed_and_given_back_to_the_byte(
    planted: dict[str, str], drawn: list[tuple[str, str, set[str], bool]]
) -> None:
    text = "SET sql_mode='';\n"
    for user, host, held, closed in drawn:
        name, how = (
            f"{quoted(user)}@{quoted(host + '.scrap')}",
            " IDENTIFIED BY 'Nobody-Guesses-4711!'" if closed else "",
        )
        text += f"CREATE USER {name}{how};\nGRANT {', '.join(sorted(held))} ON *.* TO {name};\n"
    lab.execute("db1", f"{GONE}\n{people.CLIENT} <<'@made'\n{text}\n@made")
    before = people.shown("db1")
    policy = Policy(hardening=Hardening(applications=tuple(user for user, *_ in drawn)))
    snapshot = looked(policy)
    failing = [f for check in accounts.CHECKS for f in check.judge(snapshot) if f.verdict is Verdict.FAIL]
    steps = [s for s in accounts.mend(failing, snapshot, Rung.ENFORCED) if isinstance(s, Step) and ".scrap'" in s.id]
    locks = [step for step in steps if "ACCOUNT LOCK" in step.title]
    assert len(locks) == sum(not closed for *_, closed in drawn)
    assert len(steps) - len(locks) == sum(closed and held != {"SELECT"} for *_, held, closed in drawn)
    carried(step.do for step in steps)
    seen = looked(policy, STANDING).of("db1")
    assert [
        (step.id, key) for step in steps for key, want in step.want.items() if seen[step.read].get(key) != want
    ] == []
    carried(step.undo for step in reversed(steps))
    assert people.shown("db1") == before
    lab.execute("db1", GONE)


# up, and back -------------------------------------------------------------------------------------------------
def test_a_lock_waits_for_whoever_still_comes(operator: Operator, planted: dict[str, str]) -> None:
    knocks = f"for n in $(seq 240); do {STRANGER} -e 'SELECT SLEEP(0.5)' >/dev/null 2>&1; sleep 0.3; done"
    lab.execute("db1", f'nohup sh -c "{knocks}" >/dev/null 2>&1 & echo $! >/run/knocks')
    try:
        waits = operator.run("apply", "--tip", "hardening", "--auto-approve", "--watch", "3")
    finally:
        lab.execute("db1", "kill $(cat /run/knocks) 2>/dev/null; pkill -f galvan-strange[r]; true")
    assert waits.returncode == 5, waits.stdout[-2000:] + waits.stderr[-2000:]
    assert "is to be locked" in waits.stdout + waits.stderr
    assert {name: sorted(people.shown(name).splitlines()) for name in planted} == {
        n: sorted(t.splitlines()) for n, t in planted.items()
    }


@pytest.fixture(scope="module")
def standing(planted: dict[str, str]) -> dict[str, str]:
    """The same after the restarts of the run that waited: a server that starts lists the roles of an account in another order."""
    return {name: people.shown(name) for name in planted}


def applied(operator: Operator) -> str:
    """Each one who was seen is accepted by name."""
    plan = operator.json("plan", "--tip", "hardening", code=(0, 2, 4))
    seen = {hurt["who"] for hurt in plan["impact"]} | {"galvan-stranger@127.0.0.1", "galvan-stranger@?", "@?"}
    accepted = [word for who in sorted(seen) for word in ("--accept-impact", who)]
    done = operator.run("apply", "--tip", "hardening", "--auto-approve", "--watch", "3", *accepted)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


def test_careless_accounts_are_mended_under_load_and_none_is_dropped(
    operator: Operator, standing: dict[str, str]
) -> None:
    assert {
        "hardening.anonymous-accounts",
        "hardening.empty-passwords",
        "hardening.remote-root",
        "hardening.rights-super",
    } <= mine(operator)
    plan = str(operator.json("plan", "--tip", "hardening", code=(0, 2, 4))["waves"])
    assert "ALTER USER 'nopw'@'%' ACCOUNT LOCK: it has no password" in plan
    assert not re.search(r"\b(DROP|DELETE|RENAME) USER\b", plan)
    lab.start_load(writers=8)
    try:
        applied(operator)
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert (
        mine(operator) & {"hardening.anonymous-accounts", "hardening.empty-passwords", "hardening.remote-root"} == set()
    )
    names = re.compile(r"^CREATE USER `(?:[^`]|``)*`@`(?:[^`]|``)*`", re.M)
    for name, before in standing.items():
        after = people.shown(name)
        assert names.findall(after) == names.findall(before)
        assert after.count(" ACCOUNT LOCK") == before.count(" ACCOUNT LOCK") + 4
        assert after == people.shown("db1")


def test_rolled_back_every_account_is_as_it_was(operator: Operator, standing: dict[str, str]) -> None:
    done = operator.run("rollback", "--auto-approve")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert {name: people.shown(name) for name in standing} == standing


def test_the_saved_statements_give_it_back_by_hand(operator: Operator, standing: dict[str, str]) -> None:
    applied(operator)
    assert people.shown("db1") != standing["db1"]
    assert set(
        lab.execute("db1", "stat -c '%a %U' /var/lib/galvan/accounts /var/lib/galvan/accounts/*.sql").splitlines()
    ) == {"700 root", "600 root"}
    lab.execute("db1", f"cat /var/lib/galvan/accounts/*.sql | {people.CLIENT}")
    assert {name: people.shown(name) for name in standing} == standing
