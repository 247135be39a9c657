"""What we try from outside: attempts, outcomes, proofs and their weighing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from galvan.model.hosts import SecretRef
from galvan.model.scales import Verdict


class Outcome(StrEnum):
    ACCEPTED = "accepted"  # let in
    REFUSED = "refused"  # the far side said no, in a way that names this very reason
    CLEAR = "clear text"  # the far side speaks, or the wire carries, clear text
    ENCRYPTED = "encrypted"  # only TLS was seen
    MATCHES = "matches"
    DIFFERS = "differs"
    SILENT = "silent"  # nothing came back in time
    DEAD = "dead"  # the trial itself did not work: nothing was measured


class Weight(StrEnum):
    LOOK = "look"
    MARK = "mark"
    INVASIVE = "invasive"


@dataclass(frozen=True, slots=True)
class Trial:
    """What an attempt brought: the outcome, and what a DBA would see."""

    outcome: Outcome
    seen: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login at the server, with or without TLS. `password`: None where none is given."""

    address: str
    port: int
    user: str
    password: SecretRef | None
    tls: bool


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A TLS handshake at the MySQL port after the greeting (STARTTLS-like), offering only `version`."""

    address: str
    port: int
    version: str  # TLSv1.1, TLSv1.2, TLSv1.3


@dataclass(frozen=True, slots=True)
class Served:
    """Is the certificate that the port serves the one with this SHA-256, and does it chain to `authority` (PEM)?"""

    address: str
    port: int
    sha256: str
    authority: str
    name: str
    group: bool = False  # the group port (TLS from the first byte) instead of the MySQL port


@dataclass(frozen=True, slots=True)
class GroupHello:
    """A TLS hello at the group port, with a credential: `none`, `foreign`, or a directory on the vantage host
    that holds cert.pem and key.pem; with `key`, a certificate's file there, and its key's.
    Never a silent connection: one of those stalls a cluster in dynamic mode."""

    address: str
    port: int
    credential: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Listening:
    """How the running provider itself names its listener: `ssl` is strict, `tcp` takes clear text."""

    host: str


@dataclass(frozen=True, slots=True)
class Capture:
    """What a wire tap on `host` sees on `ports` while a marker is written: only TLS records, or clear text."""

    host: str
    ports: tuple[int, ...]
    marker: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Which ports of `address` can be reached from the vantage: those that answer, be it with a refusal; a wall is silent.

    MATCHES where exactly `answering` did. `ports`: ranges, both ends included. `control`: an address and a port known to be
    open, dialled again and again meanwhile: while it is silent, silence means nothing, and the trial is DEAD.
    """

    address: str
    ports: tuple[tuple[int, int], ...]
    answering: frozenset[int]
    control: tuple[str, int]
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Question:
    """A statement at the server of `host`, as an administrator would type it there. It changes nothing even where it is let through.

    REFUSED by an error of `refusals`; let in also by an error of `through`, which only comes to whom no refusal stopped.
    `as_transfer`: with the account that state transfers use, as the server's own system user.
    """

    host: str
    statement: str
    refusals: frozenset[int]
    through: frozenset[int] = frozenset()
    as_transfer: bool = False


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Is a row with this marker, once written and flushed, to be read in a file of the host's? `place`: table, redo, binlog, or
    cache (of Galera's). CLEAR or ENCRYPTED; DEAD where there is no such file."""

    host: str
    place: str
    marker: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """What was seen while `host` got all its data anew from another member: forced once, for all who ask.

    `ask`: `ran` (did it take place?), `wire` (what its ports carried, `marker` among it), `processes` (did a process or a log of
    either end show the secret?), `account` (was it `user` that read the data at the donor?).
    """

    host: str
    ask: str
    marker: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Rummage:
    """Does somebody who has no rights on the host find the secret of transfers, in its option files, processes or logs? ACCEPTED where he
    does. `living`: does he see any option file at all?"""

    host: str
    living: bool = False


@dataclass(frozen=True, slots=True)
class Runnable:
    """Would the host's server find any of these programs and run it, as the shell does that it asks? As the server's user,
    on the PATH of a unit of systemd; none of them is run."""

    host: str
    programs: tuple[str, ...]
    user: str = "mysql"


@dataclass(frozen=True, slots=True)
class Access:
    """What the running kernel answers to the question whether the server's process may do this: asked, and not tried.
    `target`: a type, or a path whose type is meant."""

    host: str
    target: str
    kind: str
    permission: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A login under a name that nobody has, and then a look at what the server of `host` wrote of it: MATCHES where the name
    stands there. `log`: a file; empty where there is none to look at, `syslog` for the host's journal."""

    host: str
    address: str
    port: int
    log: str


Attempt: TypeAlias = (
    Login
    | ClientHello
    | Served
    | GroupHello
    | Listening
    | Capture
    | Scan
    | Question
    | Noted
    | OnDisk
    | Transfer
    | Rummage
    | Runnable
    | Access
)


@dataclass(frozen=True, slots=True)
class Proof:
    """An attempt that must fail, from a vantage, with a control that must succeed."""

    id: str
    tip: str
    claim: str
    host: str
    vantage: str  # a host's name, or `operator`
    attempt: Attempt
    expect: frozenset[Outcome]
    control: Attempt
    alive: frozenset[Outcome]
    weight: Weight = Weight.LOOK
    control_vantage: str = ""  # where it is not the attempt's own


@dataclass(frozen=True, slots=True)
class Result:
    proof: Proof
    verdict: Verdict
    seen: str
    control: str


def weigh(proof: Proof, attempt: Trial, control: Trial) -> Verdict:
    """A door that opened is a FAIL by itself; a refusal counts only beside a living control."""
    if attempt.outcome in proof.expect:
        return Verdict.PASS if control.outcome in proof.alive else Verdict.UNKNOWN
    return Verdict.UNKNOWN if attempt.outcome in (Outcome.DEAD, Outcome.SILENT) else Verdict.FAIL
