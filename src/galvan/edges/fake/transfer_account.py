"""The account of transfers on a host in memory: it is as it should be, so that the engine's logic is tried with other things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine
from galvan.edges.fake.people import PEOPLE

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

_AUTH = "auth\tmysql\tnothing\nserver\tmysql\tmysql\nplace\t/etc/mysql/mariadb.conf.d/zz-galvan-sst.cnf\t640\troot:mysql\tmysql\tnothing\n"

_SAID = {
    "sst_account.auth": _AUTH, "sst_account.named": _AUTH, "sst_account.running": "auth\tset\n",
    "sst_account.socket": "socket\tACTIVE\n", "sst_account.changed": "mysql\tlocalhost\t0\n", "sst_account.proxies": "",
    "sst_account.counted": "", "sst_account.reader": "",
}  # fmt: skip


def _always(said: str) -> Callable[[Fake, Machine], str]:
    return lambda fake, machine: said


OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {
    **{fact: _always(said) for fact, said in _SAID.items()},
    **{f"sst_account.{name}": PEOPLE["server.grants"] for name in ("rights", "locks", "ways")},
}
