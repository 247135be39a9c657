"""What a server in memory says of its accounts: each has a password that nobody guesses, and none may do too much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine
from galvan.model import Unreadable

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

_ALL = "18446744073709551615"
_BACKUP = "1048896"  # RELOAD, PROCESS, BINLOG MONITOR
_ACCOUNTS = (
    ("app", "10.0.0.%", "0", "ed25519", "set"), ("clustercheck", "localhost", "0", "unix_socket", "none"),
    ("mysql", "localhost", _BACKUP, "unix_socket", "none"), ("root", "localhost", _ALL, "unix_socket", "none"),
)  # fmt: skip


def _grants(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    rows = ["asker\troot@localhost\t\t\t\t\t"]
    for user, host, access, plugin, secret in _ACCOUNTS:
        rows += [f"account\t{user}\t{host}\t\t\t0\t", f"access\t{user}\t{host}\t{access}\t101119\t\t"]
        rows += [f"way\t{user}\t{host}\t{plugin}\t{secret}\t\t"]
    return "".join(f"{row}\n" for row in [*rows, "schema\tapp\t10.0.0.%\tapp\t\t\tSELECT,INSERT,UPDATE,DELETE"])


def _used(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    live = "".join(
        f"live\t{s.user}\t{s.client}:0\t0\t1\n" for s in fake.clients.sessions if s.member == machine.host.name
    )
    return f"server\t3600\t1\t0\t0\n{live}"


def _serving(fake: Fake, machine: Machine) -> None:
    if machine.server is None or machine.host.name not in fake.group.primary:
        raise Unreadable("error 1047: WSREP has not yet prepared node for application use")


def _settings(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    return "version\t10.11.19-MariaDB\n"


def _set(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    return "now\t\t\t1795817083\n" + "".join(f"set\t{a[0]}\t{a[1]}\t1795817000\n" for a in _ACCOUNTS)


def _nothing(fake: Fake, machine: Machine) -> str:
    return ""


PEOPLE: Mapping[str, Callable[[Fake, Machine], str]] = {
    "server.grants": _grants,
    "hardening.locks": _grants,
    "hardening.rights": _grants,
    "hardening.used": _used,
    "hardening.watching": _used,
    "hardening.account-options": _settings,
    "hardening.passwords-set": _set,
    "hardening.routines": _nothing,
    "hardening.views": _nothing,
    "hardening.last-logins": _nothing,
    "hardening.transfer-user": _nothing,
    "hardening.accounts-saved": _nothing,
}
