"""What is tried from outside. Each trial stands beside a control that shows that it could have worked."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.identity import server_port
from galvan.cluster.vantage import nearest
from galvan.model import (
    Capture,
    ClientHello,
    Login,
    Outcome,
    ProbeAccount,
    Proof,
    Role,
    SecretRef,
    Served,
    Snapshot,
    Weight,
)
from galvan.pki import judge

TIP = "client_tls"
NO_PROBE = ProbeAccount("", SecretRef("none:galvan.yaml names no probe account (probe: user, password_file)"))
_UP = frozenset({Outcome.ACCEPTED, Outcome.CLEAR})  # a server that answers: over TLS, or saying that it has none


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    probe = snapshot.cluster.probe or NO_PROBE
    for facts in snapshot.having(Role.DATABASE):
        vantage = nearest(snapshot, facts)
        host, address = facts.host.name, facts.host.address
        port = server_port(facts)
        hello = ClientHello(address, port, "TLSv1.2")
        yield Proof(
            f"client_tls.no-clear-login@{host}", TIP, f"a login at {host} without TLS is refused", host, vantage,
            Login(address, port, probe.user, probe.password, tls=False), frozenset({Outcome.REFUSED}),
            Login(address, port, probe.user, probe.password, tls=True), frozenset({Outcome.ACCEPTED}),
        )  # fmt: skip
        for version in ("TLSv1", "TLSv1.1"):
            yield Proof(
                f"client_tls.no-{version.lower()}@{host}", TIP, f"{host} refuses {version}, by its own setting", host,
                vantage, ClientHello(address, port, version), frozenset({Outcome.REFUSED}), hello, _UP,
            )  # fmt: skip
        found = judge.material(facts, "client")
        sha256 = found.leaf.sha256 if found and found.leaf else ""
        authority = judge.trust(facts, snapshot, "client")
        yield Proof(
            f"client_tls.served-certificate@{host}", TIP, f"{host} serves the certificate of its file, of its authority", host,
            vantage, Served(address, port, sha256, authority, address), frozenset({Outcome.MATCHES}), hello, _UP,
        )  # fmt: skip
        yield Proof(
            f"client_tls.wire@{host}", TIP, f"port {port} of {host} carries TLS only, after the greeting", host, vantage,
            Capture(host, (port,), f"galvan-marker-{host}-{port}"), frozenset({Outcome.ENCRYPTED}), hello, _UP, Weight.MARK,
        )  # fmt: skip
