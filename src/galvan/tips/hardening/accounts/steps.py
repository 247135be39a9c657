"""Accounts are locked or narrowed, once for the cluster: the statements replicate. None is dropped, none renamed.

Before the first of them the accounts lie on the host as statements that a person can run, root-only: the passwords' hashes
stay there. Each undo gives back exactly what was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.grants import GRANT_OPTION, GRANTS, Account, Grant, Level
from galvan.cluster.quote import literal, sh
from galvan.model import Finding, HostFacts, Need, Role, Rung, Scope, Shell, Snapshot, Sql, Stage, State, Step
from galvan.tips.hardening.accounts.definers import defined
from galvan.tips.hardening.accounts.entry import empty, nameless, remote_roots
from galvan.tips.hardening.accounts.facts import KEPT, SAVED, STANDING, USED, WATCHING, held_at, holdings
from galvan.tips.hardening.accounts.purpose import ADMINISTERS, NEEDS, Purpose, Purposes
from galvan.tips.hardening.accounts.unused import idle, servers, told

TIP = "hardening"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Privileges that are taken from an account at one place."""

    account: Account
    grant: Grant
    privileges: frozenset[str]


def to_lock(facts: HostFacts, snapshot: Snapshot) -> tuple[tuple[Account, str], ...]:
    """Which accounts, and why. None that the server, its operator, Galvan, a transfer, a balancer or a replica enters with."""
    asked = [(a, "has no name") for a in nameless(facts)]
    asked += [(a, "has no password") for a in empty(facts, snapshot)]
    asked += [(a, "is root from another host") for a in remote_roots(facts)]
    if not told(snapshot):
        days = snapshot.cluster.policy.hardening.unused_days
        asked += [(a, f"was not used for {days} days") for a in idle(facts, snapshot)]
    found: dict[str, tuple[Account, str]] = {}
    known = Purposes(facts, snapshot)
    for account, why in asked:
        if not known.spare(account) and _plain(account.user, account.host):
            found.setdefault(account.name, (account, why))
    return tuple(found.values())


def to_narrow(facts: HostFacts, snapshot: Snapshot) -> Iterator[Narrowing]:
    """Only where the policy or the server says what an account is for, and nothing runs under its rights. Rights on data
    are nobody's to take away unasked: what reads them cannot be seen."""
    locked = {account.name for account, _ in to_lock(facts, snapshot)}
    definers = {one.definer for one in defined(facts) if one.as_definer}
    purposes = Purposes(facts, snapshot)
    for account in facts[GRANTS].people:
        mine = purposes.of(account)
        known = mine & NEEDS.keys()
        if not known or mine & {Purpose.ADMINISTRATOR, Purpose.TRANSFER, Purpose.GALVAN} or account.name in locked:
            continue
        if f"{account.user}@{account.host}" in definers:
            continue
        needed = frozenset[str]().union(*(NEEDS[purpose] for purpose in known))
        for grant in account.grants:
            bad = (
                grant.privileges & ADMINISTERS if grant.level is Level.GLOBAL else grant.privileges & {GRANT_OPTION}
            ) - needed
            if bad and grant.level is not Level.COLUMN and _plain(account.user, account.host, grant.schema, grant.name):
                yield Narrowing(account, grant, bad)


def _plain(*names: str) -> bool:
    """A name with a control character in it is left to a person."""
    return all(name.isprintable() for name in names)


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    if not failing:
        return
    first = snapshot.having(Role.DATABASE)[0]
    locks, cuts = to_lock(first, snapshot), tuple(to_narrow(first, snapshot))
    if to < Rung.ENFORCED or not (locks or cuts):
        return
    if locks and snapshot.cluster.policy.watch_clients:
        yield from _watched(snapshot)
    changes = [_lock(first, account, why) for account, why in locks] + [_narrow(first, cut) for cut in cuts]
    yield _save(first, [a for a, _ in locks] + [cut.account for cut in cuts], changes)
    yield from changes


def _watched(snapshot: Snapshot) -> Iterator[Step]:
    """A lock waits until nobody comes in; logins between two looks are counted by the server, where one of its counters runs. After
    the restarts, which would switch it off again."""
    for facts in servers(snapshot):
        if not facts[USED].counts and facts.host.role is Role.DATABASE:
            yield Step(
                id=f"{TIP}.count-logins@{facts.host.name}", tip=TIP, host=facts.host.name, stage=Stage.HAND_OUT, read=WATCHING,
                before={"userstat": "OFF"}, want={"userstat": "ON"}, do=(Sql("SET GLOBAL userstat = ON"),),
                undo=(Sql("SET GLOBAL userstat = OFF"),), title="count logins until the next restart (userstat)",
            )  # fmt: skip


def _name(account: Account) -> str:
    return f"{literal(account.user)}@{literal(account.host)}"


def _step(facts: HostFacts, called: str, before: State, want: State, do: str, undo: str, title: str) -> Step:
    return Step(
        id=f"{TIP}.{called}", tip=TIP, host=facts.host.name, stage=Stage.ACCOUNTS, read=STANDING, before=before, want=want,
        do=(Sql(do),), undo=(Sql(undo),), title=title, scope=Scope.CLUSTER,
    )  # fmt: skip


def _lock(facts: HostFacts, account: Account, why: str) -> Step:
    lock, unlock = (f"ALTER USER {_name(account)} ACCOUNT {word}" for word in ("LOCK", "UNLOCK"))
    before, want = {account.name: "open"}, {account.name: "locked"}
    return _step(facts, f"lock-{account.name}", before, want, lock, unlock, f"{lock}: it {why}")


def _narrow(facts: HostFacts, cut: Narrowing) -> Step:
    """REVOKE, and the GRANT that undoes it; the right to hand on has a spelling of its own."""
    key = held_at(cut.account, cut.grant)
    left = ", ".join(sorted(cut.grant.privileges - cut.privileges)) or None
    plain = ", ".join(sorted(cut.privileges - {GRANT_OPTION})) or "USAGE"
    more = " WITH GRANT OPTION" if GRANT_OPTION in cut.privileges else ""
    take = f"REVOKE {', '.join(sorted(cut.privileges))} ON {cut.grant.place} FROM {_name(cut.account)}"
    back = f"GRANT {plain} ON {cut.grant.place} TO {_name(cut.account)}{more}"
    before = {key: holdings(cut.account)[key]}
    return _step(facts, f"narrow-{key}", before, {key: left}, take, back, take)


def _save(facts: HostFacts, accounts: Iterable[Account], changes: Sequence[Step]) -> Step:
    """The file is named after what it holds, so that a run that goes on writes none twice, and a later run another one. It stays: the
    way back wants it there too."""
    mine = {account.name: account for account in accounts}
    back = [action.text for step in changes for action in step.undo if isinstance(action, Sql)]
    held = repr([(name, sorted(holdings(account).items())) for name, account in sorted(mine.items())] + back)
    path = f"{SAVED}/{hashlib.sha256(held.encode()).hexdigest()[:16]}.sql"
    return Step(
        id=f"{TIP}.accounts-saved", tip=TIP, host=facts.host.name, stage=Stage.ACCOUNTS, read=KEPT, before={path: "saved"},
        want={path: "saved"}, do=(_ROOM, _saved(path, list(mine.values()), back)), undo=(),
        title=f"save {len(mine)} accounts as they are in {path}", scope=Scope.CLUSTER,
    )  # fmt: skip


def _saved(path: str, accounts: Sequence[Account], back: Sequence[str]) -> Shell:
    """What the server says of each account as comments, and the statements that give back what Galvan takes. Passwords are not
    among these: they may be new ones by then, and a server with rules for passwords takes no hash. Those in the comments go
    from the server into the file, and nowhere else."""
    text = sh(_OPEN, path=path).text
    for account in accounts:
        create, grants = (f"SHOW {what} {_name(account)}" for what in ("CREATE USER", "GRANTS FOR"))
        text += sh(_ONE, create=create, grants=grants, path=path).text
    return Shell(
        text + sh(_CLOSE, path=path, accounts=len(accounts), back=[f"{statement};" for statement in back]).text
    )


_ROOM = sh("umask 077; mkdir -p {{home}}; chmod 700 {{home}}", home=SAVED)
_OPEN = """umask 077
s=; for o in $(my_print_defaults --mysqld 2>/dev/null); do case $o in --socket=*) s=${o#*=};; esac; done
say() { printf "SET SESSION sql_mode='';%s;\\n" "$1" | $(command -v mariadb || command -v mysql) ${s:+--socket="$s"} --host=localhost \\
  --protocol=socket --default-character-set=utf8mb4 --no-auto-rehash -N -B -r --connect-timeout=5 --loose-disable-ssl-verify-server-cert; }
echo '-- Accounts before Galvan changed them. To give back what it took: mariadb --default-character-set=utf8mb4 <THIS_FILE' >{{path}}.new
"""
_ONE = """say {{create}} | sed 's/^/-- /' >>{{path}}.new
say {{grants}} | sed 's/^/-- /' >>{{path}}.new
"""
_CLOSE = """[ "$(grep -c '^-- CREATE USER ' {{path}}.new)" = {{accounts}} ] || { echo 'the accounts could not be read' >&2; exit 1; }
printf '%s\\n' {{back}} >>{{path}}.new
sync {{path}}.new; mv {{path}}.new {{path}}"""
