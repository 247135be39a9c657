"""For which account the server takes a login: the host without a wildcard wins (a network counts as one), then the one whose first
wildcard comes last, and among those a user's name before none."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from galvan.cluster.grants import Account, like

_ANYWHERE = "?"
"""A client of whom only the user is known."""


class Lodge:
    """Accounts by their user, in the order in which the server looks."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._known: dict[str, list[Account]] = {}
        for account in sorted((a for a in accounts if not a.role and not a.public), key=_telling):
            self._known.setdefault(account.user, []).append(account)

    def serving(self, user: str, client: str) -> tuple[Account, ...]:
        """Those that a login of `user` from `client` may be taken for, the likeliest first: where a host is written as a name and
        the client is known by its address (or the other way round), only the server can tell. `client` empty: the local socket."""
        named, nameless = self._known.get(user, []), self._known.get("", []) if user else []
        if client == _ANYWHERE:
            return tuple(named or nameless)
        found = []
        for account in sorted((*named, *nameless), key=_telling) if nameless else named:
            fits = _fits(account.host, client or "localhost")
            if fits is not False:
                found.append(account)
            if fits:
                break
        return tuple(found)


def _telling(account: Account) -> tuple[bool, int, bool, bool]:
    wild = min((account.host.find(c) for c in "%_" if c in account.host), default=-1)
    return wild >= 0, -wild, "/" in account.host, not account.user


def _fits(host: str, client: str) -> bool | None:
    """None: an address and a name that may or may not be the same.

    >>> _fits("10.0.3.%", "10.0.3.7"), _fits("10.0.0.0/255.255.0.0", "10.0.3.7"), _fits("db1", "10.0.3.7"), _fits("%", "x")
    (True, True, None, True)
    """
    if "/" in host:
        return _inside(host, client) if _is_address(client) else (False if client == "localhost" else None)
    if like(host, client):
        return True
    wanted = host.replace("%", "0").replace("_", "0")
    same_kind = _is_address(client) == (_is_address(wanted) or wanted.replace(".", "").isdigit())
    return False if same_kind or "localhost" in (host, client) else None


def _inside(host: str, client: str) -> bool:
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(host, strict=False)
    except (ValueError, TypeError):
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
