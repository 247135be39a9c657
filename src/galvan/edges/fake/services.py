"""What a restart, and each of its halves, does to a server in memory and to its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine, Refused
from galvan.model import How, NotHealed, Restart, Unsafe

if TYPE_CHECKING:
    from galvan.edges.fake import Fake


def restart(fake: Fake, machine: Machine, action: Restart, at: str, whole: bool) -> None:
    """The gate stands in the same exec as the stop; a server that is down is only started."""
    name, server = machine.host.name, fake.group.server(machine.host.name)
    if server.up:
        inside = name in fake.group.primary
        state = 4 if server.state == "Synced" else 0
        seen = f"{'Primary' if inside else 'non-Primary'} {state} {len(fake.group.primary) if inside else 1} {server.desync}"
        if seen != (want := f"Primary 4 {action.members} 0"):
            raise Unsafe(f"{name} was not {action.how.done}: the member says: {seen}; wanted: {want}")
        if machine.transfers:
            raise Unsafe(f"{name} was not {action.how.done}: a state transfer has begun")
        if action.how is How.RESTART:
            fake.group.note_restart(name, at)
        fake.group.leave(name)
        fake.clients.tend()
    if not whole or action.how is How.STOP:
        return
    try:
        machine.start(server)
    except Refused as why:
        server.up = False
        raise NotHealed(f"{name}: restart of {action.unit} failed: {why}") from why
    fake.group.join(name, fake.lag)


def start(fake: Fake, machine: Machine, action: Restart, at: str, whole: bool) -> None:
    """A start alone finds a primary component, or gives up; a bootstrap makes one."""
    name, server = machine.host.name, fake.group.server(machine.host.name)
    if server.up and action.how is How.BOOTSTRAP:
        raise Unsafe(f"{name} was not bootstrapped: it runs already")
    if server.up or not whole:
        return
    fake.witness.restarts[name] += 1
    committed, crashed = server.committed, server.crashed
    try:
        machine.start(server)
    except Refused as why:
        server.up = False
        raise NotHealed(f"{name}: {action.how} of {action.unit} failed: {why}") from why
    if action.how is How.BOOTSTRAP:
        fake.group.bootstrap(name, at)
        return
    fake.group.join(name, fake.lag)
    if name not in fake.group.primary and not server.stuck:
        server.up, server.committed, server.crashed = False, committed, crashed
        raise NotHealed(
            f"{name}: start of {action.unit} failed: [ERROR] WSREP: failed to open gcomm backend connection: 110"
        )
