"""One file of Galvan's on a host, before and after one stage of a climb; how OWN_FILES names its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from galvan.cluster.facts import OWN_FILES
from galvan.model import (
    Action,
    Disruption,
    Fact,
    ProviderOption,
    PutFile,
    Restart,
    RestoreFile,
    Shell,
    Stage,
    State,
    Step,
)

READ_BY = {
    Stage.STOP_CLEAR: (Stage.PREPARE, Stage.STOP_CLEAR),
    Stage.FIRST_RESTART: (Stage.PREPARE, Stage.FIRST_RESTART),
    Stage.SECOND_RESTART: (Stage.STAGE_STRICT, Stage.SECOND_RESTART),
}
"""Which stages' lines a restart brings to life."""


def shown_by(options: Iterable[ProviderOption]) -> dict[str, str]:
    """What a member shows of these options once it has started with them, in the words in which they were given."""
    shown: dict[str, str] = {}
    for option in options:
        if option.name == "socket.dynamic":
            shown["listener"] = "tcp" if option.value else "ssl"
        elif option.value is not None:
            shown[f"provider.{option.name}"] = option.value
    return shown


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

    def restarted(
        self, tip: str, read: Fact[State], before: State, want: State, restart: Restart, then: tuple[Shell, ...] = (),
        undone: tuple[Shell, ...] = (),
    ) -> Step:  # fmt: skip
        """The restart that reads the file; undone by the kept file and a restart. `then`, `undone`: as in `step`."""
        again: tuple[Action, ...] = (*self.again, *then) if self.again else ()
        return Step(
            id=f"{tip}.restart-{self.stage.name.lower()}@{self.host}", tip=tip, host=self.host, stage=self.stage,
            read=read, before=before, want=want, do=(*again, restart), undo=(self.restore, *undone, restart),
            title=f"restart {restart.unit}", disruption=Disruption.RESTART,
        )  # fmt: skip

    def step(
        self, tip: str, then: tuple[Shell, ...] = (), undone: tuple[Shell, ...] = (), first: tuple[Shell, ...] = ()
    ) -> Step:
        """`then`, `undone`: what follows the writing and the putting back. `first`: what comes before either."""
        return Step(
            id=f"{tip}.config-{self.stage.name.lower()}@{self.host}", tip=tip, host=self.host, stage=self.stage,
            read=OWN_FILES, before={self.path: digest(self.before)}, want={self.path: digest(self.after)},
            do=(*first, PutFile(self.path, self.after), *then), undo=(*first, self.restore, *undone),
            title=f"write {self.path}",
        )  # fmt: skip


def digest(content: str) -> str | None:
    """How OWN_FILES names a file with this content; None where there is no file."""
    return hashlib.sha256(content.encode()).hexdigest() if content else None
