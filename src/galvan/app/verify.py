"""Verify: the proofs, and what they say about the rungs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from galvan.app.desk import Desk, look
from galvan.app.hands import hands
from galvan.cluster.membership import misfits
from galvan.cluster.walls import WALL
from galvan.edges.state import ProofBook
from galvan.engine.choreography import DRAINED
from galvan.engine.gather import fingerprint
from galvan.engine.prove import prove
from galvan.model import Proof, Result, SecretRef, Unreadable, Verdict, Weight

if TYPE_CHECKING:
    from galvan.edges.prober import Rehearse
    from galvan.edges.ssh import Ssh


@dataclass(frozen=True, slots=True)
class Verified:
    results: tuple[Result, ...]
    blind: tuple[str, ...]  # tips whose proofs could not even be stated, members that nobody named, and why

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict is verdict for result in self.results)


async def verify(
    desk: Desk, weights: Sequence[Weight] = (Weight.LOOK,), told: Callable[[Result], None] = lambda result: None,
    force: str = "", say: Callable[[str, str], None] = lambda who, said: None,
) -> Verified:  # fmt: skip
    """Notes a tip as proven when every proof of it passed, for the fingerprint that was seen. `force`: the host that gets all
    its data anew, and for which the invasive proofs are tried too, after all others."""
    from galvan.edges.prober import SshProber

    snapshot = await look(desk, (WALL,))  # from where a trial can be made depends on the walls
    proofs: dict[str, list[Proof]] = {}
    blind = []
    for tip in desk.tips:
        try:
            proofs[tip.id] = [
                proof for proof in tip.proofs(snapshot) if proof.weight in weights or _forced(proof, force)
            ]
        except Unreadable as why:
            blind.append(f"{tip.id}: {why}")
    strange = misfits(snapshot, desk.cluster)
    async with hands(desk, "verify", desk.authorities(), (DRAINED,)) as ssh:
        prober = SshProber(desk.cluster, ssh, _secret(desk), _rehearse(desk, ssh, say) if force else None)
        stated = [proof for mine in proofs.values() for proof in mine]
        results = await prove([proof for proof in stated if proof.weight is not Weight.INVASIVE], prober, told)
        results += await prove([proof for proof in stated if proof.weight is Weight.INVASIVE], prober, told)
    book = ProofBook(desk.state)
    for tip in desk.tips:
        mine = [result for result in results if result.proof.tip == tip.id]
        passed = bool(mine) and not strange and all(result.verdict is Verdict.PASS for result in mine)
        if not desk.limit:
            book.note(tip.id, fingerprint(snapshot, [tip]), passed)
    return Verified(results, (*blind, *strange))


def _forced(proof: Proof, host: str) -> bool:
    return bool(host) and proof.weight is Weight.INVASIVE and proof.host == host


def _rehearse(desk: Desk, ssh: Ssh, say: Callable[[str, str], None]) -> Rehearse:
    from galvan.app.rehearsal import rehearse

    return lambda host: rehearse(desk, ssh, host, say)


def _secret(desk: Desk) -> Callable[[SecretRef], str]:
    """A trial whose secret is not there is not measured, and says why."""
    secrets = desk.secrets()

    def reveal(ref: SecretRef) -> str:
        kind, _, why = ref.name.partition(":")
        if kind == "none":
            raise Unreadable(why)
        return secrets.reveal(ref)

    return reveal
