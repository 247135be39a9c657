"""Certificates by hand: what is there, and renewal while the cluster serves.

Renewal makes a new key and certificate beside the live ones, puts them in place at the same path, tells the server and
the provider to read them (`FLUSH SSL` does both; it is not replicated), and then compares what is served with the
file. The old pair is kept on the host. One host at a time; a host that does not serve the new one is put back.
Certificates that the owner brought are listed and never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from galvan.app.change import crew_of
from galvan.app.desk import Desk, look
from galvan.app.hands import hands
from galvan.app.node import restart_by_hand
from galvan.cluster import arbitrator, identity
from galvan.cluster.facts import PLATFORM, VARIABLES
from galvan.cluster.health import complaints
from galvan.cluster.quote import sh
from galvan.edges.ssh import Ssh
from galvan.engine.choreography import DRAINED
from galvan.engine.gather import gather
from galvan.model import (
    Host,
    HostFacts,
    NotHealed,
    Outcome,
    PutFile,
    Role,
    Served,
    Shell,
    Signed,
    Snapshot,
    Sql,
    Unreadable,
    Unsafe,
)
from galvan.pki import judge
from galvan.pki.certificate import describe, problems
from galvan.pki.places import AUTHORITIES, Place, on_application, on_server
from galvan.pki.steps import APP_MATERIAL, ARB_MATERIAL, MATERIAL, make_for

Told = Callable[[str, str], None]
DAY = 86400.0
RENEW_AT = 2 / 3
"""A leaf is due when this part of its life is over."""


@dataclass(frozen=True, slots=True)
class Certified:
    host: str
    authority: str
    sha256: str
    not_before: float
    not_after: float
    said: str
    now: float
    brought: str = ""  # where the certificate lies that is not Galvan's

    @property
    def days(self) -> float:
        return (self.not_after - self.now) / DAY

    @property
    def ends(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self.not_after))

    @property
    def due(self) -> bool:
        return self.now >= self.not_before + RENEW_AT * (self.not_after - self.not_before)

    def shape(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "authority": self.authority,
            "sha256": self.sha256,
            "not_after": self.not_after,
            "judged": self.said,
            "brought": self.brought,
        }


@dataclass(frozen=True, slots=True)
class Status:
    certificates: tuple[Certified, ...]
    unread: Mapping[str, str]
    snapshot: Snapshot

    @property
    def left(self) -> tuple[Certified, ...]:
        """What a renewal leaves alone, because it is not Galvan's."""
        return tuple(c for c in self.certificates if c.brought)


async def status(desk: Desk) -> Status:
    snapshot = await look(desk, (MATERIAL, APP_MATERIAL, ARB_MATERIAL, PLATFORM, VARIABLES, *arbitrator.FACTS))
    found, unread = [], {}
    for facts in snapshot.having(*arbitrator.MEMBERS, Role.APPLICATION):
        try:
            found += _of(facts, snapshot)
        except Unreadable as why:
            unread[facts.host.name] = str(why)
    return Status(tuple(found), unread, snapshot)


def _of(facts: HostFacts, snapshot: Snapshot) -> list[Certified]:
    application = facts.host.role is Role.APPLICATION
    found = []
    for authority in ("client",) if application else AUTHORITIES:
        material = (
            facts[APP_MATERIAL].get(on_application().directory) if application else judge.material(facts, authority)
        )
        if material is None or not material.certificate:
            continue
        leaf, warn = describe(material.certificate), snapshot.cluster.policy.warn_days
        ours = [] if material.brought else [pem for name, pem in snapshot.cluster.authorities if name == authority]
        trusted = ours or [pem for pem in [material.authority] if pem]
        wrong = problems(leaf, trusted, snapshot.taken_at, warn_days=warn) if trusted else ("no authority is named",)
        found.append(
            Certified(
                facts.host.name, authority, leaf.sha256, leaf.not_before, leaf.not_after, "; ".join(wrong) or "good",
                snapshot.taken_at, material.name if material.brought else "",
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class Renewal:
    """`renewed`: host, authority, SHA-256. `left`: what is not Galvan's, and so was not touched."""

    renewed: tuple[tuple[str, str, str], ...]
    left: tuple[Certified, ...]


async def renew(desk: Desk, everything: bool, told: Told) -> Renewal:
    """Raises Unsafe where the cluster is not whole, NotHealed with the host put back."""
    seen = await status(desk)
    if seen.unread:
        raise Unsafe("nothing was renewed: " + "; ".join(seen.unread.values()))
    warn = desk.cluster.policy.warn_days
    due = [c for c in seen.certificates if not c.brought and (everything or c.due or c.days <= warn)]
    if not due:
        return Renewal((), seen.left)
    authorities = desk.authorities()
    for name in sorted({c.authority for c in due}):
        authorities.open(name)
    run, renewed = time.strftime("renew-%Y%m%d-%H%M%S"), []
    async with hands(desk, run, authorities, (DRAINED,)) as ssh:
        for certified in due:
            await _whole(desk, ssh)
            facts = seen.snapshot.of(certified.host)
            renewed.append(
                (certified.host, certified.authority, await _one(desk, ssh, facts, certified, seen.snapshot, told))
            )
    return Renewal(tuple(renewed), seen.left)


async def ending(desk: Desk) -> tuple[Certified, ...]:
    """What ends within `policy.warn_days`, on a fresh look. Raises Unsafe where a host could not be read."""
    seen = await status(desk)
    if seen.unread:
        raise Unsafe("it is not known what ends when: " + "; ".join(seen.unread.values()))
    return tuple(c for c in seen.certificates if c.days <= desk.cluster.policy.warn_days)


async def _whole(desk: Desk, ssh: Ssh) -> None:
    from galvan.cluster.facts import GATE

    if told := [*complaints(await gather(desk.cluster, GATE, ssh))]:
        raise Unsafe("renewal waits: " + "; ".join(told))


async def _one(desk: Desk, ssh: Ssh, facts: HostFacts, certified: Certified, snapshot: Snapshot, told: Told) -> str:
    host, wave = facts.host, f"renew-{certified.authority}@{facts.host.name}"
    application = host.role is Role.APPLICATION
    place = on_application() if application else on_server(certified.authority)
    names, addresses = _identity(facts, snapshot, certified.authority)
    told(wave, f"new key and certificate, the old one ends {certified.ends}")
    await ssh.act(host, make_for(host, desk.cluster.policy, certified.authority, place, renew=True), wave)
    signed = Signed(certified.authority, place.new_request, names, addresses, host.name, desk.cluster.policy.leaf_days)
    await ssh.act(host, PutFile(place.new_certificate, signed), wave)
    await ssh.act(host, _swap(place), wave)
    try:
        return await _taken_up(desk, ssh, facts, certified, place, told)
    except (NotHealed, Unreadable) as why:
        await ssh.act(host, _swap_back(place), wave)
        await _read_anew(desk, ssh, host, wave, told)
        raise NotHealed(f"{why}. The old certificate of {host.name} was put back; no other host was touched") from why


def _identity(facts: HostFacts, snapshot: Snapshot, authority: str) -> identity.Identity:
    if facts.host.role is Role.APPLICATION:
        return (facts.host.name,), (facts.host.address,)
    return identity.member(facts) if authority == "cluster" else identity.server(facts, snapshot)


def _swap(place: Place) -> Shell:
    """Key and certificate change places with the new ones; the pair before is kept as *.old.pem."""
    return sh(
        "[ -e {{nk}} ] && [ -e {{nc}} ]\n"
        "[ \"$(openssl x509 -in {{nc}} -noout -pubkey)\" = \"$(openssl pkey -in {{nk}} -pubout)\" ]\n"
        "openssl verify -CAfile {{ca}} -purpose sslserver {{nc}} >/dev/null\nopenssl verify -CAfile {{ca}} -purpose sslclient {{nc}} >/dev/null\n"
        "cp -a {{k}} {{ok}}; cp -a {{c}} {{oc}}; sync\n"
        "chown --reference={{c}} {{nc}}; chmod --reference={{c}} {{nc}}\n"
        "mv -f {{nk}} {{k}}; mv -f {{nc}} {{c}}; rm -f {{nr}}; sync",
        k=place.key, c=place.certificate, nk=place.new_key, nc=place.new_certificate, nr=place.new_request, ca=place.ca,
        ok=f"{place.directory}/key.old.pem", oc=f"{place.directory}/cert.old.pem",
    )  # fmt: skip


def _swap_back(place: Place) -> Shell:
    return sh(
        "cp -a {{ok}} {{k}}.back; cp -a {{oc}} {{c}}.back; mv -f {{k}}.back {{k}}; mv -f {{c}}.back {{c}}; sync",
        k=place.key, c=place.certificate, ok=f"{place.directory}/key.old.pem", oc=f"{place.directory}/cert.old.pem",
    )  # fmt: skip


async def _read_anew(desk: Desk, ssh: Ssh, host: Host, wave: str, told: Told) -> None:
    """The process takes up what lies in its files now. garbd has no way to be told, so it restarts, through the gates."""
    if host.role is Role.DATABASE:
        await ssh.act(host, Sql("FLUSH SSL"), wave)
    elif host.role is Role.ARBITRATOR:
        await restart_by_hand(crew_of(desk, ssh, told), host, arbitrator.UNIT, wave)


async def _taken_up(desk: Desk, ssh: Ssh, facts: HostFacts, certified: Certified, place: Place, told: Told) -> str:
    from galvan.edges.prober import SshProber

    host = facts.host
    wave = f"renew-{certified.authority}@{host.name}"
    out = await ssh.act(host, sh("openssl x509 -in {{c}} -noout -fingerprint -sha256", c=place.certificate), wave)
    sha256 = out.partition("=")[2].strip().replace(":", "").lower()
    if host.role is Role.APPLICATION:
        return sha256
    await _read_anew(desk, ssh, host, wave, told)
    authority = desk.authorities().certificate(certified.authority) or ""
    group = certified.authority == "cluster"
    port = identity.group_port(facts) if group else identity.server_port(facts)
    trial = await SshProber(desk.cluster, ssh, desk.secrets().reveal).attempt(
        "operator", Served(host.address, port, sha256, authority, host.address, group)
    )
    if trial.outcome is not Outcome.MATCHES:
        raise NotHealed(f"{host.name} does not serve the new certificate on {port}: {trial.seen}")
    told(wave, f"served on {port}")
    return sha256
