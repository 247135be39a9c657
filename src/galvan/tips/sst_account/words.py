"""Rights as pairs of a place and a privilege, and how a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from galvan.cluster.grants import GRANT_OPTION, Account, Grants

Right: TypeAlias = tuple[str, str]  # place, privilege


def rights_of(all_of: Grants, account: Account) -> frozenset[Right]:
    """With those of its roles."""
    return frozenset((grant.place, name) for grant in all_of.grants(account) for name in grant.privileges)


def spelled(found: Iterable[Right]) -> str:
    """
    >>> spelled([("*.*", "SELECT"), ("`a`.*", "DROP")])
    'DROP on `a`.*, SELECT'
    """
    return ", ".join(sorted(_spelled(found)))


def _spelled(found: Iterable[Right]) -> Iterator[str]:
    seen = set(found)
    everywhere = {name for place, name in seen if place == "*.*"}
    if {"SUPER", "SELECT", "CREATE USER", GRANT_OPTION} <= everywhere:
        yield "ALL PRIVILEGES WITH GRANT OPTION"
        seen = {right for right in seen if right[0] != "*.*"}
    elif {"SUPER", "SELECT", "CREATE USER"} <= everywhere:
        yield "ALL PRIVILEGES"
        seen = {right for right in seen if right[0] != "*.*"}
    for place, name in seen:
        yield name if place == "*.*" else place if name == "PROXY" else f"{name} on {place}"
