"""The account of transfers on a host in memory: it is as it should be, so that the engine's logic is tried with other things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

_AUTH = "auth\tmysql\tnothing\nserver\tmysql\tmysql\nplace\t/etc/mysql/mariadb.conf.d/zz-galvan-sst.cnf\t640\troot:mysql\tmysql\tnothing\n"

_GRANTS = "".join(
    f"account\t{user}\tlocalhost\t\t\t0\t\naccess\t{user}\tlocalhost\t{access}\t101119\t\t\nway\t{user}\tlocalhost\tunix_socket\tnone\t\t\n"
    for user, access in (("mysql", 1048896), ("root", -1))
) + "asker\troot@localhost\t\t\t\t\t\n"  # fmt: skip

OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {
    name: lambda fake, machine, said=said: said  # type: ignore[misc]
    for name, said in {
        "sst_account.auth": _AUTH, "sst_account.named": _AUTH, "sst_account.running": "auth\tset\n",
        "sst_account.socket": "socket\tACTIVE\n", "sst_account.changed": "mysql\tlocalhost\t0\n", "sst_account.proxies": "",
        "sst_account.counted": "", "sst_account.reader": "", "server.grants": _GRANTS, "sst_account.rights": _GRANTS, "sst_account.locks": _GRANTS,
        "sst_account.ways": _GRANTS,
    }.items()
}  # fmt: skip
