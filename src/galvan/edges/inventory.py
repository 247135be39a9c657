"""galvan.yaml: one cluster, read and checked by hand, because every error must name its line and its field, and because
an audit must feel instant (a schema library costs more start-up time than the file is worth)."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from galvan.model import BadInput, Cluster, Host, Policy, ProbeAccount, Risk, Role, SecretRef

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
_SSH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%-]{0,127}")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PATH = re.compile(r"[~/][^\x00-\x1f]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS = ("haproxy", "proxysql", "maxscale")


def load(path: Path) -> Cluster:
    """Raises BadInput: `FILE line N: FIELD …, and the way out`."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise BadInput(
            f"there is no {path}: write it with `galvan init HOST`, or name another with --cluster"
        ) from None
    except (OSError, UnicodeDecodeError) as why:
        raise BadInput(f"{path} cannot be read: {why}") from None
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        raise BadInput(f"{path} line {mark.line + 1 if mark else '?'}: {getattr(why, 'problem', why)}") from None
    if root is None:
        raise BadInput(f"{path} is empty: write it with `galvan init HOST`")
    return _cluster(Field(str(path), "", root))


class Field:
    """A node of the file that knows its place."""

    def __init__(self, file: str, name: str, node: Any) -> None:
        self.file, self.name, self.node = file, name, node

    def wrong(self, what: str) -> BadInput:
        field = f"{self.name}: " if self.name else ""
        return BadInput(f"{self.file} line {self.node.start_mark.line + 1}: {field}{what}")

    def mapping(self, *known: str) -> dict[str, Field]:
        """The fields of a mapping; an unknown or doubled one is an error. No `known`: any names."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("expected `name: value` lines here")
        fields: dict[str, Field] = {}
        for key, value in self.node.value:
            name = str(key.value)
            field = Field(self.file, f"{self.name}.{name}".lstrip("."), value)
            if known and name not in known:
                raise Field(self.file, field.name, key).wrong(f"unknown field; known here: {', '.join(known)}")
            if name in fields:
                raise Field(self.file, field.name, key).wrong("given twice")
            fields[name] = field
        return fields

    def items(self) -> list[Field]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("expected a list")
        return [Field(self.file, f"{self.name}[{n}]", node) for n, node in enumerate(self.node.value)]

    def text(self, pattern: re.Pattern[str] | None = None, example: str = "") -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == "tag:yaml.org,2002:null":
            raise self.wrong("expected one value")
        value = str(self.node.value)
        if pattern and not pattern.fullmatch(value):
            raise self.wrong(f"{value!r} cannot stand here; for example: {example}")
        return value

    def one_of(self, *choices: str) -> str:
        value = self.text()
        if value not in choices:
            raise self.wrong(f"{value!r} is not one of {', '.join(choices)}")
        return value

    def typed(self, kind: str) -> object:
        """A value as the policy's field wants it."""
        if kind.startswith("tuple"):
            return tuple(item.text() for item in self.items())
        value = self.text()
        if kind == "bool":
            if value.lower() not in ("true", "false", "yes", "no"):
                raise self.wrong(f"{value!r} is neither true nor false")
            return value.lower() in ("true", "yes")
        if kind in ("int", "float"):
            try:
                number = float(value) if kind == "float" else int(value)
            except ValueError:
                raise self.wrong(f"{value!r} is no number") from None
            if number < 0 or number != number:
                raise self.wrong("expected a number that is not negative")
            return number
        return value


def _cluster(root: Field) -> Cluster:
    top = root.mapping("cluster", "hosts", "policy", "probe", "accept", "ssh_config")
    for needed in ("cluster", "hosts"):
        if needed not in top:
            raise root.wrong(f"the field {needed} is missing")
    hosts = tuple(_host(field, name) for name, field in top["hosts"].mapping().items())
    _unique(hosts, top["hosts"])
    if not any(host.role is Role.DATABASE for host in hosts):
        raise top["hosts"].wrong("no host has the role database")
    return Cluster(
        name=top["cluster"].text(_NAME, "shop"),
        hosts=hosts,
        policy=_policy(top.get("policy"), top.get("accept")),
        probe=_probe(top["probe"]) if "probe" in top else None,
        ssh_config=tuple(item.text() for item in top["ssh_config"].items()) if "ssh_config" in top else (),
    )


def _host(field: Field, name: str) -> Host:
    if not _NAME.fullmatch(name):
        raise field.wrong(f"{name!r} is no name for a host; use letters, digits, dots and dashes")
    said = field.mapping("role", "address", "ssh", "kind", "user", "port", "names")
    for needed in ("role", "address"):
        if needed not in said:
            raise field.wrong(f"the field {needed} is missing")
    role = Role(said["role"].one_of(*(r.value for r in Role)))
    if role is Role.LOAD_BALANCER and "kind" not in said:
        raise field.wrong(f"a load_balancer needs its kind: {', '.join(_KINDS)}")
    return Host(
        name=name,
        address=_address(said["address"]),
        role=role,
        ssh=said["ssh"].text(_SSH, "db1.example.org") if "ssh" in said else name,
        kind=said["kind"].one_of(*_KINDS) if "kind" in said else "",
        user=said["user"].text(re.compile(r"[a-z_][a-z0-9_-]{0,31}"), "dba") if "user" in said else None,
        port=_port(said["port"]) if "port" in said else None,
        names=tuple(item.text(_SSH, "db.example.org") for item in said["names"].items()) if "names" in said else (),
    )


def _address(field: Field) -> str:
    value = field.text()
    try:
        if "%" in value and not _ZONE.fullmatch(
            value.partition("%")[2]
        ):  # a zone may be any text, and travels into scripts
            raise ValueError
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise field.wrong(f"{value!r} is no IP address (names go into `names`)") from None


def _port(field: Field) -> int:
    value = field.typed("int")
    if not isinstance(value, int) or not 0 < value < 65536:
        raise field.wrong("a port is a number from 1 to 65535")
    return value


def _unique(hosts: tuple[Host, ...], field: Field) -> None:
    by_address: dict[str, str] = {}
    for host in hosts:
        other = by_address.setdefault(host.address, host.name)
        if other != host.name and host.role is Role.DATABASE:
            raise field.wrong(f"{host.name} and {other} have the same address {host.address}")


def _probe(field: Field) -> ProbeAccount:
    said = field.mapping("user", "password_file", "password_env")
    if "user" not in said or ("password_file" in said) == ("password_env" in said):
        raise field.wrong("a probe needs user and one of password_file, password_env")
    if "password_file" in said:
        return ProbeAccount(
            said["user"].text(), SecretRef(f"file:{said['password_file'].text(_PATH, '/etc/galvan/probe')}")
        )
    return ProbeAccount(said["user"].text(), SecretRef(f"env:{said['password_env'].text(_VARIABLE, 'GALVAN_PROBE')}"))


def _policy(field: Field | None, accept: Field | None) -> Policy:
    kinds = {f.name: str(f.type) for f in dataclasses.fields(Policy) if f.name != "accepted"}
    said = field.mapping(*kinds) if field else {}
    values: dict[str, Any] = {name: value.typed(kinds[name]) for name, value in said.items()}
    for name, choices in _CHOICES.items():
        if name in said:
            said[name].one_of(*choices)
    if accept:
        values["accepted"] = tuple(_risk(item) for item in accept.items())
    return Policy(**values)


_CHOICES: Mapping[str, tuple[str, ...]] = {"min_tls": ("TLSv1.2", "TLSv1.3"), "require": ("SSL", "X509")}


def _risk(field: Field) -> Risk:
    said = field.mapping("check", "host", "reason", "owner", "until")
    if missing := {"check", "reason", "owner", "until"} - said.keys():
        raise field.wrong(f"an accepted risk needs {', '.join(sorted(missing))}")
    text: Callable[[str], str] = lambda name: said[name].text()  # noqa: E731
    host = text("host") if "host" in said else "*"
    return Risk(text("check"), host, text("reason"), text("owner"), said["until"].text(_DAY, "2027-03-31"))


def dump(cluster: Cluster) -> str:
    """galvan.yaml as `init` writes it: what was found, and nothing that is a default."""
    hosts = {}
    for host in cluster.hosts:
        entry: dict[str, Any] = {"role": host.role.value, "address": host.address}
        if host.kind:
            entry["kind"] = host.kind
        if host.ssh != host.name:
            entry["ssh"] = host.ssh
        entry |= {key: value for key, value in (("user", host.user), ("port", host.port)) if value}
        if host.names:
            entry["names"] = list(host.names)
        hosts[host.name] = entry
    document: dict[str, Any] = {"cluster": cluster.name, "hosts": hosts}
    if cluster.ssh_config:
        document["ssh_config"] = list(cluster.ssh_config)
    if cluster.probe:
        kind, _, where = cluster.probe.password.name.partition(":")
        document["probe"] = {"user": cluster.probe.user, f"password_{kind}": where}
    return yaml.safe_dump(document, sort_keys=False)
