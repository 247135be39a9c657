"""Few looks, and cheap ones: one statement for all variables."""

from __future__ import annotations

from typing import Any

from galvan.cluster.facts import VARIABLES, pairs
from galvan.model import Fact, Sql, State

_NAMES = ("local_infile",)

SETTINGS: Fact[State] = Fact(
    "hardening.settings",
    Sql(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({', '.join(repr(name) for name in _NAMES)})"),
    pairs,
)
FACTS: tuple[Fact[Any], ...] = (VARIABLES, SETTINGS)
