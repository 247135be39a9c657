"""The tables of ProxySQL's admin interface, as its documentation has them, in SQLite: the engine that reads its statements, too.

No ProxySQL: nothing here knows what a load does to the traffic. It answers whether a statement is one, and which rows it leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from galvan.model import Shell
from galvan.tips.load_balancer.statements.door import Admin

COLUMNS = {
    "mysql_firewall_whitelist_users": "active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1, username VARCHAR NOT NULL, client_address VARCHAR NOT NULL, "
    "mode VARCHAR CHECK (mode IN ('OFF','DETECTING','PROTECTING')) NOT NULL DEFAULT 'OFF', comment VARCHAR NOT NULL, PRIMARY KEY (username, client_address)",
    "mysql_firewall_whitelist_rules": "active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1, username VARCHAR NOT NULL, client_address VARCHAR NOT NULL, "
    "schemaname VARCHAR NOT NULL, flagIN INT NOT NULL DEFAULT 0, digest VARCHAR NOT NULL, comment VARCHAR NOT NULL, "
    "PRIMARY KEY (username, client_address, schemaname, flagIN, digest)",
    "mysql_query_rules": "rule_id INTEGER PRIMARY KEY NOT NULL, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 0, username VARCHAR, schemaname VARCHAR, "
    "flagIN INT NOT NULL DEFAULT 0, match_digest VARCHAR, match_pattern VARCHAR, replace_pattern VARCHAR CHECK (replace_pattern IS NULL OR match_pattern IS NOT NULL), "
    "destination_hostgroup INT, error_msg VARCHAR, apply INT CHECK (apply IN (0,1)) NOT NULL DEFAULT 0, comment VARCHAR",
    "global_variables": "variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL",
    "mysql_users": "username VARCHAR, frontend INT, active INT, fast_forward INT",
    "mysql_galera_hostgroups": "writer_hostgroup INT PRIMARY KEY, reader_hostgroup INT",
}  # fmt: skip
DIGEST = (
    "CREATE TABLE stats_mysql_query_digest (hostgroup INT, schemaname VARCHAR, username VARCHAR, client_address VARCHAR, digest VARCHAR, "
    "digest_text VARCHAR, count_star INTEGER, first_seen INTEGER, last_seen INTEGER)"
)
VARIABLES = {
    "mysql-firewall_whitelist_enabled": "false", "mysql-query_digests": "true", "mysql-query_digests_max_digest_length": "2048",
    "mysql-query_digests_grouping_limit": "3", "admin-version": "2.7.2-14-g5cc418b",
}  # fmt: skip
GROUPS = {
    "FIREWALL": ("mysql_firewall_whitelist_users", "mysql_firewall_whitelist_rules"),
    "QUERY RULES": ("mysql_query_rules",),
    "VARIABLES": ("global_variables",),
}
MARK = "\n--;--\n"


class Tables:
    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.execute("ATTACH ':memory:' AS disk")
        self.db.execute(DIGEST)
        self.told: list[str] = []
        self.deaf = False  # takes what is said, and does not load it
        for table, columns in COLUMNS.items():
            for name in (f"main.{table}", f"main.runtime_{table}", f"disk.{table}"):
                self.db.execute(f"CREATE TABLE {name} ({columns})")
        for prefix in ("main.", "main.runtime_", "disk."):
            self.db.executemany(f"INSERT INTO {prefix}global_variables VALUES (?, ?)", VARIABLES.items())
            self.db.execute(f"INSERT INTO {prefix}mysql_galera_hostgroups VALUES (10, 30)")
            self.db.executemany(f"INSERT INTO {prefix}mysql_users VALUES (?, 1, 1, 0)", [("shop",), ("report",)])

    def everywhere(self, table: str, statement: str) -> None:
        """A row that an operator put there, loaded and saved."""
        self.db.execute(statement)
        self._copy(table, "runtime_")
        self._copy(table, "disk.")

    def say(self, account: str, schema: str, digest: str, text: str, times: int = 1, at: int = 1_764_000_000) -> None:
        old = self.db.execute(
            "SELECT count_star FROM stats_mysql_query_digest WHERE username = ? AND schemaname = ? AND digest = ?", (account, schema, digest)
        ).fetchone()  # fmt: skip
        if old:
            self.db.execute(
                "UPDATE stats_mysql_query_digest SET count_star = count_star + ?, last_seen = ? WHERE username = ? AND digest = ?",
                (times, at, account, digest),
            )
        else:
            self.db.execute(
                "INSERT INTO stats_mysql_query_digest VALUES (10, ?, ?, '', ?, ?, ?, ?, ?)",
                (schema, account, digest, text, times, at, at),
            )

    def run(self, script: Shell) -> str:
        """As the client would print it, and as the edge reads it: rows by lines, columns by tabs."""
        lines: list[str] = []
        for statement in script.text.split(MARK):
            self.told.append(statement)
            words = statement.split()
            if words[0] in ("LOAD", "SAVE"):
                self._moved(words)
                continue
            assert statement.count(";") == 0 or "'" in statement
            lines += ["\t".join("NULL" if v is None else str(v) for v in row) for row in self.db.execute(statement)]
        return "\n".join(lines)

    def _moved(self, words: Sequence[str]) -> None:
        verb, _, *what, _, to = words
        assert (verb, to) in (("LOAD", "RUNTIME"), ("SAVE", "DISK"))
        for table in GROUPS[" ".join(what)]:
            if not (self.deaf and verb == "LOAD"):
                self._copy(table, "runtime_" if verb == "LOAD" else "disk.")

    def _copy(self, table: str, to: str) -> None:
        self.db.execute(f"DELETE FROM {to}{table}")
        self.db.execute(f"INSERT INTO {to}{table} SELECT * FROM main.{table}")

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return list(self.db.execute(statement))


def _said(statements: Sequence[str]) -> Shell:
    assert not any("\n" in statement for statement in statements), "one line each"
    return Shell(MARK.join(statements))


ADMIN = Admin(_said, _said)
