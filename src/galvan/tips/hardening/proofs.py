"""What is tried at the server, as who already got in would try it. No attempt leaves anything, even where it is let through."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.cluster.identity import server_port
from galvan.cluster.vantage import nearest
from galvan.model import ClientHello, HostFacts, Noted, Outcome, Proof, Question, Role, Snapshot
from galvan.tips.hardening.facts import PLUGINS

TIP = "hardening"
_REFUSED = frozenset({Outcome.REFUSED})
_ANSWERS = frozenset({Outcome.ACCEPTED})
_UP = frozenset({Outcome.ACCEPTED, Outcome.CLEAR})
_NO_LOCAL, _NO_TABLE = frozenset({1148, 3948, 4166}), frozenset({1046, 1049, 1146})
_WEAK = (
    "SET SESSION wsrep_on=OFF, sql_log_bin=0;\nCREATE USER 'galvan-nobody'@'localhost' IDENTIFIED VIA mysql_native_password "
    "USING PASSWORD('a') OR mysql_native_password USING 'galvan'"
)
"""The second way in has no hash of the right length, so that nothing is created where the first one's password will do."""
_POLICY, _LENGTH = frozenset({1819}), frozenset({1372, 1827})
_PINNED, _NOT_THERE = frozenset({1702}), frozenset({1305})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    for facts in snapshot.having(Role.DATABASE):
        host = facts.host.name
        answers = Question(host, "SELECT 1", frozenset())
        yield Proof(
            f"hardening.no-local-infile@{host}", TIP, f"{host} asks no client for a file", host, host, _load(facts), _REFUSED, answers, _ANSWERS,
        )  # fmt: skip
        weak = Question(host, _WEAK, _POLICY, _LENGTH)
        yield Proof(
            f"hardening.weak-password@{host}", TIP, f"{host} takes no password of one letter", host, host, weak, _REFUSED, answers, _ANSWERS,
        )  # fmt: skip
        yield Proof(
            f"hardening.audit-stays@{host}", TIP, f"the audit log of {host} cannot be unloaded", host, host, _unload(facts), _REFUSED,
            answers, _ANSWERS,
        )  # fmt: skip
        address, port = facts.host.address, server_port(facts)
        yield Proof(
            f"hardening.login-noted@{host}", TIP, f"{host} writes down who tried to log in", host, nearest(snapshot, facts),
            Noted(host, address, port, _log(facts)), frozenset({Outcome.MATCHES}), ClientHello(address, port, "TLSv1.2"), _UP,
        )  # fmt: skip


def _load(facts: HostFacts) -> Question:
    """Where it is known to be let through it is not tried: the server would count it, and who loads files is told by that count."""
    host = facts.host.name
    if facts[VARIABLES].get("local_infile") == "ON":
        return Question(host, "SELECT @@GLOBAL.local_infile", _NO_LOCAL)
    return Question(host, "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE galvan_none.none", _NO_LOCAL, _NO_TABLE)


def _unload(facts: HostFacts) -> Question:
    """What can be unloaded is not unloaded to show it: the server is asked something that it answers."""
    host, loaded = facts.host.name, facts[PLUGINS].get("server_audit")
    if loaded and loaded.load != "FORCE_PLUS_PERMANENT":
        return Question(
            host, "SELECT LOAD_OPTION FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'SERVER_AUDIT'", _PINNED
        )
    return Question(host, "UNINSTALL SONAME 'server_audit'", _PINNED, _NOT_THERE)


def _log(facts: HostFacts) -> str:
    """Where the audit log lies; empty where none is written."""
    seen = facts[VARIABLES]
    if seen.get("server_audit_logging") != "ON":
        return ""
    if str(seen.get("server_audit_output_type")).lower() == "syslog":
        return "syslog"
    path = str(seen.get("server_audit_file_path") or "server_audit.log")
    return path if path.startswith("/") else f"{text(seen, 'datadir').rstrip('/')}/{path}"
