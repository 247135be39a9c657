"""An audit beside an earlier one: what got better, got worse, is new, is gone. An earlier one is its JSON document. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from galvan.model import BadInput, Rung, Severity, Verdict
from galvan.report.text import Table
from galvan.report.words import visible

Key: TypeAlias = tuple[str, str]
"""A check and a host; of a rung: the tip, and no host."""
ORDER = ("worse", "new", "gone", "better")
_OPEN = ("fail", "unknown")
_WEIGHT = {severity.name.lower(): severity for severity in Severity}
_STATUSES = {*(verdict.value for verdict in Verdict), "accepted", "off"}


@dataclass(frozen=True, slots=True)
class Standing:
    status: str
    severity: str = ""

    def __str__(self) -> str:
        return f"{self.status} ({self.severity})" if self.status in _OPEN else self.status


@dataclass(frozen=True, slots=True)
class Change:
    kind: str
    check: str
    host: str
    before: str
    now: str


def read(text: str, cluster: str, file: str) -> Mapping[str, Any]:
    """The document of an earlier audit. Raises BadInput: what it is not, and what to do."""
    again = "write a new one with `galvan audit --save-baseline FILE`"
    try:
        said = json.loads(text)
        if not isinstance(said, dict):
            raise TypeError
        whose, _, _ = said["cluster"], standings(said), _heights(said)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{file} is no audit that Galvan can compare with: {again}") from None
    if whose != cluster:
        raise BadInput(f"{file} is an audit of the cluster {visible(str(whose))}, and this one is {cluster}: {again}")
    return said


def standings(document: Mapping[str, Any]) -> dict[Key, Standing]:
    """How each check stood on each host. Raises KeyError, TypeError or ValueError where the document is none of an audit."""
    if not isinstance(document["findings"], list):
        raise TypeError("findings")
    found = {
        (str(f["check"]), str(f["host"] or "cluster")): Standing(f["verdict"], f["severity"])
        for f in document["findings"]
    }
    for name, status in (("suppressed", "accepted"), ("off", "off")):
        for f in document.get(name, ()):
            found[str(f["check"]), str(f["host"] or "cluster")] = Standing(status, f["severity"])
    if strange := [s for s in found.values() if s.status not in _STATUSES or s.severity not in _WEIGHT]:
        raise ValueError(strange)
    return found


def _heights(document: Mapping[str, Any]) -> dict[str, Rung]:
    return {str(tip): Rung[str(rung).upper()] for tip, rung in document["rungs"].items()}


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """Both are documents of the same cluster."""
    return tuple(
        sorted((*_rungs(before, now), *_findings(before, now)), key=lambda c: (ORDER.index(c.kind), c.check, c.host))
    )


def _rungs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    old, new = _heights(before), _heights(now)
    for tip in old.keys() & new.keys():
        if old[tip] is not new[tip]:
            kind = "better" if new[tip] > old[tip] else "worse"
            yield Change(kind, f"the rung of {tip}", "cluster", old[tip].name.lower(), new[tip].name.lower())


def _findings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    old, new = standings(before), standings(now)
    for key in old.keys() | new.keys():
        was, is_now = old.get(key), new.get(key)
        if kind := _kind(was, is_now):
            yield Change(kind, *key, str(was or "not looked at"), str(is_now or "not looked at"))


def _kind(was: Standing | None, now: Standing | None) -> str:
    """Not to see a failure any more is no progress; to see one where nothing could be seen is news."""
    if was is None or was.status == "off":
        return "new" if now and now.status in _OPEN else ""
    if now is None or now.status == "off":
        return "gone" if was.status in _OPEN else ""
    if was.status == now.status:
        return _heavier(was, now) if now.status == "fail" else ""
    if was.status in _OPEN and now.status in _OPEN:
        return "worse" if now.status == "unknown" else "new"
    if now.status in _OPEN:
        return "worse"
    return "better" if was.status in _OPEN else ""


def _heavier(was: Standing, now: Standing) -> str:
    if was.severity == now.severity:
        return ""
    return "worse" if _WEIGHT[now.severity] > _WEIGHT[was.severity] else "better"


def shape(changes: tuple[Change, ...], since: str) -> dict[str, Any]:
    listed = {
        kind: [{"check": c.check, "host": c.host, "before": c.before, "now": c.now} for c in changes if c.kind == kind] for kind in ORDER
    }  # fmt: skip
    return {"since": since, **listed}


def table(changes: tuple[Change, ...], since: str) -> Table:
    rows = tuple((c.kind, visible(c.check), visible(c.host), c.before, c.now) for c in changes)
    return Table(f"Since {visible(since)}", ("", "check", "host", "before", "now"), rows)


def summary(changes: tuple[Change, ...], since: str) -> str:
    counts = ", ".join(f"{sum(c.kind == kind for c in changes)} {kind}" for kind in ("better", "worse", "new", "gone"))
    return f"since {visible(since)}: {counts}"
