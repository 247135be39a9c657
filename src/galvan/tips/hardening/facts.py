"""Few looks, and cheap ones: one statement for all variables, one for the plug-ins, one pass over files and one over processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from galvan.cluster.facts import CONFIG, OWN_FILES, PLATFORM, STATUS, VARIABLES, pairs, rows
from galvan.model import Fact, Sql, State
from galvan.tips.hardening.files import FILES, MODES
from galvan.tips.hardening.host import MACHINE

_COUNTED = (
    "Com_load", "Uptime", "Server_audit_active", "Server_audit_writes_failed",
)  # fmt: skip


def _in(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


COUNTED: Fact[State] = Fact(
    "hardening.counted", Sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_in(_COUNTED)})"), pairs, stable=False
)


@dataclass(frozen=True, slots=True)
class Plugin:
    """`load`: ON, FORCE or FORCE_PLUS_PERMANENT. `library` is empty for what is built in."""

    status: str
    kind: str
    load: str
    library: str


def plugins(output: str) -> dict[str, Plugin]:
    return {name.lower(): Plugin(*rest) for name, *rest in rows(output, 5)}


PLUGINS: Fact[Mapping[str, Plugin]] = Fact(
    "hardening.plugins",
    Sql(
        "SELECT PLUGIN_NAME, PLUGIN_STATUS, PLUGIN_TYPE, COALESCE(LOAD_OPTION, ''), COALESCE(PLUGIN_LIBRARY, '') "
        "FROM information_schema.PLUGINS WHERE PLUGIN_LIBRARY IS NOT NULL"
    ),
    plugins,
)
SCHEMAS: Fact[tuple[str, ...]] = Fact(
    "hardening.schemas",
    Sql(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('test', 'sakila', 'world', 'menagerie', 'employees') "
        "UNION ALL SELECT CONCAT('grants on ', Db, ' for ', QUOTE(User), '@', QUOTE(Host)) FROM mysql.db WHERE Db LIKE 'test%' AND User = ''"
    ),
    lambda output: tuple(row[0] for row in rows(output, 1)),
)
"""Example schemas, and the rights on whatever is called test that old installers gave to everybody."""

RUNTIME: Fact[State] = Fact(
    "hardening.runtime",
    Sql(
        "SELECT LOWER(VARIABLE_NAME), /*M! GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN = 'SQL' */ "
        "/*!80000 VARIABLE_SOURCE FROM performance_schema.variables_info WHERE VARIABLE_SOURCE = 'DYNAMIC' */"
    ),
    lambda output: {row[0]: row[1] for row in rows(output, 2)},
)
"""What somebody set while the server ran."""

FACTS: tuple[Fact[Any], ...] = (
    VARIABLES, STATUS, CONFIG, PLATFORM, OWN_FILES, COUNTED, PLUGINS, SCHEMAS, RUNTIME, FILES, MODES, MACHINE,
)  # fmt: skip
