"""Whom TLS already there serves in an old version, on real output of an owner's cluster."""

from __future__ import annotations

import pytest
from practice_cases import snapshot_of

from galvan.engine.plan import impact_of
from galvan.tips import TIPS

CLIENT_TLS = next(tip for tip in TIPS if tip.id == "client_tls")
SEEN = "1\t\t\t\t\n1\tapp\t10.0.0.7\tSSL/TLS\tTLSv1.1\n1\tshop\t10.0.0.8\tSSL/TLS\tTLSv1.3\n"
ON = ["db1", "server.variables", "performance_schema\tOFF", "performance_schema\tON"]


def widening(**said: object) -> list[tuple[str, str]]:
    snapshot = snapshot_of({"from": "own", **said})
    return [(i.host, i.who) for i in impact_of(CLIENT_TLS, snapshot) if i.widen]


def test_whoever_can_do_no_better_is_named() -> None:
    assert ("db1", "app@10.0.0.7") in widening(edit=[ON], output={"db1": {"client_tls.clients": SEEN}})


def test_the_policy_says_which_versions_go() -> None:
    seen = SEEN.replace("TLSv1.1", "TLSv1.2")
    assert ("db1", "app@10.0.0.7") not in widening(edit=[ON], output={"db1": {"client_tls.clients": seen}})
    strict = widening(edit=[ON], output={"db1": {"client_tls.clients": seen}}, policy={"min_tls": "TLSv1.3"})
    assert ("db1", "app@10.0.0.7") in strict


def test_where_nobody_can_say_it_is_said() -> None:
    assert ("db1", "old-tls-clients") in widening()


@pytest.mark.parametrize(
    "edit",
    [
        ["db1", "server.variables", "tls_version\tTLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3", "tls_version\tTLSv1.2,TLSv1.3"],
        ["db1", "server.variables", "have_ssl\tYES", "have_ssl\tDISABLED"],
    ],
)
def test_nobody_is_hurt_where_nothing_is_taken_away(edit: list[str]) -> None:
    assert "db1" not in {host for host, _ in widening(edit=[edit])}
