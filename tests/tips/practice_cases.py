"""Real output of hosts as cases: a set of outputs, what is changed in them, and what a check must say of it.

The sets of lb3 and lb4 are recordings where their names have a version; the others are what the tables of ProxySQL's
documentation answer to Galvan's own statements, and what Galvan's reader makes of files of MaxScale's.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galvan.app.desk import ALL_FACTS
from galvan.model import (
    Balancing,
    Check,
    Cluster,
    Fact,
    Finding,
    Hardening,
    Host,
    HostFacts,
    Pair,
    Policy,
    Role,
    Snapshot,
    Unreadable,
    Walls,
)
from galvan.tips import TIPS

HERE = Path(__file__).parent
HOSTS = (
    Host("db1", "10.89.77.11", Role.DATABASE, "db1"), Host("db2", "10.89.77.12", Role.DATABASE, "db2"),
    Host("lb3", "10.89.77.23", Role.LOAD_BALANCER, "lb3", "proxysql"), Host("lb4", "10.89.77.24", Role.LOAD_BALANCER, "lb4", "maxscale"),
    Host("lb1", "10.89.77.21", Role.LOAD_BALANCER, "lb1", "haproxy"), Host("lb2", "10.89.77.22", Role.LOAD_BALANCER, "lb2", "haproxy"), Host("arb1", "10.89.77.41", Role.ARBITRATOR, "arb1"),
)  # fmt: skip
TLS = tuple(tip for tip in TIPS if tip.id in ("client_tls", "replication_tls"))
BY_ID = {check.id: check for tip in TIPS for check in tip.checks}
FACTS: dict[str, Fact[Any]] = {fact.id: fact for fact in ALL_FACTS}
FIELDS = {
    "name", "verdict", "seen", "from", "over", "edit", "output", "unreadable", "policy", "firewall", "hardening", "escrow", "days_later", "address", "host", "pair",
}  # fmt: skip


def file_of(check: Check) -> Path:
    tip, _, stem = check.id.partition(".")
    return HERE / tip / f"{stem}.toml"


@dataclass(frozen=True)
class Case:
    """`over`: a second set, whose outputs take the place of the first's. `edit`: [host, fact, what stands there, what
    stands there instead]. `output`: host → fact → the whole text.
    `unreadable`: [host, fact, why]. `firewall`, `hardening`: those parts of the policy. `escrow`: number and fingerprint of each key that is kept. `days_later`: how long after the outputs were taken the check looks.
    `pair`: address and interface that two balancers share."""

    check: str
    said: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.check}: {self.said.get('name', '?')}"


def cases() -> list[Case]:
    found = []
    for path in sorted(HERE.glob("*/*.toml")):
        said = tomllib.loads(path.read_text())
        found += [Case(str(said.get("check")), case) for case in said.get("case", [])]
    return found


def judge(case: Case) -> Finding:
    """What the check says of db1, or of the case's `host`."""
    check, hosts = BY_ID[case.check], (case.said["host"],) if "host" in case.said else ("db1", "lb1")
    return next(found for found in check.judge(_asked(snapshot_of(case.said), check)) if found.host in hosts)


def _asked(snapshot: Snapshot, check: Check) -> Snapshot:
    """No more than an audit of this tip alone would ask for: a check that needs what its tip does not name would know nothing on hosts."""
    (tip,) = [tip for tip in TIPS if check in tip.checks]
    known = {fact.id for fact in tip.facts}
    hosts = [HostFacts(f.host, {id: said for id, said in f.readings.items() if id in known}) for f in snapshot.hosts]
    return replace(snapshot, hosts=tuple(hosts))


def snapshot_of(said: dict[str, Any]) -> Snapshot:
    assert said.keys() <= FIELDS, f"unknown fields: {said.keys() - FIELDS}"
    texts = _texts(HERE / "outputs" / said["from"])
    for host, outputs in _texts(HERE / "outputs" / said["over"]).items() if "over" in said else ():
        texts[host] = texts.get(host, {}) | outputs
    authorities = _authorities(texts["db1"].get("pki.material", ""))
    taken = float(_clock(texts["db1"])) + 86400.0 * said.get("days_later", 0)
    for host, fact, old, new in said.get("edit", []):
        text = texts[host][fact]
        assert isinstance(text, str)
        assert old in text, f"{fact} of {host} does not hold {old!r}"
        texts[host][fact] = text.replace(old, new)
    for host, output in said.get("output", {}).items():
        texts[host] = texts.get(host, {}) | output
    for host, fact, why in said.get("unreadable", []):
        texts[host][fact] = Unreadable(why)
    walls, hardening = Walls(**_settings(said.get("firewall", {}))), Hardening(**_settings(said.get("hardening", {})))
    balancing = Balancing(pair=Pair(*said["pair"])) if "pair" in said else Balancing()
    policy = Policy(**_settings(said.get("policy", {})), firewall=walls, hardening=hardening, load_balancer=balancing)
    hosts = [replace(h, names=(said["address"],)) if h.name == "lb1" and "address" in said else h for h in HOSTS]
    cluster = Cluster(
        "lab",
        tuple(h for h in hosts if h.name in texts),
        policy,
        authorities=authorities,
        escrow=tuple(said.get("escrow", {}).items()),
    )
    return Snapshot(cluster, tuple(_facts(h, texts[h.name]) for h in cluster.hosts), {}, taken)


def _settings(said: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _texts(directory: Path) -> dict[str, dict[str, str | Unreadable]]:
    assert directory.is_dir(), f"there is no set of outputs {directory.name}"
    return {
        host.name: {path.stem: path.read_text() for path in (directory / host.name).glob("*.txt")}
        for host in HOSTS
        if (directory / host.name).is_dir()
    }


def _clock(texts: dict[str, str | Unreadable]) -> str:
    return str(texts["host.moment"]).split("clock=", 1)[1].split("\n", 1)[0]


def _authorities(material: str | Unreadable) -> tuple[tuple[str, str], ...]:
    """The operator's side knows the authorities that signed what lies on the host."""
    found = []
    for name in ("cluster", "client"):
        _, mark, rest = str(material).partition(f"@pem /etc/mysql/galvan/{name}/ca.pem\n")
        if mark:
            found.append((name, rest.split("\n@", 1)[0] + "\n"))
    return tuple(found)


def _facts(host: Host, texts: dict[str, str | Unreadable]) -> HostFacts:
    """Facts that share a query share its output."""
    by_query = {FACTS[id].query: text for id, text in texts.items()}
    readings: dict[str, object] = {}
    for id, fact in FACTS.items():
        if fact.query in by_query and host.role in fact.roles:
            readings[id] = _parsed(fact, by_query[fact.query])
    return HostFacts(host, readings)


def _parsed(fact: Fact[Any], text: str | Unreadable) -> object:
    if isinstance(text, Unreadable):
        return text
    try:
        return fact.parse(text)
    except Unreadable as why:
        return why
