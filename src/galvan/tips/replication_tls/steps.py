"""From clear text to strict TLS: in two rolling passes, back to back (clear ↔ dynamic ↔ strict, never clear ↔ strict), or,
where a provider has no way to speak both, in an outage that stops every member first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster import identity
from galvan.cluster.arbitrator import MEMBERS, SETUP, configured, shown
from galvan.cluster.facts import CONFIG, INSTALL, OWN_CONFIG, STATUS, VARIABLES
from galvan.cluster.health import expected_members, may_return, number, text
from galvan.cluster.transfer import pin
from galvan.model import (
    Blind,
    Certificate,
    Finding,
    HostFacts,
    Need,
    ProviderOption,
    Role,
    Rung,
    Setting,
    Snapshot,
    Stage,
    Step,
)
from galvan.pki import judge
from galvan.pki.places import on_server
from galvan.tips.replication_tls.checks import encrypts, lasts, misfits, strict

TIP = "replication_tls"
ADDRESS = "wsrep_cluster_address"
TIMER, QUICK = "evs.join_retrans_period", "PT0.1S"
MATERIAL_CHECKS = {
    "replication_tls.material-sound", "replication_tls.certificate-lasting", "replication_tls.names-covered",
}  # fmt: skip


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    if all(finding.rung is Rung.OPEN for finding in failing):  # what is only said asks for no change
        return
    outage = needs_outage(snapshot)
    may_return(snapshot)
    _may(snapshot, to, outage)
    databases = snapshot.having(Role.DATABASE)
    if not (own := judge.owners(snapshot, "cluster", {f.host.name: _unfit(f, snapshot) for f in databases})):
        judge.may_issue(snapshot, "cluster")
    elif snapshot.cluster.having(Role.ARBITRATOR):
        raise Blind("the members have certificates of your own: an arbitrator beside them is not carried over yet")
    for facts in snapshot.having(*MEMBERS):
        if not own and MATERIAL_CHECKS & {f.check for f in failing if f.host == facts.host.name}:
            yield Certificate("cluster", facts.host.name, *identity.member(facts))
        yield from _climb(facts, snapshot, outage)
    if snapshot.cluster.policy.quick_rejoin and not outage and not all(encrypts(facts) for facts in databases):
        for facts in databases:
            yield from _quick(facts)


def _climb(facts: HostFacts, snapshot: Snapshot, outage: str) -> Iterator[Need]:
    """What one member lacks. Server certificates of the owner's are known to the transfer scripts already: no pin then."""
    host, serves = facts.host.name, facts.host.role is Role.DATABASE
    if serves and not judge.brought(facts, "client"):
        yield from pin(facts, TIP)
    if outage:
        yield from _options(facts, Stage.STOP_CLEAR, outage, None)
        return
    if not encrypts(facts):
        reason = "TLS between members, both ways open for the minutes of a migration"
        yield from _options(facts, Stage.FIRST_RESTART, reason, "true")
    elif not lasts(facts):
        yield ProviderOption(host, "socket.ssl", "yes", Stage.STAGE_STRICT, TIP, "the next start speaks TLS too")
    if serves:  # garbd finds all members in its own list, or not at all
        yield from _dialled(facts, snapshot)
    if not strict(facts) or configured(facts).get("socket.dynamic"):
        reason = "strict: no clear text between members"
        yield ProviderOption(host, "socket.dynamic", None, Stage.STAGE_STRICT, TIP, reason)


def _dialled(facts: HostFacts, snapshot: Snapshot) -> Iterator[Need]:
    """For the two passes every member dials every other one itself, an arbitrator too, which its own list rarely names.

    Who is not in the list is only heard of from a third member, whose word for it is of another scheme (tcp:// or ssl://)
    in these minutes: then two members have no link but through the third and fall apart when it restarts, or two links
    under two addresses, and the one that joins is turned away as a second of the same name.

    A member leaves itself out: one that came back among strict ones took its own handshake for a stranger with its own
    UUID and gave up, on 11.8 each time, with five hosts of 10.11 twice of two.
    """
    host, reason = facts.host.name, "dials every other member itself; only for the two passes"
    wanted = identity.everyone(facts, snapshot, itself=False)
    differs = wanted != identity.dials(facts)
    if differs and not encrypts(facts):
        yield Setting(host, "mysqld", ADDRESS, wanted, Stage.FIRST_RESTART, TIP, reason)
    if differs or ("mysqld", ADDRESS) in facts[OWN_CONFIG]:
        yield Setting(host, "mysqld", ADDRESS, None, Stage.CALM, TIP, reason)


def _quick(facts: HostFacts) -> Iterator[Need]:
    """Shorter stalls for the two passes: the member that comes back waits for its own timer, so the file must hold it.

    Only this timer can be set back while the provider runs; the other that would help cannot, and is left alone.
    """
    host, seen = facts.host.name, str(facts[VARIABLES].get(f"provider.{TIMER}") or "")
    before = configured(facts).get(TIMER)
    if seen and seen != QUICK:
        reason = "a rejoin stalls all writers for a shorter time; only for the two passes"
        first = (
            Stage.STAGE_STRICT if encrypts(facts) else Stage.FIRST_RESTART
        )  # a member that is half-way restarts once
        yield ProviderOption(host, TIMER, QUICK, first, TIP, reason)
        yield ProviderOption(host, TIMER, before, Stage.CALM, TIP, reason, live=seen)


def _unfit(facts: HostFacts, snapshot: Snapshot) -> tuple[str, ...]:
    datadir = str(facts[VARIABLES].get("datadir") or "")
    return judge.unfit(facts, snapshot, "cluster", datadir, misfits(facts, snapshot))


def _options(facts: HostFacts, stage: Stage, reason: str, dynamic: str | None) -> Iterator[Need]:
    at = judge.paths(facts, "cluster")
    wanted = {
        "socket.ssl": "yes", "socket.ssl_key": at["key"], "socket.ssl_cert": at["cert"], "socket.ssl_ca": at["ca"],
        "socket.dynamic": dynamic,
    }  # fmt: skip
    for name, value in wanted.items():
        yield ProviderOption(facts.host.name, name, value, stage, TIP, reason)


def needs_outage(snapshot: Snapshot) -> str:
    """Why every member has to be stopped; empty where they can be carried over one by one. Raises Unreadable where it
    cannot be seen what a provider is capable of. Once a member encrypts the other way was gone, and is gone on."""
    members = snapshot.having(*MEMBERS)
    if any(encrypts(facts) for facts in members):
        return ""
    if snapshot.cluster.policy.route == "rebootstrap":
        return "the policy says route: rebootstrap"
    lacking = [facts.host.name for facts in members if not _dynamic(facts)]
    return f"the provider on {', '.join(lacking)} has no socket.dynamic (26.4.8 or later)" if lacking else ""


def _may(snapshot: Snapshot, to: Rung, outage: str) -> None:
    """Raises Blind where this way up is not safe, or not there."""
    if to < Rung.ENFORCED:
        raise Blind(
            "it does not stop half-way: socket.dynamic lets a stranger stall or copy the cluster (--to enforced)"
        )
    if outage:
        _may_end(snapshot, outage)
    for facts in () if outage else snapshot.having(*MEMBERS):
        if not _dynamic(facts) and not strict(facts):
            raise Blind(
                f"{facts.host.name} has no socket.dynamic and others encrypt already: finish that by hand, all members at once"
            )
    _arbitrators(snapshot)
    for facts in snapshot.having(Role.DATABASE):
        host = facts.host.name
        if rivals := sorted(name for name in facts[CONFIG] if name.startswith("wsrep_provider_socket_")):
            raise Blind(
                f"{host} sets {', '.join(rivals)} in its option files (variables of the wsrep_provider plug-in); beside "
                "wsrep_provider_options it is not certain which one counts: move them into that string first"
            )
        if (size := number(facts[STATUS], "wsrep_cluster_size")) != expected_members(snapshot):
            raise Blind(f"{host} counts {size} members where galvan.yaml names {expected_members(snapshot)}")


def _may_end(snapshot: Snapshot, why: str) -> None:
    """Raises Blind where an outage could not be ended."""
    if snapshot.cluster.having(Role.ARBITRATOR):
        raise Blind(f"{why}, so it takes an outage, and an arbitrator is not carried through one")
    for facts in snapshot.having(Role.DATABASE):
        if text(facts[INSTALL], "galera_new_cluster") != "yes":
            raise Blind(f"it takes an outage, and {facts.host.name} has no galera_new_cluster to end it with")


def _arbitrators(snapshot: Snapshot) -> None:
    """Raises Blind where one would only hear of a member from another one, or has a certificate that is not Galvan's."""
    for facts in snapshot.having(Role.ARBITRATOR):
        if (cert := shown(facts).get("provider.socket.ssl_cert")) and cert != on_server("cluster").certificate:
            raise Blind(f"{facts.host.name} already uses {cert}, which is not Galvan's: it is left as it is")
        if (whole := identity.everyone(facts, snapshot)) != identity.dials(facts):
            raise Blind(
                f"garbd on {facts.host.name} dials {identity.dials(facts)} and has to dial every member itself: make its "
                f"GALERA_NODES {whole.removeprefix('gcomm://')} and restart it"
            )


def _dynamic(facts: HostFacts) -> bool:
    """Does the provider know socket.dynamic? Asked of its binary: the running options do not tell."""
    arbitrates = facts.host.role is Role.ARBITRATOR
    return facts[SETUP].dynamic if arbitrates else text(facts[INSTALL], "dynamic") == "yes"
