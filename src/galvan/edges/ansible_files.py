"""Inventories in ini and yaml, group_vars and host_vars, read simply: for machines without Ansible.

Hosts, groups, children, variables and ranges are understood; scripts, plugins and vaults are refused with words.
Values stay text: Galvan needs names, ports and paths. The order of precedence is Ansible's: all, parents before
children, then the host; the inventory's own variables before those of the directories.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from galvan.model import BadInput

_WAY_OUT = "install ansible-core (Galvan then asks ansible-inventory), or write the hosts into galvan.yaml"
_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")
_SKIPPED = re.compile(r"(?:^\.|~$|\.(?:orig|bak|cfg|retry|swp|rst|md|py|pyc)$)")
_VAULT = "$ANSIBLE_VAULT"
_MOST = 10_000


class _Loader(yaml.SafeLoader):
    """Knows Ansible's two tags; a vaulted value comes out as Ansible's own JSON shows it."""


_Loader.add_constructor("!vault", lambda loader, node: {"__ansible_vault": True})
_Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))


@dataclass
class _Group:
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)


class _Reading:
    def __init__(self) -> None:
        self.groups: dict[str, _Group] = {"all": _Group()}
        self.hosts: dict[str, dict[str, object]] = {}
        self.folders: list[Path] = []

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())

    def host(self, name: str, variables: Mapping[str, object], group: str) -> None:
        self.hosts.setdefault(name, {}).update(variables)
        self.group(group).hosts[name] = None


def read(path: Path) -> Mapping[str, tuple[dict[str, object], set[str]]]:
    """Of each host its variables and its groups. Raises BadInput with file and line where it can."""
    reading = _Reading()
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    reading.folders.append(path if path.is_dir() else path.parent)
    for file in files:
        if not path.is_dir() or not _SKIPPED.search(file.name):
            _file(file, reading)
    return {name: _whole(name, reading) for name in reading.hosts}


def _file(path: Path, reading: _Reading) -> None:
    text = _text(path)
    if os.access(path, os.X_OK) and text.startswith("#!"):
        raise BadInput(f"{path} is a program (a dynamic inventory), which only Ansible runs: {_WAY_OUT}")
    if path.suffix in (".yml", ".yaml", ".json"):
        document = _yaml(path, text)
        if "plugin" in document:
            raise BadInput(f"{path} is the configuration of an inventory plugin: {_WAY_OUT}")
        for name, body in document.items():
            _yaml_group(path, str(name), body, reading)
    else:
        _ini(path, text, reading)


def _text(path: Path) -> str:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as why:
        raise BadInput(f"{path} cannot be read: {why}") from None
    if text.startswith(_VAULT):
        raise BadInput(f"{path} is encrypted by ansible-vault, and Galvan opens no vault: {_WAY_OUT}")
    return text


def _yaml(path: Path, text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with two tags more
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        raise BadInput(f"{path} line {mark.line + 1 if mark else '?'}: {getattr(why, 'problem', why)}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInput(f"{path}: expected groups, as in all: hosts: db1:")
    return document


def _yaml_group(path: Path, name: str, body: Any, reading: _Reading) -> None:
    group = reading.group(name)
    parts = body or {}
    if not isinstance(parts, dict) or set(parts) - {"hosts", "children", "vars"}:
        raise BadInput(f"{path}: the group {name} may hold hosts, children and vars")
    for part, inner in parts.items():
        if inner is not None and not isinstance(inner, dict):
            raise BadInput(f"{path}: {part} of the group {name}: expected `name:` lines")
    group.variables.update(parts.get("vars") or {})
    for pattern, variables in (parts.get("hosts") or {}).items():
        for host in expanded(str(pattern), str(path)):
            reading.host(host, variables or {}, name)
    for child, inner in (parts.get("children") or {}).items():
        group.children[str(child)] = None
        _yaml_group(path, str(child), inner, reading)


def _ini(path: Path, text: str, reading: _Reading) -> None:
    group, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if found := re.fullmatch(r"\[([^\]:]+)(?::(hosts|vars|children))?\]\s*(?:#.*)?", line):
            group, kind = found.group(1).strip(), found.group(2) or "hosts"
            reading.group(group)
            continue
        where = f"{path} line {number}"
        if kind == "vars":
            key, equals, value = line.partition("=")
            if not equals:
                raise BadInput(f"{where}: expected NAME=VALUE in [{group}:vars]")
            reading.group(group).variables[key.strip()] = _unquoted(value.strip())
        elif kind == "children":
            reading.group(group).children[line.split("#")[0].strip()] = None
            reading.group(line.split("#")[0].strip())
        else:
            _ini_host(where, line, group, reading)


def _ini_host(where: str, line: str, group: str, reading: _Reading) -> None:
    try:
        pattern, *words = shlex.split(line, comments=True)
    except ValueError as why:
        raise BadInput(f"{where}: {why}") from None
    variables: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"{where}: expected NAME=VALUE, not {word!r}")
        variables[key] = value
    if found := re.fullmatch(r"([^:\[\]]+(?:\[[^\]]*\][^:\[\]]*)*):(\d+)", pattern):
        pattern, variables["ansible_port"] = found.group(1), found.group(2)
    for host in expanded(pattern, where):
        reading.host(host, variables, group)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def expanded(pattern: str, where: str = "") -> Iterator[str]:
    """Ranges as Ansible writes them.

    >>> list(expanded("db[1:3].x")), list(expanded("n[08:10]")), list(expanded("r[a:c:2]"))
    (['db1.x', 'db2.x', 'db3.x'], ['n08', 'n09', 'n10'], ['ra', 'rc'])
    """
    parts: list[list[str]] = []
    end = 0
    for found in _RANGE.finditer(pattern):
        parts += [[pattern[end : found.start()]], _range(found, pattern, where)]
        end = found.end()
    for one in itertools.product(*parts, [pattern[end:]]):
        yield "".join(one)


def _range(found: re.Match[str], pattern: str, where: str) -> list[str]:
    first, last, step = found.group(1), found.group(2), int(found.group(3) or 1)
    letters = string.ascii_letters
    if step and first.isdigit() and last.isdigit() and int(first) <= int(last) and int(last) - int(first) < _MOST:
        width = len(first) if first.startswith("0") else 0
        return [str(n).zfill(width) for n in range(int(first), int(last) + 1, step)]
    if step and first in letters and last in letters and letters.index(first) <= letters.index(last):
        return list(letters[letters.index(first) : letters.index(last) + 1 : step])
    raise BadInput(f"{where}: {pattern!r} is no range; for example: db[1:3]")


def _whole(name: str, reading: _Reading) -> tuple[dict[str, object], set[str]]:
    """A host's variables, the weakest first."""
    distance = {"all": 0}
    for group in reading.groups:
        if name in reading.groups[group].hosts:
            _climb(group, reading, distance, ())
    order = sorted(distance, key=lambda group: (distance[group], group))
    variables: dict[str, object] = {}
    for group in order:
        variables |= reading.groups[group].variables if group in reading.groups else {}
        for folder in reading.folders:
            variables |= _directory(folder / "group_vars" / group)
    variables |= reading.hosts[name]
    for folder in reading.folders:
        variables |= _directory(folder / "host_vars" / name)
    return variables, set(distance)


def _climb(group: str, reading: _Reading, distance: dict[str, int], seen: tuple[str, ...]) -> int:
    """How deep a group lies below `all`; notes it and its parents."""
    if group == "all" or group in seen:
        return 0
    parents = [name for name, body in reading.groups.items() if group in body.children]
    deep = 1 + max((_climb(parent, reading, distance, (*seen, group)) for parent in parents), default=0)
    distance[group] = max(distance.get(group, 0), deep)
    return distance[group]


def _directory(stem: Path) -> dict[str, object]:
    """`group_vars/NAME`, with or without a suffix, or a directory of such files."""
    files = [file for suffix in ("", ".yml", ".yaml", ".json") if (file := Path(f"{stem}{suffix}")).is_file()]
    if stem.is_dir():
        files += sorted(file for file in stem.rglob("*") if file.is_file() and not _SKIPPED.search(file.name))
    variables: dict[str, object] = {}
    for file in files:
        variables |= {str(key): value for key, value in _yaml(file, _text(file)).items()}
    return variables
