"""An Ansible inventory as the hosts of a cluster: addresses found, names and paths checked like those of galvan.yaml."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from galvan.edges.ansible import NAMES, read
from galvan.edges.connections import default_config
from galvan.edges.roles import WORDS
from galvan.model import BadInput, Cluster, Host, Role, SecretRef

if TYPE_CHECKING:
    from galvan.edges.inventory import Field

_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%-]{0,127}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._@-]{0,63}")


def hosts_of(
    path: Path, mapping: Mapping[str, str], config: Sequence[str], become: SecretRef | None
) -> tuple[dict[str, Host], str]:
    """The hosts by name, and the cluster's name where a variable says it."""
    said = read(path, mapping, become)
    aliases = aliases_in(config or default_config())
    hosts = {host.name: _checked(path, host, aliases) for host in said.hosts}
    if not any(host.role is Role.DATABASE for host in hosts.values()):
        groups = sorted({group for host in said.hosts for group in host.groups})
        raise BadInput(
            f"{path}: no group is known to hold the database hosts{f' (known: {chr(44).join(groups)})' if groups else ''}: say which in "
            "galvan.yaml (groups: {NAME: database}), or set galvan_role=database for them"
        )
    return hosts, said.name


def known_of(
    root: Field, top: Mapping[str, Field], folder: Path, inventory: Path | None, config: Sequence[str],
    become: SecretRef | None,
) -> tuple[dict[str, Host], str]:  # fmt: skip
    """What the inventory says that the command line or galvan.yaml (`root`, its fields `top`) names."""
    if inventory and "inventory" not in top and "hosts" in top:
        raise root.wrong(
            f"names its hosts itself, so the inventory {inventory} would be a second list of them: leave --inventory (or "
            "GALVAN_INVENTORY) away, or put inventory: into the file and take hosts: out"
        )
    if not inventory and "inventory" not in top:
        raise top["groups"].wrong("groups are those of an inventory, and none is named")
    path = inventory or folder / Path(top["inventory"].text()).expanduser()
    mapping = {name: field.one_of(*WORDS) for name, field in top["groups"].mapping().items()} if "groups" in top else {}
    return hosts_of(path, mapping, config, become)


def from_inventory(path: Path) -> Cluster:
    """A cluster by its inventory alone. Without a variable that names it the file's own path does: a name must not be
    shared by two clusters, since runs and authorities are kept under it."""
    hosts, name = hosts_of(path, {}, (), None)
    if not name:
        whole = re.sub(r"[^A-Za-z0-9.]+", "-", str(path.resolve().with_suffix(""))).strip("-.")
        name = whole[-63:].lstrip("-.")
    if not _WORD.fullmatch(name):
        raise BadInput(f"{path}: {name!r} is no name for a cluster; set {NAMES[0]} to letters, digits, dots and dashes")
    addresses: dict[str, str] = {}
    for host in hosts.values():
        if (other := addresses.setdefault(host.address, host.name)) != host.name and host.role is Role.DATABASE:
            raise BadInput(f"{path}: {host.name} and {other} have the same address {host.address}")
    return Cluster(name, tuple(hosts.values()))


def _checked(path: Path, host: Host, aliases: Mapping[str, str]) -> Host:
    """Only names that are one word for a shell pass, and every host has an address."""
    for what, value, pattern in (
        ("its name", host.name, _WORD), ("ansible_host", host.ssh, _ALIAS), ("ansible_user", host.user or "root", _USER),
    ):  # fmt: skip
        if not pattern.fullmatch(value):
            raise BadInput(
                f"{path}: {host.name}: {what} {value!r} cannot be used: letters, digits, dots and dashes only"
            )
    if host.port is not None and not 0 < host.port < 65536:
        raise BadInput(f"{path}: {host.name}: ansible_port={host.port} is no port")
    return replace(host, address=_address(path, host, aliases.get(host.address, host.address)))


def _address(path: Path, host: Host, said: str) -> str:
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(said, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        raise BadInput(
            f"{path}: {host.name}: the name {said} has no address here: set galvan_address for it to the one that the "
            "other members dial, or say it in galvan.yaml (hosts:)"
        ) from None


def aliases_in(config: Sequence[str]) -> dict[str, str]:
    """Alias → HostName, of the plain `Host` blocks of an ssh configuration."""
    found: dict[str, str] = {}
    for file in config:
        names: list[str] = []
        path = Path(file).expanduser()
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
            word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
            if word.lower() in ("host", "match"):
                names = [name for name in rest.split() if not set("*?!") & set(name)] if word.lower() == "host" else []
            elif word.lower() == "hostname":
                for name in names:
                    found.setdefault(name, rest.strip())
    return found
