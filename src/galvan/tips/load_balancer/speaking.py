"""What is asked of a balancer that speaks the database's protocol itself: it ends TLS, it logs people in, it reads statements."""

from __future__ import annotations

from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, check, not_here
from galvan.tips.load_balancer.kinds import both, other_kind
from galvan.tips.load_balancer.maxscale import checks as maxscale
from galvan.tips.load_balancer.proxysql import checks as proxysql
from galvan.tips.load_balancer.statements import judged

_PASSED_ON = not_here("HAProxy passes TLS through, from the application to the member")


@check("load_balancer.backend-tls", Severity.HIGH, "The balancer talks to members in clear text, or verifies nobody",
       rung=Rung.ENFORCED, control="LB-01", role=Role.LOAD_BALANCER)  # fmt: skip
def backend_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A balancer that speaks the protocol itself ends the client's TLS, so every statement and every row travels once more behind it.
    Without an authority to verify against, whoever stands between may be the member."""
    return other_kind(facts, snapshot, proxysql.backend_tls, maxscale.members_tls) or _PASSED_ON


@check("load_balancer.front-tls", Severity.HIGH, "Clients may talk to the balancer in clear text",
       rung=Rung.ENFORCED, control="LB-02", role=Role.LOAD_BALANCER)  # fmt: skip
def front_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """REQUIRE SSL at the members binds the balancer's own connection and not the client's: who comes in here is asked by nobody else."""
    return other_kind(facts, snapshot, proxysql.front_tls, maxscale.front_tls) or _PASSED_ON


@check("load_balancer.default-credentials", Severity.CRITICAL, "The balancer lets in with a password that everybody knows",
       rung=Rung.ENFORCED, control="LB-03", role=Role.LOAD_BALANCER)  # fmt: skip
def default_credentials(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """admin:admin of ProxySQL reads every password that it keeps, admin:mariadb of MaxScale leads clients to any server. A user's
    password that ProxySQL keeps in clear text, or a user without any, counts as one that is known."""
    both_of_them = both(proxysql.credentials, proxysql.passwords)
    return other_kind(facts, snapshot, both_of_them, maxscale.default_admin) or not_here(
        "HAProxy has no account of its own"
    )


@check("load_balancer.statements", Severity.MEDIUM, "The balancer hands on any statement", rung=Rung.OPEN, control="LB-05",
       role=Role.LOAD_BALANCER)  # fmt: skip
def statements(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What an injected statement will look like nobody knows beforehand; what the application says can be learnt, and all else be
    refused (galvan lb firewall). Only said: a plan does not change it."""
    return other_kind(facts, snapshot, judged.proxysql, maxscale.statements) or not_here(
        "HAProxy passes TLS through and reads no statement"
    )


CHECKS = (backend_tls, front_tls, default_credentials, statements)
