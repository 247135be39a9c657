"""Balancers that end a client's TLS themselves (ProxySQL, MaxScale): what their doors show, and how they go on to the members.

REQUIRE SSL binds the balancer's own connection, and an option file that insists on a certificate binds the client's. So
both wait until the balancer speaks TLS on either side; until then this tip only lets the members offer it.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.behind import is_haproxy
from galvan.cluster.facts import VARIABLES
from galvan.model import Fact, HostFacts, Role, Shell, Snapshot, Unreadable
from galvan.pki import judge
from galvan.pki.chain import trusts
from galvan.tips.client_tls.facts import CLIENTS


def shown(output: str) -> tuple[str, ...]:
    """What the doors show: one certificate (PEM) each."""
    parts = output.split("-----END CERTIFICATE-----")
    return tuple(sorted({part.strip() + "\n-----END CERTIFICATE-----\n" for part in parts[:-1]}))


DOORS: Fact[tuple[str, ...]] = Fact(
    "client_tls.doors",
    Shell(
        "command -v proxysql >/dev/null || command -v maxscale >/dev/null || exit 0\n"
        "command -v openssl >/dev/null || { echo 'openssl is not installed' >&2; exit 1; }\n"
        """ss -Hlntp 2>/dev/null | awk '/"(proxysql|maxscale|maxscale-main)"/ {print $4}' | sort -u | {
while read -r at; do
  h=${at%:*}; case $h in '*'|0.0.0.0|'[::]') h=localhost ;; esac
  { timeout 2 openssl s_client -starttls mysql -connect "${h%\\%*}:${at##*:}" </dev/null 2>/dev/null | sed -n '/BEGIN CERT/,/END CERT/p'; } &
done
wait; }; true"""
    ),
    shown,
    stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)
"""Each port is asked as a client would, side by side; one that speaks another protocol says nothing within two seconds."""


def waiting(snapshot: Snapshot) -> Iterator[str]:
    """Why an application may not be told to insist on TLS yet, of each balancer that ends it."""
    members = snapshot.having(Role.DATABASE)
    for facts in snapshot.having(Role.LOAD_BALANCER):
        if is_haproxy(facts.host):
            continue
        ours = judge.trust(members[0], snapshot, "client")
        if not ours or not any(trusts(ours, leaf) for leaf in facts[DOORS]):
            yield f"no door of {facts.host.name} shows a certificate of the members' authority"
        elif lacking := [member.host.name for member in members if _in_clear(member, facts)]:
            yield f"{facts.host.name} goes on to {', '.join(lacking)} in clear text"


def _in_clear(member: HostFacts, balancer: HostFacts) -> bool:
    if member[VARIABLES].get("have_ssl") != "YES":
        return True
    here = {balancer.host.address, balancer.host.name, *balancer.host.names}
    try:
        return any(client.address in here and not client.tls for client in member[CLIENTS])
    except Unreadable:  # without performance_schema nobody is seen, and the watch before REFUSE will say so
        return False
