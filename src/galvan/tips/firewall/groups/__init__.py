"""The table of the firewall tip as security groups of a cloud, in Terraform's JSON syntax. Pure.

`arrange` makes one group of each role; a file for each provider says it in that provider's resources; `words` is the only
place where a name of the inventory becomes part of a document; `live` compares what a cloud has with the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from galvan.model import BadInput, Cluster
from galvan.tips.firewall.groups import aws, azure, gcp, openstack
from galvan.tips.firewall.groups.arrange import Groups, arrange
from galvan.tips.firewall.groups.words import Json
from galvan.tips.firewall.table import Allow

PROVIDERS: Mapping[str, Callable[[Groups], tuple[Json, tuple[str, ...]]]] = {
    "terraform-aws": aws.render,
    "terraform-gcp": gcp.render,
    "terraform-azure": azure.render,
    "terraform-openstack": openstack.render,
}


@dataclass(frozen=True, slots=True)
class Document:
    """`notes`: sentences for the operator about what the provider cannot hold."""

    content: Json
    notes: tuple[str, ...]


def export(
    policy: Iterable[Allow], cluster: Cluster, to: str, addresses: Mapping[str, Sequence[str]] | None = None
) -> Document:
    """Raises BadInput where a limit of the provider is in the way, with what to do."""
    if to not in PROVIDERS:
        raise BadInput(f"there is no {to}; there are {', '.join(PROVIDERS)}")
    return Document(*PROVIDERS[to](arrange(policy, cluster, addresses)))
