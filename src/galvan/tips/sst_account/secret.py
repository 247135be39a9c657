"""An account with a password, where the socket cannot be had, and a new password for it.

The password is made on one member and goes to the others sealed for each. A new one is accepted beside the old (MariaDB knows accounts
with two ways in), then every member names it, then the old one is refused: no transfer ever comes with a password that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.quote import literal, sh
from galvan.cluster.sealed import CERTIFICATE, OWN_KEY, opened
from galvan.cluster.transfer import QUIET
from galvan.cluster.transferauth import KNOWN
from galvan.model import Action, HostFacts, PutFile, RestoreFile, Scope, Sealed, SecretRef, Shell, Stage, State, Step
from galvan.tips.sst_account import scripts
from galvan.tips.sst_account.facts import NAMED
from galvan.tips.sst_account.served import WAYS

TIP = "sst_account"
USER = "galvan_sst"
ACCOUNT = f"{literal(USER)}@'localhost'"
NEXT, BEFORE, MESSAGE = (f"/etc/galvan/sst/{name}" for name in ("next", "before", "sealed"))
"""On one member while a password is being changed: the new one; and for the way back the hash of the one before each change. On the
others what came sealed."""
HEADER = "# Written by Galvan: the account of state transfers, in a file of its own that not everybody can read. To undo: galvan rollback\n"
_MAKE = r"""umask 077; mkdir -p ${n%/*}
[ -s $n ] || { s=$(openssl rand -base64 60 | tr -dc 'A-Za-z0-9' | head -c 32); [ ${#s} -eq 32 ]; printf '%s' "$s" >$n.part; mv $n.part $n; }
"""
_HASH = r"""hash() { openssl dgst -sha1 -binary | openssl dgst -sha1 -r | cut -d' ' -f1 | tr a-f A-F; }
is() { case $1 in *[!0-9A-F]*|'') echo 'what should be a hash is none' >&2; exit 1 ;; esac; }
"""
_TO_BE = 'new=$(tr -d "\\n" <$n | hash); is "$new"\n'
_AS_IT_IS = KNOWN + 'new=$(printf %s "$s" | hash); is "$new"\n'
_KEPT = 'old=$(cat $b); is "$old"\n'
_KEEP = (
    KNOWN
    + '[ -s $b.part ] || { umask 077; printf %s "$s" | hash >$b.new; mv $b.new $b.part; }\nold=$(cat $b.part); is "$old"\n'
)
_STATEMENTS = "server <<@statements\nSET SESSION sql_mode='', sql_log_off=1, wsrep_sync_wait=0;\n<said>@statements\n"
_NEW, _OLD = "mysql_native_password USING '*$new'", "mysql_native_password USING '*$old'"
_WRITE = r"""s=$(<source>)
[ -n "$s" ]
{ cat {{path}}; printf '\n[mysqld]\nwsrep_sst_auth = "%s:%s"\n' {{user}} "$(printf '%s' "$s" | sed 's/\\/\\\\/g')"; } >{{path}}.galvan-new
chown --reference={{path}} {{path}}.galvan-new; chmod --reference={{path}} {{path}}.galvan-new
sync {{path}}.galvan-new; mv -f {{path}}.galvan-new {{path}}
"""


def _shell(*parts: str, say: Sequence[str] = (), stamp: str = "", then: str = "") -> Shell:
    """`say`: statements in which the hashes stand as the shell's own variables; nothing else in them is the shell's. `then`: what is
    done once they have succeeded."""
    said = "".join(f"{statement};\n" for statement in say)
    head = f"n={NEXT} b={BEFORE}-{stamp}\n{_HASH}{scripts.CLIENT}"
    return Shell(head + "".join(parts) + _STATEMENTS.replace("<said>", said) + then)


def made(first: str, rights: Sequence[str], given: SecretRef | None = None) -> Step:
    """The account, on all members at once; nobody names it yet."""
    via = f"IDENTIFIED VIA {_NEW}"
    do = _shell(
        _MAKE, _TO_BE, say=[f"CREATE USER IF NOT EXISTS {ACCOUNT} {via}", f"ALTER USER {ACCOUNT} {via}", *rights]
    )
    back = _shell("rm -f $n; rmdir ${n%/*} 2>/dev/null || true\n", say=[f"DROP USER IF EXISTS {ACCOUNT}"])
    return Step(
        id=f"{TIP}.make", tip=TIP, host=first, stage=Stage.ASKER, read=WAYS, before={ACCOUNT: None}, want={ACCOUNT: 1},
        do=(*_put(given), do), undo=(back,), scope=Scope.CLUSTER, title=f"create {ACCOUNT} with a password that is made there",
    )  # fmt: skip


def _put(given: SecretRef | None) -> tuple[Action, ...]:
    return (PutFile(NEXT, given, 0o600),) if given else ()


def turned(facts: HostFacts, first: str, path: str, group: str, stamp: str, before: State) -> Step:
    """The member names the account with the new password, in its file and in the running server."""
    host = facts.host.name
    here = f"cat {NEXT}" if host == first else opened(MESSAGE)
    fetched: tuple[Action, ...] = ()
    if host != first:
        fetched = (OWN_KEY, PutFile(MESSAGE, Sealed(first, Shell(f"cat {NEXT}"), CERTIFICATE), 0o600))
    written = sh(_WRITE.replace("<source>", here), path=path, user=USER)
    want: State = {"named": f"{USER}:password", "foreign": 0, "own": f"640 root:{group}", "made": stamp}
    return Step(
        id=f"{TIP}.turn@{host}", tip=TIP, host=host, stage=Stage.SST_ACCOUNT, read=NAMED, before=before, want=want,
        do=(
            QUIET, *fetched, PutFile(path, f"{HEADER}# {TIP}: made {stamp}\n", 0o640, f"root:{group}"), written, scripts.take_out(),
            scripts.tell(), Shell(f"rm -f {MESSAGE}"),
        ),
        undo=(scripts.put_back(), RestoreFile(path, Stage.SST_ACCOUNT.at(host)), scripts.tell()),
        title=f"transfers log in as {USER} with the new password",
    )  # fmt: skip


def cleared(first: str) -> Step:
    """What every member has in its own file by now lies nowhere else. There is no way back from that, and none is needed."""
    return Step(
        id=f"{TIP}.clear", tip=TIP, host=first, stage=Stage.OLD_ACCOUNT, read=NAMED, before={"next": "no"}, want={"next": "no"},
        do=(Shell(f"rm -f {NEXT}"), Shell(f"rmdir {NEXT.rpartition('/')[0]} 2>/dev/null || true")), undo=(), title=f"remove {NEXT}",
    )  # fmt: skip


ROTATION = f"{TIP}.both"
"""The step by which a change of the password is known."""


def rotation(
    first: str, members: Iterator[Step], stamp: str, begun: str, given: SecretRef | None = None
) -> Iterator[Step]:
    """Both passwords, then the new one on every member, then the new one alone. That a change was `begun` is told by its stamp: how many
    passwords the account has is at the end as it was at the beginning."""
    both, alone = f"IDENTIFIED VIA {_OLD} OR {_NEW}", f"IDENTIFIED VIA {_NEW}"
    yield Step(
        id=ROTATION, tip=TIP, host=first, stage=Stage.ASKER, read=NAMED, before={"begun": begun}, want={"begun": stamp},
        do=(*_put(given), _shell(_MAKE, _KEEP, _TO_BE, say=[f"ALTER USER {ACCOUNT} {both}"], stamp=stamp, then="mv $b.part $b")),
        undo=(
            _shell(_KEPT, say=[f"ALTER USER {ACCOUNT} IDENTIFIED VIA {_OLD}"], stamp=stamp), Shell(f"rm -f {NEXT} {BEFORE}-{stamp}"),
        ),
        scope=Scope.CLUSTER, title=f"{ACCOUNT} is let in by the new password too",
    )  # fmt: skip
    yield from members
    yield Step(
        id=f"{TIP}.alone", tip=TIP, host=first, stage=Stage.ACCOUNTS, read=WAYS, before={ACCOUNT: 2}, want={ACCOUNT: 1},
        do=(_shell(_AS_IT_IS, say=[f"ALTER USER {ACCOUNT} {alone}"]),),
        undo=(_shell(_KEPT, _AS_IT_IS, say=[f"ALTER USER {ACCOUNT} {both}"], stamp=stamp),),
        scope=Scope.CLUSTER, title=f"{ACCOUNT} is let in by the new password alone",
    )  # fmt: skip
    yield cleared(first)
