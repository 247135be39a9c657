"""What we think of what we saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from galvan.model.errors import Unreadable
from galvan.model.facts import HostFacts, Snapshot
from galvan.model.hosts import Risk, Role
from galvan.model.scales import Rung, Severity, Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    seen: str
    want: str


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    tip: str
    host: str | None
    severity: Severity
    verdict: Verdict
    seen: str
    want: str
    rung: Rung = Rung.READY


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that does not count, because of a decision that somebody signed."""

    finding: Finding
    risk: Risk


@dataclass(frozen=True, slots=True)
class Check:
    """`rung` is the height that a host cannot claim while this check does not pass; `control` is its catalogue row.

    `strict`: asked for only where the policy's profile is `strict`. `references`: where others demand the same, by number
    ("CIS MariaDB 10.6 4.7"), never in their words. `remedy`: one sentence or command that mends it.
    """

    id: str
    severity: Severity
    title: str
    rung: Rung
    control: str
    why: str
    judge: Callable[[Snapshot], Iterator[Finding]]
    strict: bool = False
    references: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def tip(self) -> str:
        return self.id.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Manual:
    """A control that only a person can judge: printed apart, and in no count. `look`: how a person finds out."""

    id: str
    title: str
    look: str
    control: str
    references: tuple[str, ...] = ()

    @property
    def tip(self) -> str:
        return self.id.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Impact:
    """Who NARROW would hurt, and how we know. `who` is the name that `--accept-impact` takes.

    `widen`: already the new way beside the old would hurt, so a run does not begin before it was taken by name.
    """

    tip: str
    host: str
    who: str
    what: str
    evidence: str
    widen: bool = False


HostJudge: TypeAlias = Callable[[HostFacts, Snapshot], Judgement]


def check(
    id: str,
    severity: Severity,
    title: str,
    *,
    rung: Rung,
    control: str,
    role: Role = Role.DATABASE,
    also: Sequence[Role] = (),
    strict: bool = False,
    references: tuple[str, ...] = (),
    remedy: str = "",
) -> Callable[[HostJudge], Check]:
    """Makes a check out of a judgement of one host (and registers nothing); an unreadable fact becomes UNKNOWN.

    The judgement's docstring is the `why` that `galvan explain` prints. `control` is the row of the control catalogue.
    """

    def lift(judge_host: HostJudge) -> Check:
        def judge(snapshot: Snapshot) -> Iterator[Finding]:
            for facts in snapshot.having(role, *also):
                try:
                    said = judge_host(facts, snapshot)
                except Unreadable as why:
                    said = Judgement(Verdict.UNKNOWN, str(why), "")
                tip = id.split(".", 1)[0]
                yield Finding(id, tip, facts.host.name, severity, said.verdict, said.seen, said.want, rung)

        why = " ".join((judge_host.__doc__ or "").split())
        return Check(id, severity, title, rung, control, why, judge, strict, references, remedy)

    return lift


def holds(good: bool, seen: str, want: str) -> Judgement:
    return Judgement(Verdict.PASS if good else Verdict.FAIL, seen, want)


def not_here(seen: str) -> Judgement:
    """The check does not concern this host."""
    return Judgement(Verdict.NOT_APPLICABLE, seen, "")
