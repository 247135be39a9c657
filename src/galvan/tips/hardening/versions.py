"""What is known of a version, out of the dated list that ships with Galvan."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from galvan.model import Unreadable

Version = tuple[int, ...]
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Server:
    """`enterprise`: MariaDB's own numbering (10.6.25-22), in which the fixes of the community's releases are not counted."""

    maker: str
    number: Version
    enterprise: bool

    @property
    def series(self) -> str:
        return ".".join(map(str, self.number[:2]))

    def __str__(self) -> str:
        return ".".join(map(str, self.number))


def server(version: str, comment: str) -> Server:
    """
    >>> str(server("10.11.19-MariaDB-0+deb12u1", "Debian 12")), server("8.0.36-28.1", "Percona XtraDB Cluster").maker
    ('10.11.19', 'mysql')
    """
    if not (match := _VERSION.match(version)):
        raise Unreadable(f"the server calls its version {version!r}")
    maker = "mariadb" if "mariadb" in f"{version} {comment}".lower() else "mysql"
    numbers = tuple(int(part) for part in match.groups()[:3])
    return Server(maker, numbers, maker == "mariadb" and "enterprise" in version.lower())


@cache
def known() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "known.toml").read_text())


def holes(seen: Server) -> Iterator[str]:
    """Those whose fix came later in this series; a series that is older than some mended one, and not among them, got none.

    >>> [hole.split()[0] for hole in holes(server("10.11.18-MariaDB", ""))]
    ['MDEV-40027,', 'CVE-2026-107818']
    >>> [*holes(server("10.11.19-MariaDB", ""))], [*holes(server("12.3.3-MariaDB", ""))]
    ([], [])
    """
    for hole in known()["hole"]:
        fixed = [tuple(map(int, text.split("."))) for text in hole["fixed"]]
        here = [number for number in fixed if number[:2] == seen.number[:2]]
        if seen.number < (here[0] if here else max(fixed)):
            yield f"{hole['id']}: {hole['what']}"
