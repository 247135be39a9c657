"""Galvan secures Galera clusters: audit, plan, apply while the applications keep writing, and prove from outside.

As a library: `from galvan import audit, plan, apply, verify` (galvan/api.py). Importing the package alone loads nothing.
"""

TYPE_CHECKING = False  # as type checkers take it; `typing` would cost more than all the rest here
if TYPE_CHECKING:
    from galvan.api import (
        Audited,
        BadInput,
        Blind,
        Cluster,
        Ended,
        Finding,
        GalvanError,
        NotHealed,
        Plan,
        Result,
        Rung,
        Severity,
        Unreachable,
        Unreadable,
        Unsafe,
        Verdict,
        Verified,
        apply,
        audit,
        plan,
        verify,
    )

__version__ = "0.1.0"
__all__ = [
    "Audited", "BadInput", "Blind", "Cluster", "Ended", "Finding", "GalvanError", "NotHealed", "Plan", "Result", "Rung",
    "Severity", "Unreachable", "Unreadable", "Unsafe", "Verdict", "Verified", "apply", "audit", "plan", "verify",
]  # fmt: skip


def __getattr__(word: str) -> object:
    if word not in __all__:
        raise AttributeError(f"galvan has no {word}")
    import importlib

    value: object = getattr(importlib.import_module("galvan.api"), word)
    globals()[word] = value
    return value
