"""What an audit can say of the group's channel by reading. IST travels over the same TLS; SST has a tip of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galvan.cluster import identity, provider
from galvan.cluster.arbitrator import configured, shown
from galvan.cluster.facts import BOOTSTRAP, CONFIG, STATUS, VARIABLES
from galvan.cluster.health import number, text, versions
from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, Unreadable, check, holds
from galvan.pki import judge

_VERSION = re.compile(r"(?:2[56]\.)?(\d+)\.(\d+)")
_SENDS_CHAIN = (4, 8)  # codership/galera#571
_VOTES = (Role.ARBITRATOR,)
"""A vote without data speaks on the group port like any other member."""


def encrypts(facts: HostFacts) -> bool:
    """garbd's option must be spelled out, or its log must show it: some versions ignore the certificate without it."""
    seen = shown(facts)
    aloud = facts.host.role is Role.ARBITRATOR and seen.get("listener") == "ssl"
    return provider.yes(str(seen.get("provider.socket.ssl") or "")) or aloud


def strict(facts: HostFacts) -> bool:
    return encrypts(facts) and shown(facts).get("listener") == "ssl"


def lasts(facts: HostFacts) -> bool:
    """The next start speaks TLS too."""
    options = configured(facts)
    implied = "no" if facts.host.role is Role.ARBITRATOR else "yes"  # some versions of garbd want it spelled out
    return bool(options.get("socket.ssl_cert")) and provider.yes(options.get("socket.ssl", implied))


def _stray(facts: HostFacts) -> Judgement | None:
    seen = shown(facts)
    return judge.stray(
        facts, "cluster", str(seen.get("provider.socket.ssl_cert") or ""), str(seen.get("datadir") or "")
    )


def misfits(facts: HostFacts, snapshot: Snapshot) -> Iterator[str]:
    """Members that would not let this one in. What a provider sends of a chain depends on its version."""
    found = judge.material(facts, "cluster")
    chained = found is not None and found.certificate.count("-----BEGIN ") > 1
    yield from judge.distrusted(facts, snapshot, "cluster", whole_chain=not chained or _sends_chain(facts))


def _sends_chain(facts: HostFacts) -> bool:
    said = text(facts[STATUS], "wsrep_provider_version")
    if not (match := _VERSION.match(said)):
        raise Unreadable(f"the provider calls its version {said!r}, so nobody can say whether it sends a chain")
    return (int(match[1]), int(match[2])) >= _SENDS_CHAIN


@check(
    "replication_tls.encrypted",
    Severity.CRITICAL,
    "Replication travels in clear text",
    rung=Rung.READY,
    control="GA-01",
    also=_VOTES,
)
def encrypted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Every committed row crosses port 4567. Without TLS anyone on the path reads it, and anyone who reaches the port
    can join, take a full copy or put rows in."""
    said = shown(facts).get("provider.socket.ssl")
    seen = f"socket.ssl={said if said is not None else '(not set)'}"
    if facts.host.role is Role.ARBITRATOR:
        seen += f", {shown(facts)['witness']} says {shown(facts)['provider.gmcast.listen_addr']}"
    return holds(encrypts(facts), seen, "socket.ssl=YES")


@check(
    "replication_tls.strict",
    Severity.CRITICAL,
    "The group port takes clear text",
    rung=Rung.ENFORCED,
    control="GA-02",
    also=_VOTES,
)
def strictly(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """socket.dynamic is for a migration of minutes: one silent connection stalls all writers, and a stranger still
    gets a full copy. What counts is the listener of the running provider, and what the next start will read."""
    later = provider.yes(configured(facts).get("socket.dynamic"))
    seen = f"the provider listens at {shown(facts).get('provider.gmcast.listen_addr')}"
    seen += "; socket.dynamic is set in the option files" if later else ""
    return holds(strict(facts) and not later, seen, "ssl://, and socket.dynamic nowhere")


@check(
    "replication_tls.lasting-setting",
    Severity.HIGH,
    "The next restart would go back to clear text",
    rung=Rung.ENFORCED,
    control="CF-24",
    also=_VOTES,
)
def lasting_setting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """wsrep_provider_options is one string and the last one wins: a later edit in another file takes TLS away silently."""
    if shown(facts).get("pxc_encrypt_cluster_traffic") == "ON":  # the default of PXC since 8.0, read at start only
        later = str(facts[CONFIG].get("pxc_encrypt_cluster_traffic", "ON"))
        seen = f"pxc_encrypt_cluster_traffic={later} sets the socket options at the next start"
        return holds(later.upper() in ("ON", "1", "TRUE"), seen, "pxc_encrypt_cluster_traffic=ON")
    options = configured(facts)
    lines = (
        "; ".join(f"{key}={value}" for key, value in options.items() if key.startswith("socket.")) or "no socket option"
    )
    return holds(
        lasts(facts),
        f"the option files say {lines}",
        "socket.ssl, its key, certificate and authority in the option files",
    )


@check(
    "replication_tls.dedicated-authority",
    Severity.HIGH,
    "The group trusts too many",
    rung=Rung.READY,
    control="GA-03",
    also=_VOTES,
)
def dedicated_authority(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Galera checks no names: whoever holds any certificate of this authority is a member and can take a full copy. So
    it must sign members only; where applications have certificates of the same authority, each of them is one."""
    seen, client = shown(facts).get("provider.socket.ssl_ca"), shown(facts).get("ssl_ca")
    shared = judge.too_many(facts) if seen else ""
    said = f"socket.ssl_ca={seen or '(not set)'}" + (f": {shared}" if shared else "")
    return holds(bool(seen) and seen != client and not shared, said, "an authority for members only")


@check(
    "replication_tls.material-sound",
    Severity.HIGH,
    "Key, certificate and trust do not fit",
    rung=Rung.READY,
    control="GA-04",
    also=_VOTES,
)
def material_sound(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A member is server and client at once. A certificate that is good for one only replicates well until the next
    transfer, and then the host cannot come back."""
    return _stray(facts) or judge.sound(
        facts, "cluster", str(shown(facts).get("datadir") or ""), misfits(facts, snapshot)
    )


@check(
    "replication_tls.certificate-lasting",
    Severity.HIGH,
    "The member's certificate does not last, or is weak",
    rung=Rung.READY,
    control="GA-07",
    also=_VOTES,
)
def certificate_lasting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Links that stand live on past the end of a certificate; the next link loss or restart cannot join."""
    return _stray(facts) or judge.lasting(facts, snapshot, "cluster")


@check(
    "replication_tls.names-covered",
    Severity.LOW,
    "The member's certificate lacks its own names",
    rung=Rung.READY,
    control="GA-04",
    also=_VOTES,
)
def names_covered(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Galera itself checks no name, but transfers that verify the identity do."""
    names, addresses = identity.member(facts)
    return _stray(facts) or judge.covers(facts, "cluster", (*names, *addresses))


@check(
    "replication_tls.key-of-its-own",
    Severity.MEDIUM,
    "Members share one key",
    rung=Rung.READY,
    control="GA-05",
    also=_VOTES,
)
def key_of_its_own(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who takes one host takes them all, and none can be replaced alone."""
    return _stray(facts) or judge.alone(facts, snapshot, "cluster")


@check(
    "replication_tls.cipher",
    Severity.MEDIUM,
    "The provider's cipher list is weak",
    rung=Rung.READY,
    control="GA-06",
    also=_VOTES,
)
def cipher(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """An old list pins AES128-SHA or worse; the default of a current provider is good."""
    seen = str(shown(facts).get("provider.socket.ssl_cipher") or "")
    weak = [name for name in seen.split(":") if name and name not in snapshot.cluster.policy.ciphers.split(":")]
    return holds(not weak, f"socket.ssl_cipher={seen or '(the default)'}", "the default, or only ECDHE with AEAD")


@check("replication_tls.no-split-brain", Severity.HIGH, "A minority may go on alone", rung=Rung.OPEN, control="GA-28")
def no_split_brain(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """pc.ignore_sb, pc.ignore_quorum and a bootstrap that was left behind each make two clusters out of one."""
    seen = facts[VARIABLES]
    bad = [key for key in ("pc.ignore_sb", "pc.ignore_quorum") if provider.yes(str(seen.get(f"provider.{key}") or ""))]
    if text(seen, "wsrep_cluster_address").strip() in ("gcomm://", ""):
        bad.append("wsrep_cluster_address names no member")
    if number(facts[BOOTSTRAP], "bootstrap"):
        bad.append("/run/mariadb-wsrep-new-cluster (or its older name) is left: the next start would bootstrap")
    return holds(
        not bad, ", ".join(bad) or "none of these", "none of pc.ignore_sb, pc.ignore_quorum, bootstrap leftovers"
    )


@check("replication_tls.one-version", Severity.INFO, "Members run different versions", rung=Rung.OPEN, control="CF-03")
def one_version(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """In mid-upgrade an older member may have no way back: from a newer donor mariabackup's scripts do not even bring it
    what it missed, and MariaDB does not support an older server on a newer one's data. Finish the upgrade soon."""
    seen = versions(snapshot)
    others = {name: version for name, version in seen.items() if version != seen[facts.host.name]}
    named = "".join(f", {name} {version}" for name, version in others.items())
    return holds(not others, f"{seen[facts.host.name]} here{named}", "one version")


CHECKS = (
    encrypted, strictly, lasting_setting, dedicated_authority, material_sound, certificate_lasting, names_covered,
    key_of_its_own, cipher, no_split_brain, one_version,
)  # fmt: skip
