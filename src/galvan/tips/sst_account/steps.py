"""The account is given what it lacks, then transfers turn to it, then it loses what it does not need, and last the former one is
locked. At each height the next transfer works."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from galvan.cluster.grants import GRANTS, Account, Secret
from galvan.cluster.optionfile import quoted
from galvan.cluster.precedence import READING
from galvan.cluster.quote import literal
from galvan.cluster.settle import outdone, path_of
from galvan.cluster.transfer import method
from galvan.model import (
    BadInput,
    Blind,
    Finding,
    HostFacts,
    PutFile,
    RestoreFile,
    Role,
    Rung,
    Scope,
    SecretRef,
    Snapshot,
    Sql,
    Stage,
    State,
    Step,
    Unsafe,
    Value,
)
from galvan.tips.sst_account import former, scripts, secret
from galvan.tips.sst_account.checks import wants_password
from galvan.tips.sst_account.facts import AUTH, NAMED, OWN, Behind
from galvan.tips.sst_account.served import COUNTED, LOCKS, PROXIES, RIGHTS, Proxy
from galvan.tips.sst_account.statements import granting, narrowing, restoring, revoking, together
from galvan.tips.sst_account.table import Kind, Row, account_of, lacking, row_of
from galvan.tips.sst_account.words import Right, rights_of, spelled

TIP = "sst_account"
_OF_KIND = (Kind.ALL, Kind.NAMED, Kind.DUMMY, Kind.NONE)


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    if all(finding.rung is Rung.OPEN for finding in failing):  # what is only said asks for no change
        return
    members = snapshot.having(Role.DATABASE)
    row = _row(snapshot)
    for facts in members:
        _may(facts, row, snapshot)
    by_password = row.kind is Kind.NAMED and any(wants_password(facts, snapshot) for facts in members)
    user = members[0][AUTH].server if row.kind in (Kind.NAMED, Kind.DUMMY) else ""
    user = secret.USER if by_password else user
    account = account_of(members[0], user) if user else None
    if by_password:
        yield from _with_password(snapshot, account, row)
    else:
        yield from _prepared(members[0], user, account, row) if row.kind is Kind.NAMED else ()
        for facts in members:
            yield from _turned(facts, user)
    if to < Rung.ENFORCED:
        return
    if row.kind is Kind.NAMED and account is not None:
        yield from _narrowed(members[0], account, row)
        for facts in members:
            yield from _without_proxies(facts, account)
    if former.evidence(snapshot):
        yield from (_locked(members[0].host.name, old) for old in former.lockable(snapshot))


def _row(snapshot: Snapshot) -> Row:
    """What has to be there for the method in use and for the one that the policy names: a run of another tip may change from one
    to the other, and the account is there on both sides. Raises Blind where nothing can be narrowed."""
    wanted = snapshot.cluster.policy.sst.method
    rows = {
        row_of(facts, how)
        for facts in snapshot.having(Role.DATABASE)
        for how in {method(facts), wanted or method(facts)}
    }
    row = min(rows, key=lambda found: _OF_KIND.index(found.kind))
    if row.kind is Kind.ALL:
        raise Blind(
            "a transfer by mysqldump needs an administrator, which cannot be narrowed: change wsrep_sst_method (policy sst.method)"
        )
    return row


def _may(facts: HostFacts, row: Row, snapshot: Snapshot) -> None:
    """Raises Blind where the file would not be heeded, or the socket would not let the account in."""
    host, seen = facts.host.name, facts[AUTH]
    if "wsrep_sst_auth" in facts[READING].arguments:
        raise Blind(
            f"wsrep_sst_auth stands on the command line of the server of {host}, where everybody reads it: take it out there"
        )
    known = [place.path for place in seen.places]
    if later := [said for said in outdone(facts, ["wsrep_sst_auth"]) if not any(said.endswith(path) for path in known)]:
        raise Blind(f"on {host} the server reads {', '.join(later)} after Galvan's file: take it out")
    if seen.behind is not Behind.UNSET and not seen.places:
        raise Blind(
            f"{host} names an account in a file that Galvan does not find: move wsrep_sst_auth to a usual option file"
        )
    by_socket = row.kind is Kind.NAMED and not wants_password(facts, snapshot)
    account = account_of(facts, seen.server) if by_socket else None
    if account is not None and (account.locked or not any(way.secret is Secret.NONE for way in account.ways)):
        why = "is locked" if account.locked else "is not let in by the socket"
        raise Blind(
            f"{account.name} {why}, and transfers are to log in with it: ALTER USER {account.name} IDENTIFIED VIA unix_socket ACCOUNT UNLOCK"
        )


def _prepared(first: HostFacts, user: str, account: Account | None, row: Row) -> Iterator[Step]:
    """Nobody uses it yet, so it may get what it lacks."""
    name = account.name if account else f"{literal(user)}@'localhost'"
    less = lacking(first, account, row) if account else row.grants
    if not less:
        return
    before = spelled(rights_of(first[GRANTS], account)) if account else None
    want = spelled(less | (rights_of(first[GRANTS], account) if account else frozenset()))
    made = [] if account else [f"CREATE USER IF NOT EXISTS {name} IDENTIFIED VIA unix_socket"]
    back = [*revoking(name, less)] if account else [f"DROP USER IF EXISTS {name}"]
    yield Step(
        id=f"{TIP}.prepare", tip=TIP, host=first.host.name, stage=Stage.ASKER, read=RIGHTS, before={name: before}, want={name: want},
        do=(together([*made, *granting(name, less)]),), undo=(together(back),), scope=Scope.CLUSTER,
        title=f"{'' if account else f'create {name}, and '}grant {spelled(less)} to {name}",
    )  # fmt: skip


def _with_password(snapshot: Snapshot, account: Account | None, row: Row) -> Iterator[Step]:
    """A password is made once, and only where no member has one yet: to change it is another command's work."""
    members = snapshot.having(Role.DATABASE)
    if account is not None:
        if all(facts[AUTH].user == account.user and not facts[AUTH].foreign for facts in members):
            return
        raise Blind(
            f"{account.name} is there, and not every member names it: galvan resume (or rollback) the run that made it, or drop it"
        )
    first, stamp = members[0].host.name, time.strftime("%Y%m%d-%H%M%S", time.gmtime(snapshot.taken_at))
    yield secret.made(first, [*granting(secret.ACCOUNT, row.grants)])
    yield from turned(snapshot, stamp)
    yield secret.cleared(first)


def turned(snapshot: Snapshot, stamp: str) -> Iterator[Step]:
    """Every member names the account with the password that lies ready on the first."""
    members = snapshot.having(Role.DATABASE)
    for facts in members:
        yield secret.turned(
            facts,
            members[0].host.name,
            _path(facts),
            facts[AUTH].group,
            stamp,
            _now(facts) | {"made": facts[AUTH].stamp},
        )


def rotated(snapshot: Snapshot, stamp: str, given: SecretRef | None) -> Iterator[Step]:
    """A new password in the place of the present one. Raises BadInput where there is none of Galvan's, Unsafe where a change is under way."""
    members = snapshot.having(Role.DATABASE)
    if all(facts[AUTH].behind in (Behind.NOTHING, Behind.UNSET) for facts in members):
        raise BadInput("there is no password to change: transfers log in without one")
    if strange := [facts.host.name for facts in members if facts[AUTH].user != secret.USER or facts[AUTH].foreign]:
        raise BadInput(
            f"the password on {', '.join(strange)} is not Galvan's: galvan apply --tip sst_account makes an account of its own"
        )
    if any(facts[AUTH].half for facts in members):
        raise Unsafe("a change of the password was begun and is not done: galvan resume")
    first = members[0]
    return secret.rotation(first.host.name, turned(snapshot, stamp), stamp, first[AUTH].begun, given)


def _turned(facts: HostFacts, user: str) -> Iterator[Step]:
    """The file, the owner's lines and the running server, in one step: read live, so nothing restarts."""
    host, seen = facts.host.name, facts[AUTH]
    path = _path(facts)
    own = next((place for place in seen.places if place.own), None)
    want: State = {"named": f"{user}:" if user else "", "foreign": 0, "own": f"640 root:{seen.group}" if user else None}
    before = _now(facts)
    if before == want:
        return
    written = PutFile(path, _content(user), 0o640, f"root:{seen.group}")
    yield Step(
        id=f"{TIP}.turn@{host}", tip=TIP, host=host, stage=Stage.SST_ACCOUNT, read=NAMED, before=before, want=want,
        do=((written,) if user or own else ()) + (scripts.take_out(), scripts.tell()),
        undo=(scripts.put_back(), *((RestoreFile(path, Stage.SST_ACCOUNT.at(host)),) if user or own else ()), scripts.tell()),
        title=f"transfers log in as {user}, without a password" if user else "no account is named for transfers",
    )  # fmt: skip


def _path(facts: HostFacts) -> str:
    return f"{path_of(facts).rpartition('/')[0]}/{OWN}"


def _now(facts: HostFacts) -> dict[str, Value]:
    seen = facts[AUTH]
    own = next((place for place in seen.places if place.own), None)
    return {
        "named": "" if seen.behind is Behind.UNSET else f"{seen.user}:{'' if seen.behind is Behind.NOTHING else seen.behind}",
        "foreign": len(seen.foreign), "own": f"{own.mode} {own.owner}" if own else None,
    }  # fmt: skip


def _content(user: str) -> str:
    if not user:
        return f"{secret.HEADER}# {TIP}: the method logs in nowhere\n"
    return f"{secret.HEADER}\n[mysqld]\n# {TIP}: by the socket, which knows the server's own user: no password\nwsrep_sst_auth = {quoted(user + ':')}\n"


def _narrowed(first: HostFacts, account: Account, row: Row) -> Iterator[Step]:
    have: frozenset[Right] = rights_of(first[GRANTS], account)
    if have == row.grants:
        return
    yield Step(
        id=f"{TIP}.narrow", tip=TIP, host=first.host.name, stage=Stage.ACCOUNTS, read=RIGHTS,
        before={account.name: spelled(have | row.grants)}, want={account.name: spelled(row.grants)},
        do=(together(narrowing(account, row.grants)),), undo=(together(restoring(account)),), scope=Scope.CLUSTER,
        title=f"{account.name} keeps {spelled(row.grants)}, and nothing else",
    )  # fmt: skip


def _without_proxies(facts: HostFacts, account: Account) -> Iterator[Step]:
    """On each host by itself: these rows are replicated nowhere. What an installation wrote there no REVOKE finds."""
    mine = [proxy for proxy in facts[PROXIES] if (proxy.user, proxy.host) == (account.user, account.host)]
    if not mine:
        return
    who = f"User = {literal(account.user)} AND Host = {literal(account.host)}"
    flush = "FLUSH LOCAL PRIVILEGES"
    yield Step(
        id=f"{TIP}.proxies@{facts.host.name}", tip=TIP, host=facts.host.name, stage=Stage.ACCOUNTS, read=COUNTED,
        before={account.name: len(mine)}, want={account.name: None},
        do=(together([f"DELETE FROM mysql.proxies_priv WHERE {who}", flush]),),  # noqa: S608 - quoted
        undo=(together([*map(_row_of, mine), flush]),), title=f"{account.name} may act as nobody else",
    )  # fmt: skip


def _row_of(proxy: Proxy) -> str:
    values = ", ".join(
        map(
            literal,
            (proxy.user, proxy.host, proxy.proxied_user, proxy.proxied_host, proxy.grant, proxy.grantor, proxy.at),
        )
    )
    columns = "User, Host, Proxied_user, Proxied_host, With_grant, Grantor, Timestamp"
    return f"REPLACE INTO mysql.proxies_priv ({columns}) VALUES ({values})"  # noqa: S608 - quoted


def _locked(host: str, account: Account) -> Step:
    return Step(
        id=f"{TIP}.lock-{account.name}", tip=TIP, host=host, stage=Stage.OLD_ACCOUNT, read=LOCKS,
        before={account.name: "open"}, want={account.name: "locked"}, do=(Sql(f"ALTER USER {account.name} ACCOUNT LOCK"),),
        undo=(Sql(f"ALTER USER {account.name} ACCOUNT UNLOCK"),), scope=Scope.CLUSTER,
        title=f"ALTER USER {account.name} ACCOUNT LOCK",
    )  # fmt: skip
