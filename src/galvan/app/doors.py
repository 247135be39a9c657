"""Which balancers' own interfaces can be reached, by kind. The adapters are other parts' work; here they are named."""

from __future__ import annotations

from collections.abc import Mapping

from galvan.tips.load_balancer.statements.door import Admin

DOORS: Mapping[str, Admin] = {}
