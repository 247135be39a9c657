"""Host keys: what a host shows at the first contact, remembering it once a person has compared it, and where it is remembered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from galvan.edges.connections import PATIENCE, default_config
from galvan.model import BadInput, Unreachable

if TYPE_CHECKING:
    import asyncssh


@dataclass(frozen=True, slots=True)
class HostKey:
    """`line` is what a known_hosts file keeps; `file` is the one where ssh looks for this host."""

    algorithm: str
    fingerprint: str
    line: str
    file: Path


@dataclass(frozen=True, slots=True)
class Remembered:
    """A line of a known_hosts file about a host, and the name that it bears there."""

    file: str
    line: int
    name: str


def fingerprint_of(alias: str, config: Sequence[str]) -> HostKey:
    return asyncio.run(_ask(alias, list(config) or default_config()))


async def _ask(alias: str, config: Sequence[str]) -> HostKey:
    """The way there is the alias's own: its bastion, if the configuration names one."""
    import asyncssh

    options = asyncssh.SSHClientConnectionOptions(host=alias, config=list(config))
    try:
        async with asyncio.timeout(PATIENCE):
            key = await asyncssh.get_server_host_key(
                options.host, options.port, tunnel=str(options.tunnel or "") or (), config=list(config)
            )
    except (asyncssh.Error, OSError, TimeoutError) as why:
        raise Unreachable(f"{alias}: it shows no host key: {why}") from why
    if key is None:
        raise Unreachable(f"{alias}: it shows no host key")
    public = key.export_public_key().decode().strip()
    return HostKey(key.get_algorithm(), key.get_fingerprint(), f"{name_of(options)} {public}", _files(options)[0])


def remember(key: HostKey) -> None:
    """Appends to the file where ssh itself looks for this host. Raises BadInput where it cannot be written."""
    try:
        key.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(key.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
            out.write(key.line + "\n")
    except OSError as why:
        raise BadInput(f"{key.file} cannot be written, so the key is not remembered: {why.strerror}") from why


def name_of(options: asyncssh.SSHClientConnectionOptions) -> str:
    """Under which name a known_hosts file has the host."""
    name = options.host_key_alias or options.host
    return name if options.port == 22 else f"[{name}]:{options.port}"


def remembered(options: asyncssh.SSHClientConnectionOptions) -> tuple[Remembered, ...]:
    """Where a key of this host is kept, whichever key it is."""
    return tuple(found for file in _files(options) if file.is_file() for found in _in(file, options))


def _in(file: Path, options: asyncssh.SSHClientConnectionOptions) -> Iterator[Remembered]:
    import asyncssh

    name = options.host_key_alias or options.host
    port = None if options.port == 22 else options.port
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        try:
            keys, _, revoked, *_ = asyncssh.import_known_hosts(line).match(name, "", port)
        except ValueError:
            continue
        if keys or revoked:
            yield Remembered(str(file), number, name_of(options))


def _files(options: asyncssh.SSHClientConnectionOptions) -> list[Path]:
    said = options.known_hosts
    named = [Path(str(file)).expanduser() for file in said] if isinstance(said, list) else []
    return named or [Path("~/.ssh/known_hosts").expanduser()]
