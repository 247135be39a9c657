"""What we will do: actions, steps, and the needs that tips state instead of acting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from galvan.model.facts import Fact, Shell, Sql, State
from galvan.model.hosts import SecretRef
from galvan.model.scales import Disruption, Stage


@dataclass(frozen=True, slots=True)
class Signed:
    """The content of a file: the certificate that an authority signs for the request lying on the host at `csr`."""

    authority: str
    csr: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    common_name: str
    days: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """The content of a file: what `script` prints on the host `source`, sealed there for the certificate that lies at
    `recipient` on the host that receives the file. A secret goes from host to host so, and only its ciphertext passes here."""

    source: str
    script: Shell
    recipient: str


Content: TypeAlias = str | SecretRef | Signed | Sealed


@dataclass(frozen=True, slots=True)
class PutFile:
    """Atomic rename; what was there before is kept on the host under the wave's name, root-only."""

    path: str
    content: Content
    mode: int = 0o644
    owner: str = "root:root"
    kind: str = "put"


@dataclass(frozen=True, slots=True)
class RestoreFile:
    """Puts back what was kept when `wave` first touched `path`; removes the file where there was none."""

    path: str
    wave: str
    kind: str = "restore"


class How(StrEnum):
    """The halves of a restart, for an outage in which every member is stopped before the first one starts again."""

    RESTART = "restart"
    STOP = "stop"
    START = "start"
    BOOTSTRAP = (
        "bootstrap"  # the start that makes a new primary component: the engine's choice at the moment, in no plan
    )

    @property
    def done(self) -> str:
        return "stopped" if self is How.STOP else f"{self}ed" if self is not How.BOOTSTRAP else "bootstrapped"


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop and start of the database service; the edge asks the gate again in the same exec as the stop.

    `members`: how many the stopping member must count at that moment. `limit`: seconds that a start may take; one that brings
    a full copy of the data takes as long as the data is large.
    """

    members: int
    unit: str = "mariadb"
    how: How = How.RESTART
    limit: int = 180
    kind: str = "restart"


Action: TypeAlias = Shell | Sql | PutFile | RestoreFile | Restart


class Scope(StrEnum):
    HOST = "host"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Reach:
    """A new connection that must be possible: the host `source` dials `address`:`port`, which is the host `target`.
    `within`: seconds after the change."""

    source: str
    target: str
    address: str
    port: int
    within: float


@dataclass(frozen=True, slots=True)
class Deadman:
    """The host undoes the step by itself, unless every reach was seen in time and, within `seconds`, a new connection of the
    operator's came in. It does so without anybody's help: the operator's side may be dead by then."""

    seconds: float
    reaches: tuple[Reach, ...] = ()

    @property
    def unhurried(self) -> Deadman:
        """For the way back to what stood there before, and let everyone in who is there: no reach is more urgent than the rest."""
        return Deadman(self.seconds, tuple(replace(reach, within=self.seconds) for reach in self.reaches))


@dataclass(frozen=True, slots=True)
class Step:
    """A change as data, built from what was seen: `before` is what the undo restores.

    `patience`: seconds for which what the host goes on with by itself may show no progress in `read`, where the change is
    not made with the last action. `progress` is the key of `read` that tells how far it is.
    """

    id: str
    tip: str
    host: str
    stage: Stage
    read: Fact[State]
    before: State
    want: State
    do: tuple[Action, ...]
    undo: tuple[Action, ...]
    title: str
    disruption: Disruption = Disruption.NONE
    scope: Scope = Scope.HOST
    deadman: Deadman | None = None
    patience: float = 0.0
    progress: str = ""


def remaining(step: Step, seen: State) -> State:
    """What still differs. Empty before `do`: nothing to do; empty after: done; not empty later: drift."""
    return {key: want for key, want in step.want.items() if seen.get(key) != want}


@dataclass(frozen=True, slots=True)
class Certificate:
    """Need: a leaf of `authority` on `host`, at the place that `pki` keeps for it, good for these names."""

    authority: str
    host: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """Need: a server option from `stage` on. `live`: also SET GLOBAL; otherwise it waits for that stage's restart.

    A value of None takes the option out of Galvan's file. `shows`: what the server shows of it once it was restarted with it,
    where that is not the option's own name and value; empty where it shows nothing.
    """

    host: str
    section: str
    name: str
    value: str | None
    stage: Stage
    tip: str
    reason: str
    live: bool = False
    shows: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class ProviderOption:
    """Need: a key of wsrep_provider_options from `stage` on; None takes the key out.

    `live`: what the running provider is set to as well, for the few keys that it takes while it runs.
    """

    host: str
    name: str
    value: str | None
    stage: Stage
    tip: str
    reason: str
    live: str | None = None


Need: TypeAlias = Certificate | Setting | ProviderOption
