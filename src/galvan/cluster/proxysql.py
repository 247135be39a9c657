"""ProxySQL as the choreography needs it: the way into its admin interface, who is behind it, and how to take a host out and back.

The interface is asked on its own host, over ssh. What logs in reaches the client through a pipe, as an option file that
lies nowhere: it is in no argv, in no environment and never leaves the host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from galvan.cluster.balancer import Server
from galvan.cluster.quote import proxysql
from galvan.model import BadInput, Fact, Role, Shell, Unreadable

OWN = "/etc/galvan/proxysql/admin.cnf"
"""Galvan's own account, root-only, made on the balancer's host."""
ACCOUNT = "galvan-admin"

PRESENT = "command -v proxysql >/dev/null || [ -e /etc/proxysql.cnf ]"
WAY_IN = (
    rf"own={OWN}; cnf=/etc/proxysql.cnf"
    + r"""
client=$(command -v mariadb || command -v mysql) || { echo 'the host has no client (mariadb or mysql) that could ask ProxySQL' >&2; exit 1; }
said() { sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*\"\([^\"]*\)\".*/\1/p" $cnf 2>/dev/null | head -n 1; }
port=$(said mysql_ifaces | tr ';' '\n' | sed -n 's/^.*:\([0-9][0-9]*\)$/\1/p' | head -n 1); port=${port:-6032}
host=$(ss -Hlnt 2>/dev/null | awk -v p="$port" '{h = $4; if (sub(":" p "$", "", h)) {gsub(/[][]/, "", h); sub(/%.*/, "", h); print h; exit}}')
case $host in ''|'*'|0.0.0.0|::) host=127.0.0.1 ;; esac
options() {
  case $1 in
    own) cat $own ;;
    default) printf '[client]\nuser=admin\npassword=admin\n' ;;
    config) said admin_credentials | cut -d';' -f1 | awk '{i = index($0, ":"); u = substr($0, 1, i - 1); w = substr($0, i + 1)
      printf "[client]\nuser=%s\npassword=\"%s\"\n", u, w}' ;;
  esac
  printf 'host=%s\nport=%s\n' "$host" "$port"
}
admin() {
  { options $way | $client --defaults-file=/dev/fd/3 --protocol=tcp --no-auto-rehash -N -B --connect-timeout=5 \
    --loose-disable-ssl-verify-server-cert "$@" 3<&0 <&4 4<&-; } 4<&0
}
way=
for w in own default config; do
  [ $w != own ] || [ -r $own ] || continue
  way=$w
  echo 'SELECT 1;' | admin >/dev/null 2>&1 && break
  way=
done
[ -n "$way" ] || { echo "ProxySQL's admin interface at $host port $port lets in neither Galvan's own account, nor admin:admin, nor the first account of $cnf" >&2; exit 1; }
"""
)
"""Defines `admin`, which reads statements; ends the script where nobody is let in. The configuration file comes last: ProxySQL
reads it before its first start and never again; a backslash means there what it means in an option file."""


def admin(statements: Sequence[str]) -> Shell:
    """The statements in one session, up to the first one that fails. No literal of `quote.sqlite` holds a line's end."""
    return Shell(WAY_IN + feed(statements))


def ask(statements: Sequence[str]) -> Shell:
    """The same where none may be installed: then nothing is printed."""
    return Shell(f"{PRESENT} || exit 0\n" + WAY_IN + feed(statements))


def feed(statements: Sequence[str]) -> str:
    if any("\n" in statement for statement in statements):
        raise BadInput("a statement for ProxySQL stands on one line")
    return "admin <<'@admin'\n" + "".join(f"{statement};\n" for statement in statements) + "@admin\n"


ASKER = ask(
    (
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-monitor_username'",
        "SELECT 'monitor'",
    )
)
"""Also the name that it begins with: connections of that account stay in the monitor's pool when it is given another."""


@dataclass(slots=True)
class _Seen:
    statuses: dict[int, str] = field(default_factory=dict)
    sessions: int = 0


_SERVERS = (
    "SELECT 'galera', writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup FROM runtime_mysql_galera_hostgroups",
    "SELECT 'server', hostgroup_id, hostname, port, status FROM runtime_mysql_servers",
    "SELECT 'pool', hostgroup, srv_host, srv_port, ConnUsed FROM stats_mysql_connection_pool",
    "SELECT 'done', COUNT(*), '', '', '' FROM runtime_mysql_servers",
)


def servers(output: str) -> tuple[Server, ...]:
    """One server for each member of a Galera hostgroup, under the number of its writers' hostgroup, and one for each row elsewhere.

    That ProxySQL shuns a backup writer in the writers' hostgroup is its way to keep it in reserve; it serves all the same.
    """
    if not output.strip():
        return ()
    rows = [line.split("\t") for line in output.splitlines()]
    if bad := next((row for row in rows if len(row) != 5 or row[0] not in ("galera", "server", "pool", "done")), None):
        raise Unreadable(f"ProxySQL printed {bad!r}, which is no row of its servers")
    groups = {int(number): row[1:] for row in rows if row[0] == "galera" for number in row[1:]}
    seen: dict[tuple[int, str], _Seen] = {}
    for kind, hostgroup, host, port, what in rows:
        if kind in ("server", "pool"):
            home = int(groups[int(hostgroup)][0]) if int(hostgroup) in groups else int(hostgroup)
            if kind == "server":
                seen.setdefault((home, f"{host}:{port}"), _Seen()).statuses[int(hostgroup)] = what
            elif (home, f"{host}:{port}") in seen:
                seen[home, f"{host}:{port}"].sessions += int(what)
    if [row[1] for row in rows if row[0] == "done"] != [str(sum(row[0] == "server" for row in rows))]:
        raise Unreadable("ProxySQL did not print all of its servers")
    return tuple(_server(home, name, found, groups) for (home, name), found in seen.items())


def _server(home: int, name: str, found: _Seen, groups: dict[int, list[str]]) -> Server:
    offline = int(groups[home][3]) if home in groups else None
    serving = {status for hostgroup, status in found.statuses.items() if hostgroup != offline}
    if unknown := serving - {"ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"}:
        raise Unreadable(f"ProxySQL has a server in a state that Galvan does not know: {sorted(unknown)[0]}")
    status = "UP" if "ONLINE" in serving else "DRAIN" if "OFFLINE_SOFT" in serving else "DOWN"
    active = found.statuses.get(home) == "ONLINE"
    return Server(str(home), name, name.rpartition(":")[0], status, found.sessions, active)


SERVERS: Fact[tuple[Server, ...]] = Fact(
    "balancer.proxysql",
    ask(_SERVERS),
    servers,
    stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)
"""The same values as HAProxy's (`balancer.BALANCER`); nothing where no ProxySQL is installed."""

_MARK = " [drained by galvan]"


def set_state(backend: str, server: str, state: str) -> Shell:
    """`drain` lets open sessions go on and sends new ones elsewhere; `ready` takes the host back in. Nothing of it is saved to disk.

    ProxySQL's monitor puts a healthy member of a Galera hostgroup back ONLINE at its next look, whatever was said by hand
    (sysown/proxysql 2098, 5169), so it does not look at this hostgroup until the last drained host is back.
    """
    if state not in ("drain", "ready"):
        raise BadInput(f"{state!r} is no state: drain or ready")
    return admin(drained(int(backend), server) if state == "drain" else readied(int(backend), server))


def drained(writer: int, server: str) -> tuple[str, ...]:
    """Runtime is taken as it is; where the writer leaves, the reserve that the monitor would take is made writer in the same load."""
    return _filled(_DRAINED, writer, server)


def readied(writer: int, server: str) -> tuple[str, ...]:
    """Back as a reserve where there are writers enough, so that no second writer begins; the monitor looks again after the last one."""
    return _filled(_READIED, writer, server)


def settled(writer: int) -> tuple[str, ...]:
    """Memory becomes what runs, reserves included: what is loaded after that begins no second writer."""
    return _filled(_SETTLED, writer, "none:0")


def _filled(statements: Sequence[str], writer: int, server: str) -> tuple[str, ...]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        raise BadInput(f"{server!r} is no server of ProxySQL's: HOST:PORT")
    whole = (re.sub(r"<(\w+)>", lambda match: _PARTS[match.group(1)], statement) for statement in statements)
    return tuple(proxysql(text, writer=writer, host=host, port=int(port), mark=_MARK) for text in whole)


_PARTS = {
    "here": "hostname = {{host}} AND port = {{port}}",
    "ours": "hostgroup_id IN (SELECT {{writer}} "
    "UNION ALL SELECT backup_writer_hostgroup FROM mysql_galera_hostgroups WHERE writer_hostgroup = {{writer}} "
    "UNION ALL SELECT reader_hostgroup FROM mysql_galera_hostgroups WHERE writer_hostgroup = {{writer}} "
    "UNION ALL SELECT offline_hostgroup FROM mysql_galera_hostgroups WHERE writer_hostgroup = {{writer}})",
    "columns": "hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment",
    "many": "(SELECT COUNT(*) FROM mysql_servers WHERE hostgroup_id = {{writer}} AND status = 'ONLINE') > "
    "(SELECT max_writers FROM mysql_galera_hostgroups WHERE writer_hostgroup = {{writer}})",
}
_SETTLED = (
    "SAVE MYSQL SERVERS TO MEMORY",
    "UPDATE mysql_servers SET status = 'SHUNNED' WHERE hostgroup_id = {{writer}} AND status = 'ONLINE' AND EXISTS "
    "(SELECT 1 FROM mysql_servers AS twin JOIN mysql_galera_hostgroups AS g ON twin.hostgroup_id = g.backup_writer_hostgroup "
    "WHERE g.writer_hostgroup = {{writer}} AND twin.hostname = mysql_servers.hostname AND twin.port = mysql_servers.port)",
)
"""SAVE writes a shunned reserve down as ONLINE; loaded so, every member would be a writer until the monitor's next look."""
_DRAINED = (
    *_SETTLED,
    "UPDATE mysql_servers SET status = 'OFFLINE_SOFT' WHERE <here> AND <ours>",
    "UPDATE mysql_servers SET status = 'ONLINE' WHERE NOT EXISTS "
    "(SELECT 1 FROM mysql_servers WHERE hostgroup_id = {{writer}} AND status = 'ONLINE') AND rowid = (SELECT rowid FROM mysql_servers "
    "WHERE hostgroup_id = {{writer}} AND status = 'SHUNNED' ORDER BY weight DESC, hostname DESC, port DESC LIMIT 1)",
    "DELETE FROM mysql_servers WHERE hostgroup_id IN (SELECT backup_writer_hostgroup FROM mysql_galera_hostgroups WHERE writer_hostgroup = {{writer}}) "
    "AND EXISTS (SELECT 1 FROM mysql_servers AS twin WHERE twin.hostgroup_id = {{writer}} AND twin.status = 'ONLINE' "
    "AND twin.hostname = mysql_servers.hostname AND twin.port = mysql_servers.port)",
    "UPDATE mysql_galera_hostgroups SET active = 0, comment = COALESCE(comment, '') || {{mark}} WHERE writer_hostgroup = {{writer}} AND active = 1",
    "LOAD MYSQL SERVERS TO RUNTIME",
)
_READIED = (
    *_SETTLED,
    "UPDATE mysql_servers SET status = 'ONLINE' WHERE <here> AND <ours> AND status = 'OFFLINE_SOFT'",
    "INSERT OR IGNORE INTO mysql_servers (hostgroup_id, <columns>) SELECT (SELECT backup_writer_hostgroup FROM mysql_galera_hostgroups "
    "WHERE writer_hostgroup = {{writer}}), <columns> FROM mysql_servers WHERE <here> AND hostgroup_id = {{writer}} AND status = 'ONLINE' AND <many>",
    "UPDATE mysql_servers SET status = 'SHUNNED' WHERE <here> AND hostgroup_id = {{writer}} AND status = 'ONLINE' AND <many>",
    "UPDATE mysql_galera_hostgroups SET active = 1, comment = replace(comment, {{mark}}, '') WHERE writer_hostgroup = {{writer}} "
    "AND instr(comment, {{mark}}) > 0 AND NOT EXISTS (SELECT 1 FROM mysql_servers WHERE <ours> AND status = 'OFFLINE_SOFT')",
    "LOAD MYSQL SERVERS TO RUNTIME",
)
