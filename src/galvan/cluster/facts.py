"""Facts that more than one tip reads. Each is one query and one pure parser.

On a database host all SQL facts travel through one client over the local socket; a shell fact prints what its parser
takes. Nothing here changes anything, and no secret leaves a host: `wsrep_sst_auth` is cut out where it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from galvan.cluster import optionfile, provider
from galvan.cluster.asked import STATUS_NAMES, VARIABLE_NAMES
from galvan.cluster.precedence import GIVEN, OWN, READING
from galvan.model import Fact, Role, Shell, Sql, State, Unreadable, Value


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def rows(output: str, columns: int) -> tuple[tuple[str, ...], ...]:
    """Tab-separated rows as the client prints them in batch mode."""
    table = tuple(tuple(line.split("\t")) for line in output.splitlines())
    if bad := next((row for row in table if len(row) != columns), None):
        raise Unreadable(f"expected {columns} columns, got {bad!r}")
    return table


def pairs(output: str) -> dict[str, Value]:
    """
    >>> pairs("a\\t1\\nb\\tON")
    {'a': '1', 'b': 'ON'}
    """
    table = rows(output, 2)
    if not table:
        raise Unreadable("the server printed no row")
    return {row[0]: row[1] for row in table}


def variables(output: str) -> State:
    """Server variables, with the provider's options beside them as `provider.KEY` and the listener's scheme."""
    state = pairs(output)
    options = provider.parse(str(state.get("wsrep_provider_options", "")))
    state |= {f"provider.{key}": value for key, value in options.items()}
    state["listener"] = provider.scheme(options) if options else None
    return state


def lines(output: str) -> State:
    """
    >>> lines("unit=mariadb\\nempty=")
    {'unit': 'mariadb', 'empty': ''}
    """
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


@dataclass(frozen=True, slots=True)
class Session:
    """A client connection. `idle` seconds since its last statement; `open` while a transaction, a user lock or a
    temporary table would be lost with it."""

    id: int
    user: str
    client: str  # address or name, without the port; empty for the local socket
    command: str
    idle: float
    open: bool

    @property
    def who(self) -> str:
        return f"{self.user}@{self.client or 'localhost'}"


def sessions(output: str) -> tuple[Session, ...]:
    return tuple(
        Session(int(id), user, client_of(host), command, float(idle or 0), trx != "0")
        for id, user, host, command, idle, trx in rows(output, 6)
    )


def client_of(host: str) -> str:
    """The client out of the server's `host:port`; the local socket has no port.

    >>> client_of("10.0.0.7:4711"), client_of("localhost"), client_of("fe80::1:80"), client_of("localhost:80")
    ('10.0.0.7', '', 'fe80::1', 'localhost')
    """
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else ("" if host == "localhost" else host)


@dataclass(frozen=True, slots=True)
class Account:
    """`require` is NONE, ANY, X509 or SPECIFIED. `replicates`: made for replicas (it may, and is no administrator's)."""

    user: str
    host: str
    require: str
    locked: bool
    plugin: str
    replicates: bool

    @property
    def name(self) -> str:
        return f"'{self.user}'@'{self.host}'"

    @property
    def local(self) -> bool:
        """Can only be used over the local socket, which no TLS rule concerns."""
        return self.host == "localhost"


_REQUIRE = {"0": "NONE", "1": "ANY", "2": "X509", "3": "SPECIFIED", "-1": "NONE", "": "NONE"}
_REQUIRE |= {name: name for name in ("ANY", "X509", "SPECIFIED")}  # MySQL's words


def accounts(output: str) -> tuple[Account, ...]:
    """Accounts that a person or program can log in with: no roles, no locked internals of the server."""
    found = []
    for user, host, require, locked, role, plugin, access in rows(output, 7):
        if role in ("1", "true") or user in ("PUBLIC", "mariadb.sys") or not host:
            continue
        replicates = int(access or 0) & (_REPL_SLAVE | _SUPER) == _REPL_SLAVE
        found.append(Account(user, host, _REQUIRE[require], locked in ("1", "true"), plugin, replicates))
    if not found:
        raise Unreadable("the server lists no account")
    return tuple(found)


_SUPER, _REPL_SLAVE = 1 << 15, 1 << 19  # SUPER_ACL, REPL_SLAVE_ACL in sql/privilege.h

VARIABLES: Fact[State] = Fact(
    "server.variables", Sql(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_names(VARIABLE_NAMES)})"), variables
)
STATUS: Fact[State] = Fact(
    "server.status", Sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_names(STATUS_NAMES)})"), pairs, stable=False
)
ACCOUNTS: Fact[tuple[Account, ...]] = Fact(
    "server.accounts",
    Sql(
        "SELECT User, Host, "
        "/*M! COALESCE(JSON_VALUE(Priv, '$.ssl_type'), '0'), COALESCE(JSON_VALUE(Priv, '$.account_locked'), '0'), "
        "COALESCE(JSON_VALUE(Priv, '$.is_role'), '0'), COALESCE(JSON_VALUE(Priv, '$.plugin'), ''), "
        "COALESCE(JSON_VALUE(Priv, '$.access'), '0') FROM mysql.global_priv */ "
        "/*!50706 ssl_type, account_locked = 'Y', '0', plugin, "
        "(Super_priv = 'Y') * 32768 + (Repl_slave_priv = 'Y') * 524288 FROM mysql.user */ ORDER BY User, Host"
    ),
    accounts,
)
REQUIREMENTS: Fact[State] = Fact(
    "server.requirements", ACCOUNTS.query, lambda output: {a.name: a.require for a in accounts(output)}
)
SESSIONS: Fact[tuple[Session, ...]] = Fact(
    "server.sessions",
    Sql(
        "SELECT p.ID, p.USER, p.HOST, p.COMMAND, /*M! p.TIME_MS / 1000 */ /*!50706 p.TIME */, t.trx_mysql_thread_id IS NOT NULL "
        "FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID "
        "WHERE p.ID <> CONNECTION_ID() AND p.USER NOT IN ('system user', 'event_scheduler') AND p.COMMAND <> 'Daemon'"
    ),
    sessions,
    stable=False,
)
LONG: Fact[tuple[tuple[str, ...], ...]] = Fact(
    "server.long",
    Sql(
        "SELECT p.ID, p.USER, p.COMMAND, GREATEST(p.TIME, COALESCE(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), 0)), "
        "COALESCE(LEFT(p.INFO, 60), IF(t.trx_id IS NULL, '', 'a transaction is open')) "
        "FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID "
        "WHERE p.ID <> CONNECTION_ID() AND p.USER NOT IN ('system user', 'event_scheduler') AND ("
        "t.trx_started < NOW() - INTERVAL 60 SECOND OR p.COMMAND <> 'Sleep' AND ("
        "p.INFO RLIKE '^ *(ALTER|CREATE|DROP|RENAME|TRUNCATE|OPTIMIZE|REPAIR|FLUSH TABLES|BACKUP|LOCK TABLES)' OR p.TIME > 60))"
    ),
    lambda output: rows(output, 5),
    stable=False,
)
"""Statements that change the schema or last, and transactions that have been open for a minute, even where they idle."""
CONFIG: Fact[State] = Fact(
    "host.config",
    Shell(
        "my_print_defaults --mysqld 2>/dev/null | sed 's/^--\\([a-z_-]*wsrep[-_]sst[-_]a[a-z]*\\)=.*/--\\1=(hidden)/I'"
    ),
    optionfile.printed,
)
_HIDDEN = " | sed 's/^--\\([a-z_-]*\\(auth\\|password\\)\\)=.*/--\\1=(hidden)/I; s/^--\\([a-z_-]*key\\)=[^/].*/--\\1=(hidden)/I'"
"""A key may be a path, which is no secret; a password that begins like one is."""
SST_CONFIG: Fact[State] = Fact(
    "host.sst_config",
    Shell("my_print_defaults sst 2>/dev/null" + _HIDDEN),
    optionfile.printed,
)
BACKUP_CONFIG: Fact[State] = Fact(
    "host.backup_config",
    Shell("for g in mariabackup xtrabackup; do my_print_defaults $g 2>/dev/null | grep '=.'; done" + _HIDDEN),
    optionfile.printed,
)
"""What mariabackup's transfer script reads after `[sst]`; `[xtrabackup]` before `[mariabackup]`, and an empty value is none."""
PLATFORM: Fact[State] = Fact(
    "host.platform",
    Shell(
        "n=$(hostname -f 2>/dev/null || hostname); echo hostname=$n; echo short=${n%%.*}; echo addresses=$(hostname -I)"
    ),
    lines,
    roles=frozenset({Role.DATABASE, Role.ARBITRATOR}),
)
INSTALL: Fact[State] = Fact(
    "host.install",
    Shell(
        "for u in mariadb mysql mysqld; do\n"
        "  for d in /etc/systemd/system /lib/systemd/system /usr/lib/systemd/system; do [ -e $d/$u.service ] && echo unit=$u && break 2; done\ndone\n"
        f"own=$({GIVEN.format(name='wsrep[-_]provider')})\n"
        "for l in $own /usr/lib/galera/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so /usr/lib/libgalera_smm.so; do\n"
        "  [ -e $l ] && { grep -qa socket.dynamic $l && echo dynamic=yes || echo dynamic=no; break; }\ndone\n"
        "for t in openssl socat stunnel tcpdump setpriv galera_new_cluster; do command -v $t >/dev/null && echo $t=yes || echo $t=no; done\n"
        "systemctl show ${u:-mariadb} -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic -p ActiveExitTimestampMonotonic -p InactiveEnterTimestampMonotonic "
        '| awk -F= \'{t[$1]=$2/1000000} END {a="TimestampMonotonic"; print "start_s=" t["ActiveEnter" a]-t["InactiveExit" a]; print "stop_s=" t["InactiveEnter" a]-t["ActiveExit" a]}\''
    ),
    lines,
)
"""How the server is installed, and how many seconds its last start and stop took; only plans and runs need it."""
_NEW_CLUSTER = "/run/mariadb-wsrep-new-cluster /run/mysqld/wsrep-new-cluster"
BOOTSTRAP: Fact[State] = Fact(
    "host.bootstrap",
    Shell(f"for f in {_NEW_CLUSTER}; do [ -e $f ] && echo bootstrap=1 && exit 0; done; echo bootstrap=0"),
    lines,
)
"""The file by which newer servers bootstrap, under its names so far (10.11.19: the first). The older way, a variable in systemd's environment, takes a slow question,
so that one is asked before each restart (MOMENT) and not in every audit."""
MOMENT: Fact[State] = Fact(
    "host.moment",
    Shell(
        "echo clock=$(date +%s.%N)\n"
        f"data=$({GIVEN.format(name='datadir')})\n"
        "echo disk_kb=$(df -Pk \"${data:-/var/lib/mysql}\" | awk 'NR==2{print $4}')\n"
        f"echo bootstrap=$({{ systemctl show-environment; cat {_NEW_CLUSTER} 2>/dev/null; }} | grep -c '^_WSREP_NEW_CLUSTER=..*')\n"
        "echo service=$(systemctl is-active mariadb mysql mysqld | grep -v inactive | head -n 1)\n"
        "echo transfer=$(pgrep -fc 'wsrep_sst_[a-z]')\n"
        "echo lock=$(cat /var/lib/galvan/lock/owner 2>/dev/null | tr '\\n' ' ')"
    ),
    lines,
    stable=False,
)


@dataclass(frozen=True, slots=True)
class Links:
    """A host's own addresses, and whom it is connected with: "4567@10.0.0.12", by the port that is listened on."""

    own: frozenset[str]
    peers: frozenset[str]


def links(output: str) -> Links:
    if "peers" not in (said := lines(output)):
        raise Unreadable("the host has no ss (iproute2), so its connections cannot be seen")
    return Links(*(frozenset(str(said.get(key)).split()) for key in ("own", "peers")))


LINKS: Fact[Links] = Fact(
    "host.links",
    Shell(
        "echo own=$(hostname -I)\n"
        "command -v ss >/dev/null && echo peers=$(ss -Htan state listening state established | awk '\n"
        '{ n = split($4, here, ":"); m = split($5, there, ":"); who = $5; sub(/:[0-9]+$/, "", who)\n'
        '  gsub(/[][]/, "", who); sub(/^::ffff:/, "", who); sub(/%.*/, "", who) }\n'
        '$1 == "LISTEN" { open[here[n]] = 1 } $1 == "ESTAB" { near[NR] = here[n]; far[NR] = there[m]; peer[NR] = who }\n'
        'END { for (i in peer) seen[((near[i] in open) ? near[i] : far[i]) "@" peer[i]] = 1; for (i in seen) print i }\'); true'
    ),
    links,
    stable=False,
    roles=frozenset({Role.DATABASE, Role.ARBITRATOR}),  # an arbitrator tells them as a database host does
)
OWN_FILES: Fact[State] = Fact(
    "host.own_files",
    Shell(
        f"{OWN}\n"
        "for f in /etc/systemd/system/garb.service.d/zz-galvan.conf /etc/mysql/galvan/*/*.pem /etc/galvan/client/*; do "
        '[ -f "$f" ] && set -- "$@" "$f"; done\n'
        '[ $# -eq 0 ] || sha256sum "$@"'
    ),
    lambda output: {path: digest for digest, path in (line.split("  ", 1) for line in output.splitlines())},
    roles=frozenset({Role.DATABASE, Role.APPLICATION, Role.ARBITRATOR}),
)
OWN_CONFIG: Fact[dict[optionfile.Key, optionfile.Entry]] = Fact(
    "host.own_config",
    Shell(f'{OWN}\n[ $# -eq 0 ] || cat "$@"'),
    optionfile.parse,
)
GATE = (VARIABLES, STATUS, MOMENT, LINKS)
HOUSE = (
    VARIABLES, STATUS, CONFIG, SST_CONFIG, BACKUP_CONFIG, PLATFORM, INSTALL, READING, MOMENT, LINKS, OWN_FILES, OWN_CONFIG,
)  # fmt: skip
"""What `cluster.settle` and the gates need whatever the tips ask for."""
