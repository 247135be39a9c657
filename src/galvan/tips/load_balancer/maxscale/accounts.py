"""MaxScale's two accounts on the cluster: what each may do, and how they come to be.

Their passwords are made on the balancer's host and stay there. What travels, sealed for the member that is told (`model.Sealed`), is the
digest that the server itself stores (mysql_native_password): whoever learns it cannot log in with it, and no plan holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.quote import identifier, literal
from galvan.cluster.sealed import CERTIFICATE, SEALED, opened
from galvan.model import PutFile, Sealed, Shell, Sql
from galvan.tips.load_balancer.maxscale.render import MONITOR, SERVICE
from galvan.tips.load_balancer.maxscale.scripts import DIGESTS
from galvan.tips.load_balancer.maxscale.versions import Version, monitor_grants, service_tables
from galvan.tips.load_balancer.members import SERVER, SLOT, printed

FILE = f"{SEALED}/maxscale.digests"
"""On the member that is told."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`address` is the balancer's, as members see it."""

    user: str
    address: str
    everywhere: tuple[str, ...]  # privileges on *.*
    tables: tuple[str, ...]  # of the schema mysql, to be read

    @property
    def name(self) -> str:
        return f"{literal(self.user)}@{literal(self.address)}"


def wanted(address: str, server: Version, mariadb: bool = True) -> tuple[Wanted, Wanted]:
    return (
        Wanted(MONITOR, address, monitor_grants(server, mariadb), ()),
        Wanted(SERVICE, address, ("SHOW DATABASES",), service_tables(server, mariadb)),
    )


def statements(account: Wanted, require: str, mariadb: bool = True) -> Iterator[str]:
    """Once for the cluster: accounts and grants replicate. The account is locked until it has everything, so that one which was left
    half-way lets nobody in and shows no requirement; may be run again. In place of the digest stands `SLOT`."""
    how = f"IDENTIFIED BY PASSWORD {SLOT}" if mariadb else f"IDENTIFIED WITH mysql_native_password AS {SLOT}"
    yield f"CREATE USER IF NOT EXISTS {account.name} {how} REQUIRE NONE ACCOUNT LOCK"
    for privilege in account.everywhere:
        yield f"GRANT {privilege} ON *.* TO {account.name}"
    for table in account.tables:
        yield f"GRANT SELECT ON mysql.{identifier(table)} TO {account.name}"
    yield f"ALTER USER {account.name} {how} REQUIRE {require} ACCOUNT UNLOCK"


def put_digests(balancer: str) -> PutFile:
    """The passwords are made on the balancer where there are none yet; the member gets what it stores of them."""
    return PutFile(FILE, Sealed(balancer, DIGESTS, CERTIFICATE), 0o600)


def make(accounts: Sequence[Wanted], require: str, mariadb: bool = True) -> Shell:
    """Nothing is said to the server unless a whole digest of every account was opened."""
    script = f"opened=$({opened(FILE)})\n"
    for account in accounts:
        script += (
            f"{account.user}=$(printf '%s\\n' \"$opened\" | sed -n 's/^{account.user} //p')\n"
            f"case ${account.user} in *[!0-9A-F]*|'') ok=no ;; *) [ ${{#{account.user}}} = 40 ] && ok=yes || ok=no ;; esac\n"
            f"[ $ok = yes ] || {{ echo 'what was sealed holds no digest for {account.user}' >&2; exit 1; }}\n"
        )
    said = "".join(printed(line, each.user) for each in accounts for line in statements(each, require, mariadb))
    return Shell(script + SERVER + "{ echo \"SET SESSION sql_mode='';\"\n" + said + "} | server")


def drop(accounts: Sequence[Wanted]) -> tuple[Sql, ...]:
    """The undo, of accounts that this run made and nobody else knows the password of."""
    return tuple(Sql(f"DROP USER IF EXISTS {account.name}") for account in accounts)
