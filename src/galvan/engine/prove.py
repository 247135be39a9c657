"""Prove: carry the proofs out. Each is tried beside its control; the weighing is pure and stands in the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from galvan.model import Prober, Proof, Result, weigh


async def prove(
    proofs: Sequence[Proof], prober: Prober, told: Callable[[Result], None] = lambda result: None
) -> tuple[Result, ...]:
    """Hosts side by side, the trials on one host one after another: nobody's door is stormed."""
    by_host: dict[str, list[Proof]] = {}
    for proof in proofs:
        by_host.setdefault(proof.host, []).append(proof)

    async def on_host(mine: list[Proof]) -> list[Result]:
        done = []
        for proof in mine:
            control = await prober.attempt(proof.control_vantage or proof.vantage, proof.control)
            attempt = await prober.attempt(proof.vantage, proof.attempt)
            done.append(Result(proof, weigh(proof, attempt, control), attempt.seen, control.seen))
            told(done[-1])
        return done

    results = [result for host in await asyncio.gather(*map(on_host, by_host.values())) for result in host]
    place = {proof.id: number for number, proof in enumerate(proofs)}
    return tuple(sorted(results, key=lambda result: place[result.proof.id]))
