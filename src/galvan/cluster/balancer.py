"""HAProxy as the choreography needs it: who is behind the door, and how to take a host out and back.

The runtime socket is asked through socat, the seed's own tool; nothing is written into HAProxy's files.
"""

from __future__ import annotations

from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.model import Fact, Role, Shell, Unreadable

FILE = "/etc/haproxy/haproxy.cfg"
SAY = (
    f's=$(awk \'$1=="stats" && $2=="socket"{{print $3; exit}}\' {FILE})\ns=${{s#unix@}}\n'
    'say() { echo "$1" | socat -t 2 stdio "unix-connect:$s"; }\n'
)
"""Defines `say`, which gives HAProxy one command and prints its answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """One line of `show stat` for a server: `status` is UP, DOWN, DRAIN, MAINT …; `sessions` are open now."""

    backend: str
    name: str
    address: str
    status: str
    sessions: int
    active: bool


def servers(output: str) -> tuple[Server, ...]:
    """Parses `show stat` (CSV with a `#` header); only server lines that name an address count."""
    head, *body = [line for line in output.splitlines() if line.strip()] or [""]
    if not head.startswith("# pxname"):
        raise Unreadable(f"HAProxy's runtime socket did not answer: {head[:120]!r}")
    columns = head.removeprefix("# ").split(",")
    table = [dict(zip(columns, line.split(","), strict=False)) for line in body]
    return tuple(
        Server(
            r["pxname"],
            r["svname"],
            r["addr"].rpartition(":")[0].strip("[]"),
            r["status"].split(" ")[0],
            int(r["scur"] or 0),
            r["act"] == "1",
        )
        for r in table
        if r["svname"] not in ("FRONTEND", "BACKEND") and r.get("addr")
    )


def check_users(output: str) -> tuple[str, ...]:
    return tuple(sorted({word for word in output.split() if word}))


BALANCER: Fact[tuple[Server, ...]] = Fact(
    "balancer.servers",
    Shell(SAY + 'say "show stat"'),
    servers,
    stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)
CHECK_USERS: Fact[tuple[str, ...]] = Fact(
    "balancer.check_users",
    Shell(f"command -v haproxy >/dev/null || exit 0\nsed -n 's/^[^#]*mysql-check.* user \\([^ ]*\\).*/\\1/p' {FILE}"),
    check_users,
    roles=frozenset({Role.LOAD_BALANCER}),
)


def set_state(backend: str, server: str, state: str) -> Shell:
    """`drain` lets open sessions go on and sends new ones elsewhere; `ready` takes the host back in. Where the backend
    remembers who takes the writes, a drained one is forgotten: HAProxy would keep sending new sessions there."""
    return sh(
        SAY + 'a=$(say {{command}})\n'
        '[ -z "$(echo $a)" ] || { echo "HAProxy: $a" >&2; exit 1; }\n'
        '[ {{state}} != drain ] || ! say "show table" | grep -q "^# table: "{{backend}}"," || say "clear table "{{backend}} >/dev/null',
        command=f"set server {backend}/{server} state {state}", backend=backend, state=state,
    )  # fmt: skip
