"""How a password's hash goes from host to host without anybody between them reading it.

The receiver makes a key for that; the source prints the hash, sealed for it (`model.Sealed`); what is opened at the receiver
goes through pipes and builtins of the shell, and in no argv. A plan names accounts, hosts and paths only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from galvan.cluster.facts import Account
from galvan.cluster.quote import literal, sh, sql
from galvan.cluster.sealed import CERTIFICATE, opened
from galvan.model import PutFile, Sealed, Shell, Sql
from galvan.tips.load_balancer.members import SERVER, printed
from galvan.tips.load_balancer.proxysql.facts import PASSWORD
from galvan.tips.load_balancer.proxysql.sql import COMMENT, MYSQL_VARIABLES, USERS, variables

HASHES = "/etc/galvan/proxysql/users.sealed"
MONITOR = "galvan_monitor"
MONITOR_HASH = "/etc/galvan/proxysql/monitor.sealed"
STRANGERS = frozenset({"", "root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", MONITOR})
"""No application's: they have no business at a balancer."""
_NATIVE, _SHA2 = "mysql_native_password", "caching_sha2_password"


def carried(accounts: Iterable[Account], address: str, sha2: bool) -> Iterator[Account]:
    """For each application's user the account that the server would take a login from `address` for. Accounts that no balancer
    can log in as, because it would need the password itself, are left out."""
    plugins = {_NATIVE, _SHA2} if sha2 else {_NATIVE}
    by_user: dict[str, list[Account]] = {}
    for account in accounts:
        if account.user not in STRANGERS and admits(account.host, address):
            by_user.setdefault(account.user, []).append(account)
    for user in sorted(by_user):
        first = min(by_user[user], key=lambda account: _vague(account.host))
        if first.plugin in plugins and not first.locked and not first.replicates:
            yield first


def admits(pattern: str, address: str) -> bool:
    """
    >>> admits("10.0.%", "10.0.0.9"), admits("10.0.0.0/255.255.255.0", "10.0.0.9"), admits("10.0.0.8", "10.0.0.9")
    (True, True, False)
    """
    if "/" in pattern:
        base, mask = (_number(part) for part in pattern.split("/", 1))
        here = _number(address)
        return base is not None and mask is not None and here is not None and here & mask == base
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), address, re.IGNORECASE) is not None


def _number(address: str) -> int | None:
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
        return None
    return int.from_bytes(bytes(map(int, parts)), "big")


def _vague(pattern: str) -> tuple[int, int]:
    """The server's own order: what is written out comes before what holds a wildcard, and a late wildcard before an early one."""
    wild = [pattern.index(c) for c in "%_" if c in pattern]
    return (1, -min(wild)) if wild else (0, 0)


def put_hashes(source: str, accounts: Sequence[Account]) -> PutFile:
    """The hashes of these accounts as the member `source` keeps them: a line each of user and hash, both in hexadecimal."""
    pairs = ", ".join(f"({literal(account.user)}, {literal(account.host)})" for account in accounts)
    asked = _HASHES.replace("<pairs>", pairs)
    script = SERVER + "server <<'@asked'\nSET SESSION sql_mode='';\n" + asked + ";\n@asked"
    return PutFile(HASHES, Sealed(source, Shell(script), CERTIFICATE), 0o600)


_HASHES = (
    "SELECT HEX(User), HEX(/*M! JSON_VALUE(Priv, '$.authentication_string') */ /*!50706 authentication_string */) "
    "FROM /*M! mysql.global_priv */ /*!50706 mysql.user */ WHERE (User, Host) IN (<pairs>) "
    "AND LENGTH(/*M! JSON_VALUE(Priv, '$.authentication_string') */ /*!50706 authentication_string */) > 0 ORDER BY User"
)
_STATEMENTS = r"""NF != 2 || $1 !~ /^([0-9A-F][0-9A-F])+$/ || $2 !~ /^([0-9A-F][0-9A-F])+$/ { exit 3 }
{ printf "INSERT OR IGNORE INTO mysql_users (username, password, default_hostgroup, comment) VALUES (CAST(X'%s' AS TEXT), CAST(X'%s' AS TEXT), %d, '%s');\n", $1, $2, group, said
  printf "UPDATE mysql_users SET password = CAST(X'%s' AS TEXT) WHERE username = CAST(X'%s' AS TEXT);\n", $2, $1 }"""


def statements(hostgroup: int) -> str:
    """The program (awk) that makes statements of what was opened; it prints nothing of a line that is not what it should be."""
    return sh("awk -F '\\t' -v group={{group}} -v said={{said}} {{program}}", group=hostgroup, said=COMMENT, program=_STATEMENTS).text  # fmt: skip


def take_hashes(hostgroup: int) -> str:
    """A user that is new is led to `hostgroup`; one that is known gets the hash in place of what stood there."""
    tail = "".join(f"echo '{statement};'\n" for statement in USERS)
    return f"opened=$({opened(HASHES)})\nsaid=$(printf '%s\\n' \"$opened\" | {statements(hostgroup)})\n{{ printf '%s\\n' \"$said\"\n{tail}}} | admin\n"


def make_password() -> Shell:
    """Made on the balancer, before any account has it; it is no argument of a program."""
    return sh(
        "f={{file}}\n(umask 022; mkdir -p ${f%/*})\n[ -s $f ] || { (umask 077; openssl rand -hex 24 >$f.part); mv $f.part $f; }",
        file=PASSWORD,
    )


def forget_password() -> Shell:
    return sh("rm -f {{file}}", file=PASSWORD)


def put_monitor(balancer: str) -> PutFile:
    """The hash of the monitor's password, which stays on the balancer."""
    said = sh(
        "[ -s {{file}} ] || { echo 'there is no password for the monitor on this host' >&2; exit 1; }\n"
        "tr -d '\\n' <{{file}} | openssl dgst -sha1 -binary | openssl dgst -sha1 -r | cut -d' ' -f1 | tr a-f A-F",
        file=PASSWORD,
    )
    return PutFile(MONITOR_HASH, Sealed(balancer, said, CERTIFICATE), 0o600)


def make_monitor(address: str) -> Shell:
    """It may log in from the balancer, and read nothing but what every account may: what ProxySQL asks needs no more."""
    how = "/*M! VIA mysql_native_password USING '*%s' */ /*!50706 WITH mysql_native_password AS '*%s' */"
    lines = [
        sql(text.replace("<how>", how), user=MONITOR, host=address).text
        for text in (
            "CREATE USER IF NOT EXISTS {{user}}@{{host}} IDENTIFIED <how>",
            "ALTER USER {{user}}@{{host}} IDENTIFIED <how>",
        )
    ]
    return Shell(
        f"hash=$({opened(MONITOR_HASH)})\n"
        "case $hash in *[!0-9A-F]*|'') echo 'what was sealed is no hash' >&2; exit 1 ;; esac\n"
        + SERVER
        + "{ echo \"SET SESSION sql_mode='';\"\n"
        + "".join(printed(line, "hash") for line in lines)
        + "} | server"
    )


def drop_monitor(address: str) -> Sql:
    return sql("DROP USER IF EXISTS {{user}}@{{host}}", user=MONITOR, host=address)


_NAMED = """pw=$(cat {{file}})
case $pw in *[!0-9a-f]*|'') echo 'there is no password for the monitor on this host' >&2; exit 1 ;; esac
{ printf '%s;\\n' {{name}}
printf "UPDATE global_variables SET variable_value = '%s' WHERE variable_name = 'mysql-monitor_password';\\n" "$pw"
printf '%s;\\n' {{last}}; } | admin
"""


def name_monitor() -> str:
    """ProxySQL has to know the password itself: it keeps it in its own database, which is closed to others."""
    name = variables({"mysql-monitor_username": MONITOR})
    return sh(_NAMED, file=PASSWORD, name=name, last=MYSQL_VARIABLES).text
