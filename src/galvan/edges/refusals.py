"""Why ssh did not let us in, as a sentence: which host, which key and user, which file and line, and the way out.

Only loaded when something went wrong: an audit that gets in everywhere does not pay for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import asyncssh

from galvan.edges.connections import PATIENCE, UnknownKey
from galvan.edges.hostkeys import Remembered, remembered
from galvan.model import Unreachable

Options = asyncssh.SSHClientConnectionOptions


def explain(name: str, why: BaseException, options: Options | None, through: str = "") -> Unreachable:
    """`options`: as asyncssh understood the configuration, None where it could not; `through`: the bastion, if any."""
    if options is None:
        return Unreachable(f"{name}: the ssh configuration cannot be used: {why}")
    behind = f" through {through}" if through else ""
    where = f"{options.host} port {options.port}{behind}"
    match why:
        case asyncssh.HostKeyNotVerifiable():
            return _host_key(name, options, str(why))
        case asyncssh.PermissionDenied():
            return Unreachable(
                f"{name}: permission denied for the user {options.username} at {where}; {_keys(options)}"
            )
        case asyncssh.ChannelOpenError():
            return Unreachable(f"{name}: {through} cannot reach {options.host} port {options.port}: {_forwarding(why)}")
        case ConnectionRefusedError():
            return Unreachable(f"{name}: nothing listens at {where} (connection refused): is sshd running, and there?")
        case socket.gaierror():
            return Unreachable(f"{name}: the name {options.host} is not known here: neither ssh_config nor DNS has it")
        case TimeoutError() | asyncio.TimeoutError():
            return Unreachable(f"{name}: no answer from {where} within {PATIENCE:g} s: down, or a firewall drops it")
        case asyncssh.ConnectionLost():
            return Unreachable(
                f"{name}: {where} took the connection and closed it before a login ({why}): "
                "too many at once (MaxStartups), a deny list, or no ssh there"
            )
        case OSError() | ValueError() | asyncssh.Error():
            return Unreachable(f"{name}: {where} did not let us in over ssh: {why or type(why).__name__}")
    raise why


def _forwarding(why: asyncssh.ChannelOpenError) -> str:
    if why.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return f"{why.reason}: its sshd forbids forwarding (AllowTcpForwarding, PermitOpen)"
    return why.reason or "no reason given"


def _keys(options: Options) -> str:
    """Which keys were offered, so that somebody sees which one is missing in authorized_keys."""
    keys = [_called(key) for key in options.client_keys or ()]
    agent = "those of the agent" if options.agent_path else ""
    offered = ", ".join(filter(None, [*dict.fromkeys(keys), agent]))
    if not offered:
        return "no key was offered: name one as IdentityFile in ssh_config or as identity: in galvan.yaml, or load it (ssh-add)"
    return (
        f"offered keys: {offered}; one of them must be in that user's authorized_keys there. Another user or key is "
        "named with user: and identity: in galvan.yaml, or in ssh_config"
    )


def _called(key: Any) -> str:
    file = getattr(key, "_filename", None) or getattr(getattr(key, "_key", None), "_filename", None)
    print_ = key.get_fingerprint() if hasattr(key, "get_fingerprint") else ""
    if not print_ and getattr(key, "_key", None) is not None:
        print_ = key._key.get_fingerprint()
    said = bytes(file).decode(errors="replace") if isinstance(file, bytes) else str(file or "")
    return " ".join(filter(None, [said or key.get_comment(), f"({print_})" if print_ else ""]))


def _host_key(name: str, options: Options, why: str) -> Unreachable:
    places = remembered(options)
    if places:
        return Unreachable(f"{name}: {_changed(options, places, why)}")
    return UnknownKey(
        f"{name}: the host key of {options.host} is in no known_hosts file; `galvan init` shows it and asks, "
        "or log in once with ssh", options.orig_host,
    )  # fmt: skip


def _changed(options: Options, places: Sequence[Remembered], why: str) -> str:
    listed = ", ".join(f"{place.file} line {place.line}" for place in places)
    known, file = places[0].name, places[0].file
    if "revoked" in why.lower():
        return f"its host key is revoked ({listed}); nothing was sent to it"
    return (
        f"THE HOST KEY OF {options.host} HAS CHANGED: it is not the one in {listed}. Either the host was installed "
        "anew, or somebody stands between; nothing was sent to it. Compare the key with what the host's console shows "
        f"(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); only then: ssh-keygen -R '{known}' -f {file}, and "
        "`galvan init` or ssh to remember the new one"
    )
