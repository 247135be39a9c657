"""The one statement behind `cluster.grants`, for MariaDB and, in its other comment, for MySQL's servers.

Passwords are judged where they lie. What a server keeps of one (`mysql_native_password`, `ed25519`) is the same for the same
password everywhere, so it is compared with what the words tried first become; salted ways can only be asked whether they are empty.
"""

# ruff: noqa: S608 - no value from outside meets these statements
from __future__ import annotations

import hashlib
from collections.abc import Sequence

from galvan.cluster.passwords import TRIED_FIRST
from galvan.cluster.quote import literal

GLOBAL = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "SHUTDOWN", "PROCESS", "FILE", "GRANT OPTION",
    "REFERENCES", "INDEX", "ALTER", "SHOW DATABASES", "SUPER", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE",
    "REPLICATION SLAVE", "BINLOG MONITOR", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER",
    "EVENT", "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY", "SET USER", "FEDERATED ADMIN", "CONNECTION ADMIN",
    "READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "BINLOG ADMIN", "BINLOG REPLAY",
    "SLAVE MONITOR", "SHOW CREATE ROUTINE",
)  # fmt: skip
"""MariaDB's rights on *.* in the order of their bits."""


_SCHEMA = (
    ("Select", "SELECT"), ("Insert", "INSERT"), ("Update", "UPDATE"), ("Delete", "DELETE"), ("Create", "CREATE"), ("Drop", "DROP"),
    ("Grant", "GRANT OPTION"), ("References", "REFERENCES"), ("Index", "INDEX"), ("Alter", "ALTER"),
    ("Create_tmp_table", "CREATE TEMPORARY TABLES"), ("Lock_tables", "LOCK TABLES"), ("Create_view", "CREATE VIEW"),
    ("Show_view", "SHOW VIEW"), ("Create_routine", "CREATE ROUTINE"), ("Alter_routine", "ALTER ROUTINE"), ("Execute", "EXECUTE"),
    ("Event", "EVENT"), ("Trigger", "TRIGGER"),
)  # fmt: skip
_MYSQL = (
    *_SCHEMA, ("Reload", "RELOAD"), ("Shutdown", "SHUTDOWN"), ("Process", "PROCESS"), ("File", "FILE"),
    ("Show_db", "SHOW DATABASES"), ("Super", "SUPER"), ("Repl_slave", "REPLICATION SLAVE"),
    ("Repl_client", "REPLICATION CLIENT"), ("Create_user", "CREATE USER"), ("Create_tablespace", "CREATE TABLESPACE"),
)  # fmt: skip


def native(word: str) -> str:
    """
    >>> native("password")
    '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'
    """
    return "*" + hashlib.sha1(hashlib.sha1(word.encode()).digest()).hexdigest().upper()  # noqa: S324 - the server's own form


_FORMS = (*(native(word) for word in TRIED_FIRST), *TRIED_FIRST.values())


def _named(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"IF({column}_priv = 'Y', '{name}', NULL)" for column, name in columns)


def _known(words: Sequence[str]) -> str:
    return ", ".join(literal(word) for word in words)


_OWN_NAME = ", ".join(
    f"CONCAT('*', UPPER(SHA1(UNHEX(SHA1({said})))))"
    for said in ("User", "LOWER(User)", "CONCAT(User, '1')", "CONCAT(User, '123')", "CONCAT(User, User)", "REVERSE(User)")
)  # fmt: skip


def _judged(plugin: str, kept: str) -> str:
    """The word that travels instead of what is kept of a password."""
    return (
        f"CASE WHEN {plugin} IN ('unix_socket', 'auth_socket', 'pam', 'gssapi', 'named_pipe', 'authentication_ldap_simple', "
        "'authentication_ldap_sasl', 'authentication_pam', 'authentication_kerberos') THEN 'none' "
        f"WHEN {kept} IN ('', {_known((native(''), TRIED_FIRST['']))}) THEN 'empty' "
        f"WHEN {plugin} IN ('mysql_native_password', '') AND {kept} IN ({_OWN_NAME}) THEN 'name' "
        f"WHEN {kept} IN ({_known(_FORMS)}) THEN 'listed' "
        f"WHEN {plugin} IN ('mysql_native_password', '') AND {kept} NOT RLIKE '^[*][0-9A-Fa-f]{{40}}$' THEN 'unusable' "
        f"WHEN {plugin} = 'ed25519' AND LENGTH({kept}) <> 43 THEN 'unusable' ELSE 'set' END"
    )


def _json(path: str) -> str:
    return f"COALESCE(JSON_VALUE(Priv, '$.{path}'), '')"


def _ways(*selects: str) -> str:
    """Rows of user, host, plugin and what is kept, judged."""
    return f"SELECT 'way', User, Host, plugin, {_judged('plugin', 'kept')}, '', '' FROM ({_UNION.join(selects)}) ways"


def _alternative(place: str, when: str) -> str:
    return (
        f"SELECT User, Host, {_json(place + 'plugin')} plugin, {_json(place + 'authentication_string')} kept "
        f"FROM mysql.global_priv WHERE {when}"
    )


_UNION = " UNION ALL "
_PERSON = "COALESCE(JSON_VALUE(Priv, '$.is_role'), '0') NOT IN ('1', 'true') AND Host <> ''"
_SHARED = (
    "SELECT 'table', User, Host, Db, Table_name, '', Table_priv FROM mysql.tables_priv",
    "SELECT 'column', User, Host, Db, Table_name, Column_name, Column_priv FROM mysql.columns_priv",
    "SELECT 'routine', User, Host, Db, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv",
    "SELECT 'proxy', User, Host, Proxied_user, Proxied_host, With_grant, '' FROM mysql.proxies_priv",
    "SELECT 'asker', CURRENT_USER(), '', '', '', '', ''",
)
_MARIADB = (  # no column that only mariadb-upgrade adds: in mid-upgrade a new server runs on an old one's tables
    f"SELECT 'account', User, Host, {_json('is_role')}, {_json('account_locked')}, "
    f"JSON_VALUE(Priv, '$.password_last_changed') <=> '0', {_json('ssl_type')} FROM mysql.global_priv",
    f"SELECT 'access', User, Host, {_json('access')}, {_json('version_id')}, '', '' FROM mysql.global_priv",
    f"SELECT 'schema', User, Host, Db, '', '', CONCAT_WS(',', {_named((*_SCHEMA, ('Delete_history', 'DELETE HISTORY')))}) FROM mysql.db",
    "SELECT 'role', User, Host, Role, '', Admin_option, '' FROM mysql.roles_mapping",
    _ways(
        _alternative("", _PERSON),
        *(
            _alternative(f"auth_or[{n}].", f"{_PERSON} AND JSON_EXISTS(Priv, '$.auth_or[{n}].plugin')")
            for n in range(4)
        ),
    ),
)
_ORACLE = (
    "SELECT 'account', User, Host, '', account_locked, password_expired, ssl_type FROM mysql.user",
    f"SELECT 'global', User, Host, CONCAT_WS(',', {_named(_MYSQL)}), '', '', '' FROM mysql.user",
    f"SELECT 'schema', User, Host, Db, '', '', CONCAT_WS(',', {_named(_SCHEMA)}) FROM mysql.db",
    _ways("SELECT User, Host, plugin, authentication_string kept FROM mysql.user"),
)
_ORACLE_8 = (
    "SELECT 'global', USER, HOST, PRIV, '', '', '' FROM mysql.global_grants",
    "SELECT 'role', TO_USER, TO_HOST, FROM_USER, FROM_HOST, WITH_ADMIN_OPTION, '' FROM mysql.role_edges",
)
STATEMENT = (
    f"{_UNION.join(_SHARED)} /*M! {_UNION}{_UNION.join(_MARIADB)} */ /*!50706 {_UNION}{_UNION.join(_ORACLE)} */ "
    f"/*!80000 {_UNION}{_UNION.join(_ORACLE_8)} */ ORDER BY 2, 3, 1, 4, 5, 6, 7"
)
