"""What stood in ProxySQL's tables before a step, kept on the balancer's host as statements that put it back.

Root-only, and written by ProxySQL itself: a hash or a password that is kept so never leaves the host. Every text is kept as
the bytes that it is, so that nothing in it can end a literal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from galvan.cluster.proxysql import WAY_IN, feed
from galvan.cluster.quote import proxysql, sh
from galvan.model import Shell, State

PLACE = "/var/lib/galvan/proxysql"
_COLUMNS = {
    "mysql_servers": "hostgroup_id hostname port gtid_port status weight compression max_connections max_replication_lag use_ssl max_latency_ms comment",
    "mysql_servers_ssl_params": "hostname port username ssl_ca ssl_cert ssl_key ssl_capath ssl_crl ssl_crlpath ssl_cipher tls_version comment",
    "mysql_galera_hostgroups": "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers writer_is_also_reader max_transactions_behind comment",
    "mysql_users": "username password active use_ssl default_hostgroup default_schema schema_locked transaction_persistent fast_forward backend frontend max_connections attributes comment",
    "global_variables": "variable_name variable_value",
}
_BYTES = (
    "CASE typeof(<c>) WHEN 'null' THEN 'NULL' WHEN 'integer' THEN CAST(<c> AS TEXT) "
    "ELSE 'CAST(X''' || hex(<c>) || ''' AS TEXT)' END"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table: those whose `column` is one of `among`."""

    table: str
    column: str
    among: tuple[str | int, ...]

    @property
    def where(self) -> str:
        return ", ".join(proxysql("{{value}}", value=value) for value in self.among)


def dumped(rows: Rows) -> tuple[str, ...]:
    """Two questions, whose answers are statements: one that empties the place, one for each row that stood there."""
    names = _COLUMNS[rows.table].split()
    values = " || ', ' || ".join(_BYTES.replace("<c>", name) for name in names)
    slots = {"t": rows.table, "c": rows.column, "w": rows.where, "names": ", ".join(names), "values": values}
    return tuple(
        _filled(text, slots)
        for text in (
            "SELECT <said>",
            "SELECT 'REPLACE INTO <t> (<names>) VALUES (' || <values> || ');' FROM main.<t> WHERE <c> IN (<w>)",
        )
    )


def _filled(text: str, slots: dict[str, str]) -> str:
    if "<said>" in text:
        emptied = _filled("DELETE FROM <t> WHERE <c> IN (<w>);", slots)
        return text.replace("<said>", proxysql("{{said}}", said=emptied))
    for slot, value in slots.items():
        text = text.replace(f"<{slot}>", value)
    return text


def kept(step: str, before: State, want: State) -> str:
    """Where a step keeps its rows. A later step of the same name that began from something else keeps them elsewhere."""
    said = repr((sorted(before.items()), sorted(want.items())))
    return f"{PLACE}/{step}-{hashlib.sha256(said.encode()).hexdigest()[:12]}.sql"


def change(file: str, rows: Sequence[Rows], last: Sequence[str], script: str) -> Shell:
    """Keeps the rows, unless a killed run has done so, then runs `script`, which may use `admin`. `last`: what loads and saves."""
    questions = tuple(question for some in rows for question in dumped(some))
    begin = sh(
        "mkdir -p -m 700 {{place}}\nif [ ! -e {{file}} ]; then\n(umask 077; : >{{file}}.part)\n", place=PLACE, file=file
    )
    end = sh(
        "sync {{file}}.part; mv {{file}}.part {{file}}\nfi\n",
        file=file,
    )
    keep = feed(questions).replace("admin <<", sh("admin >>{{file}}.part <<", file=file).text, 1)
    tail = "".join(f"{statement};\n" for statement in last)
    loaded = sh("cat >>{{file}}.part <<'@last'\n", file=file).text + tail + "@last\n"
    return Shell(WAY_IN + begin.text + keep + loaded + end.text + script)


def back(file: str, after: str = "") -> Shell:
    """Puts back what was kept; nothing was changed where nothing was kept."""
    return Shell(
        sh("[ -e {{file}} ] || exit 0\n", file=file).text
        + WAY_IN
        + sh("admin <{{file}}\nrm -f {{file}}\n", file=file).text
        + after
    )
