"""Whose rights routines, events, views and triggers run with.

MariaDB's information_schema opens every table for the last two (0.6 s for 3000 of them); the files where the server itself keeps
them say it in 30 ms. MySQL keeps them in tables.
"""

# ruff: noqa: S608 - no value from outside meets these statements
from __future__ import annotations

import re
from dataclasses import dataclass

from galvan.cluster.facts import rows
from galvan.cluster.grants import unescaped
from galvan.cluster.precedence import GIVEN
from galvan.model import Fact, HostFacts, Shell, Sql


@dataclass(frozen=True, slots=True)
class Defined:
    """`definer`: user@host, as the server writes it. `as_definer`: it runs with the rights of its definer, not of its caller."""

    kind: str
    name: str
    definer: str
    as_definer: bool


def routines(output: str) -> tuple[Defined, ...]:
    return tuple(
        Defined(kind.lower(), f"{schema}.{name}", who, how == "DEFINER")
        for kind, schema, name, who, how in (map(unescaped, row) for row in rows(output, 5))
    )


_OWN = "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
ROUTINES: Fact[tuple[Defined, ...]] = Fact(
    "hardening.routines",
    Sql(
        f"/*M! SELECT type, db, name, definer, security_type FROM mysql.proc WHERE db {_OWN} UNION ALL "
        f"SELECT 'EVENT', db, name, definer, 'DEFINER' FROM mysql.event WHERE db {_OWN} */ "
        "/*!50706 SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER, SECURITY_TYPE FROM information_schema.ROUTINES "
        f"WHERE ROUTINE_SCHEMA {_OWN} UNION ALL SELECT 'EVENT', EVENT_SCHEMA, EVENT_NAME, DEFINER, 'DEFINER' "
        f"FROM information_schema.EVENTS WHERE EVENT_SCHEMA {_OWN} UNION ALL "
        "SELECT 'VIEW', TABLE_SCHEMA, TABLE_NAME, DEFINER, SECURITY_TYPE FROM information_schema.VIEWS "
        f"WHERE TABLE_SCHEMA {_OWN} UNION ALL SELECT 'TRIGGER', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER, 'DEFINER' "
        f"FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA {_OWN} */ ORDER BY 1, 2, 3"
    ),
    routines,
)
_LINE = re.compile(r"\./(.*)/(.*)\.(frm|TRG):(\w+)=(.*)")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")


def views(output: str) -> tuple[Defined, ...]:
    """
    >>> views("./app/t.TRG:definers='root@localhost'\\n./app/v.frm:definer_user=a\\n./app/v.frm:definer_host=%\\n./app/v.frm:suid=0")
    (Defined(kind='trigger', name='app.t', definer='root@localhost', as_definer=True), Defined(kind='view', name='app.v', definer='a@%', as_definer=False))
    """
    found: list[Defined] = []
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for match in filter(None, map(_LINE.fullmatch, output.splitlines())):
        schema, name, kind, key, said = match.groups()
        if kind == "TRG":
            found += [Defined("trigger", f"{schema}.{name}", _bare(who), True) for who in _QUOTED.findall(said)]
        else:
            seen.setdefault((schema, name), {})[key] = _bare(said)
    for (schema, name), said in seen.items():
        who = f"{said.get('definer_user', '')}@{said.get('definer_host', '')}"
        found.append(Defined("view", f"{schema}.{name}", who, said.get("suid") != "0"))
    return tuple(found)


def _bare(said: str) -> str:
    return re.sub(r"\\(.)", r"\1", said)


VIEWS: Fact[tuple[Defined, ...]] = Fact(
    "hardening.views",
    Shell(
        f'd=$({GIVEN.format(name="datadir")}); cd "${{d:-/var/lib/mysql}}" || exit 1\n'
        "find . -mindepth 2 -maxdepth 2 \\( -name '*.TRG' -o -name '*.frm' \\) ! -path './mysql/*' ! -path './sys/*' "
        "! -path './performance_schema/*' -exec grep -aHE '^(definers|definer_user|definer_host|suid)=' {} +\n"
        "true"
    ),
    views,
)


def defined(facts: HostFacts) -> tuple[Defined, ...]:
    return (*facts[ROUTINES], *facts[VIEWS])
