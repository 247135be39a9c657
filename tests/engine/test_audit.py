"""The rungs: the lowest of a tip's hosts, and not knowing is not passing."""

from __future__ import annotations

import pytest

from galvan.engine.audit import accept, rungs
from galvan.model import Finding, Risk, Rung, Severity, Verdict


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


def test_an_accepted_risk_counts_until_its_day() -> None:
    found = [finding(Verdict.FAIL), finding(Verdict.FAIL, host="db2")]
    counted, accepted = accept(found, [Risk("t.c", "db2", "old driver", "ann", "2027-01-31")], "2027-01-31")
    assert (counted, accepted) == ((found[0],), 1)
    counted, accepted = accept(found, [Risk("t.c", "*", "old driver", "ann", "2027-01-31")], "2027-02-01")
    assert accepted == 0
    assert counted[:2] == tuple(found)
    assert "accepted by ann until 2027-01-31" in counted[2].seen
