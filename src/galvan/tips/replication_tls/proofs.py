"""What is tried at the group port: no clear text, no stranger, and no client in a member's place."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.identity import group_port
from galvan.cluster.vantage import outside, peer_of
from galvan.model import Capture, GroupHello, HostFacts, Listening, Outcome, Proof, Served, Snapshot, Weight
from galvan.pki import judge
from galvan.pki.places import on_server

TIP = "replication_tls"
_REFUSED = frozenset({Outcome.REFUSED})
_MEMBER = frozenset({Outcome.ACCEPTED, Outcome.CLEAR})  # a member is let in; where all is clear text, everyone is


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(*MEMBERS):
        host, address, port = facts.host.name, facts.host.address, group_port(facts)
        peer, near = peer_of(host, snapshot), outside(snapshot, facts)
        member, client = (_hello(address, port, snapshot.of(peer), name) for name in ("cluster", "client"))
        yield Proof(
            f"replication_tls.strict-listener@{host}", TIP, f"the provider of {host} takes no clear text", host, peer,
            Listening(host), frozenset({Outcome.ENCRYPTED}), member, _MEMBER,
        )  # fmt: skip
        for who, stranger, vantage in (
            ("no-certificate", GroupHello(address, port, "none"), near),
            ("foreign-authority", GroupHello(address, port, "foreign"), near),
            ("client-certificate", client, peer),
        ):
            yield Proof(
                f"replication_tls.{who}@{host}", TIP, f"{host} refuses a member {_WITH[who]}", host, vantage,
                stranger, _REFUSED, member, _MEMBER, control_vantage=peer,
            )  # fmt: skip
        found = judge.material(facts, "cluster")
        sha256 = found.leaf.sha256 if found and found.leaf else ""
        authority = judge.trust(facts, snapshot, "cluster")
        yield Proof(
            f"replication_tls.served-certificate@{host}", TIP, f"{host} shows its peers the certificate of its file", host,
            near, Served(address, port, sha256, authority, address, group=True), frozenset({Outcome.MATCHES}), member, _MEMBER, control_vantage=peer,
        )  # fmt: skip
        yield Proof(
            f"replication_tls.wire@{host}", TIP, f"port {port} of {host} carries TLS only", host, peer,
            Capture(host, (port,), f"galvan-marker-{host}-{port}"), frozenset({Outcome.ENCRYPTED}), member, _MEMBER, Weight.MARK,
        )  # fmt: skip


def _hello(address: str, port: int, peer: HostFacts, authority: str) -> GroupHello:
    """With what lies on the peer: the owner's certificate and key where there are some, else Galvan's."""
    if own := judge.brought(peer, authority):
        return GroupHello(address, port, own.paths.get("cert", ""), own.paths.get("key", ""))
    return GroupHello(address, port, on_server(authority).directory)


_WITH = {
    "no-certificate": "without a certificate",
    "foreign-authority": "with a certificate of another authority",
    "client-certificate": "with a certificate of the client authority",
}
