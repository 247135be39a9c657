"""What a plan does at a MaxScale: on members' real output, and files of a MaxScale as its owner wrote them. None ran here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster.facts import REQUIREMENTS
from galvan.cluster.order import Wave
from galvan.model import Blind, Disruption, HostFacts, Phase, Rung, Shell, Snapshot, Step
from galvan.model.findings import Finding
from galvan.model.scales import Severity, Verdict
from galvan.report.commands import commands
from galvan.tips.load_balancer import impact, steps
from galvan.tips.load_balancer.maxscale import mend
from galvan.tips.load_balancer.maxscale.facts import DOOR

LIMITS = {"server.limits": "max_connections\t500\nwait_timeout\t28800\n"}


GALERAMON = ["lb4", "load_balancer.maxscale", "module=mariadbmon", "module=galeramon"]


def seen(base: str = "enforced", **more: Any) -> Snapshot:
    said: dict[str, Any] = {"from": base, "over": "maxscale-open", "output": {"db1": LIMITS, "db2": LIMITS}}
    return snapshot_of({**said, **more, "edit": [GALERAMON, *more.get("edit", [])]})


def up(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> list[Step]:
    return list(mend.mend(snapshot.of("lb4"), snapshot, 490, to))


def names(made: Sequence[Step]) -> list[str]:
    return [step.id.removeprefix("load_balancer.maxscale-").partition("@")[0] for step in made]


BESIDE = [
    "accounts-lb4", "certificate-door", "login-door", "server-server1-door", "server-server2-door", "door-door",
]  # fmt: skip


def test_the_whole_way_up() -> None:
    made = up(seen())
    assert names(made) == [
        *BESIDE, "default-login-old-door", "old-door-RW-Listener-old-door", "administration-old-door",
    ]  # fmt: skip
    assert [step.stage.phase for step in made] == [Phase.WIDEN] * 6 + [Phase.NARROW] * 3
    assert [step.host for step in made] == ["db1", *["lb4"] * 8]


def test_servers_of_the_owners_are_used_as_they_are() -> None:
    """MaxScale takes no second server at the same address, and a server has one monitor (seen, 23.08.6)."""
    door = next(step for step in up(seen()) if "maxscale-door" in step.id)
    said = "".join(action.text for action in door.do if isinstance(action, Shell))
    assert "cluster=Monitor" in said
    assert "[galvan-db1]" not in said
    server = next(step for step in up(seen()) if "server-server1" in step.id)
    text = "".join(action.text for action in server.do if isinstance(action, Shell))
    assert "mx alter server server1 ssl=true" in text
    assert "ssl_verify_peer_host=true" in text
    assert server.undo != ()


def test_only_some_of_them_or_no_galeramon_is_for_a_person_to_mend() -> None:
    with pytest.raises(Blind, match=r"has server1 among its servers, and db2 not"):
        up(seen(edit=[["lb4", "load_balancer.maxscale", "value address=10.89.77.12\n", "value address=10.89.77.99\n"]]))
    with pytest.raises(Blind, match="no galeramon of MaxScale's on lb4 watches over server1, server2"):
        up(
            seen(
                edit=[
                    [
                        "lb4",
                        "load_balancer.maxscale",
                        "servers=server1,server2\nvalue user",
                        "servers=server1\nvalue user",
                    ]
                ]
            )
        )


def test_nothing_of_it_is_done_before_it_is_asked_for() -> None:
    assert names(up(seen(), Rung.READY)) == BESIDE


def standing() -> Snapshot:
    """As a run leaves it."""
    ssl = ["lb4", "load_balancer.maxscale", "value port=4006\n", "value port=4006\nvalue ssl=true\n"]
    tls = "value ssl=true\nvalue ssl_verify_peer_certificate=true\nvalue ssl_verify_peer_host=true\nvalue ssl_ca=/ca\nvalue ssl_version=TLSv1.2\n"
    safe = ["lb4", "load_balancer.maxscale", "value type=server\n", "value type=server\n" + tls]
    snapshot = seen(edit=[ssl, safe, ["lb4", "load_balancer.maxscale", "keys=no", "keys=yes"]])
    door = {**snapshot.of("lb4")[DOOR], "kept": "yes", "passwords": "made", "key": "read"}
    rules = dict(snapshot.of("db1")[REQUIREMENTS])
    for step in up(seen()):
        target = {DOOR.id: door, REQUIREMENTS.id: rules}.get(step.read.id, {})
        target |= step.want
    made = {"lb4": {DOOR.id: door}, "db1": {REQUIREMENTS.id: rules}}
    hosts = tuple(HostFacts(each.host, {**each.readings, **made.get(each.host.name, {})}) for each in snapshot.hosts)
    return replace(snapshot, hosts=hosts)


def test_what_stands_there_is_not_done_again() -> None:
    assert names(up(standing())) == []


def test_a_restart_for_a_member_that_came_later_is_asked_for() -> None:
    """The plan that restarts MaxScale for its doors, and the impact that has to be taken by name, go by one question."""
    before = standing()
    door = {**before.of("lb4")[DOOR], "objects": "galvan-service"}
    hosts = tuple(
        HostFacts(each.host, {**each.readings, DOOR.id: door}) if each.host.name == "lb4" else each
        for each in before.hosts
    )
    after = replace(before, hosts=hosts)
    assert [step.disruption for step in up(after)] == [Disruption.RESTART]
    said = [[(one.who, one.widen) for one in mend.impact(now.of("lb4"), now)] for now in (before, after)]
    assert said == [[], [("maxscale-restart", True)]]


def test_members_that_cannot_be_verified_come_first() -> None:
    with pytest.raises(Blind, match="lb4 could not verify every member: each has to offer TLS"):
        up(seen("open"))


def test_where_nobody_lets_galvan_in_the_tip_says_so() -> None:
    shut = ["lb4", "load_balancer.maxscale_door", "galvan_enters=yes", "galvan_enters=no"]
    wrong = Finding("load_balancer.front-tls", "load_balancer", "lb4", Severity.HIGH, Verdict.FAIL, "", "")
    with pytest.raises(Blind, match=r"maxctrl\.cnf"):
        list(steps.mend([wrong], seen("door-made", edit=[shut]), Rung.ENFORCED))


def test_an_older_maxscale_is_audited_only() -> None:
    with pytest.raises(Blind, match=r"MaxScale on lb4: MaxScale 6\.4\.9 is older than 22\.08\.0"):
        up(seen(edit=[["lb4", "load_balancer.maxscale", "24.02.4", "6.4.9"]]))


def test_a_certificate_of_the_owners_is_his_to_sign() -> None:
    with pytest.raises(Blind, match="a certificate of your own"):
        up(seen("own"))


def test_who_may_come_in_clear_text_has_to_be_taken_by_name() -> None:
    assert [(one.host, one.who) for one in impact.impact(seen("door-made"), None) if one.host == "lb4"] == [
        ("lb4", "maxscale-restart"), ("lb4", "RW-Listener"),
    ]  # fmt: skip
    assert [one.widen for one in impact.impact(seen("door-made"), None) if one.who == "maxscale-restart"] == [True]


def test_by_hand_digests_go_sealed_from_host_to_host() -> None:
    waves = [Wave(step.stage, step.host, (step,)) for step in up(seen())]
    text = "\n".join(commands(waves, {"db1": "db1.ssh", "lb4": "lb4.ssh"}, {}, "/state", (), 90, "shop"))
    assert "scp db1.ssh:/etc/galvan/sealed/cert.pem recipient.pem; scp recipient.pem lb4:recipient.pem" in text
    assert "scp lb4:sealed.pem db1.ssh:/etc/galvan/sealed/maxscale.digests.new" in text
