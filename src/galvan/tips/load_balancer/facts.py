"""What members show of their health answer, and HAProxy of who comes through it. All read only."""

from __future__ import annotations

from dataclasses import dataclass

from galvan.cluster.answer import ASK, PORT, SCRIPT, SERVICE, UNIT, USER
from galvan.cluster.balancer import SAY
from galvan.cluster.facts import lines, pairs
from galvan.cluster.quote import sh, sql
from galvan.model import Fact, HostFacts, Role, Shell, Sql, State, Unreadable

LAID: Fact[State] = Fact(
    "health.laid",
    sh(
        'for f in {{script}} {{unit}}; do [ -f "$f" ] && echo "$f=$(sha256sum <"$f" | cut -d " " -f 1)"; done\n'
        "echo enabled=$(systemctl is-enabled {{service}} 2>/dev/null)\n"
        "echo active=$(systemctl is-active {{service}} 2>/dev/null)\n"
        "echo user=$(id -u {{user}} 2>/dev/null)\n"
        "echo socat=$(command -v socat)\n"
        "u=$(systemctl list-sockets --all --no-legend --plain 2>/dev/null | awk '$1 ~ /(^|:){{port}}$/ {print $2; exit}')\n"
        "p=$(ss -Hltnp 'sport = :{{port}}' 2>/dev/null | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p' | head -n 1)\n"
        "[ -n \"$u\" ] || [ -z \"$p\" ] || u=$(sed -n 's,.*/\\([^/]*\\.service\\)$,\\1,p' /proc/$p/cgroup | head -n 1)\n"
        "echo by=${u:-$(ss -Hltn 'sport = :{{port}}' 2>/dev/null | awk '{print \"unknown\"; exit}')}",
        script=SCRIPT, unit=UNIT, service=SERVICE, user=USER, port=PORT,
    ),
    lines,
)  # fmt: skip
"""Digests of the two files, and whose port 9200 is (`by`: the unit)."""

ANSWER: Fact[str] = Fact(
    "health.answer",
    Shell(f'a=$({ASK})\n[ -n "$a" ] || {{ sleep 1; a=$({ASK}); }}\necho "$a"'),
    lambda output: output.strip(),
    stable=False,
)
"""Silence is asked once more, as a balancer does that counts to two before it takes a member out: one moment of a busy host is none."""

ASKER: Fact[State] = Fact(
    "health.account",
    sql(
        "SELECT CONCAT('account=', User, '@', Host, ' ', plugin, ' ', COALESCE((SELECT GROUP_CONCAT(PRIVILEGE_TYPE) FROM "
        "information_schema.USER_PRIVILEGES WHERE GRANTEE = CONCAT('''', User, '''@''', Host, '''')), '')) FROM mysql.user "
        "WHERE User = {{user}} ORDER BY Host LIMIT 1",
        user=USER,
    ),
    lambda output: {"account": lines(output).get("account", "")},
)


LIMITS: Fact[State] = Fact(
    "server.limits",
    Sql("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_connections', 'wait_timeout', 'proxy_protocol_networks')"),
    pairs,
)


SPARE = 10
"""Connections of a member that no balancer may take: its administrators', its replicas', the monitors'."""


def most_of(member: HostFacts) -> int:
    return int(str(member[LIMITS].get("max_connections") or 151))


def share(max_connections: int, balancers: int) -> int:
    """How many connections one balancer may open to such a member: together they leave it `SPARE`. Below 1: there is no room."""
    return (max_connections - SPARE) // max(balancers, 1)


@dataclass(frozen=True, slots=True)
class Guest:
    """A session that goes through HAProxy now."""

    address: str
    front: str


def guests(output: str) -> tuple[Guest, ...]:
    """`show sess`: one line a session, words of the form key=value. Raises Unreadable where it is none."""
    found = []
    for line in output.splitlines():
        said = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if not line.startswith("0x"):
            raise Unreadable(f"HAProxy's runtime socket did not answer: {line[:100]!r}")
        if said.get("proto", "").startswith("tcp") and said.get("src") and said.get("fe"):
            found.append(Guest(said["src"].rpartition(":")[0].strip("[]").removeprefix("::ffff:"), said["fe"]))
    return tuple(found)


GUESTS: Fact[tuple[Guest, ...]] = Fact(
    "haproxy.guests",
    Shell(f'command -v haproxy >/dev/null || exit 0\n{SAY}say "show sess" | grep -v "^ *$"; true'),
    guests,
    stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)
