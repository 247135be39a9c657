"""What is tried from outside: a name that does not exist, and root, both without a password."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import VARIABLES
from galvan.cluster.identity import server_port
from galvan.cluster.vantage import nearest
from galvan.model import Login, Outcome, ProbeAccount, Proof, Role, SecretRef, Snapshot

TIP = "hardening"
_NO_PROBE = ProbeAccount("", SecretRef("none:galvan.yaml names no probe account (probe: user, password_file)"))
_REFUSED = frozenset({Outcome.REFUSED})
_LET_IN = frozenset({Outcome.ACCEPTED})
_NOBODY = "galvan-nobody"


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    probe = snapshot.cluster.probe or _NO_PROBE
    for facts in snapshot.having(Role.DATABASE):
        host, address, port, vantage = facts.host.name, facts.host.address, server_port(facts), nearest(snapshot, facts)
        tls = facts[VARIABLES].get("have_ssl") == "YES"
        control = Login(address, port, probe.user, probe.password, tls)
        yield Proof(
            f"hardening.no-nameless-login@{host}", TIP, f"{host} lets nobody in whom it does not know", host, vantage,
            Login(address, port, _NOBODY, None, tls), _REFUSED, control, _LET_IN,
        )  # fmt: skip
        yield Proof(
            f"hardening.no-empty-root@{host}", TIP, f"{host} lets no root in without a password", host, vantage,
            Login(address, port, "root", None, tls), _REFUSED, control, _LET_IN,
        )  # fmt: skip
