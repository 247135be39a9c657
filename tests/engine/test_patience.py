"""A change that its host goes on with by itself is waited for as long as it gets on, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from galvan.cluster.order import Wave
from galvan.engine.apply import confirm
from galvan.engine.choreography import Choreography
from galvan.engine.gates import Crew
from galvan.model import Action, Cluster, Fact, Host, NotHealed, Role, Shell, Stage, State, Step, Unreadable

HOST = Host("db1", "10.0.0.1", Role.DATABASE, "db1")
DONE: Fact[State] = Fact(
    "test.done", Shell("true"), lambda output: {"done": output == "3", "progress": f"{output} of 3"}
)


class Slow:
    """Answers as it is told to, the last answer for ever."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        return {fact.id: self.said.pop(0) if len(self.said) > 1 else self.said[0] for fact in facts}

    async def act(self, host: Host, action: Action, wave: str) -> str:
        raise AssertionError("confirming changes nothing")

    act_anew = act


def confirmed(remote: Slow, patience: float) -> list[str]:
    cluster, told = Cluster("lab", (HOST,)), list[str]()
    step = Step(
        "test.step",
        "test",
        "db1",
        Stage.ENCRYPT,
        DONE,
        {},
        {"done": True},
        (),
        (),
        "work",
        patience=patience,
        progress="progress",
    )

    async def fine(host: Host) -> list[str]:
        return []

    crew = Crew(cluster, remote, Choreography(cluster, 1.0, 1.0), fine, lambda wave, text: told.append(text), poll=0.01)
    asyncio.run(confirm(Wave(Stage.ENCRYPT, "db1", (step,)), HOST, [step], crew))
    return told


def test_it_is_waited_for_and_told() -> None:
    assert confirmed(Slow("0", "1", "1", "2", "3"), 5.0) == ["work: 1 of 3", "work: 2 of 3", "work: 3 of 3"]


def test_standing_still_ends_it() -> None:
    with pytest.raises(NotHealed, match="is still not"):
        confirmed(Slow("0", "1"), 0.1)


def test_without_patience_one_look_decides() -> None:
    with pytest.raises(NotHealed, match="is still not"):
        confirmed(Slow("0", "3"), 0.0)
