"""Who must stay able to log in without TLS, and what follows from it.

A balancer's own health check (HAProxy's `mysql-check`) cannot speak TLS: under a rule it would mark every server down.
Accounts that the policy exempts are the operator's word. Neither gets REQUIRE SSL; and where there is one of them,
`require_secure_transport`, which knows no exception, stays off and the rule on each other account does the work.
"""

from __future__ import annotations

from galvan.cluster.balancer import CHECK_USERS
from galvan.cluster.facts import Account
from galvan.model import Role, Snapshot


def users(snapshot: Snapshot) -> frozenset[str]:
    """Raises Unreadable where a balancer cannot be asked: an unseen health check is not an absent one."""
    checks = {user for facts in snapshot.having(Role.LOAD_BALANCER) for user in facts[CHECK_USERS]}
    exempt = {name.split("@", 1)[0].strip("'") for name in snapshot.cluster.policy.exempt_accounts}
    return frozenset(checks | exempt)


def concerned(account: Account, snapshot: Snapshot) -> bool:
    """Does a TLS rule belong on this account? Not on local, locked or spared ones."""
    return not (account.local or account.locked or account.user in users(snapshot))


def lacks(account: Account, require: str) -> bool:
    return account.require == "NONE" or (require == "X509" and account.require == "ANY")
