"""The first contact: what key a host shows, and remembering it once a person has compared it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from galvan.edges.connections import PATIENCE, default_config
from galvan.model import Unreachable


@dataclass(frozen=True, slots=True)
class HostKey:
    """`line` is what a known_hosts file keeps."""

    algorithm: str
    fingerprint: str
    line: str


def fingerprint_of(alias: str, config: Sequence[str]) -> HostKey:
    return asyncio.run(_ask(alias, list(config) or default_config()))


async def _ask(alias: str, config: Sequence[str]) -> HostKey:
    import asyncssh

    options = asyncssh.SSHClientConnectionOptions(host=alias, config=list(config))
    address, port = options.host or alias, options.port or 22
    try:
        async with asyncio.timeout(PATIENCE):
            key = await asyncssh.get_server_host_key(address, port, config=list(config))
    except (asyncssh.Error, OSError, TimeoutError) as why:
        raise Unreachable(f"{alias}: it shows no host key: {why}") from why
    if key is None:
        raise Unreachable(f"{alias}: it shows no host key")
    name = address if port == 22 else f"[{address}]:{port}"
    return HostKey(key.get_algorithm(), key.get_fingerprint(), f"{name} {key.export_public_key().decode().strip()}")


def remember(key: HostKey) -> None:
    """Appends to ~/.ssh/known_hosts, where ssh itself will look too."""
    file = Path("~/.ssh/known_hosts").expanduser()
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
        out.write(key.line + "\n")
