"""What a security module refused, or would have: denials out of the audit log, the events that caused them, and the book of
rules that a person reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Denial:
    """One record of the audit log. `object`: a path, a name or a port, as the record gives it; `at`: seconds since the epoch, by
    the host's own clock; `serial` tells records of the same moment apart."""

    at: float
    serial: int
    permissions: frozenset[str]
    process: str
    source: str  # the type that the process runs as
    target: str
    kind: str  # tclass: file, tcp_socket, process, capability …
    object: str = ""
    refused: bool = True  # False: only noted (permissive)

    @property
    def rule(self) -> str:
        """The name of the rule that would allow it."""
        return f"{self.source}/{self.target}/{self.kind}"


class Answer(StrEnum):
    """What is done about denials. HOLD: nothing, until a person takes the rule by name."""

    ALLOW = "allow"
    LABEL = "label"
    BOOLEAN = "boolean"
    HOLD = "hold"
    LEAVE = "leave"  # it stays refused: a person said so


@dataclass(frozen=True, slots=True)
class Rule:
    """All denials of one source, target and kind, over all hosts and events. `by`: the label or boolean that answers it."""

    name: str
    permissions: frozenset[str]
    answer: Answer
    says: str
    by: str = ""
    events: frozenset[str] = frozenset()
    processes: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    seen: int = 0
    attention: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, str, str]:
        source, _, rest = self.name.partition("/")
        target, _, kind = rest.rpartition("/")
        return source, target, kind


@dataclass(frozen=True, slots=True)
class Book:
    """What was learnt, by the rule's name. `events`: how many denials each event brought on each host (`ist@db1`), the quiet ones
    too: an event that is not there was never tried. `version`: of the module that was built from it last."""

    rules: Mapping[str, Rule]
    events: Mapping[str, int]
    version: int = 0
    digest: str = ""  # of that module's rules
