"""Names and descriptions for Terraform's JSON. What comes from an inventory enters a document here and nowhere else.

Terraform reads every string of such a document as a template, so `${` and `%{` would be run. No character survives that could
begin one: names become letters, digits and dashes, descriptions keep the characters that all four providers take.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from galvan.model import Host
from galvan.tips.firewall.groups.arrange import Group, Groups, Rule

Json: TypeAlias = dict[str, Any]
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LONGEST_NAME = 63
"""Of a name and a network tag at Google; AWS takes 255, Azure 80, OpenStack 255."""


def fit(name: str, most: int = LONGEST_NAME) -> str:
    """What is too long ends in a digest of the whole, so that two long names stay two."""
    return name if len(name) <= most else f"{name[: most - 7].rstrip('-')}-{_digest(name)}"


def slug(text: str, most: int = 20) -> str:
    """
    >>> slug("db1"), slug("db1.example.org"), slug("${path}")
    ('db1', 'db1-example-o-c045af', 'path-b4def3')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= most:
        return plain
    return f"{plain[: most - 7].rstrip('-')}-{_digest(text)}".lstrip("-")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def said(text: str, most: int) -> str:
    """A description: letters, digits, spaces and `._-:/,` stay."""
    return re.sub(r"[^A-Za-z0-9 ._:/,-]", "_", text)[:most]


def key(host: Host) -> str:
    """A host as the key of an output."""
    return host.name if _PLAIN.fullmatch(host.name) else slug(host.name, 60)


def label(group: Group) -> str:
    """The resource's name inside the document."""
    return f"{group.role.value}_only_{slug(group.host).replace('-', '_')}" if group.host else group.role.value


def name(groups: Groups, group: Group) -> str:
    """The resource's name at the provider; at most 62 characters, and Google's rule for names holds."""
    role = group.role.value.replace("_", "-")
    return f"galvan-{slug(groups.cluster.name)}-{role}{'-' + slug(group.host) if group.host else ''}"


def about(groups: Groups, group: Group, most: int) -> str:
    whom = f"the host {group.host}" if group.host else f"every {group.role.value.replace('_', ' ')} host"
    return said(f"What may come in at {whom} of {groups.cluster.name}", most)


def why(rule: Rule, most: int) -> str:
    return said(", ".join(rule.purposes), most)


def port_of(rule: Rule) -> str:
    return f"{rule.protocol}_{rule.port}" if rule.port else rule.protocol


def from_where(network: str) -> str:
    """
    >>> from_where("10.0.0.0/24"), from_where("fd00::1/128")
    ('10_0_0_0_24', 'fd00__1_128')
    """
    return re.sub(r"[.:/]", "_", network)


def variable(what: str) -> Json:
    return {"type": "string", "description": what}


def document(
    groups: Groups, provider: tuple[str, str, str], variables: Json, resources: Mapping[str, Json], output: Json
) -> Json:
    """`provider`: its local name, its source, and the least version that has these resources."""
    local, source, version = provider
    return {
        "//": f"Written by galvan firewall export for {said(groups.cluster.name, 60)}. Write it anew instead of editing it.",
        "terraform": {"required_providers": {local: {"source": source, "version": f">= {version}"}}},
        "variable": variables,
        "resource": {kind: named for kind, named in resources.items() if named},
        "output": output,
    }


def memberships(groups: Groups, id_of: Callable[[Group], str], text: str) -> Json:
    """The output that names, for each host, the groups that it has to be in."""
    value = {key(host): [id_of(group) for group in groups.on(host)] for host in groups.cluster.hosts if groups.on(host)}
    return {"security_group_ids": {"description": text, "value": value}}
