"""Audits to report on: one with everything in it, and words as only somebody who means harm would choose them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from galvan.app.desk import Audited
from galvan.engine.audit import EXPIRED
from galvan.model import (
    Accepted,
    Cluster,
    Control,
    Finding,
    Host,
    HostFacts,
    Manual,
    Policy,
    Risk,
    Role,
    Rung,
    Severity,
    Snapshot,
    Verdict,
)
from galvan.tips import TIPS

TIP = next(tip for tip in TIPS if tip.id == "client_tls")
HOSTS = (
    Host("db1", "10.0.0.11", Role.DATABASE, "db1"), Host("db2", "10.0.0.12", Role.DATABASE, "db2"), Host("db3", "10.0.0.13", Role.DATABASE, "db3"),
)  # fmt: skip
CHECKS = {
    check.id: replace(check, references=("CIS MariaDB 10.6 8.1", "STIG MADB-10-004900"), remedy="galvan plan --tip client_tls") for check in TIP.checks
} | {EXPIRED.id: EXPIRED}  # fmt: skip
OFFERED, EPHEMERAL, REQUIRED, ACCOUNTS, VERSIONS, CIPHERS, *OTHERS = (check.id for check in TIP.checks)
HOSTILE = (
    "]]>", "<script>alert(1)</script>", '" onmouseover="x', "'; DROP TABLE t; --", "a\nb\r\nc\td", "\x00\x01\x1b[31m\x7f\x9b", "\ud800", "\ufffe\uffff",
    "\U0001f409 and \U00010ffff", "\u202egnp.exe\u2066", "=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "-2", "`code` ``more``", "[text](https://x.example)", "| a | b |",
    "{0} {{1}} {%if%}", "&lt;&amp;", "@everyone :tada: #1", "x" * 100_000, "--> <!--", "{{ 7*7 }}", "", " ", "\\", "ä€漢",
)  # fmt: skip


def finding(
    check: str, verdict: Verdict, host: str | None = "db1", seen: str = "have_ssl=NO", want: str = "have_ssl=YES"
) -> Finding:
    known = CHECKS[check]
    return Finding(check, known.tip, host, known.severity, verdict, seen, want, known.rung)


RISK = Risk(REQUIRED, "db2", "an old driver", "ann", "2099-01-31")
FINDINGS = (
    finding(OFFERED, Verdict.FAIL), finding(OFFERED, Verdict.FAIL, "db2"), finding(OFFERED, Verdict.UNKNOWN, "db3", "db3: no answer", ""),
    finding(EPHEMERAL, Verdict.NOT_APPLICABLE, want=""), finding(EPHEMERAL, Verdict.PASS, "db2"), finding(CIPHERS, Verdict.PASS),
    finding(CIPHERS, Verdict.PASS, "db2"), finding(EXPIRED.id, Verdict.FAIL, None, "client_tls.versions: accepted by bob until 2020-01-01: x", "a decision again"),
    *(finding(check, Verdict.UNKNOWN, "db3", "db3: no answer", "") for check in (EPHEMERAL, REQUIRED, ACCOUNTS, VERSIONS, CIPHERS)),
)  # fmt: skip
MANUAL = (
    Manual(
        "client_tls.keys-kept",
        "Keys of clients are kept where few can read them",
        "Ask who may log in there",
        "TL-04",
        ("CIS MariaDB 10.6 2.11",),
    ),
)


def audit(findings: tuple[Finding, ...] = FINDINGS, **other: Any) -> Audited:
    policy = Policy(
        accepted=(RISK,), controls=(Control(VERSIONS, asked=False, reason="TLS 1.1 until May"), Control(CIPHERS, severity=Severity.HIGH)),
    )  # fmt: skip
    cluster = Cluster("shop", HOSTS, policy)
    snapshot = Snapshot(cluster, tuple(HostFacts(host, {}) for host in HOSTS), {}, 1795816800.25)
    said: dict[str, Any] = {
        "accepted": (Accepted(finding(REQUIRED, Verdict.FAIL, "db2"), RISK),), "unreachable": {"db3": "nothing listens at 10.0.0.13 port 22"},
        "misfits": ("db9 is a member, and galvan.yaml does not name it",), "off": (finding(VERSIONS, Verdict.FAIL),), "checks": CHECKS,
        "not_asked": ("client_tls.strictest",), "manual": MANUAL, "titles": {TIP.id: TIP.title},
        "seconds": {("db1", "server.variables"): 0.0042, ("db1", ""): 0.2},
    }  # fmt: skip
    return Audited(snapshot, findings, {TIP.id: Rung.OPEN}, **(said | other))


def harmful(words: str) -> Audited:
    """These words wherever a host, or whoever writes the policy, may put words."""
    risk = replace(RISK, reason=words, owner=words)
    findings = tuple(replace(f, seen=words, want=words) for f in FINDINGS)
    accepted = Accepted(replace(findings[0], check=REQUIRED, host="db2"), risk)
    off = (replace(findings[0], check=VERSIONS),)
    return audit(findings, accepted=(accepted,), off=off, unreachable={"db3": words}, misfits=(words,))
