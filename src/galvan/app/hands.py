"""The acting edge with what stands behind it: secrets, and the authorities that sign."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from galvan.app.desk import ALL_FACTS, ESCROW, Desk
from galvan.engine.plan import Plan
from galvan.model import Fact, PutFile, SecretRef, Signed

if TYPE_CHECKING:
    from galvan.edges.authorities import Authorities
    from galvan.edges.connections import Connections
    from galvan.edges.ssh import Ssh


@asynccontextmanager
async def hands(
    desk: Desk, run: str, authorities: Authorities, known: Sequence[Fact[Any]] = (), connections: Connections | None = None
) -> AsyncIterator[Ssh]:  # fmt: skip
    from galvan.edges.ssh import Ssh

    secrets = desk.secrets()

    def resolve(ref: SecretRef) -> str:
        kind, _, name = ref.name.partition(":")
        if kind == ESCROW:
            return desk.escrow(authorities).reveal(ref)
        return (
            authorities.ensure(name, desk.cluster.policy.authority_days) if kind == "authority" else secrets.reveal(ref)
        )

    async with Ssh(desk.cluster, (*ALL_FACTS, *known), run, resolve, authorities.sign, connections) as ssh:
        yield ssh


def open_authorities(desk: Desk, made: Plan) -> Authorities:
    """Opens (or makes) what the plan will sign with before anything is touched: a forgotten passphrase changes nothing."""
    authorities = desk.authorities()
    puts = [a for wave in made.waves for step in wave.steps for a in step.do if isinstance(a, PutFile)]
    for name in sorted({put.content.authority for put in puts if isinstance(put.content, Signed)}):
        authorities.ensure(name, desk.cluster.policy.authority_days)
        authorities.open(name)
    _escrow(desk, authorities, [put.content for put in puts if isinstance(put.content, SecretRef)])
    return authorities


def _escrow(desk: Desk, authorities: Authorities, secrets: Sequence[SecretRef]) -> None:
    """The keys of encryption at rest lie sealed on this side before any host gets one."""
    if any(ref.name.startswith(f"{ESCROW}:") for ref in secrets):
        from galvan.edges.escrow import numbers_in

        desk.escrow(authorities).ensure(sorted({number for ref in secrets for number in numbers_in(ref)}))
