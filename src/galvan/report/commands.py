"""A plan as the commands that a DBA would type, host by host, good enough to carry the change out by hand. Pure.

Each block says where it is to be run, as root: `# on db2` on that host, `# here` on the machine with the authorities.
No secret stands in it: keys are made on their hosts, and the passphrase is read from a file that the reader names.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from galvan.cluster.behind import ways
from galvan.cluster.order import Wave
from galvan.model import Action, PutFile, Restart, RestoreFile, Sealed, SecretRef, Shell, Signed, Sql, Step

Doors = Mapping[str, Sequence[tuple[str, str, str]]]
"""By database host: the balancers before it, with the backend and the name under which they know it."""
Kinds = Mapping[str, str]
"""Of balancers; one that is not named is a HAProxy."""

_STATUS = (
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'WSREP_LOCAL_STATE_COMMENT'"
)
_SYNCED = f'until [ "$(mariadb -N -B -e "{_STATUS}")" = Synced ]; do sleep 1; done'
_NO_LEFTOVER = (
    "systemctl unset-environment _WSREP_NEW_CLUSTER; rm -f /run/mariadb-wsrep-new-cluster /run/mysqld/wsrep-new-cluster"
)
_AUTHORITY = """\
mkdir -p -m 700 "$state"
( umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass "file:$passphrase" -out "$state/{name}.key" )
openssl req -x509 -new -sha256 -key "$state/{name}.key" -passin "file:$passphrase" -days {days} \\
  -subj {subject} -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \\
  -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$state/{name}.pem\""""
_SIGN = """\
scp {ssh}:{csr} request.pem
cat >leaf.cnf <<'@content'
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = {names}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
@content
openssl x509 -req -sha256 -days {days} -in request.pem -CA "$state/{authority}.pem" -CAkey "$state/{authority}.key" \\
  -passin "file:$passphrase" -set_serial "0x$(openssl rand -hex 16)" -extfile leaf.cnf -out leaf.pem
scp leaf.pem {ssh}:{path}.new"""
_SEAL = "openssl cms -encrypt -binary -aes-256-cbc -outform PEM recipient.pem >sealed.pem"


class _Door(NamedTuple):
    kind: str
    balancer: str
    backend: str
    server: str

    def told(self, state: str) -> str:
        return ways(self.kind)[1](self.backend, self.server, state).text


def commands(
    waves: Sequence[Wave], ssh: Mapping[str, str], doors: Doors, state: str, present: Collection[str], days: int, cluster: str,
    kinds: Kinds | None = None,
) -> Iterator[str]:  # fmt: skip
    """`ssh`: the alias of each host; `state`: where the authorities lie, of which `present` are there already (`days`: how
    long a new one lasts)."""
    actions = [action for wave in waves for step in wave.steps for action in step.do]
    signing = sorted({a.content.authority for a in actions if isinstance(a, PutFile) and isinstance(a.content, Signed)})
    if signing:
        yield "# here: where the authorities lie, and a file with the passphrase of their keys"
        yield f"state={shlex.quote(state)}"
        yield 'passphrase="${passphrase:?name the file that holds the passphrase}"'
        for name in (name for name in signing if name not in present):
            subject = shlex.quote(f"/O={cluster}/CN={cluster} {name} authority")
            yield _AUTHORITY.format(name=name, days=days, subject=subject)
    first = next((n for n, wave in enumerate(waves, 1) if wave.restarts and not wave.stops), 0)
    for number, wave in enumerate(waves, 1):
        yield ""
        yield f"## {number} {wave.id}"
        before = () if first and number == first - 1 else doors.get(wave.host, ())  # the last one serves until its stop
        yield from _wave(
            wave, ssh[wave.host], [_Door((kinds or {}).get(door[0], ""), *door) for door in before], number == first
        )


def _wave(wave: Wave, ssh: str, doors: Sequence[_Door], first: bool) -> Iterator[str]:
    """Everything but the restart first, as Galvan does it; the restart once, at the end. `first`: nobody serves before it."""
    place = ""
    for step in wave.steps:
        for action in (action for action in step.do if not isinstance(action, Restart)):
            for where, text in _action(action, wave.host, ssh):
                if where != place:
                    yield f"# {where}"
                    place = where
                yield text
    if restart := wave.restart:
        yield from _restart(restart, wave, doors, first)


def _action(action: Action, host: str, ssh: str) -> Iterator[tuple[str, str]]:
    """Where, and what to type there."""
    on = f"on {host}"
    match action:
        case Shell(text):
            yield on, text
        case Sql(text):
            yield on, f"mariadb <<'@sql'\n{text};\n@sql"
        case PutFile(path, str() as content):
            body = content if content.endswith("\n") else f"{content}\n"
            yield on, f"[ ! -e {path} ] || cp -a {path} {path}.before\nmkdir -p {path.rpartition('/')[0]}"
            yield on, f"cat >{path}.new <<'@content'\n{body}@content\n{_placed(action)}"
        case PutFile(path, SecretRef(name)):
            yield "here", f'scp "$state/{name.partition(":")[2]}.pem" {ssh}:{path}.new'
            yield on, _placed(action)
        case PutFile(path, Signed() as wanted):
            names = ", ".join([f"DNS:{name}" for name in wanted.names] + [f"IP:{a}" for a in wanted.addresses])
            said = {"ssh": ssh, "csr": wanted.csr, "names": names, "days": wanted.days, "authority": wanted.authority}
            yield "here", _SIGN.format(path=path, **said)
            yield on, _placed(action)
        case PutFile(path, Sealed(source, script, recipient)):
            yield "here", f"scp {ssh}:{recipient} recipient.pem; scp recipient.pem {source}:recipient.pem"
            yield f"on {source}", f"(\n{script.text}\n) | {_SEAL}"
            yield "here", f"scp {source}:sealed.pem {ssh}:{path}.new"
            yield on, _placed(action)
        case RestoreFile(path):
            yield on, f"if [ -e {path}.before ]; then mv -f {path}.before {path}; else rm -f {path}; fi"


def _placed(put: PutFile) -> str:
    new = f"{put.path}.new"
    return f"chown {put.owner} {new}; chmod {put.mode:o} {new}; mv -f {new} {put.path}"


def _restart(
    restart: Restart, wave: Wave, doors: Sequence[_Door], first: bool
) -> Iterator[str]:  # fmt: skip
    """A restart, or one of its halves."""
    for door in doors if wave.stops else ():
        yield f"# on {door.balancer}: out of the balancer"
        yield door.told("drain")
    if wave.stops:
        clients = (
            "its clients are gone (SHOW PROCESSLIST)" if doors or wave.restarts else "no statement is at work on it"
        )
        yield f"# on {wave.host}: once {clients}, all members that are up are Synced, and no transfer runs"
        yield f"systemctl stop {restart.unit}"
    if not wave.restarts:
        return
    if first:
        yield f"# on {wave.host}: only once all members are down, and only if its position is the latest: grastate.dat says"
        yield "#   safe_to_bootstrap: 1, or the largest seqno (-1: ask galera_recovery)"
        yield f"galera_new_cluster {restart.unit}\n{_NO_LEFTOVER}\n{_SYNCED}"
    else:
        yield from () if wave.stops else (f"# on {wave.host}",)
        yield f"systemctl start {restart.unit}\n{_SYNCED}"
    yield from (line for step in wave.steps for line in _shows(step))
    for door in doors:
        yield f"# on {door.balancer}: and back"
        yield door.told("ready")


def _shows(step: Step) -> Iterator[str]:
    """What to look for afterwards."""
    if step.read.id == "server.variables":
        wanted = [
            f"{key.replace('provider.', 'wsrep_provider_options: ')} = {value}" for key, value in step.want.items()
        ]
        yield from (f"#   then the server shows {said}" for said in wanted if not said.startswith("listener"))
