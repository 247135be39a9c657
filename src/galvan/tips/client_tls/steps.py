"""What the tip asks of the house, and the two things that are its own: REQUIRE SSL, and the client's bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster import identity
from galvan.cluster.facts import ACCOUNTS, OWN_FILES, REQUIREMENTS, VARIABLES, Account
from galvan.cluster.health import may_return
from galvan.cluster.quote import sql
from galvan.cluster.settle import digest
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
    Snapshot,
    Sql,
    Stage,
    Step,
)
from galvan.pki import judge
from galvan.pki.bundle import option_file
from galvan.pki.places import on_application, on_server
from galvan.tips.client_tls.spared import concerned, lacks, users

TIP = "client_tls"
MATERIAL_CHECKS = {"client_tls.material-sound", "client_tls.certificate-lasting", "client_tls.names-covered"}
VERSIONS = {"TLSv1.2": "TLSv1.2,TLSv1.3", "TLSv1.3": "TLSv1.3"}
_ANY = {"SSL": "ANY", "X509": "X509"}


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    if not failing:
        return
    may_return(snapshot)
    judge.may_issue(snapshot, "client")
    for facts in snapshot.having(Role.DATABASE):
        yield from _widen(facts, failing, snapshot)
    if to < Rung.ENFORCED:
        return
    for facts in snapshot.having(Role.APPLICATION):
        yield from _hand_out(facts)
    yield from _accounts(snapshot)
    for facts in snapshot.having(Role.DATABASE) if not users(snapshot) else ():
        if facts[VARIABLES].get("require_secure_transport") != "ON":
            reason = "no login without TLS over the network"
            yield Setting(
                facts.host.name, "mysqld", "require_secure_transport", "ON", Stage.REFUSE, TIP, reason, live=True
            )


def _widen(facts: HostFacts, failing: Sequence[Finding], snapshot: Snapshot) -> Iterator[Need]:
    """TLS offered beside clear text. The SST mode is pinned first: a server certificate would flip rsync to TLS here alone."""
    host, place, policy = facts.host.name, on_server("client"), snapshot.cluster.policy
    foreign = str(facts[VARIABLES].get("ssl_cert") or "")
    if foreign and foreign != place.certificate:
        raise Blind(f"{host} already serves {foreign}, which is not Galvan's: it is left as it is, and so is this tip")
    if MATERIAL_CHECKS & {f.check for f in failing if f.host == host}:
        yield Certificate("client", host, *identity.server(facts, snapshot))
    yield from pin(facts, TIP)
    wanted = {
        "ssl_ca": (place.ca, "the authority that signs clients' certificates"),
        "ssl_cert": (place.certificate, "TLS is offered to clients"),
        "ssl_key": (place.key, "TLS is offered to clients"),
        "tls_version": (VERSIONS[policy.min_tls], "older versions are broken"),
        "ssl_cipher": (policy.ciphers, "forward secrecy and authenticated encryption only"),
    }
    for name, (value, reason) in wanted.items():
        yield Setting(host, "mysqld", name, value, Stage.FIRST_RESTART, TIP, reason)
    if policy.watch_clients and facts[VARIABLES].get("performance_schema") == "OFF":
        reason = "shows which sessions use TLS; may be taken out at your next restart"
        yield Setting(host, "mysqld", "performance_schema", "ON", Stage.FIRST_RESTART, TIP, reason)


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
