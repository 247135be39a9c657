"""What a plan does at a ProxySQL: on members' real output, and a ProxySQL as a package leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from practice_cases import HERE, snapshot_of

from galvan.app.doors import DOORS
from galvan.cluster.order import Wave
from galvan.model import Blind, Phase, Rung, Snapshot, Step
from galvan.report.commands import commands
from galvan.tips.load_balancer import TIP, impact
from galvan.tips.load_balancer.proxysql import mend
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL

OPEN = (HERE / "outputs" / "proxysql-open" / "lb3" / "proxysql.admin.txt").read_text()
SERVERS = "".join(line for line in OPEN.splitlines(True) if line.startswith("server\t"))
FRESH = OPEN.replace(SERVERS, "").replace("done\t0\t2\t1", "done\t0\t0\t1")
LIMITS = {"server.limits": "max_connections\t500\nwait_timeout\t28800\n"}


def seen(admin: str = FRESH, base: str = "enforced") -> Snapshot:
    said: dict[str, Any] = {
        "from": base,
        "over": "proxysql-open",
        "output": {"lb3": {"proxysql.admin": admin}, "db1": LIMITS, "db2": LIMITS},
    }
    return snapshot_of(said)


def up(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> list[Step]:
    return list(mend.mend(snapshot.of("lb3"), snapshot, 490, to))


def names(made: Sequence[Step]) -> list[str]:
    return [step.id.removeprefix("load_balancer.proxysql-").partition("@")[0] for step in made]


BESIDE = ["monitor-password", "monitor-account-lb3", "monitor", "own-account", "members", "ways", "users"]


def test_the_whole_way_up() -> None:
    made = up(seen())
    assert names(made) == [*BESIDE, "to-members", "front", "users-tls", "defaults", "loopback"]
    assert [step.stage.phase for step in made] == [Phase.WIDEN] * 7 + [Phase.SWITCH] * 2 + [Phase.NARROW] * 3
    assert {step.host for step in made if step.read is not PROXYSQL} == {"db1"}


def test_nothing_of_it_is_done_before_it_is_asked_for() -> None:
    assert names(up(seen(), Rung.READY)) == BESIDE


def test_each_step_begins_where_those_before_it_end() -> None:
    snapshot = seen()
    state = dict(snapshot.of("lb3")[PROXYSQL])
    for step in up(snapshot):
        if step.read is PROXYSQL:
            assert {key: state.get(key) for key in step.before} == dict(step.before), step.id
            state |= step.want


def test_what_stands_there_is_not_done_again() -> None:
    snapshot = seen()
    facts = mend.ahead(snapshot.of("lb3"), up(snapshot))
    assert names(list(mend.mend(facts, snapshot, 490, Rung.ENFORCED))) == ["monitor-account-lb3"], (
        "that is the member's"
    )


def test_members_without_tls_are_not_reached_over_it() -> None:
    assert "to-members" not in names(up(seen(base="open")))


def test_a_user_who_is_known_comes_over_tls_at_last() -> None:
    (forced,) = [step for step in up(seen()) if "users-tls" in step.id]
    assert forced.want["user.app"] == "1 1 1 1 0 10000 0 hashed"


def test_servers_without_hostgroups_are_their_owners_to_name() -> None:
    with pytest.raises(Blind, match="without mysql_galera_hostgroups"):
        up(seen(OPEN))


def test_a_member_is_known_by_the_name_that_stands_there() -> None:
    snapshot = seen()
    state = {**snapshot.of("lb3")[PROXYSQL], "server.db1:3306": "0 0 1000 1000", "server.10.89.77.12:3307": "0 0 9 9"}
    assert [mend.known(state, snapshot.of(name)).name for name in ("db1", "db2")] == ["db1:3306", "10.89.77.12:3306"]


def test_a_version_that_nobody_knows_refuses_the_tip() -> None:
    with pytest.raises(Blind, match="is no version of ProxySQL"):
        up(seen(FRESH.replace("2.7.1-19-g5cc418b", "next")))


def test_who_may_come_in_clear_text_has_to_be_taken_by_name() -> None:
    assert [(one.host, one.who) for one in impact.impact(seen(base="door-made"), None) if one.host == "lb3"] == [
        ("lb3", "app")
    ]


def test_by_hand_a_hash_goes_sealed_from_host_to_host() -> None:
    waves = [Wave(step.stage, step.host, (step,)) for step in up(seen())]
    text = "\n".join(commands(waves, {"db1": "db1.ssh", "lb3": "lb3.ssh"}, {}, "/state", (), 90, "shop"))
    assert "scp lb3.ssh:/etc/galvan/sealed/cert.pem recipient.pem; scp recipient.pem db1:recipient.pem" in text
    assert "scp db1:sealed.pem lb3.ssh:/etc/galvan/proxysql/users.sealed.new" in text


def test_the_firewall_reaches_a_proxysql_and_nothing_else() -> None:
    assert list(DOORS) == ["proxysql"]
    assert "exit 0" in DOORS["proxysql"].ask(["SELECT 1"]).text.splitlines()[0]
    assert {"proxysql.admin", "balancer.proxysql", "statements.proxysql.standing"} <= {fact.id for fact in TIP.facts}
