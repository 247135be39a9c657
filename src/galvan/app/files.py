"""Which of Galvan's own files a plan would write, and what would be there before."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.engine.plan import Plan
from galvan.model import PutFile, Step


def files_of(made: Plan) -> Iterator[tuple[Step, PutFile, str]]:
    """Each write of a text of Galvan's own, with the text that the plan put there before (empty: no such file yet)."""
    before: dict[tuple[str, str], str] = {}
    for wave in made.waves:
        for step in wave.steps:
            for action in step.do:
                if isinstance(action, PutFile) and isinstance(action.content, str):
                    yield step, action, before.get((step.host, action.path), "")
                    before[(step.host, action.path)] = action.content
