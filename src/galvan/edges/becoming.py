"""How the script becomes root on a host: it is root already, or sudo lets it, with or without a password.

A password is only ever written to sudo's standard input, after sudo has asked for it in the words that it was given,
and the script only after a root shell has said that it is there. So a password never reaches a shell as a command,
whatever sudo remembers or does without. A password is tried once, and no other host is tried with one that the first
refused: whoever counts failures locks accounts. (pam_faillock counts sudo's unanswered second question as well, so two,
unless the sudoers file says passwd_tries=1.)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from galvan.model import Host, SecretRef, Unreachable

if TYPE_CHECKING:
    import asyncssh

PATIENCE = 20.0
"""Seconds that sudo may take to ask, and again to judge: PAM delays a refusal by two or three."""
ASKS, THERE = "galvan-asks:", "galvan-is-root"
WITH_PASSWORD = (
    f"sh -c 'if [ -O / ]; then echo {THERE} >&2; exec sh; "
    f'else exec sudo -S -p {ASKS} sh -c "echo {THERE} >&2; exec sh"; fi\''
)
_EITHER = re.compile(f"{ASKS}|{THERE}\n".encode())


class Becoming:
    """Remembers which passwords were taken and which were refused, for as long as the process lives."""

    def __init__(self, reveal: Callable[[SecretRef], str]) -> None:
        self._reveal = reveal
        self._taken: set[SecretRef] = set()
        self._refused: dict[tuple[SecretRef, str], str] = {}
        self._first: dict[SecretRef, asyncio.Lock] = {}

    async def run(
        self, connection: asyncssh.SSHClientConnection, host: Host, ref: SecretRef, script: bytes, limit: float
    ) -> tuple[bytes, bytes, int]:
        """Output, error output and exit status. Raises Unreachable where sudo refuses; TimeoutError after `limit` seconds."""
        if ref in self._taken:
            process = await self._enter(connection, host, ref)
        else:
            async with self._first.setdefault(ref, asyncio.Lock()):
                process = await self._enter(connection, host, ref)
        async with asyncio.timeout(limit):
            out, err = await process.communicate(script)
        return _bytes(out), _bytes(err), process.returncode if process.returncode is not None else 255

    async def _enter(
        self, connection: asyncssh.SSHClientConnection, host: Host, ref: SecretRef
    ) -> asyncssh.SSHClientProcess[bytes]:
        """A root shell that waits for its script."""
        self._not_again(host, ref)
        password = self._reveal(ref)
        process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(WITH_PASSWORD, encoding=None)
        said = await _next(process, host)
        if said.endswith(ASKS.encode()):
            process.stdin.write(password.encode() + b"\n")
            said = await _next(process, host)
            if said.endswith(ASKS.encode()) or b"incorrect password" in said:
                process.close()
                self._refused[(ref, host.name)] = f"sudo did not take the password in {ref.name.partition(':')[2]}"
                self._not_again(host, ref)
            self._taken.add(ref)
        if not said.endswith(f"{THERE}\n".encode()):
            process.close()
            raise Unreachable(f"{host.name}: {complaint(said.decode(errors='replace')) or 'sudo ended without a word'}")
        return process

    def _not_again(self, host: Host, ref: SecretRef) -> None:
        """Where no host has taken the password yet, one refusal is enough for all of them."""
        known = [host.name] if ref in self._taken else [name for kept, name in self._refused if kept == ref]
        for name in known:
            if why := self._refused.get((ref, name)):
                where = why if name == host.name else f"{why} on {name}, so it was not tried here"
                raise Unreachable(
                    f"{host.name}: {where}; one attempt was made, and no other will be: correct the file, or name "
                    "another under become: in galvan.yaml"
                )


async def _next(process: asyncssh.SSHClientProcess[bytes], host: Host) -> bytes:
    """What sudo says up to its question or to the root shell's word; everything, where it ends before."""
    try:
        async with asyncio.timeout(PATIENCE):
            said: bytes = await process.stderr.readuntil(_EITHER, len(THERE) + 1)
            return said
    except asyncio.IncompleteReadError as end:
        return bytes(end.partial)
    except TimeoutError:
        process.close()
        raise Unreachable(
            f"{host.name}: sudo neither asked for a password in the words that Galvan gave it nor let it in within "
            f"{PATIENCE:g} s; does it ask for a second factor? An account for Galvan that sudo asks for none is the way out"
        ) from None


def complaint(said: str) -> str:
    """What sudo's refusal means, and the way out; empty where these are no words of sudo's.

    >>> complaint("sudo: a password is required")[:31]
    'sudo asks for a password there '
    >>> complaint("the server is gone")
    ''
    """
    lines = [line.strip() for line in said.replace(ASKS, "").splitlines() if line.strip()]
    for sign, meaning in _MEANINGS.items():
        if any(sign in line for line in lines):
            return meaning
    last = next((line for line in reversed(lines) if line.startswith("sudo:")), "")
    return f"{last} (Galvan needs root there, or sudo: docs/sudoers.md)" if last else ""


_MEANINGS = {
    "password is required": (
        "sudo asks for a password there (or does not know the account): name a file with it in galvan.yaml (become: {password_file: /PATH}), or let "
        "sudo run sh without one (docs/sudoers.md)"
    ),
    "must have a tty": (
        "sudo wants a terminal there (requiretty), and a script has none: add `Defaults:USER !requiretty` for this "
        "account (docs/sudoers.md)"
    ),
    "not in the sudoers file": "its account is not in the sudoers file: Galvan needs root there (docs/sudoers.md)",
    "is not allowed to execute": "sudo does not let its account run sh as root: Galvan needs that (docs/sudoers.md)",
    "may not run sudo": "sudo does not let its account run sh as root: Galvan needs that (docs/sudoers.md)",
    "sudo: not found": "its account is not root, and there is no sudo: log in as root, or install sudo (docs/sudoers.md)",
    "no password was provided": "sudo asked for a password and got none: is the file empty?",
    "expired": "sudo says that the account's password has expired: set a new one on the host",
}


def _bytes(said: object) -> bytes:
    return said if isinstance(said, bytes) else str(said or "").encode()
