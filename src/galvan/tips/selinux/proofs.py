"""What the server must not do, asked of the running kernel: its own answer for the domain that the process is in, which is what it
would say to the process itself. Nothing is tried on the host, and nothing is noted there. The lab tries the same for real.
"""

from __future__ import annotations

from collections.abc import Iterator

from galvan.model import Access, Outcome, Proof, Role, Snapshot
from galvan.tips.selinux.checks import running
from galvan.tips.selinux.facts import PATHS, STATE

TIP = "selinux"
REFUSED = frozenset({Outcome.REFUSED})
ALLOWED = frozenset({Outcome.ACCEPTED})


def proofs(snapshot: Snapshot) -> Iterator[Proof]:
    """The control: what the server needs every second is still allowed. Raises Unreadable."""
    for facts in snapshot.having(Role.DATABASE):
        if running(facts[STATE]):
            continue
        host = facts.host.name
        own = Access(host, str(facts[PATHS].get("datadir") or "/var/lib/mysql").rstrip("/"), "file", "write")
        for id, claim, asked in (
            (
                f"selinux.no-passwords@{host}",
                "the server cannot read the system's passwords",
                Access(host, "/etc/shadow", "file", "read"),
            ),
            (
                f"selinux.no-foreign-port@{host}",
                "the server cannot stand in for sshd",
                Access(host, "ssh_port_t", "tcp_socket", "name_bind"),
            ),
            (
                f"selinux.no-other-host@{host}",
                "the server cannot log in elsewhere",
                Access(host, "ssh_port_t", "tcp_socket", "name_connect"),
            ),
            (
                f"selinux.no-write-outside@{host}",
                "the server cannot write to the system's settings",
                Access(host, "/etc/passwd", "file", "write"),
            ),
            (
                f"selinux.no-new-program@{host}",
                "the server cannot replace a program",
                Access(host, "/usr/bin/env", "file", "write"),
            ),
            (
                f"selinux.no-code-in-memory@{host}",
                "the server cannot run what it wrote into memory",
                Access(host, "self", "process", "execmem"),
            ),
        ):
            yield Proof(id, TIP, claim, host, host, asked, REFUSED, own, ALLOWED)
