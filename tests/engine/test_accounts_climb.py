"""Accounts on the way up and back: killed at every action and gone on from there, and waiting for whoever still comes."""

from __future__ import annotations

import pytest
from practice import Notes, boundaries, carry, climb_of, copy_of, dies, insecure, order_in, planned, run, undo_of

from galvan.edges.fake import Fake, Session
from galvan.edges.fake.people import Person
from galvan.engine.plan import Plan
from galvan.model import Hardening, Stage, Unsafe
from galvan.tips import TIPS

TIP = tuple(tip for tip in TIPS if tip.id == "hardening")
BEFORE = {
    "''@'%'": (False, ()),
    "'nopw'@'%'": (False, ()),
    "'shop'@'10.0.0.%'": (False, ("FILE", "GRANT OPTION", "SELECT", "SUPER")),
}
AFTER = {"''@'%'": (True, ()), "'nopw'@'%'": (True, ()), "'shop'@'10.0.0.%'": (False, ("SELECT",))}


def careless() -> Fake:
    fake = insecure(hardening=Hardening(applications=("shop",)))
    fake.clients.people += [
        Person("", "%", "mysql_native_password", "empty"), Person("nopw", "%", "mysql_native_password", "empty"),
        Person("shop", "10.0.0.%", may={"FILE", "SUPER", "SELECT", "GRANT OPTION"}),
    ]  # fmt: skip
    return fake


def stands(fake: Fake) -> dict[str, tuple[bool, tuple[str, ...]]]:
    return {p.name: (p.locked, tuple(sorted(p.may))) for p in fake.clients.people if p.name in BEFORE}


def only_accounts(made: Plan) -> Plan:
    return Plan(
        made.cluster, made.fingerprint, made.tips, made.to, tuple(w for w in made.waves if w.stage is Stage.ACCOUNTS)
    )


@pytest.fixture(scope="module")
def made() -> Plan:
    return only_accounts(run(planned(careless(), TIP)))


def test_the_plan_changes_them_once_and_drops_none(made: Plan) -> None:
    (wave,) = made.waves
    assert wave.host == "db1"
    assert [step.title for step in wave.steps if "DROP" in step.title] == []


def test_killed_at_any_action_it_goes_on_and_comes_back(made: Plan) -> None:
    start = careless()
    for action in range(1, boundaries(start, lambda fake: carry(fake, made)) + 1):
        for when in ("before", "middle", "after"):
            fake = copy_of(start)
            fake.crash_at, fake.crash_when = action, when
            assert dies(carry(fake, made))
            fake.crash_at = 0
            run(carry(fake, made))
            assert stands(fake) == AFTER, (action, when)
            fake.run = "undo-run-1"
            run(carry(fake, undo_of(made, order_in(fake)), "run-1"))
            assert stands(fake) == BEFORE, (action, when)


def test_somebody_who_changed_an_account_since_is_not_overwritten(made: Plan) -> None:
    fake = careless()
    next(p for p in fake.clients.people if p.user == "shop").may.discard("SELECT")
    with pytest.raises(Unsafe, match="Somebody changed it since"):
        run(carry(fake, made))
    assert stands(fake)["'nopw'@'%'"] == (False, ())


def test_a_lock_waits_for_whoever_still_comes(made: Plan) -> None:
    fake = careless()
    for name in fake.group.members:
        fake.group.server(name).variables["userstat"] = "ON"
    fake.clients.sessions.append(Session(900, "nopw", "10.9.9.9", 4711, "db2"))
    seen = run(climb_of(fake, made, notes=Notes(), window=0.02)._watch(TIP[0]))
    assert "nopw@10.9.9.9 on db2 would be refused" in seen["seen"]
    fake.clients.sessions[:] = [s for s in fake.clients.sessions if s.user != "nopw"]
    assert run(climb_of(fake, made, notes=Notes(), window=0.02)._watch(TIP[0])) == {}
