"""How findings name many things: the first ones, and how many more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from galvan.cluster.grants import Account

_MOST = 12


def some(found: Sequence[str]) -> list[str]:
    """
    >>> some([str(n) for n in range(14)])[-1]
    'and 2 more'
    """
    return [*found[:_MOST], f"and {len(found) - _MOST} more"] if len(found) > _MOST else [*found]


def said(accounts: Iterable[Account]) -> str:
    return ", ".join(some([account.name for account in accounts]))
