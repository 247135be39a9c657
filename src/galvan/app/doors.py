"""Which balancers' own interfaces can be reached, by kind.

ProxySQL's alone: a MaxScale learns a list of its own (module=firewall, from 25.10), which Galvan reads for its judgement and does
not write, and HAProxy reads no statement. `app.statements` says so of each.
"""

from __future__ import annotations

from collections.abc import Mapping

from galvan.tips.load_balancer.kinds import ADMIN
from galvan.tips.load_balancer.statements.door import Admin

DOORS: Mapping[str, Admin] = {"proxysql": ADMIN}
