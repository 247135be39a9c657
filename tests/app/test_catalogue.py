"""A name that means no check is an error that names the nearest one: what was meant would not be said, or not be accepted."""

from __future__ import annotations

import pytest

from galvan.app.catalogue import CHECKS, known, looks_at, unknown
from galvan.model import BadInput, Cluster, Control, Host, Policy, Risk, Role

HOSTS = (Host("db1", "10.0.0.1", Role.DATABASE, "db1"),)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Policy(accepted=(Risk("client_tls.offred", "*", "", "", ""),)), "accept: there is no check client_tls.offred; did you mean client_tls.offered"),
        (Policy(controls=(Control("client_tsl.required", asked=False),)), "policy.controls: .* did you mean client_tls.required"),
        (Policy(controls=(Control("ciphers", asked=False),)), "did you mean client_tls.ciphers"),
        (Policy(accepted=(Risk("client_tls.offered", "db9", "", "", ""),)), "accept: client_tls.offered: there is no host db9; did you mean db1"),
        (Policy(accepted=(Risk("quite.something-else", "*", "", "", ""),)), r"no check quite.something-else \(galvan checks lists them\)"),
    ],
)  # fmt: skip
def test_a_name_that_means_nothing(policy: Policy, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        known(Cluster("shop", HOSTS, policy))


def test_names_that_are_known() -> None:
    risks = tuple(
        Risk(check, host, "", "", "") for check in (*CHECKS, "firewall.security-groups") for host in ("*", "db1")
    )
    known(Cluster("shop", HOSTS, Policy(accepted=risks, controls=tuple(Control(check) for check in CHECKS))))


def test_the_nearest_is_named_only_where_one_is_near() -> None:
    assert "did you mean" not in str(unknown("check", "zzz", CHECKS))


def test_a_check_has_evidence_to_explain() -> None:
    fact = looks_at(CHECKS["client_tls.offered"])
    assert fact is not None
    assert "'have_ssl'" in fact.query.text
    assert looks_at(CHECKS["policy.risk-expired"]) is None
