"""Who would be hurt when clear text is refused, and who is already seen going the new way."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import ACCOUNTS, VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Impact, Role, Snapshot
from galvan.tips.client_tls.checks import VERSIONS
from galvan.tips.client_tls.facts import CLIENTS, LOGINS
from galvan.tips.client_tls.spared import concerned, lacks, users

TIP = "client_tls"


def impact(now: Snapshot, since: Snapshot | None) -> Iterator[Impact]:
    """Clients with a clear session now, and logins in the window that no TLS handshake accounts for.

    Raises Unreadable where the server cannot say: an unseen client is not an absent one.
    """
    for facts in now.having(Role.DATABASE):
        yield from _old_versions(facts, now.cluster.policy.min_tls)
    spared = users(now)
    for facts in now.having(Role.DATABASE):
        named = {client.who for client in facts[CLIENTS] if client.user in spared}
        for who in sorted({client.who for client in facts[CLIENTS] if not client.tls} - named):
            count = sum(client.who == who and not client.tls for client in facts[CLIENTS])
            named.add(who)
            yield Impact(TIP, facts.host.name, who, "would be refused", f"{count} live sessions without TLS")
        yield from _replicas(facts, now)
        if since is not None:
            yield from _unseen(facts, since.of(facts.host.name), named, spared)


def _old_versions(facts: HostFacts, least: str) -> Iterator[Impact]:
    """A client that came with an old version to a server that also speaks a new one can do no better, and there is no
    fallback to clear text: it is shut out by the restart in which the old versions go, long before NARROW."""
    seen, stays = facts[VARIABLES], set(VERSIONS[least].split(","))
    offered = set(text(seen, "tls_version").split(","))
    if text(seen, "have_ssl") != "YES" or not stays & offered or offered <= stays:
        return
    if text(seen, "performance_schema") == "OFF":
        evidence = "it takes old versions, and with performance_schema=OFF (a restart to switch on) nobody can say who needs them"
        yield Impact(
            TIP, facts.host.name, "old-tls-clients", "would be refused from the first restart on", evidence, True
        )
        return
    old = {client.who: client.tls for client in facts[CLIENTS] if client.tls and client.tls not in stays}
    for who, version in sorted(old.items()):
        evidence = f"a live session with {version}, though the server offers better"
        yield Impact(TIP, facts.host.name, who, "would be refused from the first restart on", evidence, widen=True)


def _replicas(facts: HostFacts, now: Snapshot) -> Iterator[Impact]:
    """A replica that is away now comes back later, and then its account must not have changed under it."""
    seen = {client.user for facts in now.having(Role.DATABASE) for client in facts[CLIENTS] if client.tls}
    for account in facts[ACCOUNTS] if facts is now.having(Role.DATABASE)[0] else ():
        if account.replicates and concerned(account, now) and lacks(account, "SSL") and account.user not in seen:
            evidence = (
                "it has REPLICATION SLAVE, and no session of it was seen with TLS (CHANGE MASTER TO MASTER_SSL=1)"
            )
            yield Impact(TIP, facts.host.name, account.name, "its replicas would be refused", evidence)


def _unseen(now: HostFacts, since: HostFacts, named: set[str], spared: frozenset[str]) -> Iterator[Impact]:
    """Short logins fall between two looks; the server's counters do not miss them."""
    late, early = now[LOGINS], since[LOGINS]
    if late.uptime < early.uptime:
        return
    grown = {who: count - early.by_client.get(who, 0) for who, count in late.by_client.items()}
    grown = {who: count for who, count in grown.items() if who.rpartition("@")[0] not in spared}
    clear = sum(grown.values()) - (late.tls - early.tls)
    moved = {client.who for client in now[CLIENTS] if client.tls} | {c.who for c in since[CLIENTS] if c.tls}
    if clear <= 0:
        return
    for who in sorted(who for who, count in grown.items() if count and who not in named | moved):
        evidence = (
            f"{grown[who]} logins in the window, {clear} of all logins on {now.host.name} without a TLS handshake"
        )
        yield Impact(TIP, now.host.name, who, "may be refused", evidence)


def moved(now: Snapshot) -> Iterator[str]:
    for facts in now.having(Role.DATABASE):
        yield from {client.who for client in facts[CLIENTS] if client.tls}
