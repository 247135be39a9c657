"""MaxScale's two accounts on the cluster: what each may do, and the statements that make them.

Their passwords are made on the balancer's host and stay there. What travels is the digest that the server itself would store
(mysql_native_password): whoever learns it cannot log in with it. The core reads it on the balancer's host (`DIGESTS`) and gives it
to `create` when the step is carried out; it is not known before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from galvan.cluster.facts import lines
from galvan.cluster.quote import identifier, literal
from galvan.model import Fact, Shell, Sql, State, Unreadable
from galvan.tips.load_balancer.maxscale.facts import HERE, KEEP
from galvan.tips.load_balancer.maxscale.render import MONITOR, SERVICE
from galvan.tips.load_balancer.maxscale.versions import Version, monitor_grants, service_tables


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account-like need: `address` is the balancer's, as members see it. `require`: NONE until members and balancer speak TLS."""

    user: str
    address: str
    everywhere: tuple[str, ...]  # privileges on *.*
    tables: tuple[str, ...]  # of the schema mysql, to be read
    require: str = "SSL"


def digests(output: str) -> State:
    """By account: `*` and 40 digits. Empty for one whose password is not made yet."""
    found = lines(output)
    for user, said in found.items():
        if said and not re.fullmatch(r"\*[0-9A-F]{40}", str(said)):
            raise Unreadable(f"the digest of {user}'s password could not be made")
    return found


DIGESTS: Fact[State] = Fact(
    "load_balancer.maxscale_accounts",
    Shell(
        f"for w in {MONITOR} {SERVICE}; do f={KEEP}/$w.pw; [ -s $f ] || {{ echo $w=; continue; }}\n"
        "echo \"$w=*$(tr -d '\\n' <$f | openssl dgst -sha1 -binary | openssl dgst -sha1 | sed 's/.*[ =]//' | tr a-f A-F)\"; done"
    ),
    digests,
    roles=HERE,
)


def wanted(address: str, server: Version, mariadb: bool = True, require: str = "SSL") -> tuple[Wanted, Wanted]:
    return (
        Wanted(MONITOR, address, monitor_grants(server, mariadb), (), require),
        Wanted(SERVICE, address, ("SHOW DATABASES",), service_tables(server, mariadb), require),
    )


def create(account: Wanted, digest: str, mariadb: bool = True) -> Iterator[Sql]:
    """Once for the cluster: accounts and grants replicate. May be run again; MariaDB and MySQL spell the digest differently."""
    if not re.fullmatch(r"\*[0-9A-F]{40}", digest):
        raise Unreadable(f"no digest of {account.user}'s password was read on the balancer")
    who = f"{literal(account.user)}@{literal(account.address)}"
    how = (
        f"IDENTIFIED BY PASSWORD {literal(digest)}"
        if mariadb
        else f"IDENTIFIED WITH mysql_native_password AS {literal(digest)}"
    )
    yield Sql(f"CREATE USER IF NOT EXISTS {who} {how}")
    yield Sql(f"ALTER USER {who} {how} REQUIRE {'SSL' if account.require != 'NONE' else 'NONE'}")
    for privilege in account.everywhere:
        yield Sql(f"GRANT {privilege} ON *.* TO {who}")
    for table in account.tables:
        yield Sql(f"GRANT SELECT ON mysql.{identifier(table)} TO {who}")


def lock(account: Wanted) -> Sql:
    """The undo: accounts are locked, not dropped. Made again by `unlock`."""
    return Sql(f"ALTER USER {literal(account.user)}@{literal(account.address)} ACCOUNT LOCK")


def unlock(account: Wanted) -> Sql:
    return Sql(f"ALTER USER {literal(account.user)}@{literal(account.address)} ACCOUNT UNLOCK")
