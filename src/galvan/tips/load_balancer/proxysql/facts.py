"""What a ProxySQL shows of itself through its admin interface. No password and no hash is printed: the host compares and says yes or no.

All is one flat state, so that a step can name what it wants of it:
`login`, `version`, `var.NAME`, `default.WHAT`, `galera.WRITER`, `server.HOST:PORT`, `ssl.HOST:PORT:USER`, `user.NAME`,
`kept` (the monitor's password lies there), `front` (clients see the certificate that Galvan put there, and it lasts for 30 days yet), `front_is` (which one it is), `unsaved.WHAT` and `unloaded.WHAT` (rows that differ from disk, and from what runs), `socket.ADDRESS:PORT`, `taken` (hostgroups in use).
"""

from __future__ import annotations

from galvan.cluster.proxysql import ACCOUNT, PRESENT, WAY_IN, feed
from galvan.model import Fact, Role, Shell, State, Unreadable, Value

STATS = "galvan-stats"
FRONT = "/etc/galvan/proxysql/front"
"""Where the certificate for clients lies that Galvan had signed."""
PASSWORD = "/etc/galvan/proxysql/monitor.password"  # noqa: S105 - where it lies, on the balancer
VARIABLES = (
    "mysql-have_ssl", "mysql-interfaces", "mysql-max_connections", "mysql-multiplexing", "mysql-connect_timeout_server_max",
    "mysql-ssl_p2s_ca", "mysql-ssl_p2s_capath", "mysql-ssl_p2s_cert", "mysql-ssl_p2s_key", "mysql-ssl_p2s_cipher",
    "mysql-monitor_enabled", "mysql-monitor_username", "mysql-monitor_galera_healthcheck_interval",
    "mysql-monitor_galera_healthcheck_timeout", "mysql-monitor_galera_healthcheck_max_timeout_count",
    "mysql-firewall_whitelist_enabled", "mysql-automatic_detect_sqli", "mysql-proxy_protocol_networks",
    "admin-mysql_ifaces", "admin-web_enabled", "admin-web_port", "admin-restapi_enabled", "admin-restapi_port",
    "admin-telnet_admin_ifaces", "admin-telnet_stats_ifaces",
)  # fmt: skip
_NAMES = ", ".join(f"'{name}'" for name in VARIABLES)
_LISTED = "CASE WHEN instr(';' || variable_value || ';', ';<pair>') > 0 THEN 'yes' ELSE 'no' END FROM runtime_global_variables WHERE variable_name = '<name>'"
_IS = "(SELECT COUNT(*) FROM runtime_global_variables WHERE variable_name = '<name>' AND variable_value = '<value>')"
_KIND = (
    "CASE WHEN password IS NULL OR password = '' THEN 'empty' WHEN length(password) = 41 AND substr(password, 1, 1) = '*' "
    "THEN 'hashed' WHEN substr(password, 1, 3) = '$A$' THEN 'hashed' ELSE 'clear' END"
)
_WHERE = ("runtime_mysql_users", "main.mysql_users", "disk.mysql_users")


def _listed(name: str, pair: str) -> str:
    return _LISTED.replace("<name>", name).replace("<pair>", pair)


def _both(name: str, value: str) -> str:
    user = _IS.replace("<name>", f"{name}_username").replace("<value>", value)
    return f"CASE WHEN {user} + {_IS.replace('<name>', f'{name}_password').replace('<value>', value)} = 2 THEN 'yes' ELSE 'no' END"


def _differ(what: str, where: str, columns: str, one: str, other: str) -> str:
    """How many rows only one of the two has."""
    asked = (
        "SELECT '<what>', '<where>', (SELECT COUNT(*) FROM (SELECT <columns> FROM <one> EXCEPT SELECT <columns> FROM <other>)) + "
        "(SELECT COUNT(*) FROM (SELECT <columns> FROM <other> EXCEPT SELECT <columns> FROM <one>))"
    )
    for slot, text in {"what": what, "where": where, "columns": columns, "one": one, "other": other}.items():
        asked = asked.replace(f"<{slot}>", text)
    return asked


_PASSWORDS = " UNION ALL ".join("SELECT username, <kind> AS kind FROM ".replace("<kind>", _KIND) + t for t in _WHERE)
_SERVER = "hostname, port, MIN(use_ssl), MAX(use_ssl), MIN(max_connections), MAX(max_connections)"
_USER = "u.username, MIN(u.active), MIN(u.use_ssl), MAX(u.frontend), MAX(u.backend), MAX(u.default_hostgroup), MAX(u.max_connections), MAX(u.fast_forward)"
_PAIR = "variable_name, variable_value"
_MATTER = f" WHERE variable_name IN ({_NAMES}, 'admin-admin_credentials', 'admin-stats_credentials', 'mysql-monitor_password')"
_MEMBER, _GALERA = "DISTINCT hostname, port, use_ssl, max_connections", "writer_hostgroup, active, max_writers"
_LOGIN = "DISTINCT username, use_ssl, default_hostgroup, max_connections"
_SSL = "hostname, port, username, ssl_ca, ssl_cert, ssl_key, ssl_capath, ssl_cipher"
_TAKEN = "SELECT hostgroup_id AS n FROM main.mysql_servers UNION SELECT default_hostgroup FROM main.mysql_users UNION SELECT destination_hostgroup FROM main.mysql_query_rules"

STATEMENTS = (
    "SELECT 'version', variable_value FROM runtime_global_variables WHERE variable_name = 'admin-version'",
    "SELECT 'var', <pair> FROM runtime_global_variables WHERE variable_name IN (<names>) ORDER BY variable_name".replace("<pair>", _PAIR).replace("<names>", _NAMES),
    "SELECT 'default', 'admin', " + _listed("admin-admin_credentials", "admin:admin;"),
    "SELECT 'default', 'stats', " + _listed("admin-stats_credentials", "stats:stats;"),
    "SELECT 'default', 'own', " + _listed("admin-admin_credentials", f"{ACCOUNT}:"),
    "SELECT 'default', 'own-stats', " + _listed("admin-stats_credentials", f"{STATS}:"),
    "SELECT 'default', 'monitor', " + _both("mysql-monitor", "monitor"),
    "SELECT 'default', 'cluster', " + _both("admin-cluster", "admin"),
    "SELECT 'default', 'peers', CASE WHEN COUNT(*) > 0 THEN 'yes' ELSE 'no' END FROM runtime_proxysql_servers",
    "SELECT 'galera', writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, active, max_writers, "
    "writer_is_also_reader, max_transactions_behind FROM runtime_mysql_galera_hostgroups",
    "SELECT 'server', <what> FROM runtime_mysql_servers GROUP BY hostname, port".replace("<what>", _SERVER),
    "SELECT 'ssl', <what> FROM runtime_mysql_servers_ssl_params".replace("<what>", _SSL),
    "SELECT 'user', <what>, MIN(k.kind) FROM runtime_mysql_users u JOIN (<kinds>) k ON k.username = u.username GROUP BY u.username".replace("<what>", _USER).replace("<kinds>", _PASSWORDS),
    _differ("unsaved", "servers", _MEMBER, "main.mysql_servers", "disk.mysql_servers"),
    _differ("unsaved", "galera", _GALERA, "main.mysql_galera_hostgroups", "disk.mysql_galera_hostgroups"),
    _differ("unsaved", "users", _LOGIN, "main.mysql_users", "disk.mysql_users"),
    _differ("unsaved", "variables", _PAIR, "main.global_variables" + _MATTER, "disk.global_variables" + _MATTER),
    _differ("unloaded", "servers", _MEMBER, "main.mysql_servers", "runtime_mysql_servers"),
    _differ("unloaded", "galera", _GALERA, "main.mysql_galera_hostgroups", "runtime_mysql_galera_hostgroups"),
    _differ("unloaded", "users", _LOGIN, "main.mysql_users WHERE active = 1", "runtime_mysql_users WHERE active = 1"),
    _differ("unloaded", "variables", _PAIR, "main.global_variables" + _MATTER, "runtime_global_variables" + _MATTER),
    "SELECT 'taken', COALESCE(group_concat(n, ' '), '') FROM (<all>) WHERE n IS NOT NULL".replace("<all>", _TAKEN),
    "SELECT 'done', (SELECT COUNT(*) FROM runtime_mysql_galera_hostgroups), "
    "(SELECT COUNT(*) FROM (SELECT DISTINCT hostname, port FROM runtime_mysql_servers)), (SELECT COUNT(DISTINCT username) FROM runtime_mysql_users)",
)  # fmt: skip
"""Before 2.6 there is no table of a server's own TLS files, and that statement alone fails: the client goes on."""
_WIDTH = {
    "version": 1, "var": 2, "default": 2, "galera": 8, "server": 6, "ssl": 8, "user": 9, "unsaved": 2, "unloaded": 2, "taken": 1,
    "done": 3, "login": 2, "socket": 1, "front": 2, "kept": 1,
}  # fmt: skip
_ALWAYS = ("version", "login", "front", "kept", "done", "taken")


def proxysql(output: str) -> State:
    """Empty where none is installed. Raises Unreadable where something is missing or has a form that is not known."""
    if not output.strip():
        return {}
    state: dict[str, Value] = {}
    counted: dict[str, int] = dict.fromkeys(_WIDTH, 0)
    done: tuple[str, ...] = ()
    for line in output.splitlines():
        kind, *said = line.split("\t")
        if _WIDTH.get(kind) != len(said):
            raise Unreadable(f"ProxySQL printed {line!r}, which Galvan does not know")
        counted[kind] += 1
        if kind == "done":
            done = tuple(said)
        else:
            state |= _keys(kind, said)
    if lost := [kind for kind in _ALWAYS if counted[kind] != 1]:
        raise Unreadable(f"ProxySQL did not say its {lost[0]}")
    if done != tuple(str(counted[kind]) for kind in ("galera", "server", "user")):
        raise Unreadable("ProxySQL did not print all of its hostgroups, servers and users")
    if counted["default"] != 7 or counted["unsaved"] != 4 or counted["unloaded"] != 4:
        raise Unreadable("ProxySQL did not answer every question: is this account one of its administrators?")
    return state


def _keys(kind: str, said: list[str]) -> dict[str, Value]:
    match kind:
        case "version" | "taken" | "kept":
            return {kind: said[0]}
        case "front":
            return {"front": said[0], "front_is": said[1]}
        case "login":
            return {"login": said[0], "admin": said[1]}
        case "server":
            return {f"server.{said[0]}:{said[1]}": " ".join(said[2:])}
        case "ssl":
            return {f"ssl.{':'.join(said[:3])}": "|".join(said[3:])}
        case "user":
            if said[8] not in ("empty", "hashed", "clear"):
                raise Unreadable(f"ProxySQL printed {said[8]!r} where it says how a password is kept")
            return {f"user.{said[0]}": " ".join(said[1:])}
        case "socket":
            return {f"socket.{said[0]}": "yes"}
        case _:
            return {f"{kind}.{said[0]}": " ".join(said[1:])}


PROXYSQL: Fact[State] = Fact(
    "proxysql.admin",
    Shell(
        f"{PRESENT} || exit 0\n"
        + WAY_IN
        + r"""printf 'login\t%s\t%s\n' "$way" "$host:$port"
ss -Hlntp 2>/dev/null | awk '/"proxysql"/ {print "socket\t" $4}' | sort -u
d=$(said datadir); cert=${d:-/var/lib/proxysql}/proxysql-cert.pem
"""
        + f"mine={FRONT}/cert.pem\n"
        + r"""if cmp -s "$cert" "$mine" && openssl x509 -in "$cert" -noout -checkend 2592000 >/dev/null; then ours=yes; else ours=no; fi
printf 'front\t%s\t%s\n' $ours "$(sha256sum "$cert" 2>/dev/null | cut -c1-12)"
"""
        + f"[ -s {PASSWORD} ] && kept=yes || kept=no\n"
        + r"""printf 'kept\t%s\n' $kept
"""
        + feed(STATEMENTS).replace("admin <<", "admin --force <<", 1)
        + "true"
    ),
    proxysql,
    roles=frozenset({Role.LOAD_BALANCER}),
)
"""One login, one session; nothing where no ProxySQL is installed."""
