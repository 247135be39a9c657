"""Which of Galera's three servers it is. Run for real: MariaDB. The others are read as documented, and not changed.

Where the two families differ in a query, one statement holds both ways, and each server skips the other's comment:
`/*M! … */` is MariaDB's alone, `/*!50706 … */` is read by MySQL from 5.7.6 on (MariaDB takes 50700 to 99999 for MySQL's).
"""

from __future__ import annotations

from enum import StrEnum

from galvan.cluster.facts import VARIABLES
from galvan.model import Blind, Role, Snapshot, State, Unreadable


class Dialect(StrEnum):
    MARIADB = "MariaDB"
    PXC = "Percona XtraDB Cluster"
    MYSQL = "MySQL-wsrep"


def dialect(variables: State) -> Dialect:
    """Told by the server's own version words; Unreadable where they name none of the three.

    >>> dialect({"version": "11.8.9-MariaDB-0+deb13u1 from Debian"}).value
    'MariaDB'
    """
    said = f"{variables.get('version', '')} {variables.get('version_comment', '')}"
    if "mariadb" in said.lower():
        return Dialect.MARIADB
    if "percona xtradb cluster" in said.lower():
        return Dialect.PXC
    if "wsrep" in said.lower() or "wsrep_on" in variables:
        return Dialect.MYSQL
    raise Unreadable(f"a server that calls itself {said.strip()!r} is none that Galvan knows")


def changeable(snapshot: Snapshot) -> None:
    """Raises Blind where a member is of a kind that was never changed for real. A silent one is for others to name."""
    for facts in snapshot.having(Role.DATABASE):
        try:
            variables = facts[VARIABLES]
        except Unreadable:
            continue
        if (kind := dialect(variables)) is not Dialect.MARIADB:
            version = variables.get("version")
            raise Blind(f"{facts.host.name} runs {kind} {version}: Galvan audits it, and does not change it yet")
