"""What is said to ProxySQL's admin interface, as ordered statements. Pure; each list may be said twice.

Memory is changed, then loaded to runtime, then saved to disk. What concerns servers comes after `cluster.proxysql.settled`:
members stay where ProxySQL's monitor put them, and the load begins no second writer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.proxysql import ACCOUNT
from galvan.cluster.quote import proxysql
from galvan.model import BadInput, Balancing, Blind, State
from galvan.tips.load_balancer.facts import share
from galvan.tips.load_balancer.proxysql.facts import STATS

COMMENT = "Galvan"
SERVERS = ("LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
USERS = ("LOAD MYSQL USERS TO RUNTIME", "SAVE MYSQL USERS TO DISK")
MYSQL_VARIABLES = ("LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK")
ADMIN_VARIABLES = ("LOAD ADMIN VARIABLES TO RUNTIME", "SAVE ADMIN VARIABLES TO DISK")


@dataclass(frozen=True, slots=True)
class Member:
    address: str
    port: int = 3306

    @property
    def name(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Groups:
    """The four hostgroups of a Galera cluster."""

    writer: int
    backup: int
    reader: int
    offline: int


@dataclass(frozen=True, slots=True)
class Trust:
    """TLS files as ProxySQL's own user can read them; `certificate` and `key` where members ask for one (REQUIRE X509)."""

    ca: str
    certificate: str = ""
    key: str = ""


def groups_of(state: State, members: Sequence[Member]) -> Groups:
    """Those that stand there, else four that nothing uses. Raises Blind where it cannot be known which are the members'."""
    found = [key.removeprefix("galera.") for key in state if key.startswith("galera.")]
    if len(found) == 1:
        backup, reader, offline = str(state[f"galera.{found[0]}"]).split(" ")[:3]
        return Groups(int(found[0]), int(backup), int(reader), int(offline))
    known = [member.name for member in members if f"server.{member.name}" in state]
    if found:
        raise Blind("ProxySQL serves more than one Galera cluster: Galvan cannot tell whose its hostgroups are")
    if known:
        raise Blind(
            f"ProxySQL already serves {known[0]} without mysql_galera_hostgroups: name its hostgroups there, then plan again"
        )
    taken = {int(word) for word in str(state.get("taken", "")).split()}
    first = next(n for n in range(10, 100_000, 100) if not taken & {n, n + 10, n + 20, n + 30})
    return Groups(first, first + 10, first + 20, first + 30)


def _shape(policy: Balancing, members: int) -> tuple[int, int]:
    """max_writers and writer_is_also_reader: a second door for reads goes to the reserves where one member writes, and to all where
    all do."""
    if policy.writers == "one":
        return 1, 2 if policy.read_door else 0
    return members, 1 if policy.read_door else 0


def galera(groups: Groups, policy: Balancing, members: int) -> tuple[str, ...]:
    writers, reads = _shape(policy, members)
    return (
        proxysql(
            "INSERT OR IGNORE INTO mysql_galera_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, "
            "comment) VALUES ({{writer}}, {{backup}}, {{reader}}, {{offline}}, {{comment}})",
            writer=groups.writer, backup=groups.backup, reader=groups.reader, offline=groups.offline, comment=COMMENT,
        ),
        proxysql(
            "UPDATE mysql_galera_hostgroups SET active = 1, max_writers = {{writers}}, writer_is_also_reader = {{reads}} WHERE writer_hostgroup = {{writer}}",
            writer=groups.writer, writers=writers, reads=reads,
        ),
    )  # fmt: skip


def wanted_galera(groups: Groups, policy: Balancing, members: int, lag: str = "0") -> State:
    writers, reads = _shape(policy, members)
    numbers = (groups.backup, groups.reader, groups.offline, 1, writers, reads, lag)
    return {f"galera.{groups.writer}": " ".join(map(str, numbers))}


def servers(groups: Groups, members: Sequence[Member], limit: int, tls: bool) -> tuple[str, ...]:
    """A member that is new begins as a writer and the monitor sorts it; one that is known keeps its place, its weight and all else."""
    told: list[str] = []
    for member in members:
        values: dict[str, str | int] = {
            "writer": groups.writer, "backup": groups.backup, "reader": groups.reader, "offline": groups.offline,
            "host": member.address, "port": member.port, "limit": limit, "tls": int(tls), "comment": COMMENT,
        }  # fmt: skip
        here = "hostname = {{host}} AND port = {{port}} AND hostgroup_id IN ({{writer}}, {{backup}}, {{reader}}, {{offline}})"
        told += [
            proxysql(text.replace("<here>", here), **values)
            for text in (
                "INSERT INTO mysql_servers (hostgroup_id, hostname, port, max_connections, use_ssl, comment) "
                "SELECT {{writer}}, {{host}}, {{port}}, {{limit}}, {{tls}}, {{comment}} WHERE NOT EXISTS (SELECT 1 FROM mysql_servers WHERE <here>)",
                "UPDATE mysql_servers SET max_connections = {{limit}}, use_ssl = {{tls}} WHERE <here>",
            )
        ]
    return tuple(told)


def wanted_servers(members: Sequence[Member], limit: int, tls: bool) -> State:
    return {f"server.{member.name}": f"{int(tls)} {int(tls)} {limit} {limit}" for member in members}


def trust(members: Sequence[Member], files: Trust, own_table: bool) -> tuple[str, ...]:
    """For each member where ProxySQL has a table for that (2.6 and later), else for all that it ever dials."""
    if own_table:
        return tuple(
            proxysql(
                "REPLACE INTO mysql_servers_ssl_params (hostname, port, username, ssl_ca, ssl_cert, ssl_key, comment) "
                "VALUES ({{host}}, {{port}}, '', {{ca}}, {{cert}}, {{key}}, {{comment}})",
                host=m.address, port=m.port, ca=files.ca, cert=files.certificate, key=files.key, comment=COMMENT,
            )
            for m in members
        )  # fmt: skip
    return variables(
        {"mysql-ssl_p2s_ca": files.ca, "mysql-ssl_p2s_cert": files.certificate, "mysql-ssl_p2s_key": files.key}
    )


def wanted_trust(members: Sequence[Member], files: Trust, own_table: bool) -> State:
    if own_table:
        return {f"ssl.{member.name}:": f"{files.ca}|{files.certificate}|{files.key}||" for member in members}
    named = {"ca": files.ca, "cert": files.certificate, "key": files.key}
    return {f"var.mysql-ssl_p2s_{name}": value for name, value in named.items()}


def variables(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        proxysql("UPDATE global_variables SET variable_value = {{value}} WHERE variable_name = {{name}}", name=n, value=v)
        for n, v in values.items()
    )  # fmt: skip


def ways(policy: Balancing) -> dict[str, str]:
    """How long one waits for a member, how often members are looked at, that TLS is offered and connections are shared."""
    interval = round(policy.interval * 1000)
    return {
        "mysql-have_ssl": "true",
        "mysql-multiplexing": "true",
        "mysql-connect_timeout_server_max": str(policy.queue_wait * 1000),
        "mysql-monitor_enabled": "true",
        "mysql-monitor_galera_healthcheck_interval": str(interval),
        "mysql-monitor_galera_healthcheck_timeout": str(min(800, interval // 2)),
    }


def limit(policy: Balancing, max_connections: int, balancers: int) -> int:
    """Connections that one balancer may open to one member: all balancers together leave room at the member."""
    if policy.connections:
        return policy.connections
    if (room := share(max_connections, balancers)) < 1:
        raise BadInput(f"max_connections = {max_connections} leaves no room for {balancers} balancers")
    return room


def force_tls(users: Sequence[str]) -> tuple[str, ...]:
    return tuple(proxysql("UPDATE mysql_users SET use_ssl = 1 WHERE username = {{user}}", user=user) for user in users)


_WITHOUT = (
    "UPDATE global_variables SET variable_value = trim(replace(';' || variable_value || ';', {{pair}}, ';'), ';') "
    "WHERE variable_name = {{name}} AND instr(variable_value, {{own}}) > 0"
)


def refuse_defaults() -> tuple[str, ...]:
    """The pairs that everybody knows leave both lists; nothing happens to a list in which Galvan's own account is not."""
    return (
        proxysql(_WITHOUT, pair=";admin:admin;", name="admin-admin_credentials", own=f"{ACCOUNT}:"),
        proxysql(_WITHOUT, pair=";stats:stats;", name="admin-stats_credentials", own=f"{STATS}:"),
    )


def loopback(interfaces: str) -> str:
    """The same ports and sockets, of this host alone.

    >>> loopback("0.0.0.0:6032;/tmp/proxysql_admin.sock")
    '127.0.0.1:6032;/tmp/proxysql_admin.sock'
    """
    parts = [part.strip() for part in interfaces.split(";") if part.strip()]
    return ";".join(dict.fromkeys(p if p.startswith("/") else f"127.0.0.1:{_port(p)}" for p in parts))


def _port(interface: str) -> int:
    port = interface.rpartition(":")[2]
    if not port.isdigit():
        raise BadInput(f"{interface!r} is no interface of ProxySQL's: ADDRESS:PORT or a socket's path")
    return int(port)


def has_own_table(version: str) -> bool:
    """
    >>> has_own_table("2.5.5-10-g195bd70"), has_own_table("2.6.0-55-g2a5f4a1"), has_own_table("3.0.1")
    (False, True, True)
    """
    numbers = version.split("-")[0].split(".")
    if len(numbers) < 2 or not all(number.isdigit() for number in numbers):
        raise BadInput(f"{version!r} is no version of ProxySQL")
    return (int(numbers[0]), int(numbers[1])) >= (2, 6)
