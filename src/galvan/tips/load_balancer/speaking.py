"""The checks of a door where it is a ProxySQL or a MaxScale: what `checks` asks of a HAProxy, and what only these two can be asked."""

from __future__ import annotations

from galvan.cluster.behind import is_haproxy
from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, check, not_here
from galvan.model.findings import HostJudge
from galvan.tips.load_balancer.haproxy.conf import HAPROXY
from galvan.tips.load_balancer.kinds import both, by_kind
from galvan.tips.load_balancer.maxscale import checks as maxscale
from galvan.tips.load_balancer.proxysql import checks as proxysql
from galvan.tips.load_balancer.statements import judged

HEALTH = by_kind(proxysql.health, maxscale.knows_galera)
CAPS = by_kind(proxysql.caps, maxscale.limits)
CLOSED = by_kind(proxysql.admin_ports, both(maxscale.administration_closed, maxscale.administration_tls))
ONE_DOOR = by_kind(proxysql.one_door, maxscale.old_doors)
LASTING = by_kind(proxysql.lasting, maxscale.as_written)
_BEHIND = by_kind(proxysql.backend_tls, maxscale.members_tls)
_FRONT = by_kind(proxysql.front_tls, maxscale.front_tls)
_KNOWN = by_kind(both(proxysql.credentials, proxysql.passwords), maxscale.default_admin)
_STATEMENTS = by_kind(judged.proxysql, maxscale.statements)
_PASSED_ON = "HAProxy passes TLS through"


def _asked(judge: HostJudge, facts: HostFacts, snapshot: Snapshot, otherwise: str) -> Judgement:
    """Of a HAProxy that did not answer nobody knows whether it is one."""
    if not is_haproxy(facts.host):
        return judge(facts, snapshot)
    return not_here(otherwise if facts[HAPROXY].version else "no HAProxy is installed here")


@check("load_balancer.backend-tls", Severity.HIGH, "The balancer talks to members in clear text, or verifies nobody",
       rung=Rung.ENFORCED, control="LB-01", role=Role.LOAD_BALANCER)  # fmt: skip
def backend_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A balancer that speaks the protocol itself ends the client's TLS, so every statement and every row travels once more behind it.
    Without an authority to verify against, whoever stands between may be the member."""
    return _asked(_BEHIND, facts, snapshot, f"{_PASSED_ON}, from the application to the member")


@check("load_balancer.front-tls", Severity.HIGH, "Clients may talk to the balancer in clear text",
       rung=Rung.ENFORCED, control="LB-02", role=Role.LOAD_BALANCER)  # fmt: skip
def front_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """REQUIRE SSL at the members binds the balancer's own connection and not the client's: who comes in here is asked by nobody else."""
    return _asked(_FRONT, facts, snapshot, f"{_PASSED_ON}, from the application to the member")


@check("load_balancer.default-credentials", Severity.CRITICAL, "The balancer lets in with a password that everybody knows",
       rung=Rung.ENFORCED, control="LB-03", role=Role.LOAD_BALANCER)  # fmt: skip
def default_credentials(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """admin:admin of ProxySQL reads every password that it keeps, admin:mariadb of MaxScale leads clients to any server. A user's
    password that ProxySQL keeps in clear text, or a user without any, counts as one that is known."""
    return _asked(_KNOWN, facts, snapshot, "HAProxy has no account of its own")


@check("load_balancer.statements", Severity.MEDIUM, "The balancer hands on any statement", rung=Rung.OPEN, control="LB-05",
       role=Role.LOAD_BALANCER)  # fmt: skip
def statements(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What an injected statement will look like nobody knows beforehand; what the application says can be learnt, and all else be
    refused (galvan lb firewall). Only said: a plan does not change it."""
    return _asked(_STATEMENTS, facts, snapshot, f"{_PASSED_ON} and reads no statement")


CHECKS = (backend_tls, front_tls, default_credentials, statements)
