"""What every report is made of: one row for each thing that was looked at, the worst first, with its evidence made harmless."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from galvan.model import Accepted, Check, Finding, Manual, Risk, Rung, Severity, Snapshot, Verdict

ORDER = ("fail", "unknown", "accepted", "off", "pass", "n/a")
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)


class Audited(Protocol):
    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def findings(self) -> tuple[Finding, ...]: ...
    @property
    def rungs(self) -> Mapping[str, Rung]: ...
    @property
    def accepted(self) -> tuple[Accepted, ...]: ...
    @property
    def unreachable(self) -> Mapping[str, str]: ...
    @property
    def misfits(self) -> tuple[str, ...]: ...
    @property
    def off(self) -> tuple[Finding, ...]: ...
    @property
    def checks(self) -> Mapping[str, Check]: ...
    @property
    def not_asked(self) -> tuple[str, ...]: ...
    @property
    def manual(self) -> tuple[Manual, ...]: ...
    @property
    def titles(self) -> Mapping[str, str]: ...
    @property
    def seconds(self) -> Mapping[tuple[str, str], float]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One check on one host. `status` is its verdict, or what the policy made of it: accepted, off. `why`: the policy's reason."""

    finding: Finding
    check: Check | None
    status: str
    seen: str
    want: str
    risk: Risk | None = None
    why: str = ""

    @property
    def host(self) -> str:
        return self.finding.host or "cluster"

    @property
    def severity(self) -> str:
        return self.finding.severity.name.lower()

    @property
    def title(self) -> str:
        return self.check.title if self.check else self.finding.check

    @property
    def remedy(self) -> str:
        return self.check.remedy if self.check else ""

    @property
    def references(self) -> tuple[str, ...]:
        return self.check.references if self.check else ()


def visible(text: str) -> str:
    """What a host said may hold anything: what does not show, or would turn the text around, stands as its number.

    >>> visible("a\\x1b[31mb")
    'a\\\\u001b[31mb'
    """
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def short(text: str, most: int) -> str:
    """At most so many characters, and it says how much is missing."""
    if len(text) <= most:
        return text
    end = f" … ({len(text)} characters in all)"
    return text[: most - len(end)] + end


def rows(seen: Audited) -> tuple[Row, ...]:
    """Whatever the policy says, nothing that was looked at is missing here."""
    reasons = {control.check: control.reason for control in seen.snapshot.cluster.policy.controls}
    found = [_row(seen, finding, finding.verdict.value) for finding in seen.findings]
    found += [_row(seen, one.finding, "accepted", one.risk, one.risk.reason) for one in seen.accepted]
    found += [_row(seen, finding, "off", None, reasons.get(finding.check, "")) for finding in seen.off]
    return tuple(sorted(found, key=lambda r: (ORDER.index(r.status), -r.finding.severity, r.finding.check, r.host)))


def _row(seen: Audited, finding: Finding, status: str, risk: Risk | None = None, why: str = "") -> Row:
    check = seen.checks.get(finding.check)
    return Row(finding, check, status, visible(finding.seen), visible(finding.want), risk, visible(why))


def judged(row: Row) -> str:
    """What the policy has to say of it."""
    if row.risk:
        return f"accepted by {visible(row.risk.owner)} until {row.risk.until}: {row.why}"
    return f"off by policy{f': {row.why}' if row.why else ''}; it says {row.finding.verdict.value}"


def fingerprint(row: Row, cluster: str) -> str:
    """The same for the same check on the same host, whatever it sees: what an earlier report calls so is this one."""
    return hashlib.sha256("\0".join((row.finding.check, cluster, row.host)).encode()).hexdigest()


def taken(seen: Audited) -> datetime:
    return datetime.fromtimestamp(seen.snapshot.taken_at, UTC)


def by_severity(found: Sequence[Finding]) -> str:
    """As `1 critical, 4 high`, of what fails."""
    counts = Counter(f.severity for f in found if f.verdict is Verdict.FAIL)
    return ", ".join(f"{counts[s]} {s.name.lower()}" for s in sorted(Severity, reverse=True) if counts[s])


def summary(seen: Audited) -> list[str]:
    """The counts, and each thing that is not in them."""
    counts = Counter(f.verdict for f in seen.findings)
    heavy = f" ({by_severity(seen.findings)})" if counts[Verdict.FAIL] else ""
    said = f"{counts[Verdict.FAIL]} fail{heavy}, {counts[Verdict.UNKNOWN]} could not be looked at, {counts[Verdict.PASS]} pass"
    lines = [said + (f", {len(seen.accepted)} accepted by policy" if seen.accepted else "")]
    if seen.off:
        lines.append(f"off by policy: {'; '.join(_off(seen))}")
    changed = [c for c in seen.snapshot.cluster.policy.controls if c.severity is not None and c.check in seen.checks]
    if changed:
        heavier = ", ".join(f"{c.check} ({c.severity.name.lower()})" for c in changed if c.severity is not None)
        lines.append(f"with the policy's own severity: {heavier}")
    if seen.not_asked:
        lines.append(f"not asked for by the profile {seen.snapshot.cluster.policy.profile}: {_many(seen.not_asked)}")
    if seen.manual:
        lines.append(
            f"for a person to judge, and in no count: {len(seen.manual)} control{'s' if len(seen.manual) > 1 else ''}"
        )
    return lines


def _off(seen: Audited) -> list[str]:
    reasons = {control.check: control.reason for control in seen.snapshot.cluster.policy.controls}
    told = []
    for check in dict.fromkeys(finding.check for finding in seen.off):
        found = [
            f"{word} on {', '.join(hosts)}"
            for word, verdict in (("fails", Verdict.FAIL), ("could not look", Verdict.UNKNOWN))
            if (hosts := [f.host or "cluster" for f in seen.off if f.check == check and f.verdict is verdict])
        ]
        reason = f" ({visible(reasons[check])})" if reasons.get(check) else ""
        told.append(f"{check}{reason}, {', '.join(found) or 'fails on no host'}")
    return told


def _many(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{len(names)} checks (galvan checks lists them)"
