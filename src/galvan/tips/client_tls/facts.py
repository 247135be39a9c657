"""Who speaks to the server, and how. Both facts need performance_schema, which Galvan may switch on in its first restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster.facts import pairs, rows
from galvan.model import Fact, Sql, Unreadable


@dataclass(frozen=True, slots=True)
class Client:
    """One live session over TCP. `tls` is the protocol version, empty for clear text."""

    user: str
    address: str
    tls: str

    @property
    def who(self) -> str:
        return f"{self.user}@{self.address}"


def clients(output: str) -> tuple[Client, ...]:
    """Rows: instrumented (1 or 0), user, client, connection type, TLS version. The first row is the server's own word."""
    table = rows(output, 5)
    if not table or table[0][0] != "1":
        raise Unreadable("performance_schema is off, so nobody can say which sessions use TLS")
    return tuple(
        Client(user, address, tls) for _, user, address, kind, tls in table[1:] if kind in ("TCP/IP", "SSL/TLS")
    )


CLIENTS: Fact[tuple[Client, ...]] = Fact(
    "client_tls.clients",
    Sql(
        "SELECT @@performance_schema, '', '', '', '' UNION ALL "
        "SELECT 1, t.PROCESSLIST_USER, t.PROCESSLIST_HOST, t.CONNECTION_TYPE, COALESCE(s.VARIABLE_VALUE, '') "
        "FROM performance_schema.threads t LEFT JOIN performance_schema.status_by_thread s "
        "ON s.THREAD_ID = t.THREAD_ID AND s.VARIABLE_NAME = 'Ssl_version' "
        "WHERE t.TYPE = 'FOREGROUND' AND t.PROCESSLIST_USER IS NOT NULL AND t.PROCESSLIST_ID <> CONNECTION_ID()"
    ),
    clients,
    stable=False,
)


@dataclass(frozen=True, slots=True)
class Logins:
    """Counters since the server started: logins by account and client, and TLS handshakes that were finished."""

    by_client: Mapping[str, int]
    tls: int
    uptime: int


def logins(output: str) -> Logins:
    counts = {name: int(str(value)) for name, value in pairs(output).items()}
    tls, uptime = counts.pop("#tls", None), counts.pop("#uptime", None)
    if tls is None or uptime is None:
        raise Unreadable("the server does not count TLS handshakes")
    return Logins(counts, tls, uptime)


LOGINS: Fact[Logins] = Fact(
    "client_tls.logins",
    Sql(
        "SELECT CONCAT(USER, '@', HOST), TOTAL_CONNECTIONS FROM performance_schema.accounts "
        "WHERE USER IS NOT NULL AND HOST <> 'localhost' UNION ALL "
        "SELECT CASE UPPER(VARIABLE_NAME) WHEN 'UPTIME' THEN '#uptime' ELSE '#tls' END, VARIABLE_VALUE "
        "FROM /*M! information_schema.GLOBAL_STATUS */ /*!50706 performance_schema.global_status */ "
        "WHERE UPPER(VARIABLE_NAME) IN ('SSL_FINISHED_ACCEPTS', 'UPTIME')"
    ),
    logins,
    stable=False,
)
