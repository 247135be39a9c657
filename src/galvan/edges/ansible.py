"""Ansible inventories, read as they are: through `ansible-inventory` where it is there, else simply (`edges.ansible_files`).

What comes out is what Galvan needs of each host: where ssh goes, as whom, with which key, over which bastions, and its
role, by its groups. Values of other variables are dropped at once: an inventory is full of passwords.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galvan.edges.roles import NONE, WORDS, role_of, split
from galvan.edges.sshwords import read as ssh_words
from galvan.model import BadInput, Host, SecretRef

Variables = Mapping[str, object]
NAMES = ("galvan_cluster", "galera_cluster_name", "wsrep_cluster_name", "mariadb_galera_cluster_name")
"""Variables that name the cluster, the first that is set."""
_USED = re.compile(r"ansible_|galvan_|wsrep_|galera_cluster_name|mariadb_galera_cluster_name|inventory_")
_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Listing:
    """An inventory without its syntax. `groups`: of each host, parents included."""

    variables: Mapping[str, Variables]
    groups: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Inventory:
    """`address` of these hosts is what they are dialled by, a name or an address: who knows better replaces it."""

    hosts: tuple[Host, ...]
    name: str


def read(path: Path, mapping: Mapping[str, str], become: SecretRef | None) -> Inventory:
    """`mapping`: group → role as galvan.yaml says, before the usual names. `become`: from galvan.yaml; it outranks a
    password in the inventory. Raises BadInput with the file, the host and the way out."""
    if not path.exists():
        raise BadInput(f"there is no inventory {path}: name a file or a directory with --inventory or inventory:")
    said = listing(path)
    if unknown := sorted(set(mapping) - frozenset().union(*said.groups.values(), {"all", "ungrouped"})):
        raise BadInput(f"{path} has no group {unknown[0]}, which groups: in galvan.yaml names; {_groups(said)}")
    roles = {
        name: role_of(name, said.groups[name], str(variables.get("galvan_role") or ""), mapping, str(path))
        for name, variables in said.variables.items()
    }
    hosts, names = [], set()
    for name in sorted(roles, key=lambda name: WORDS.index(roles[name])):
        about = _Host(path, name, said.variables[name])
        if roles[name] != NONE:
            hosts.append(about.host(roles[name], said.groups[name], become))
            names |= {text for one in NAMES if (text := about.text(one))}
    if len(names) > 1:
        raise BadInput(
            f"{path} holds the hosts of several clusters ({', '.join(sorted(names))}): write a galvan.yaml for each, "
            "and give the groups of the others the role none (groups: {NAME: none})"
        )
    return Inventory(tuple(hosts), next(iter(names), ""))


def _groups(said: Listing) -> str:
    groups = sorted(frozenset().union(*said.groups.values()) - {"all", "ungrouped"})
    return f"it has {', '.join(groups) or 'no group'}"


def listing(path: Path) -> Listing:
    program = shutil.which("ansible-inventory")
    if program is None:
        from galvan.edges import ansible_files

        hosts = ansible_files.read(path)
        return Listing(
            {name: _needed(variables) for name, (variables, _) in hosts.items()},
            {name: frozenset(groups) for name, (_, groups) in hosts.items()},
        )
    return listed(_ask(program, path))


def _ask(program: str, path: Path) -> str:
    """What the user's own Ansible makes of it: its configuration, plugins and vault passwords are honoured."""
    environment = os.environ | {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_NOCOLOR": "1"}
    command = [program, "--inventory", str(path), "--list"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"ansible-inventory did not list {path} within {_LIMIT:g} s") from None
    except OSError as why:
        raise BadInput(f"{program} cannot be run: {why.strerror}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        said = " ".join(" ".join(lines[:3]).split()) or f"exit status {done.returncode}"
        if "vault" in done.stderr.lower():
            said += "; give Ansible its vault password as always (ANSIBLE_VAULT_PASSWORD_FILE, or in ansible.cfg)"
        raise BadInput(f"ansible-inventory cannot read {path}: {said}")
    return done.stdout


def listed(output: str) -> Listing:
    """The document of `ansible-inventory --list`: groups with hosts and children, variables under `_meta`."""
    try:
        document = json.loads(output)
        variables = document.get("_meta", {}).get("hostvars", {})
        groups = {name: body for name, body in document.items() if name != "_meta"}
        members = {name: _members(name, groups, ()) for name in groups}
    except (ValueError, AttributeError) as why:
        raise BadInput(f"ansible-inventory printed no inventory: {why}") from None
    hosts = dict.fromkeys(host for names in members.values() for host in names)
    return Listing(
        {host: _needed(variables.get(host, {})) for host in hosts},
        {host: frozenset(name for name, names in members.items() if host in names) for host in hosts},
    )


def _members(name: str, groups: Mapping[str, Any], seen: tuple[str, ...]) -> list[str]:
    body = groups.get(name, {})
    children = [child for child in body.get("children", []) if child not in seen]
    return [*body.get("hosts", []), *(host for child in children for host in _members(child, groups, (*seen, name)))]


def _needed(variables: Variables) -> Variables:
    """The variables that Galvan reads, and those that they take their values from."""
    used = {key: value for key, value in variables.items() if _USED.match(key)}
    for _ in range(4):
        words = {word for value in used.values() for word in _TEMPLATE.findall(str(value))}
        used |= {word: variables[word] for word in words if word in variables}
    return used


class _Host:
    """One host's variables, with words about the host in each error."""

    def __init__(self, path: Path, name: str, variables: Variables) -> None:
        self.path, self.name, self._variables = path, name, variables

    def wrong(self, what: str) -> BadInput:
        return BadInput(f"{self.path}: {self.name}: {what}")

    def text(self, *names: str) -> str:
        """The first of these variables that is set; templates of one variable are followed."""
        for name in names:
            value = self._variables.get(name)
            if value is None or value == "":
                continue
            if isinstance(value, dict):
                raise self.wrong(
                    f"{name} is encrypted by ansible-vault, and Galvan opens no vault: give Ansible its vault password "
                    "(ANSIBLE_VAULT_PASSWORD_FILE) with ansible-inventory on the PATH, or say it in galvan.yaml (hosts:)"
                )
            return self._filled(name, str(value))
        return ""

    def _filled(self, name: str, value: str) -> str:
        known: dict[str, object] = {"inventory_hostname": self.name, **self._variables}
        for _ in range(5):
            value = _TEMPLATE.sub(lambda found: str(known.get(found.group(1), found.group(0))), value)
        if "{{" in value or "{%" in value:
            raise self.wrong(
                f"{name} is a template that only a play can fill in ({value}): say it in galvan.yaml (hosts: {self.name}:)"
            )
        return value

    def host(self, role: str, groups: frozenset[str], become: SecretRef | None) -> Host:
        if become is None:
            self._no_password()
        if (kind := self.text("ansible_connection") or "ssh") not in ("ssh", "smart", "paramiko", "paramiko_ssh"):
            raise self.wrong(f"ansible_connection={kind}: Galvan goes to its hosts by ssh alone")
        if (method := self.text("ansible_become_method") or "sudo") != "sudo":
            raise self.wrong(f"ansible_become_method={method}: Galvan knows sudo alone, or an account that is root")
        words = ssh_words(self._words(), self.wrong)
        port = self.text("ansible_port", "ansible_ssh_port") or words.get("port", "")
        if port and not port.isdigit():
            raise self.wrong(f"ansible_port={port} is no port")
        there = self.text("ansible_host", "ansible_ssh_host") or self.name
        kept, which = split(role)
        return Host(
            name=self.name, role=kept, kind=which, ssh=there,
            address=self.text("galvan_address", "wsrep_node_address").partition(":")[0] or there,
            user=self.text("ansible_user", "ansible_ssh_user") or words.get("user") or None,
            port=int(port) if port else None,
            identity=self.text("ansible_ssh_private_key_file", "ansible_private_key_file") or words.get("identity", ""),
            jump=words.get("jump", ""), become=become,
            groups=tuple(sorted(groups - {"all", "ungrouped"})),
        )  # fmt: skip

    def _words(self) -> Sequence[str]:
        said = [self.text(f"ansible_ssh_{which}args") for which in ("", "common_", "extra_")]
        try:
            return [word for text in said for word in shlex.split(text)]
        except ValueError as why:
            raise self.wrong(f"ansible_ssh_common_args cannot be read: {why}") from None

    def _no_password(self) -> None:
        """A sudo password in an inventory is refused, whichever way it is written."""
        for name in ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"):
            if self._variables.get(name):
                raise self.wrong(
                    f"{name} is in the inventory: Galvan takes a sudo password from a file only (galvan.yaml: become: "
                    "{password_file: /PATH}, mode 0600), so that it is in no argument, environment or log"
                )
