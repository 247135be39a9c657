"""What the tip asks of the house, and the two things that are its own: REQUIRE SSL, and the client's bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster import identity
from galvan.cluster.facts import ACCOUNTS, OWN_FILES, REQUIREMENTS, VARIABLES, Account
from galvan.cluster.health import may_return
from galvan.cluster.ownfile import digest
from galvan.cluster.quote import sql
from galvan.cluster.transfer import pin
from galvan.model import (
    Blind,
    Certificate,
    Finding,
    HostFacts,
    Need,
    PutFile,
    RestoreFile,
    Role,
    Rung,
    Scope,
    Setting,
    Shell,
    Snapshot,
    Sql,
    Stage,
    Step,
)
from galvan.pki import judge
from galvan.pki.bundle import option_file
from galvan.pki.places import on_application
from galvan.tips.client_tls.checks import VERSIONS, datadir
from galvan.tips.client_tls.doors import waiting
from galvan.tips.client_tls.spared import concerned, lacks, users

TIP = "client_tls"
MATERIAL_CHECKS = {"client_tls.material-sound", "client_tls.certificate-lasting", "client_tls.names-covered"}
_ANY = {"SSL": "ANY", "X509": "X509"}


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    if not failing:
        return
    may_return(snapshot)
    members = snapshot.having(Role.DATABASE)
    own = judge.owners(snapshot, "client", {facts.host.name: _unfit(facts, snapshot) for facts in members})
    if own and snapshot.cluster.policy.require == "X509":
        raise Blind(
            "REQUIRE X509 wants clients' certificates, which Galvan cannot sign for your authority (require: SSL)"
        )
    if not own:
        judge.may_issue(snapshot, "client")
    for facts in members:
        yield from _offered(facts, failing, snapshot) if own else _widen(facts, failing, snapshot)
    if to < Rung.ENFORCED or _waits(failing, snapshot):
        return
    for facts in snapshot.having(Role.APPLICATION):
        yield from _hand_out_trust(facts, judge.trust(members[0], snapshot, "client")) if own else _hand_out(facts)
    yield from _accounts(snapshot)
    for facts in snapshot.having(Role.DATABASE) if not users(snapshot) else ():
        if facts[VARIABLES].get("require_secure_transport") != "ON":
            reason = "no login without TLS over the network"
            yield Setting(
                facts.host.name, "mysqld", "require_secure_transport", "ON", Stage.REFUSE, TIP, reason, live=True
            )


def _waits(failing: Sequence[Finding], snapshot: Snapshot) -> bool:
    """Where a balancer ends clients' TLS and does not speak it on both sides yet, members first offer TLS and no more is done.
    Raises Blind where they do already."""
    if not (why := [*waiting(snapshot)]):
        return False
    if any(finding.rung is Rung.READY for finding in failing):
        return True
    raise Blind(
        f"{'; '.join(why)}: clients that insist on TLS, and REQUIRE SSL, would cut off whoever comes through there; "
        "galvan apply --tip load_balancer first, then plan again"
    )


def _unfit(facts: HostFacts, snapshot: Snapshot) -> tuple[str, ...]:
    """A server that begins to offer TLS under a wrong name is refused by clients that went well in clear text."""
    more = list(judge.distrusted(facts, snapshot, "client", whole_chain=True))
    names = judge.covers(facts, "client", (name for said in identity.server(facts, snapshot) for name in said))
    if names.seen.startswith("lacks ") and not _serves(facts):
        more.append(f"the certificate {names.seen}")
    return judge.unfit(facts, snapshot, "client", datadir(facts), more)


def _serves(facts: HostFacts) -> bool:
    return facts[VARIABLES].get("have_ssl") == "YES"


def _widen(facts: HostFacts, failing: Sequence[Finding], snapshot: Snapshot) -> Iterator[Need]:
    """TLS offered beside clear text. The SST mode is pinned first: a server certificate would flip rsync to TLS here alone."""
    host = facts.host.name
    if MATERIAL_CHECKS & {f.check for f in failing if f.host == host}:
        yield Certificate("client", host, *identity.server(facts, snapshot))
    yield from pin(facts, TIP)
    yield from _files(facts)
    yield from _rules(facts, snapshot, {"client_tls.versions", "client_tls.ciphers"})


def _offered(facts: HostFacts, failing: Sequence[Finding], snapshot: Snapshot) -> Iterator[Need]:
    """With certificates of the owner's only what is missing. The scripts of state transfers know these files already,
    so that nothing changes for them and nothing is pinned."""
    if not _serves(facts):
        yield from _files(facts)
    yield from _rules(facts, snapshot, {f.check for f in failing if f.host == facts.host.name})


def _files(facts: HostFacts) -> Iterator[Need]:
    at = judge.paths(facts, "client")
    yield _setting(facts, "ssl_ca", at["ca"], "the authority that signs clients' certificates")
    yield _setting(facts, "ssl_cert", at["cert"], "TLS is offered to clients")
    yield _setting(facts, "ssl_key", at["key"], "TLS is offered to clients")


def _rules(facts: HostFacts, snapshot: Snapshot, failing: set[str]) -> Iterator[Need]:
    policy = snapshot.cluster.policy
    if "client_tls.versions" in failing:
        yield _setting(facts, "tls_version", VERSIONS[policy.min_tls], "older versions are broken")
    if "client_tls.ciphers" in failing:
        yield _setting(facts, "ssl_cipher", policy.ciphers, "forward secrecy and authenticated encryption only")
    if policy.watch_clients and facts[VARIABLES].get("performance_schema") == "OFF":
        reason = "shows which sessions use TLS; may be taken out at your next restart"
        yield _setting(facts, "performance_schema", "ON", reason)


def _setting(facts: HostFacts, name: str, value: str, reason: str) -> Need:
    return Setting(facts.host.name, "mysqld", name, value, Stage.FIRST_RESTART, TIP, reason)


def _hand_out_trust(facts: HostFacts, authority: str) -> Iterator[Step]:
    """Of the owner's authority only the certificate: whom it lets sign is the owner's business."""
    place, host, seen = on_application(), facts.host.name, facts[OWN_FILES]
    files = {place.ca: authority, place.option_file: option_file(place, with_certificate=False)}
    want = {path: digest(content) for path, content in files.items()}
    if all(seen.get(path) == said for path, said in want.items()):
        return
    kept = Stage.HAND_OUT.at(host)
    empty = Shell(f"rmdir {' '.join(reversed(place.closed))} {place.closed[0].rpartition('/')[0]} 2>/dev/null || true")
    yield Step(
        id=f"{TIP}.bundle@{host}", tip=TIP, host=host, stage=Stage.HAND_OUT, read=OWN_FILES,
        before={path: seen.get(path) for path in files}, want=want,
        do=tuple(PutFile(path, content) for path, content in files.items()),
        undo=(*(RestoreFile(path, kept) for path in reversed(files)), empty),
        title=f"hand out {place.option_file} and your authority",
    )  # fmt: skip


def _hand_out(facts: HostFacts) -> Iterator[Step | Need]:
    """The application's bundle: its own key and certificate, the authority, and an option file that names them."""
    place, host = on_application(), facts.host
    text = option_file(place)
    if facts[OWN_FILES].get(place.option_file) == digest(text):
        return
    yield Certificate("client", host.name, (host.name,), (host.address,))
    yield Step(
        id=f"{TIP}.bundle@{host.name}", tip=TIP, host=host.name, stage=Stage.HAND_OUT, read=OWN_FILES,
        before={place.option_file: facts[OWN_FILES].get(place.option_file)}, want={place.option_file: digest(text)},
        do=(PutFile(place.option_file, text),), undo=(RestoreFile(place.option_file, Stage.HAND_OUT.at(host.name)),),
        title=f"hand out {place.option_file}",
    )  # fmt: skip


def _accounts(snapshot: Snapshot) -> Iterator[Step]:
    """Once for the cluster: the statement replicates. Undone by the requirement that was seen."""
    first, require = snapshot.having(Role.DATABASE)[0], snapshot.cluster.policy.require
    for account in first[ACCOUNTS]:
        if concerned(account, snapshot) and lacks(account, require):
            yield Step(
                id=f"{TIP}.require-{account.name}", tip=TIP, host=first.host.name, stage=Stage.ACCOUNTS, read=REQUIREMENTS,
                before={account.name: account.require}, want={account.name: _ANY[require]},
                do=(_require(account, require),), undo=(_require(account, "SSL" if account.require == "ANY" else "NONE"),),
                title=f"ALTER USER {account.name} REQUIRE {require}", scope=Scope.CLUSTER,
            )  # fmt: skip


def _require(account: Account, what: str) -> Sql:
    return sql("ALTER USER {{user}}@{{host}} REQUIRE " + what, user=account.user, host=account.host)
