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

from galvan.edges.fields import Field as Field  # others take it from here
from galvan.model import BadInput, Cluster, Host, Policy, ProbeAccount, Risk, Role, SecretRef

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
_SSH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%-]{0,127}")
_DNS = re.compile(
    r"(?!.{254})[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*"
)
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_PATH = re.compile(r"[~/][^\x00-\x1f]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._@-]{0,63}")
_JUMP = re.compile(r"none|[A-Za-z0-9@._:%\[\]-]+(?:,[A-Za-z0-9@._:%\[\]-]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT = Path("galvan.yaml")
_KINDS = ("haproxy", "proxysql", "maxscale")


def load(path: Path, inventory: Path | None = None) -> Cluster:
    """`inventory` outranks the file's own; without a file it is enough. Raises BadInput: `FILE line N: FIELD …, and the
    way out`."""
    if inventory and not path.exists() and path == DEFAULT:
        from galvan.edges.inventories import from_inventory

        return from_inventory(inventory)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise BadInput(
            f"there is no {path}: write it with `galvan init HOST`, or name another with --cluster"
        ) from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a directory: name the file in it with --cluster") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is no text file: it should be what `galvan init HOST` writes") from None
    except OSError as why:
        raise BadInput(f"{path} cannot be read: {why.strerror}") from None
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.reader.ReaderError as why:
        raise BadInput(f"{path} is no text file: {why.reason} at position {why.position}") from None
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        raise BadInput(f"{path} line {mark.line + 1 if mark else '?'}: {getattr(why, 'problem', why)}") from None
    if root is None:
        raise BadInput(f"{path} is empty: write it with `galvan init HOST`")
    return _cluster(Field(str(path), "", root), path.parent, inventory)


def _cluster(root: Field, folder: Path, inventory: Path | None) -> Cluster:
    top = root.mapping(
        "cluster", "hosts", "policy", "probe", "accept", "ssh_config", "inventory", "groups", "become"
    )  # fmt: skip
    become = _become(top.get("become"))
    config = tuple(item.text() for item in top["ssh_config"].items()) if "ssh_config" in top else ()
    known: dict[str, Host] = {}
    name = ""
    if inventory or "inventory" in top or "groups" in top:
        from galvan.edges.inventories import known_of

        known, name = known_of(root, top, folder, inventory, config, become)
    for needed, there in (("cluster", name), ("hosts", known)):
        if needed not in top and not there:
            raise root.wrong(f"the field {needed} is missing")
    for host, field in top["hosts"].mapping().items() if "hosts" in top else ():
        known[host] = _host(field, host, become, known.get(host))
    hosts, place = tuple(known.values()), top.get("hosts") or top["inventory"]
    _unique(hosts, place)
    if not any(host.role is Role.DATABASE for host in hosts):
        raise place.wrong("no host has the role database")
    return Cluster(
        name=top["cluster"].text(_NAME, "shop") if "cluster" in top else name,
        hosts=hosts,
        policy=_policy(top.get("policy"), top.get("accept")),
        probe=_probe(top["probe"]) if "probe" in top else None,
        ssh_config=config,
    )


def _host(field: Field, name: str, become: SecretRef | None, known: Host | None) -> Host:
    """`known`: the same host as the inventory has it; then only what differs has to be said."""
    if not _NAME.fullmatch(name):
        raise field.wrong(f"{name!r} is no name for a host; use letters, digits, dots and dashes")
    said = field.mapping("role", "address", "ssh", "kind", "user", "port", "names", "identity", "jump", "become")
    for needed in ("role", "address") if known is None else ():
        if needed not in said:
            raise field.wrong(f"the field {needed} is missing")
    given: dict[str, Any] = {
        key: read(said[key]) for key, read in _FIELDS.items() if key in said
    }  # fmt: skip
    host = dataclasses.replace(known, **given) if known else Host(**{"ssh": name, "become": become} | given, name=name)
    if host.role is Role.LOAD_BALANCER and not host.kind:
        raise field.wrong(f"a load_balancer needs its kind: {', '.join(_KINDS)}")
    return host


def _address(field: Field) -> str:
    value = field.text()
    try:
        if "%" in value and not _ZONE.fullmatch(
            value.partition("%")[2]
        ):  # a zone may be any text, and travels into scripts
            raise ValueError
        return str(ipaddress.ip_address(value))
    except ValueError:
        if _DNS.fullmatch(value) and not value.rpartition(".")[2].isdigit():  # 10.0.0.300 is a slip, and no name
            return value
        raise field.wrong(f"{value!r} is neither an IP address nor a host name") from None


def _become(field: Field | None) -> SecretRef | None:
    """The password that sudo asks for lies in a file: in no argument, environment or log."""
    if field is None:
        return None
    said = field.mapping("password_file")
    if "password_file" not in said:
        raise field.wrong("become needs password_file: leave become away where sudo asks for no password")
    return SecretRef(f"file:{said['password_file'].text(_PATH, '/etc/galvan/sudo')}")


def _unique(hosts: tuple[Host, ...], field: Field) -> None:
    by_address: dict[str, str] = {}
    for host in hosts:
        other = by_address.setdefault(host.address.lower(), host.name)
        if other != host.name and host.role is Role.DATABASE:
            raise field.wrong(f"{host.name} and {other} have the same address {host.address}")


_FIELDS: Mapping[str, Callable[[Field], object]] = {
    "role": lambda said: Role(said.one_of(*(role.value for role in Role))),
    "address": _address,
    "ssh": lambda said: said.text(_SSH, "db1.example.org"),
    "kind": lambda said: said.one_of(*_KINDS),
    "user": lambda said: said.text(_USER, "dba"),
    "port": lambda said: said.port(),
    "names": lambda said: tuple(item.text(_SSH, "db.example.org") for item in said.items()),
    "identity": lambda said: said.text(_PATH, "~/.ssh/id_ed25519"),
    "jump": lambda said: said.text(_JUMP, "bob@bastion:2222,inner"),
    "become": _become,
}
"""How each field of a host is read."""


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
    values: dict[str, Any] = {
        name: value.typed(kinds[name]) if name not in _SHAPED else _shaped(name, value) for name, value in said.items()
    }
    for name, choices in _CHOICES.items():
        if name in said:
            said[name].one_of(*choices)
    if accept:
        values["accepted"] = tuple(_risk(item) for item in accept.items())
    return Policy(**values)


_SHAPED = ("window", "budget", "backup", "firewall", "load_balancer", "hardening", "sst", "controls")


def _shaped(name: str, value: Field) -> object:
    """A policy that is more than one value; an audit does not pay for the reading of it unless it is there."""
    from galvan.edges.policy import SHAPES

    return SHAPES[name](value)


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "min_tls": ("TLSv1.2", "TLSv1.3"),
    "require": ("SSL", "X509"),
    "route": ("auto", "rebootstrap"),
    "profile": ("baseline", "strict"),
}


def _risk(field: Field) -> Risk:
    said = field.mapping("check", "host", "reason", "owner", "until")
    if missing := {"check", "reason", "owner", "until"} - said.keys():
        raise field.wrong(f"an accepted risk needs {', '.join(sorted(missing))}")
    text: Callable[[str], str] = lambda name: said[name].text()  # noqa: E731
    from galvan.edges.policy import day, told

    host = text("host") if "host" in said else "*"
    return Risk(text("check"), host, text("reason"), text("owner"), told(said["until"], day))


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
        entry |= {key: value for key, value in (("identity", host.identity), ("jump", host.jump)) if value}
        if host.become:
            entry["become"] = {"password_file": host.become.name.partition(":")[2]}
        hosts[host.name] = entry
    document: dict[str, Any] = {"cluster": cluster.name, "hosts": hosts}
    if cluster.ssh_config:
        document["ssh_config"] = list(cluster.ssh_config)
    if cluster.probe:
        kind, _, where = cluster.probe.password.name.partition(":")
        document["probe"] = {"user": cluster.probe.user, f"password_{kind}": where}
    if networks := cluster.policy.firewall.operators:
        document["policy"] = {"firewall": {"operators": list(networks)}}
    return yaml.safe_dump(document, sort_keys=False)
