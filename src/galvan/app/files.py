"""Which of Galvan's own files a plan would write, and what would be there before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.engine.plan import Plan
from galvan.model import PutFile


@dataclass(frozen=True, slots=True)
class Change:
    """One text that Galvan would write, and what it would have put there before (empty: no such file yet)."""

    path: str
    before: str
    after: str


def files_of(made: Plan) -> Mapping[Change, tuple[str, ...]]:
    """Each change with the hosts that get it, in the plan's order; equal ones stand together."""
    before: dict[tuple[str, str], str] = {}
    hosts: dict[Change, tuple[str, ...]] = {}
    for wave in made.waves:
        for action in (action for step in wave.steps for action in step.do):
            if isinstance(action, PutFile) and isinstance(action.content, str):
                change = Change(action.path, before.get((wave.host, action.path), ""), action.content)
                hosts[change] = (*hosts.get(change, ()), wave.host)
                before[(wave.host, action.path)] = action.content
    return hosts
