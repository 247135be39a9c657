"""The order of waves on synthetic clusters: from every interrupted prefix the primary component can only live on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvan.cluster.facts import LINKS, MOMENT, STATUS, VARIABLES, Links
from galvan.cluster.health import keeps_quorum, may_take_down
from galvan.cluster.order import Wave, invert, waves, way_back, writer_last
from galvan.model import Cluster, Host, HostFacts, PutFile, Restart, Role, Snapshot, Stage, Step, Unsafe

STAGES = (Stage.PREPARE, Stage.FIRST_RESTART, Stage.STAGE_STRICT, Stage.SECOND_RESTART, Stage.REFUSE)
HEIGHT = {Stage.FIRST_RESTART: "dynamic", Stage.SECOND_RESTART: "strict"}


@dataclass(frozen=True)
class Group:
    weights: tuple[int, ...]
    arbitrators: int
    order: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"db{n}" for n in range(1, len(self.weights) + 1))

    def weight(self, name: str) -> int:
        return self.weights[int(name[2:]) - 1]

    @property
    def votes(self) -> int:
        return sum(self.weights) + self.arbitrators


@st.composite
def groups(draw: st.DrawFn) -> Group:
    weights = tuple(draw(st.lists(st.integers(0, 3), min_size=2, max_size=9)))
    names = [f"db{n}" for n in range(1, len(weights) + 1)]
    return Group(weights, draw(st.integers(0, 2)), tuple(draw(st.permutations(names))))


def snapshot(group: Group, down: str = "") -> Snapshot:
    """All Synced but `down`, which others no longer count."""
    members = [Host(name, f"10.0.0.{10 + n}", Role.DATABASE, name) for n, name in enumerate(group.names)]
    arbitrators = [Host(f"arb{n}", f"10.0.1.{n}", Role.ARBITRATOR, f"arb{n}") for n in range(group.arbitrators)]
    size = len(members) + len(arbitrators) - bool(down)
    links = Links(frozenset(), frozenset(f"4567@{host.address}" for host in (*members, *arbitrators)))
    seen = []
    for host in members:
        gone = host.name == down
        status = {
            "wsrep_cluster_status": "non-Primary" if gone else "Primary", "wsrep_local_state_comment": "Initialized" if gone else "Synced",
            "wsrep_ready": "OFF" if gone else "ON", "wsrep_cluster_size": 1 if gone else size, "wsrep_desync_count": 0,
            "wsrep_cluster_state_uuid": "u",
        }  # fmt: skip
        readings: dict[str, object] = {
            VARIABLES.id: {
                "provider.pc.weight": str(group.weight(host.name)),
                "wsrep_cluster_address": "gcomm://x",
                "version": "10.11.19-MariaDB",
                "wsrep_sst_method": "rsync",
            },
            STATUS.id: status,
            MOMENT.id: {"clock": "1.0", "disk_kb": "9000000", "bootstrap": "0", "transfer": "0"},
            LINKS.id: links,
        }
        seen.append(HostFacts(host, readings))
    seen += [HostFacts(host, {LINKS.id: links}) for host in arbitrators]
    return Snapshot(Cluster("c", (*members, *arbitrators)), tuple(seen), {}, 0.0)


def step(host: str, stage: Stage) -> Step:
    do = (Restart(3),) if stage in HEIGHT else (PutFile("/etc/x", stage.name),)
    return Step(f"t.{stage.name}@{host}", "t", host, stage, VARIABLES, {"x": "old"}, {"x": stage.name}, do, do, "x")


def steps(group: Group) -> list[Step]:
    return [step(host, stage) for stage in STAGES for host in group.names]


def allowed(host: str, seen: Snapshot) -> bool:
    try:
        may_take_down(host, seen)
    except Unsafe:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(groups())
def test_who_may_leave_leaves_a_majority_behind(group: Group) -> None:
    seen, two = snapshot(group), len(group.names) + group.arbitrators == 2
    for host in group.names:
        majority = 2 * (group.votes - group.weight(host)) > group.votes
        assert keeps_quorum(group.votes, group.weight(host)) is majority
        assert allowed(host, seen) is (majority or two)


@settings(max_examples=30, deadline=None)
@given(groups())
def test_killed_in_any_restart_nobody_else_may_leave(group: Group) -> None:
    for down in group.names:
        assert not any(allowed(host, snapshot(group, down)) for host in group.names)


@settings(max_examples=60, deadline=None)
@given(groups(), st.randoms())
def test_any_prefix_leaves_every_pair_able_to_talk(group: Group, chance: object) -> None:
    made = steps(group)
    chance.shuffle(made)  # type: ignore[attr-defined]
    ordered = list(waves(made, group.order))
    for heights in _heights(group, ordered, "clear"):
        assert {"clear", "strict"} > set(heights) or not {"clear", "strict"} <= set(heights)
    for heights in _heights(group, list(way_back(ordered, group.order)), "strict"):
        assert not {"clear", "strict"} <= set(heights)


def _heights(group: Group, ordered: Sequence[Wave], start: str) -> Iterator[list[str]]:
    """How each member speaks after each prefix, and while the next restart is under way with the file of its stage."""
    back = {Stage.FIRST_RESTART: "clear", Stage.SECOND_RESTART: "dynamic"}
    at = dict.fromkeys(group.names, start)
    yield [*at.values()]
    for wave in ordered:
        if wave.stage in HEIGHT:
            at[wave.host] = (back if wave.back else HEIGHT)[wave.stage]
            yield [*at.values()]


@settings(max_examples=60, deadline=None)
@given(groups(), st.randoms())
def test_stages_one_after_another_and_the_writer_last(group: Group, chance: object) -> None:
    made = steps(group)
    chance.shuffle(made)  # type: ignore[attr-defined]
    ordered = list(waves(made, group.order))
    assert [wave.stage for wave in ordered] == sorted(wave.stage for wave in ordered)
    assert len(ordered) == len({(wave.stage, wave.host) for wave in ordered})
    for _, stage in itertools.groupby(ordered, key=lambda wave: wave.stage):
        assert [wave.host for wave in stage] == list(group.order)
    assert sum(len(wave.steps) for wave in ordered) == len(made)


@settings(max_examples=40, deadline=None)
@given(groups(), st.integers(0, 45))
def test_what_is_left_of_a_plan_is_its_own_end(group: Group, place: int) -> None:
    """Planning again after a prefix gives the rest of the plan, whatever the order in which tips name their steps."""
    ordered = list(waves(steps(group), group.order))
    place = min(place, len(ordered))
    done = {one.id for wave in ordered[:place] for one in wave.steps}
    left = [one for one in reversed(steps(group)) if one.id not in done]
    assert list(waves(left, group.order)) == ordered[place:]


@settings(max_examples=40, deadline=None)
@given(groups())
def test_the_way_back_is_the_way_up_in_reverse_stages(group: Group) -> None:
    ordered = list(waves(steps(group), group.order))
    back = list(way_back(ordered, group.order))
    assert [wave.stage for wave in back] == sorted((wave.stage for wave in back), reverse=True)
    assert all(wave.back and wave.id.startswith("back-") for wave in back)
    assert {invert(one).id for wave in ordered for one in wave.steps} == {one.id for wave in back for one in wave.steps}
    assert [one.want for wave in back for one in wave.steps] == [{"x": "old"}] * len(steps(group))


def test_equal_steps_are_one_step() -> None:
    one = step("db1", Stage.PREPARE)
    assert [wave.steps for wave in waves([one, one, one], ("db1",))] == [(one,)]


@given(st.permutations(["a", "b", "c", "d"]), st.lists(st.sampled_from("abcdx"), unique=True))
def test_writers_go_last(hosts: list[str], writers: list[str]) -> None:
    order = writer_last(hosts, writers)
    taking = [w for w in writers if w in hosts]
    assert sorted(order) == sorted(hosts)
    assert list(order[len(hosts) - len(taking) :]) == taking


@pytest.mark.parametrize(
    ("total", "leaving", "kept"), [(3, 1, True), (2, 1, False), (5, 2, True), (4, 2, False), (0, 0, False)]
)
def test_quorum(total: int, leaving: int, kept: bool) -> None:
    assert keeps_quorum(total, leaving) is kept
