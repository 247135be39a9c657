"""An audit has to feel instant: hosts are dialled before the tips are even imported, and both go on side by side.

Measured on three hosts: importing asyncssh, the tips and their judges costs as much as the hosts' own answers do.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from galvan.app.limit import chosen
from galvan.edges.connections import Connections
from galvan.edges.inventory import load
from galvan.model import Role

if TYPE_CHECKING:
    from galvan.app.desk import Audited, Desk

LATER = (
    "galvan.model.changes", "galvan.model.trials", "galvan.model.findings", "galvan.model.tips", "galvan.cluster.optionfile",
    "galvan.cluster.provider", "galvan.cluster.precedence", "galvan.cluster.facts", "galvan.cluster.health", "galvan.cluster.balancer", "galvan.cluster.membership",
    "galvan.cluster.arbitrator", "galvan.cluster.links", "galvan.cluster.ownfile", "galvan.cluster.settle_arbitrator",
    "galvan.cluster.identity", "galvan.cluster.order", "galvan.cluster.settle", "galvan.pki.places", "galvan.pki.needs",
    "galvan.pki.chain", "galvan.pki.certificate", "galvan.pki.material", "galvan.pki.steps", "galvan.pki.judge", "galvan.tips",
    "galvan.app.catalogue", "galvan.app.desk", "galvan.report.words", "galvan.report.shapes", "galvan.report.text",
)  # fmt: skip
"""In small bites: between two of them the handshakes get their turn."""


async def audit(
    file: Path, tips: Sequence[str], limit: Sequence[str], inventory: Path | None = None, timed: bool = False
) -> tuple[Desk, Audited]:
    cluster = load(file, inventory)
    names = chosen(cluster, limit)
    async with Connections(cluster) as connections:
        for host in cluster.hosts:
            if host.role is not Role.OUTSIDER and (not names or host.name in names):
                connections.dial(host)
        for module in LATER:
            importlib.import_module(module)
            await asyncio.sleep(0)
        from galvan.app import desk as desks

        desk = desks.sit_down(file, tips, limit, cluster=cluster)
        return desk, await desks.audit(desk, connections=connections, timed=timed)
