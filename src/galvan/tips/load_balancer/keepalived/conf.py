"""What a balancer shows of keepalived: Galvan's own files and the line that includes them, the addresses that the host carries,
and what its owner's configuration shares already. Of that only names, numbers and addresses leave the host: no password does."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from galvan.cluster.facts import lines
from galvan.cluster.quote import sh
from galvan.model import Fact, Role, State, Unreadable

MAIN, CONFIG, SCRIPT = "/etc/keepalived/keepalived.conf", "/etc/keepalived/galvan.conf", "/etc/keepalived/galvan-pair"
INCLUDE = f"include {CONFIG}"


@dataclass(frozen=True, slots=True)
class Instance:
    """An address that its owner shares already. `interface` and `router` are empty where the file does not say."""

    name: str
    interface: str = ""
    router: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keepalived:
    """`version` is empty where it is not installed; `addresses`: interface and address with the length of its network; `instances`: what its owner shares."""

    version: str
    standing: State
    addresses: tuple[tuple[str, str], ...]
    instances: tuple[Instance, ...] = ()

    def on(self, interface: str) -> tuple[ipaddress.IPv4Interface | ipaddress.IPv6Interface, ...]:
        return tuple(ipaddress.ip_interface(said) for name, said in self.addresses if name == interface)

    def holds(self, address: str) -> bool:
        wanted = ipaddress.ip_address(address)
        return any(ipaddress.ip_interface(said).ip == wanted for _, said in self.addresses)


def keepalived(output: str) -> Keepalived:
    """Lines KEY=VALUE, `address INTERFACE ADDRESS/LENGTH`, and then of its owner's file whatever VRRP is told there."""
    head, _, text = output.partition("---\n")
    said = lines(head)
    rows = [line.split() for line in head.splitlines()]
    addresses = tuple((row[1], row[2].partition("%")[0]) for row in rows if len(row) == 3 and row[0] == "address")
    if not addresses:
        raise Unreadable("the host has no ip (iproute2), so its addresses cannot be seen")
    return Keepalived(
        str(said.get("version") or ""),
        {key: str(said.get(key) or "") for key in ("script", "config", "included", "active", "enabled")},
        addresses,
        tuple(_instances([line.split() for line in text.splitlines() if line.strip()])),
    )


def _instances(rows: Sequence[Sequence[str]]) -> Iterator[Instance]:
    """What stands outside any instance (addresses that are always there) comes as one without a name."""
    seen = Instance("")
    for word, *more in rows:
        if word == "vrrp_instance":
            yield seen
            seen = Instance(more[0] if more else "")
        elif word == "interface":
            seen = replace(seen, interface=more[0] if more else "")
        elif word == "virtual_router_id":
            seen = replace(seen, router=more[0] if more else "")
        else:
            seen = replace(seen, addresses=(*seen.addresses, word.partition("/")[0]))
    yield seen


_QUERY = sh(
    "command -v keepalived >/dev/null && echo version=$(keepalived --version 2>&1 | sed -n '1s/.* v\\([^ ]*\\).*/\\1/p')\n"
    "digest() { [ ! -f \"$2\" ] || echo \"$1=$(sha256sum <\"$2\" | cut -d ' ' -f 1)\"; }\n"
    "digest script {{script}}; digest config {{config}}\n"
    "grep -qsx {{include}} {{main}} && echo included=yes\n"
    "systemctl is-active -q keepalived 2>/dev/null && echo active=yes\n"
    "systemctl is-enabled -q keepalived 2>/dev/null && echo enabled=yes\n"
    "ip -o address show 2>/dev/null | awk '{print \"address\", $2, $4}'\n"
    "cd /etc/keepalived 2>/dev/null && [ -e {{main}} ] || exit 0\n"
    "echo ---\n"
    "cat {{main}} $(sed -n 's/^[[:space:]]*include[a-z_]*[[:space:]]\\{1,\\}//p' {{main}} | grep -vx {{config}}) 2>/dev/null | sed 's/[!#].*//' |\n"
    "  awk '$1 ~ /^(vrrp_instance|interface|virtual_router_id)$/ || $1 ~ /^[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*(\\/[0-9]+)?$/ {print $1, $2}'",
    main=MAIN, config=CONFIG, script=SCRIPT, include=INCLUDE,
)  # fmt: skip
KEEPALIVED: Fact[Keepalived] = Fact(
    "keepalived.host", _QUERY, keepalived, stable=False, roles=frozenset({Role.LOAD_BALANCER})
)
"""Not stable: an address that moves is no change of the plan's ground."""
STANDING: Fact[State] = Fact(
    "keepalived.standing", _QUERY, lambda output: keepalived(output).standing, stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)  # fmt: skip
