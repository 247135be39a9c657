"""All checks of the tip's own; the rooms bring theirs."""

from __future__ import annotations

from galvan.tips.hardening import auditing, galera, limits, machine, owners, settings, wide

CHECKS = (
    *settings.CHECKS, *limits.CHECKS, *auditing.CHECKS, *owners.CHECKS, *machine.CHECKS, *galera.CHECKS, *wide.CHECKS,
)  # fmt: skip
