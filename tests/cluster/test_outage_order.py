"""The order of an outage on clusters of any size, and who is bootstrapped at its end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.cluster.facts import VARIABLES
from galvan.cluster.order import Wave, waves, way_back
from galvan.cluster.position import Position, leader, position, recovered
from galvan.model import How, PutFile, Restart, RestoreFile, Stage, Step, Unreadable, Unsafe

ONE, OTHER = "0e5abcc9-e7fb-11f1-9a48-533ad6cac4ee", "1e5abcc9-e7fb-11f1-9a48-533ad6cac4ee"
orders = st.integers(1, 7).flatmap(lambda n: st.permutations([f"db{i}" for i in range(n)]))


def steps(host: str) -> list[Step]:
    stop, start, file = Restart(3, how=How.STOP), Restart(3, how=How.START), RestoreFile("/etc/x", f"stop-clear@{host}")
    before, want = {"listener": "tcp"}, {"listener": "ssl"}
    return [
        Step(f"file@{host}", "t", host, Stage.STOP_CLEAR, VARIABLES, before, want, (PutFile("/etc/x", "strict"),), (file,), "f"),
        Step(f"stop@{host}", "t", host, Stage.STOP_CLEAR, VARIABLES, before, want, (stop,), (start,), "stop"),
        Step(f"start@{host}", "t", host, Stage.START_STRICT, VARIABLES, before, want, (start,), (file, stop), "start"),
    ]  # fmt: skip


def carried(done: list[Wave], runs: dict[str, str], lies: dict[str, str]) -> None:
    """`runs`: how each host's server speaks, empty where it is down; `lies`: what its file says."""
    for wave in done:
        actions = [action for step in wave.steps for action in step.do]
        for action in sorted(actions, key=lambda a: isinstance(a, Restart)):  # a wave restarts once, at its end
            match action:
                case PutFile():
                    lies[wave.host] = "strict"
                case RestoreFile():
                    lies[wave.host] = "clear"
                case Restart(how=How.STOP):
                    runs[wave.host] = ""
                case _:
                    runs[wave.host] = runs[wave.host] or lies[wave.host]
        assert {*runs.values()} - {""} in ({"clear"}, {"strict"}, set()), "clear and strict members side by side"


@settings(max_examples=60, deadline=None)
@given(orders)
def test_the_writer_stops_last_and_starts_first(order: list[str]) -> None:
    ordered = list(waves([step for host in sorted(order) for step in steps(host)], order))
    assert [wave.host for wave in ordered] == [*order, *reversed(order)]
    back = list(way_back(ordered, order))
    assert [wave.host for wave in back] == [*order, *reversed(order)]
    assert [wave.restarts for wave in (*ordered, *back)] == 2 * [*[False] * len(order), *[True] * len(order)]


@settings(max_examples=60, deadline=None)
@given(orders, st.integers(0, 14))
def test_any_prefix_and_its_way_back_never_mix_what_cannot_talk(order: list[str], place: int) -> None:
    ordered = list(waves([step for host in order for step in steps(host)], order))
    done = ordered[: min(place, len(ordered))]
    runs, lies = dict.fromkeys(order, "clear"), dict.fromkeys(order, "clear")
    carried(done, runs, lies)
    assert sum(how == "clear" for how in runs.values()) == max(len(order) - len(done), 0)
    carried(list(way_back(done, order)), runs, lies)
    assert {*runs.values(), *lies.values()} == {"clear"}


def at(seqno: int, uuid: str = ONE, safe: bool = False) -> Position:
    return Position("inactive", uuid, seqno, safe)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9), min_size=1), st.data())
def test_nobody_is_bootstrapped_but_the_most_advanced(seqnos: dict[str, int], data: st.DataObject) -> None:
    preferred = data.draw(st.sampled_from(sorted(seqnos)))
    best = leader({name: at(seqno) for name, seqno in seqnos.items()}, (), preferred)
    assert seqnos[best] == max(seqnos.values())
    assert best == preferred or seqnos[preferred] < seqnos[best]


def test_galeras_mark_decides_among_equals_and_for_a_silent_host() -> None:
    marked = {"a": at(5), "b": at(5, safe=True)}
    assert leader(marked, (), "a") == "b"
    assert leader(marked, ("c",), "a") == "b"
    with pytest.raises(Unsafe, match="c cannot be asked and may hold later writes than a"):
        leader({"a": at(5), "b": at(4, safe=True)}, ("c",), "a")


def test_a_guess_is_refused() -> None:
    with pytest.raises(Unsafe, match="2 different clusters"):
        leader({"a": at(5), "b": at(6, OTHER)}, (), "a")
    with pytest.raises(Unsafe, match="no stopped member knows its position"):
        leader({"a": at(-1)}, (), "a")


def test_a_wiped_member_is_no_other_cluster() -> None:
    assert leader({"a": at(5), "b": at(-1, "00000000-0000-0000-0000-000000000000")}, (), "b") == "a"


def test_what_a_host_says_of_its_position() -> None:
    said = f"service=inactive\nuuid={ONE}\nseqno=2305\nsafe_to_bootstrap=1\n"
    assert position(said) == Position("inactive", ONE, 2305, True)
    assert position(said).stopped
    assert not position(said.replace("inactive", "activating")).stopped
    for broken in (
        "",
        f"service=inactive\nuuid={ONE}\n",
        "service=inactive\nuuid=?\nseqno=1\n",
        said.replace("service", "s"),
    ):
        with pytest.raises(Unreadable, match="no position"):
            position(broken)
    with pytest.raises(Unreadable):
        recovered("WSREP: Failed to recover position\n")
