"""The rungs: the lowest of a tip's hosts, and not knowing is not passing. And what the policy makes of the findings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from galvan.engine.audit import EXPIRED, asked, rungs, weigh
from galvan.model import Accepted, Control, Finding, Policy, Risk, Rung, Severity, Verdict
from galvan.tips import TIPS


def finding(verdict: Verdict, rung: Rung = Rung.READY, host: str = "db1", check: str = "t.c") -> Finding:
    return Finding(check, "t", host, Severity.HIGH, verdict, "seen", "want", rung)


PASS = finding(Verdict.PASS, Rung.ENFORCED)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
@pytest.mark.parametrize(
    ("rung", "height"), [(Rung.READY, Rung.OPEN), (Rung.ENFORCED, Rung.READY), (Rung.OPEN, Rung.ENFORCED)]
)
def test_what_does_not_pass_denies_its_rung(verdict: Verdict, rung: Rung, height: Rung) -> None:
    assert rungs([PASS, finding(verdict, rung, "db2"), PASS], lambda tip: False) == {"t": height}


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.NOT_APPLICABLE])
def test_what_passes_denies_nothing(verdict: Verdict) -> None:
    assert rungs([finding(verdict), PASS], lambda tip: False) == {"t": Rung.ENFORCED}


def test_a_tip_that_concerns_no_host_has_no_height() -> None:
    assert rungs([finding(Verdict.NOT_APPLICABLE)], lambda tip: True) == {}


def test_proven_stands_on_enforced_only() -> None:
    assert rungs([PASS], lambda tip: True) == {"t": Rung.PROVEN}
    assert rungs([finding(Verdict.UNKNOWN, Rung.ENFORCED)], lambda tip: True) == {"t": Rung.READY}


def test_the_lowest_host_counts_in_any_order() -> None:
    low, high = finding(Verdict.FAIL, Rung.READY), finding(Verdict.FAIL, Rung.ENFORCED, "db2")
    assert rungs([low, high], lambda tip: False) == rungs([high, low], lambda tip: False) == {"t": Rung.OPEN}


RISK = Risk("t.c", "db2", "old driver", "ann", "2027-01-31")


def test_an_accepted_risk_counts_until_its_day() -> None:
    found = [finding(Verdict.FAIL), finding(Verdict.FAIL, host="db2")]
    weighed = weigh(found, Policy(accepted=(RISK,)), "2027-01-31")
    assert weighed.findings == (found[0],)
    assert weighed.accepted == (Accepted(found[1], RISK),)


@pytest.mark.parametrize(("host", "named"), [("*", None), ("db2", "db2")])
def test_past_its_day_the_finding_counts_again_and_the_acceptance_is_one_too(host: str, named: str | None) -> None:
    found = [finding(Verdict.FAIL), finding(Verdict.FAIL, host="db2")]
    weighed = weigh(found, Policy(accepted=(replace(RISK, host=host),)), "2027-02-01")
    assert weighed.accepted == ()
    assert weighed.findings[:2] == tuple(found)
    late = weighed.findings[2]
    assert (late.check, late.host, late.verdict, late.rung) == (EXPIRED.id, named, Verdict.FAIL, Rung.OPEN)
    assert "t.c: accepted by ann until 2027-01-31: old driver" in late.seen


def test_what_is_past_its_day_is_one_finding_a_host() -> None:
    late = (replace(RISK, check="t.a"), RISK)
    found = [finding(Verdict.FAIL, host="db2", check="t.a"), finding(Verdict.PASS, host="db2")]
    weighed = weigh(found, Policy(accepted=late), "2027-02-01")
    assert [f.check for f in weighed.findings] == ["t.a", "t.c", EXPIRED.id]
    assert "t.a: accepted" in weighed.findings[2].seen
    assert "t.c: accepted" in weighed.findings[2].seen


def test_a_late_acceptance_of_what_was_not_looked_at_says_nothing() -> None:
    assert (
        weigh([finding(Verdict.FAIL, check="t.x", host="db2")], Policy(accepted=(RISK,)), "2027-02-01").findings[1:]
        == ()
    )


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE])
def test_only_a_failure_can_be_accepted(verdict: Verdict) -> None:
    found = finding(verdict, host="db2")
    assert weigh([found], Policy(accepted=(RISK,)), "2027-01-01").findings == (found,)


def test_a_control_is_off_or_weighs_otherwise_and_nothing_is_lost() -> None:
    controls = (Control("t.c", asked=False, reason="why"), Control("t.d", severity=Severity.INFO))
    found = [finding(Verdict.FAIL), finding(Verdict.FAIL, check="t.d"), finding(Verdict.PASS, check="t.e")]
    weighed = weigh(found, Policy(controls=controls), "2027-01-01")
    assert weighed.off == (found[0],)
    assert weighed.findings == (replace(found[1], severity=Severity.INFO), found[2])


TIP = next(tip for tip in TIPS if tip.id == "client_tls")
OFFERED = TIP.checks[0]
STRICT = replace(TIP, checks=(replace(OFFERED, strict=True), *TIP.checks[1:]))


@pytest.mark.parametrize(
    ("policy", "there"),
    [
        (Policy(), False),
        (Policy(profile="strict"), True),
        (Policy(controls=(Control(OFFERED.id, asked=True),)), True),
        (Policy(controls=(Control(OFFERED.id, severity=Severity.LOW),)), False),
        (Policy(profile="strict", controls=(Control(OFFERED.id, asked=False),)), True),  # set aside afterwards
    ],
)
def test_strict_checks_are_for_the_strict_profile_and_for_who_asks(policy: Policy, there: bool) -> None:
    (tip,) = asked([STRICT], policy)
    assert (OFFERED.id in {check.id for check in tip.checks}) is there
    assert len(tip.checks) == len(TIP.checks) - (not there)


def test_the_policys_severity_is_the_checks() -> None:
    (tip,) = asked([TIP], Policy(controls=(Control(OFFERED.id, severity=Severity.LOW),)))
    assert tip.checks[0] == replace(OFFERED, severity=Severity.LOW)
    assert tip.checks[1:] == TIP.checks[1:]
