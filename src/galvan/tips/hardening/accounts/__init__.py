"""A room of the tip: who gets into the server, and what he may do there. Accounts are locked or narrowed, never dropped."""

from __future__ import annotations

from typing import Any

from galvan.cluster.balancer import CHECK_USERS
from galvan.cluster.facts import VARIABLES
from galvan.cluster.grants import GRANTS
from galvan.model import Check, Fact
from galvan.tips.hardening.accounts import definers, entry, facts, rights, rules
from galvan.tips.hardening.accounts.impact import impact, settled
from galvan.tips.hardening.accounts.proofs import proofs
from galvan.tips.hardening.accounts.steps import mend

__all__ = ["CHECKS", "FACTS", "impact", "mend", "proofs", "settled"]

FACTS: tuple[Fact[Any], ...] = (
    VARIABLES, GRANTS, CHECK_USERS, facts.USED, facts.LAST, definers.ROUTINES, definers.VIEWS, facts.CHANGED, facts.OPTIONS,
    facts.TRANSFERS, facts.KEPT, facts.STANDING, facts.WATCHING,
)  # fmt: skip
CHECKS: tuple[Check, ...] = (*entry.CHECKS, *rights.CHECKS, *rules.CHECKS)
