"""Where certificates live on hosts, as data: every other room asks here and spells no path of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from galvan.model import BadInput

AUTHORITIES = ("cluster", "client")  # 4567, IST and SST; 3306 and applications
BASE = "/etc/mysql/galvan"  # outside the datadir: a transfer wipes what lies in there
APPLICATION_BASE = "/etc/galvan"

_AUTHORITY = re.compile(r"[a-z][a-z0-9-]{0,30}")
_DIRECTORY = re.compile(r"(/[A-Za-z0-9_.@+-]+)+")


@dataclass(frozen=True, slots=True)
class Place:
    """One directory with the material of one authority. `closed`: the directories only root and the owner's group
    may enter, outermost first; what lies above them is left to everybody."""

    directory: str
    closed: tuple[str, ...]

    @property
    def ca(self) -> str:
        return f"{self.directory}/ca.pem"

    @property
    def certificate(self) -> str:
        return f"{self.directory}/cert.pem"

    @property
    def key(self) -> str:
        return f"{self.directory}/key.pem"

    @property
    def request(self) -> str:
        return f"{self.directory}/request.pem"

    @property
    def new_certificate(self) -> str:
        """Beside the live one while a renewal is under way, as are `new_key` and `new_request`."""
        return f"{self.directory}/cert.new.pem"

    @property
    def new_key(self) -> str:
        return f"{self.directory}/key.new.pem"

    @property
    def new_request(self) -> str:
        return f"{self.directory}/request.new.pem"

    @property
    def option_file(self) -> str:
        return f"{self.directory}/client.cnf"


def authority_name(name: str) -> str:
    """The name itself, once it is known to be safe as a directory's and a file's name; raises BadInput."""
    if not _AUTHORITY.fullmatch(name):
        raise BadInput(f"{name!r} is no name for an authority: use small letters, digits and '-', as in 'cluster'")
    return name


def on_server(authority: str) -> Place:
    """On database hosts and arbitrators."""
    directory = f"{BASE}/{authority_name(authority)}"
    return Place(directory, (BASE, directory))


def on_application() -> Place:
    """On application hosts, which only ever hold material of the authority `client`."""
    directory = f"{APPLICATION_BASE}/client"
    return Place(directory, (directory,))


def at(directory: str) -> Place:
    """Material in a directory that somebody else chose; raises BadInput where the path is not plain and absolute."""
    if not _DIRECTORY.fullmatch(directory) or {".", ".."} & set(directory.split("/")):
        raise BadInput(f"{directory!r} is no directory for certificates: give an absolute path without '..' or blanks")
    return Place(directory, (directory,))
