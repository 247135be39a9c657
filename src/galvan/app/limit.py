"""`--limit`, with Ansible's patterns: which hosts a command looks at. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from galvan.model import Cluster, Host, Role, WrongUsage

_BOUNDARY = re.compile(r":(?![^\[]*\])")


def chosen(cluster: Cluster, patterns: Sequence[str]) -> frozenset[str]:
    """The names of the hosts; empty where nothing is limited. Parts stand apart by a comma or a colon: names, `*` and
    `?`, `~` before a regular expression, roles, kinds of balancers and groups of the inventory; `!` leaves out, `&`
    keeps what both have. Whatever the order: first the plain parts, then `&`, then `!`. Raises WrongUsage where a part
    means no host."""
    parts = [part for pattern in patterns for part in _parts(pattern, cluster)]
    if not parts:
        if patterns:
            raise WrongUsage("--limit names no host: give names, patterns, roles or groups (--limit db1,db2)")
        return frozenset()
    meant = {part: _meant(part.lstrip("!&"), cluster) for part in parts}
    plain = [meant[part] for part in parts if part[0] not in "!&"]
    found = frozenset[str]().union(*plain) if plain else frozenset(host.name for host in cluster.hosts)
    for part in parts:
        found = found & meant[part] if part[0] == "&" else found
    for part in parts:
        found = found - meant[part] if part[0] == "!" else found
    if not found:
        raise WrongUsage(
            f"--limit {','.join(patterns)} leaves no host of {', '.join(host.name for host in cluster.hosts)}"
        )
    return found


def _parts(pattern: str, cluster: Cluster) -> Iterator[str]:
    """A colon separates only where there is no comma and it does not belong to an IPv6 address."""
    addresses = {host.address for host in cluster.hosts}
    comma = "," in pattern or pattern.lstrip("!&") in addresses or pattern.lstrip("!&").startswith("~")
    for part in pattern.split(",") if comma else _BOUNDARY.split(pattern):
        if part.strip():
            yield part.strip()


def _meant(part: str, cluster: Cluster) -> frozenset[str]:
    if part.startswith("~"):
        try:
            wanted = re.compile(part[1:])
        except re.error as why:
            raise WrongUsage(f"--limit {part} is no regular expression: {why}") from None
        found = frozenset(host.name for host in cluster.hosts if any(wanted.match(name) for name in _names(host)))
    else:
        found = frozenset(host.name for host in cluster.hosts if any(fnmatchcase(name, part) for name in _names(host)))
    if not found:
        raise WrongUsage(f"--limit {part}: {_unknown(part, cluster)}")
    return found


def _names(host: Host) -> tuple[str, ...]:
    """Every word that means this host."""
    return ("all", host.name, host.ssh, host.address, host.role.value, *filter(None, (host.kind,)), *host.groups)


def _unknown(part: str, cluster: Cluster) -> str:
    import difflib

    known = list(dict.fromkeys(name for host in cluster.hosts for name in _names(host)))
    near = difflib.get_close_matches(part, known, 3, 0.6)
    names = ", ".join(host.name for host in cluster.hosts)
    words = ", ".join(
        dict.fromkeys(word for host in cluster.hosts for word in (host.role.value, host.kind, *host.groups) if word)
    )
    if part in {role.value for role in Role}:
        return f"no host of {cluster.name} has this role; there are {names} ({words})"
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"no host, role or group of {cluster.name}{meant} There are {names} ({words})"
