"""A restart with something in between, for its own sake: through the gates of every restart, one host at a time.

Whatever happens in between, the server is started again; one that does not come back is said so, and no other host is touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from galvan.cluster.quote import sh
from galvan.engine.apply import together
from galvan.engine.gates import Crew, gate, synced
from galvan.engine.timers import hasten, relax
from galvan.model import Host, How, NotHealed, Restart

_WITH = "systemctl set-environment MYSQLD_OPTS={{options}}"
_WITHOUT = "systemctl unset-environment MYSQLD_OPTS"


async def bounced(
    host: Host, crew: Crew, restart: Restart, between: Callable[[], Awaitable[None]], wave: str, options: str = ""
) -> None:
    """`options`: what the server is started with this once. Raises Unsafe (nothing was stopped), NotHealed."""
    await gate(host, crew, gone=False)
    if told := await crew.preflight(host):
        raise NotHealed(f"{host.name} was not restarted: " + "; ".join(told))
    await together(
        crew.choreography.farewell(host, crew.remote, lambda text: crew.say(wave, text)),
        *([hasten(host, crew.cluster, crew.remote)] if crew.quick_rejoin else []),
    )
    try:
        await crew.remote.act(host, replace(restart, how=How.STOP), wave)
        try:
            await between()
        finally:
            await _started(host, crew, restart, wave, options)
        await synced(host, crew)
    finally:
        if crew.quick_rejoin:
            await relax(crew.cluster, crew.remote)
    await crew.choreography.welcome(host, crew.remote)


async def _started(host: Host, crew: Crew, restart: Restart, wave: str, options: str) -> None:
    """The next start, whoever makes it, is an ordinary one again."""
    if options:
        await crew.remote.act(host, sh(_WITH, options=options), wave)
    try:
        await crew.remote.act(host, replace(restart, how=How.START), wave)
    finally:
        if options:
            await crew.remote.act(host, sh(_WITHOUT), wave)
