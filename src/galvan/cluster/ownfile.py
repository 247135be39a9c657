"""One file of Galvan's on a host, before and after one stage of a climb; how OWN_FILES names its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from galvan.cluster.facts import OWN_FILES
from galvan.model import PutFile, RestoreFile, Shell, Stage, Step


@dataclass(frozen=True, slots=True)
class Written:
    host: str
    stage: Stage
    path: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        return self.before != self.after

    @property
    def restore(self) -> RestoreFile:
        """Puts back what the last write before this stage's restart replaced."""
        strict = self.stage is Stage.SECOND_RESTART and not self.changes
        return RestoreFile(self.path, (Stage.STAGE_STRICT if strict else self.stage).at(self.host))

    @property
    def again(self) -> tuple[PutFile, ...]:
        """What a restart writes before it: a file that an earlier stage wrote is written once more, for where the undo of
        the restart fails, what puts the host back has to bring the file back too."""
        return (PutFile(self.path, self.after),) if self.after and not self.changes else ()

    def step(self, tip: str, then: tuple[Shell, ...] = (), undone: tuple[Shell, ...] = ()) -> Step:
        """`then`, `undone`: what follows the writing and the putting back."""
        return Step(
            id=f"{tip}.config-{self.stage.name.lower()}@{self.host}", tip=tip, host=self.host, stage=self.stage,
            read=OWN_FILES, before={self.path: digest(self.before)}, want={self.path: digest(self.after)},
            do=(PutFile(self.path, self.after), *then), undo=(self.restore, *undone), title=f"write {self.path}",
        )  # fmt: skip


def digest(content: str) -> str | None:
    """How OWN_FILES names a file with this content; None where there is no file."""
    return hashlib.sha256(content.encode()).hexdigest() if content else None
