"""The tables of ProxySQL's admin interface, as its own definitions say (sysown/proxysql 2.7.1, lib/ProxySQL_Admin.cpp; the same in
2.5.5 but for mysql_servers_ssl_params, and in 3.0.1). Facts about columns, written down in a form of our own.

A line is a column: name, type, default (`!`: none, and not null; `?`: may be null), then its condition.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_BIT = "{c} IN (0, 1)"
_SERVERS = """
hostgroup_id INT 0 {c} >= 0
hostname VARCHAR !
port INT 3306 {c} BETWEEN 0 AND 65535
gtid_port INT 0 ({c} <> port OR {c} = 0) AND {c} BETWEEN 0 AND 65535
status VARCHAR 'ONLINE' UPPER({c}) IN ('ONLINE', 'SHUNNED', 'OFFLINE_SOFT', 'OFFLINE_HARD')
weight INT 1 {c} BETWEEN 0 AND 10000000
compression INT 0 BIT
max_connections INT 1000 {c} >= 0
max_replication_lag INT 0 {c} BETWEEN 0 AND 126144000
use_ssl INT 0 BIT
max_latency_ms INT 0 {c} >= 0
comment VARCHAR ''
"""
_SSL = """
hostname VARCHAR !
port INT 3306 {c} BETWEEN 0 AND 65535
username VARCHAR ''
ssl_ca VARCHAR ''
ssl_cert VARCHAR ''
ssl_key VARCHAR ''
ssl_capath VARCHAR ''
ssl_crl VARCHAR ''
ssl_crlpath VARCHAR ''
ssl_cipher VARCHAR ''
tls_version VARCHAR ''
comment VARCHAR ''
"""
_GALERA = """
writer_hostgroup INT ! {c} >= 0
backup_writer_hostgroup INT ! {c} >= 0 AND {c} <> writer_hostgroup
reader_hostgroup INT ! {c} <> writer_hostgroup AND {c} <> backup_writer_hostgroup AND {c} > 0
offline_hostgroup INT ! {c} <> writer_hostgroup AND {c} <> reader_hostgroup AND {c} <> backup_writer_hostgroup AND {c} >= 0
active INT 1 BIT
max_writers INT 1 {c} >= 0
writer_is_also_reader INT 0 {c} IN (0, 1, 2)
max_transactions_behind INT 0 {c} >= 0
comment VARCHAR ?
"""
_USERS = """
username VARCHAR !
password VARCHAR ?
active INT 1 BIT
use_ssl INT 0 BIT
default_hostgroup INT 0
default_schema VARCHAR ?
schema_locked INT 0 BIT
transaction_persistent INT 1 BIT
fast_forward INT 0 BIT
backend INT 1 BIT
frontend INT 1 BIT
max_connections INT 10000 {c} >= 0
attributes VARCHAR '' JSON_VALID({c}) OR {c} = ''
comment VARCHAR ''
"""
_VARIABLES = """
variable_name VARCHAR !
variable_value VARCHAR !
"""
_RULES = """
rule_id INT !
destination_hostgroup INT ?
"""
_POOL = """
hostgroup INT ?
srv_host VARCHAR ?
srv_port INT ?
status VARCHAR ?
ConnUsed INT ?
ConnFree INT ?
"""
_PEERS = """
hostname VARCHAR !
port INT 6032
weight INT 0
comment VARCHAR ''
"""
KEYS = {
    "mysql_servers": "PRIMARY KEY (hostgroup_id, hostname, port)",
    "mysql_servers_ssl_params": "PRIMARY KEY (hostname, port, username)",
    "mysql_galera_hostgroups": "PRIMARY KEY (writer_hostgroup), UNIQUE (reader_hostgroup), UNIQUE (offline_hostgroup), UNIQUE (backup_writer_hostgroup)",
    "mysql_users": "PRIMARY KEY (username, backend), UNIQUE (username, frontend)",
    "global_variables": "PRIMARY KEY (variable_name)",
    "mysql_query_rules": "PRIMARY KEY (rule_id)",
    "proxysql_servers": "PRIMARY KEY (hostname, port)",
    "stats_mysql_connection_pool": "",
}
"""Of the rules and the statistics only the columns that Galvan reads."""
_TEXTS = dict(zip(KEYS, (_SERVERS, _SSL, _GALERA, _USERS, _VARIABLES, _RULES, _PEERS, _POOL), strict=True))
COLUMNS = {
    table: {line.split()[0]: line.split()[1] for line in text.strip().splitlines()} for table, text in _TEXTS.items()
}


def definition(schema: str, table: str) -> str:
    columns = []
    for line in _TEXTS[table].strip().splitlines():
        name, kind, default, *rest = line.split(" ")
        condition = (_BIT if rest == ["BIT"] else " ".join(rest)).replace("{c}", name)
        null = "" if default == "?" else " NOT NULL" if default == "!" else f" NOT NULL DEFAULT {default}"
        columns.append(f"{name} {kind}{null}" + (f" CHECK ({condition})" if condition else ""))
    parts = columns + ([KEYS[table]] if KEYS[table] else [])
    return f"CREATE TABLE {schema}.{table} ({', '.join(parts)})"


class Tables:
    """The tables alone: memory, disk, and a runtime that shows what memory holds. What LOAD and SAVE do is not here."""

    def __init__(self, own_table: bool = True) -> None:
        self.base = sqlite3.connect(":memory:")
        self.base.execute("ATTACH ':memory:' AS disk")
        for table in KEYS:
            if table != "mysql_servers_ssl_params" or own_table:
                self.base.execute(definition("main", table))
                self.base.execute(definition("disk", table))
                self.base.execute(f"CREATE TEMP VIEW runtime_{table} AS SELECT * FROM main.{table}")

    def run(self, statements: Sequence[str]) -> None:
        for statement in statements:
            if not statement.startswith(("LOAD ", "SAVE ")):
                self.base.execute(statement)

    def saved(self) -> None:
        """Disk as after every SAVE ... TO DISK."""
        for table in KEYS:
            if self.base.execute("SELECT COUNT(*) FROM disk.sqlite_master WHERE name = ?", (table,)).fetchone()[0]:
                self.base.execute(f"DELETE FROM disk.{table}")
                self.base.execute(f"INSERT INTO disk.{table} SELECT * FROM main.{table}")

    def ask(self, statements: Sequence[str]) -> str:
        """As the client prints it in batch mode; with --force a statement that fails prints nothing."""
        lines = []
        for statement in statements:
            try:
                found = self.base.execute(statement).fetchall()
            except sqlite3.OperationalError as wrong:
                if "no such table" not in str(wrong):
                    raise
                continue
            lines += ["\t".join("NULL" if value is None else str(value) for value in row) for row in found]
        return "".join(f"{line}\n" for line in lines)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return sorted(self.base.execute(f"SELECT * FROM main.{table}").fetchall(), key=repr)
