"""What is tried of state transfers: that nobody can ask for a method that is not needed; and, where one is forced, the wire."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.transfer import method
from galvan.model import Outcome, Proof, Role, Runnable, Snapshot, Transfer, Weight
from galvan.tips.sst_tls.checks import needed, needless
from galvan.tips.sst_tls.facts import SCRIPTS

TIP = "sst_tls"
KNOWN = (
    "backup",
    "clone",
    "mariabackup",
    "mysqldump",
    "rsync",
    "rsync_wan",
    "secure_rsync",
    "xtrabackup",
    "xtrabackup-v2",
)


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    wanted = needed(snapshot)
    for facts in snapshot.having(Role.DATABASE):
        host = facts.host.name
        others = {*KNOWN} - wanted - facts[SCRIPTS].keys() | {script.method for script in needless(facts, snapshot)}
        yield Proof(
            f"sst_tls.unused-methods@{host}", TIP, f"a donor on {host} serves no method but the one in use", host, host,
            Runnable(host, tuple(f"wsrep_sst_{name}" for name in sorted(others))), frozenset({Outcome.REFUSED}),
            Runnable(host, (f"wsrep_sst_{method(facts)}",)), frozenset({Outcome.ACCEPTED}),
        )  # fmt: skip
        yield Proof(
            f"sst_tls.wire@{host}", TIP, f"a full transfer to {host} carries TLS only", host, host,
            Transfer(host, "wire"), frozenset({Outcome.ENCRYPTED}), Transfer(host, "ran"), frozenset({Outcome.ACCEPTED}),
            Weight.INVASIVE,
        )  # fmt: skip
