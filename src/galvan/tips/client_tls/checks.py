"""What an audit can say of client-server TLS by reading. What only a trial can say stands in `proofs`."""

from __future__ import annotations

from galvan.cluster import identity
from galvan.cluster.facts import ACCOUNTS, VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, Verdict, check, holds, not_here
from galvan.pki import judge
from galvan.tips.client_tls.facts import CLIENTS
from galvan.tips.client_tls.spared import concerned, lacks, users

PLAN = "galvan plan --tip client_tls says what would change, and galvan apply changes it while the cluster serves"
VERSIONS = {"TLSv1.2": "TLSv1.2,TLSv1.3", "TLSv1.3": "TLSv1.3"}


def datadir(facts: HostFacts) -> str:
    return text(facts[VARIABLES], "datadir")


def _stray(facts: HostFacts) -> Judgement | None:
    return judge.stray(facts, "client", text(facts[VARIABLES], "ssl_cert"), datadir(facts))


@check(
    "client_tls.offered",
    Severity.CRITICAL,
    "The server offers no TLS",
    rung=Rung.READY,
    control="TL-01",
    references=("CIS MariaDB 10.6 8.1",),
    remedy=PLAN,
)
def offered(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Passwords are scrambled on the wire, but every query and every row travels in clear text for anyone on the path."""
    seen = text(facts[VARIABLES], "have_ssl")
    return holds(seen == "YES", f"have_ssl={seen}", "have_ssl=YES")


@check(
    "client_tls.certificate-ephemeral",
    Severity.HIGH,
    "The server makes its own certificate at each start",
    rung=Rung.READY,
    control="TL-11",
    references=("CIS MariaDB 10.6 2.5",),
)
def certificate_ephemeral(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """MariaDB since 11.4 offers TLS by itself, with a certificate that no authority signed and that is new after each
    start or FLUSH SSL. Its own newer clients verify it by the account's password; every other driver has nothing to
    verify it by, so whoever stands on the path can show one of his own."""
    if (offers := text(facts[VARIABLES], "have_ssl")) != "YES":
        return not_here(f"have_ssl={offers}")
    seen = text(facts[VARIABLES], "ssl_cert")
    return holds(bool(seen), f"ssl_cert={seen or '(empty)'}", "a certificate of an authority that clients know")


@check(
    "client_tls.required",
    Severity.HIGH,
    "Clients may log in without TLS",
    rung=Rung.ENFORCED,
    control="TL-02",
    references=("CIS MariaDB 10.6 8.1", "STIG MADB-10-004900"),
    remedy=PLAN,
)
def required(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Offering TLS protects those who ask for it. An attacker on the path simply does not ask, and neither does an old driver."""
    seen = text(facts[VARIABLES], "require_secure_transport")
    if spared := users(snapshot):
        return not_here(f"left {seen} for {', '.join(sorted(spared))}: every other account carries the rule itself")
    return holds(seen == "ON", f"require_secure_transport={seen}", "require_secure_transport=ON")


@check(
    "client_tls.accounts-require",
    Severity.HIGH,
    "Accounts may be used without TLS",
    rung=Rung.ENFORCED,
    control="TL-03",
    references=("CIS MariaDB 10.6 8.2",),
    remedy=PLAN,
)
def accounts_require(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The rule on the account survives a server that was started without require_secure_transport."""
    require = snapshot.cluster.policy.require
    bare = [a.name for a in facts[ACCOUNTS] if concerned(a, snapshot) and lacks(a, require)]
    seen = f"without it: {', '.join(bare)}" if bare else "every account that can come over the network has it"
    return holds(not bare, seen, f"REQUIRE {require} on every account that can come over the network")


@check(
    "client_tls.versions",
    Severity.HIGH,
    "Obsolete TLS versions are accepted",
    rung=Rung.READY,
    control="TL-05",
    references=("CIS MariaDB 10.6 2.10",),
    remedy=PLAN,
)
def versions(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """TLS 1.0 and 1.1 rest on MD5 and SHA-1 and have been withdrawn (RFC 8996)."""
    seen, want = text(facts[VARIABLES], "tls_version"), VERSIONS[snapshot.cluster.policy.min_tls]
    old = set(filter(None, seen.split(","))) - set(want.split(","))
    return holds(bool(seen) and not old, f"tls_version={seen}", f"tls_version={want}")


@check(
    "client_tls.ciphers",
    Severity.MEDIUM,
    "Weak TLS ciphers are accepted",
    rung=Rung.READY,
    control="TL-06",
    references=("CIS MariaDB 10.6 2.12",),
    remedy=PLAN,
)
def ciphers(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Without forward secrecy a key that leaks next year opens what was recorded today; SECLEVEL=0 lets anything in."""
    seen = text(facts[VARIABLES], "ssl_cipher")
    allowed = set(snapshot.cluster.policy.ciphers.split(":"))
    weak = [cipher for cipher in seen.split(":") if cipher not in allowed]
    return holds(bool(seen) and not weak, f"ssl_cipher={seen or '(the default list)'}", "only ECDHE with AEAD")


@check(
    "client_tls.material-sound",
    Severity.HIGH,
    "Key, certificate and trust do not fit",
    rung=Rung.READY,
    control="TL-08",
    references=("STIG MADB-10-004000",),
)
def material_sound(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The server starts with files that no client can verify, and it shows only when somebody does verify."""
    return _stray(facts) or judge.sound(
        facts, "client", datadir(facts), judge.distrusted(facts, snapshot, "client", whole_chain=True)
    )


@check(
    "client_tls.certificate-lasting",
    Severity.HIGH,
    "The server's certificate does not last, or is weak",
    rung=Rung.READY,
    control="TL-07",
)
def certificate_lasting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """An expired leaf cuts off every client that verifies, at once and everywhere."""
    return _stray(facts) or judge.lasting(facts, snapshot, "client")


@check(
    "client_tls.names-covered",
    Severity.MEDIUM,
    "The server's certificate lacks names that clients use",
    rung=Rung.READY,
    control="TL-09",
)
def names_covered(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A client that checks the name (and MariaDB's own does since 11.4) refuses a server under any other."""
    names, addresses = identity.server(facts, snapshot)
    return _stray(facts) or judge.covers(facts, "client", (*names, *addresses))


@check(
    "client_tls.key-of-its-own",
    Severity.MEDIUM,
    "Hosts share one key",
    rung=Rung.READY,
    control="TL-11",
    references=("CIS MariaDB 10.6 2.5",),
)
def key_of_its_own(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who takes one host takes them all, and none can be replaced alone."""
    return _stray(facts) or judge.alone(facts, snapshot, "client")


@check(
    "client_tls.sessions-encrypted", Severity.HIGH, "Sessions without TLS are open", rung=Rung.ENFORCED, control="TL-13"
)
def sessions_encrypted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A rule concerns new logins only; a session that came before it goes on in clear text for as long as it lives."""
    if text(facts[VARIABLES], "performance_schema") == "OFF":
        if text(facts[VARIABLES], "have_ssl") != "YES":
            return holds(
                False, "no TLS is offered, so every session over the network is in clear text", "none in clear text"
            )
        seen = "performance_schema=OFF: nobody can say which sessions use TLS"
        if text(facts[VARIABLES], "require_secure_transport") != "ON":  # what lets clear text in and hides it is open
            return holds(False, f"{seen}, and clear text is let in", "performance_schema=ON, and none in clear text")
        return Judgement(Verdict.UNKNOWN, seen, "performance_schema=ON")
    spared = users(snapshot)
    clear = sorted({client.who for client in facts[CLIENTS] if not client.tls and client.user not in spared})
    return holds(not clear, f"without TLS: {', '.join(clear)}" if clear else "none", "no session in clear text")


CHECKS = (
    offered, certificate_ephemeral, required, accounts_require, versions, ciphers, material_sound, certificate_lasting, names_covered,
    key_of_its_own, sessions_encrypted,
)  # fmt: skip
