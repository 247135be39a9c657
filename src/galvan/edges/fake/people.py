"""What a server in memory says of its accounts: each has a password that nobody guesses, and none may do too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import HOME, File, Machine
from galvan.model import Unreadable

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

SAVED = f"{HOME}/accounts"


@dataclass
class Person:
    """`may`: on *.*; `secret`: the word that the server says of the password."""

    user: str
    host: str
    plugin: str = "ed25519"
    secret: str = "set"  # noqa: S105 - a word, no password
    may: set[str] = field(default_factory=set)
    locked: bool = False

    @property
    def name(self) -> str:
        return f"'{self.user}'@'{self.host}'"


def stock() -> list[Person]:
    """Every member has the same: what changes them is replicated."""
    everything = {"SUPER", "CREATE USER", "SELECT", "GRANT OPTION"}
    copies = {"RELOAD", "PROCESS", "BINLOG MONITOR"}  # what a state transfer needs, and no more
    return [
        Person("app", "10.0.0.%"), Person("clustercheck", "localhost", "unix_socket", "none"),
        Person("mysql", "localhost", "unix_socket", "none", copies), Person("root", "localhost", "unix_socket", "none", everything),
    ]  # fmt: skip


def statement(people: list[Person], text: str) -> bool:
    """ALTER USER … ACCOUNT LOCK, REVOKE and GRANT on *.*, and what undoes them; False for anything else."""
    if match := re.fullmatch(r"ALTER USER ('.*'@'.*') ACCOUNT (LOCK|UNLOCK)", text):
        _one(people, match[1]).locked = match[2] == "LOCK"
    elif match := re.fullmatch(r"REVOKE (.+) ON \*\.\* FROM ('.*'@'.*')", text):
        _one(people, match[2]).may -= set(match[1].split(", "))
    elif match := re.fullmatch(r"GRANT (.+) ON \*\.\* TO ('.*'@'.*?')( WITH GRANT OPTION)?", text):
        _one(people, match[2]).may |= {*match[1].split(", "), *(["GRANT OPTION"] if match[3] else [])} - {"USAGE"}
    else:
        return False
    return True


def _one(people: list[Person], name: str) -> Person:
    return next(person for person in people if person.name == name)


def save(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """The file is there once all of it is."""
    (path,) = set(re.findall(rf"({SAVED}/[0-9a-f]+\.sql)$", text, re.M))
    if whole:
        machine.files[path] = File("-- accounts\n", 0o600)
    return ""


def _grants(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    rows = ["asker\troot@localhost\t\t\t\t\t"]
    for one in fake.clients.people:
        rows += [f"account\t{one.user}\t{one.host}\t\t{int(one.locked)}\t0\t"]
        rows += [f"way\t{one.user}\t{one.host}\t{one.plugin}\t{one.secret}\t\t"]
        rows += [f"global\t{one.user}\t{one.host}\t{','.join(sorted(one.may))}\t\t\t"]
    return "".join(f"{row}\n" for row in [*rows, "schema\tapp\t10.0.0.%\tapp\t\t\tSELECT,INSERT,UPDATE,DELETE"])


def _used(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    live = "".join(
        f"live\t{s.user}\t{s.client}:0\t0\t1\n" for s in fake.clients.sessions if s.member == machine.host.name
    )
    userstat = int(machine.server is not None and machine.server.variables.get("userstat") == "ON")
    return f"server\t3600\t0\t{userstat}\t0\n{live}"


def _serving(fake: Fake, machine: Machine) -> None:
    if machine.server is None or machine.host.name not in fake.group.primary:
        raise Unreadable("error 1047: WSREP has not yet prepared node for application use")


def _settings(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    return "version\t10.11.19-MariaDB\n"


def _set(fake: Fake, machine: Machine) -> str:
    _serving(fake, machine)
    return "now\t\t\t1795817083\n" + "".join(
        f"set\t{one.user}\t{one.host}\t1795817000\n" for one in fake.clients.people
    )


def _saved(fake: Fake, machine: Machine) -> str:
    return "".join(f"{path}=saved\n" for path in machine.files if path.startswith(f"{SAVED}/"))


def _nothing(fake: Fake, machine: Machine) -> str:
    return ""


PEOPLE: Mapping[str, Callable[[Fake, Machine], str]] = {
    "server.grants": _grants,
    "hardening.accounts-standing": _grants,
    "hardening.used": _used,
    "hardening.watching": _used,
    "hardening.account-options": _settings,
    "hardening.passwords-set": _set,
    "hardening.routines": _nothing,
    "hardening.views": _nothing,
    "hardening.last-logins": _nothing,
    "hardening.transfer-user": _nothing,
    "hardening.accounts-saved": _saved,
}
