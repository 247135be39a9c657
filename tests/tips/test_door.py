"""HAProxy's file as it was recorded on the lab's balancer, and what a plan makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.model import Balancing, Rung, Snapshot, Stage, Step, Unreadable
from galvan.tips.load_balancer import steps
from galvan.tips.load_balancer.haproxy.conf import HAPROXY

OLD = "stats socket /run/haproxy/admin.sock mode 600 level admin"


def seen(*edits: tuple[str, str], **policy: Any) -> Snapshot:
    snapshot = snapshot_of({"from": "door-open", "edit": [["lb1", "haproxy.file", old, new] for old, new in edits]})
    ours = replace(snapshot.cluster.policy, load_balancer=Balancing(**policy))
    return replace(snapshot, cluster=replace(snapshot.cluster, policy=ours))


def planned(snapshot: Snapshot, to: Rung = Rung.ENFORCED) -> dict[Stage, Step]:
    return {step.stage: step for step in steps._doors(snapshot.of("lb1"), snapshot, to)}


def lines(snapshot: Snapshot, numbers: object) -> list[str]:
    owner = snapshot.of("lb1")[HAPROXY].lines
    return [owner[int(number) - 1].strip() for number in str(numbers).split()]


@pytest.mark.parametrize(
    ("edits", "opened"),
    [
        ([], False),
        ([(OLD, "stats timeout 1m")], True),
        ([(OLD, OLD.replace("600", "666"))], True),
        ([(OLD, f"{OLD.replace('600', '666').replace('admin.sock', 'open.sock')}\n    {OLD}")], False),
    ],
    ids=["a strict one", "none", "one for everyone", "one for everyone beside a strict one"],
)
def test_a_socket_is_opened_where_no_strict_one_stays(edits: list[tuple[str, str]], opened: bool) -> None:
    snapshot = seen(*edits)
    made = steps.door(snapshot.of("lb1"), snapshot, snapshot.of("lb1")[HAPROXY])
    assert made.socket is opened


def test_the_door_for_reads_takes_the_place_of_who_stood_there() -> None:
    second = "listen reads\n    bind *:3308\n    server db1 10.89.77.11:3306\n\nfrontend front_door"
    snapshot = seen(("frontend front_door", second), read_door=3308)
    made = planned(snapshot)
    assert set(made) == {Stage.DOOR}, "nothing is left to be closed later"
    assert "listen reads" in lines(snapshot, made[Stage.DOOR].want["aside"])


def test_who_stands_elsewhere_is_closed_only_when_narrowing() -> None:
    snapshot = seen(("bind *:3307", "bind *:3306"))
    made = planned(snapshot)
    assert "frontend front_door" not in lines(snapshot, made[Stage.DOOR].want["aside"])
    assert "frontend front_door" in lines(snapshot, made[Stage.OLD_DOOR].want["aside"])
    assert set(planned(snapshot, Rung.READY)) == {Stage.DOOR}


def test_a_member_whose_socket_is_not_known_is_not_guessed_at() -> None:
    snapshot = snapshot_of({"from": "door-open", "edit": [["db1", "server.variables", "socket\t", "sockets\t"]]})
    with pytest.raises(Unreadable, match="db1 does not say where its socket is"):
        steps.endpoint(snapshot.of("db1"), snapshot)
