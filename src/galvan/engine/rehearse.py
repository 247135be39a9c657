"""A full state transfer on purpose: a member forgets how far it had come, and gets all its data anew from another one.

Only where an operator named the host. Nothing is deleted here: the note of its position is put aside, and its data stay in
place until the server's own transfer replaces them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import GATE
from galvan.cluster.quote import sh
from galvan.engine.gates import SERVES, Crew, gate, look, service, synced
from galvan.model import Host, How, NotHealed, Restart, Role, Shell, Unsafe

ASIDE = "/var/lib/galvan/transfer"


async def full_transfer(host: Host, crew: Crew, unit: str, datadir: str, say: Callable[[str], None]) -> None:
    """Raises Unsafe (nothing was stopped), or NotHealed where the member did not come back."""
    if len(crew.cluster.having(Role.DATABASE)) < 2:
        raise Unsafe(f"{host.name} was not stopped: no other member could give it its data")
    await gate(host, crew, gone=False)
    await crew.choreography.farewell(host, crew.remote, say)
    stop = Restart(len(crew.cluster.having(*MEMBERS)), unit, How.STOP)
    try:
        await crew.remote.act(host, stop, f"transfer@{host.name}")
    except Unsafe:
        await crew.choreography.welcome(host, crew.remote)
        raise
    say("stopped; it will ask for all its data")
    await crew.remote.act(host, _begun_anew(unit, datadir), f"transfer@{host.name}")
    await _arrived(host, crew, say)
    await crew.choreography.welcome(host, crew.remote)


def _begun_anew(unit: str, datadir: str) -> Shell:
    """The start is not waited for here: systemd gives it as long as the transfer goes on."""
    return sh(
        "mkdir -p -m 700 {{aside}}\n[ ! -e {{state}} ] || mv -f {{state}} {{aside}}/grastate.dat\n"
        "systemctl reset-failed {{unit}} 2>/dev/null || true\nsystemctl start --no-block {{unit}}",
        aside=ASIDE, state=f"{datadir.rstrip('/')}/grastate.dat", unit=unit,
    )  # fmt: skip


async def _arrived(host: Host, crew: Crew, say: Callable[[str], None]) -> None:
    waited = 0.0
    while (state := service(host, await look(crew, host, GATE))) != SERVES:
        if state not in ("activating", "active", "reloading"):
            raise NotHealed(
                f"{host.name} did not come back from its transfer: its server is {state}. Its position is kept in {ASIDE}; the other "
                f"members serve. Look at its log (journalctl -u mariadb), mend what it names, and start it: it asks again"
            )
        if waited and waited % 60 < crew.poll:
            say(f"the transfer goes on ({waited:.0f} s)")
        await asyncio.sleep(crew.poll)
        waited += crew.poll
    await synced(host, crew)
