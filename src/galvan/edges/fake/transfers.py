"""The transfer scripts of a host in memory: which of them may be run, and what they would read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.cluster import optionfile
from galvan.edges.fake import transfer_account
from galvan.edges.fake.machines import Machine
from galvan.model import NotHealed

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

SCRIPTS = ("common", "mariabackup", "mysqldump", "rsync")
_TOOLS = "socat=1.7.4.4\nsocat_tls=yes\nsocat_floor=yes\nstunnel=yes\nrsync=yes\nmariabackup=yes\nopenssl=yes\nbash=yes\nlasting=dpkg\noptions=yes\n"


def _paths() -> list[str]:
    return [f"/usr/bin/wsrep_sst_{name}" for name in SCRIPTS]


def print_scripts(fake: Fake, machine: Machine) -> str:
    modes = ["644" if path in machine.shut else "755" for path in _paths()]
    return "\n".join([*_paths(), *_paths(), *modes, *("0" * 64 for _ in SCRIPTS)]) + "\n"


def fit(printed: Callable[[Fake, Machine], str]) -> Callable[[Fake, Machine], str]:
    """`printed`: what my_print_defaults says of [sst]. What lies there was made here, so it fits."""

    def said(fake: Fake, machine: Machine) -> str:
        section = optionfile.printed(printed(fake, machine))
        text = f"ca={section.get('tca', '')}\ncert={section.get('tcert', '')}\nkey={section.get('tkey', '')}\n"
        if not section.get("tcert"):
            return text
        there = all(section[name] in machine.files for name in ("tca", "tcert", "tkey"))
        return text + ("readable=yes\nfits=yes\nsslserver=yes\nsslclient=yes\n" if there else "readable=no\n")

    return said


def shut(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.shut.add(_path(text))
    return ""


def open_again(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.shut.discard(_path(text))
    return ""


def _path(text: str) -> str:
    found = re.search(r"dpkg-statoverride --list (\S+?)\)", text)
    if not found or found[1] not in _paths():
        raise NotHealed(f"no transfer script is named in {text!r}")
    return found[1]


def wait(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """No transfer runs here for longer than a look."""
    return ""


OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {
    "sst.scripts": print_scripts, "sst.methods": print_scripts, "sst.tools": lambda fake, machine: _TOOLS,
    **transfer_account.OTHERS,
}  # fmt: skip
