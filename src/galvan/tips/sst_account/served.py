"""What the servers say of their accounts, beyond `cluster.grants`."""

from __future__ import annotations

from dataclasses import dataclass

from galvan.cluster.facts import pairs, rows
from galvan.cluster.grants import GRANTS, Secret, grants
from galvan.cluster.quote import literal
from galvan.model import Fact, Sql, State, Value
from galvan.tips.sst_account.words import rights_of, spelled

RUNNING: Fact[State] = Fact(
    "sst_account.running",
    Sql(
        "SELECT 'auth', IF(COUNT(*), 'set', 'unset') FROM /*M! information_schema.GLOBAL_VARIABLES */ "
        "/*!50706 performance_schema.global_variables */ WHERE UPPER(VARIABLE_NAME) = 'WSREP_SST_AUTH' AND VARIABLE_VALUE <> ''"
    ),
    pairs,
)
"""Does the running server know an account? The server itself shows no more of it than that."""
SOCKET: Fact[State] = Fact(
    "sst_account.socket",
    Sql(
        "SELECT 'socket', COALESCE(MAX(PLUGIN_STATUS), 'absent') FROM information_schema.PLUGINS "
        "WHERE PLUGIN_NAME IN ('unix_socket', 'auth_socket')"
    ),
    pairs,
)


def changed(output: str) -> dict[tuple[str, str], int]:
    """When the password of each account was set last; 0 where the server does not know."""
    return {(user, host): int(at or 0) for user, host, at in rows(output, 3)}


CHANGED: Fact[dict[tuple[str, str], int]] = Fact(
    "sst_account.changed",
    Sql(
        "SELECT User, Host, /*M! COALESCE(JSON_VALUE(Priv, '$.password_last_changed'), 0) FROM mysql.global_priv */ "
        "/*!50706 COALESCE(UNIX_TIMESTAMP(password_last_changed), 0) FROM mysql.user */ ORDER BY User, Host"
    ),
    changed,
    stable=False,
)
RIGHTS: Fact[State] = Fact(
    "sst_account.rights", GRANTS.query,
    lambda output: {a.name: spelled(rights_of(all_of, a)) for all_of in [grants(output)] for a in all_of.accounts},
)  # fmt: skip
"""Of every account all that it may do, but PROXY, which no server replicates."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A row of mysql.proxies_priv, as it is: what Debian's installation writes there no REVOKE finds (error 1141)."""

    user: str
    host: str
    proxied_user: str
    proxied_host: str
    grant: str
    grantor: str
    at: str


def proxies(output: str) -> tuple[Proxy, ...]:
    return tuple(Proxy(*row) for row in rows(output, 7))


PROXIES: Fact[tuple[Proxy, ...]] = Fact(
    "sst_account.proxies",
    Sql(
        "SELECT User, Host, Proxied_user, Proxied_host, With_grant, Grantor, Timestamp FROM mysql.proxies_priv ORDER BY 1, 2, 3, 4"
    ),
    proxies,
)


def counted(output: str) -> State:
    found: dict[str, Value] = {}
    for proxy in proxies(output):
        name = f"{literal(proxy.user)}@{literal(proxy.host)}"
        found[name] = int(str(found.get(name, 0))) + 1
    return found


COUNTED: Fact[State] = Fact("sst_account.counted", PROXIES.query, counted)
WAYS: Fact[State] = Fact(
    "sst_account.ways", GRANTS.query,
    lambda output: {a.name: sum(way.secret is Secret.SET for way in a.ways) for a in grants(output).accounts},
)  # fmt: skip
"""By how many passwords each account is let in."""
LOCKS: Fact[State] = Fact(
    "sst_account.locks",
    GRANTS.query,
    lambda output: {a.name: "locked" if a.locked else "open" for a in grants(output).accounts},
)
