"""Who would be refused at a ProxySQL once it forces TLS."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import HostFacts, Impact
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL


def let_in_clear(facts: HostFacts) -> list[str]:
    """Users at whose login nobody asks for TLS."""
    found = []
    for key, value in facts[PROXYSQL].items():
        active, tls, front = str(value).split(" ")[:3] if key.startswith("user.") else ("0", "0", "0")
        if active == front == "1" and tls == "0":
            found.append(key.removeprefix("user."))
    return sorted(found)


def impact(facts: HostFacts) -> Iterator[Impact]:
    """ProxySQL tells of no session whether it came over TLS, so each user has to be taken by name."""
    for user in let_in_clear(facts):
        yield Impact(
            "load_balancer", facts.host.name, user, f"{user} would be refused without TLS at {facts.host.name}",
            "ProxySQL does not tell who comes over TLS",
        )  # fmt: skip
