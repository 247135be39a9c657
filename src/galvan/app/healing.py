"""A member that asks for a full copy again and again, and does not understand what it gets: given the others' lines, and started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from galvan.app.change import crew_of, new_run
from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.cluster import settle
from galvan.cluster.facts import HOUSE, INSTALL, STATUS, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.quote import sh
from galvan.cluster.transfer import spoken
from galvan.engine.gates import synced
from galvan.engine.gather import gather
from galvan.model import (
    GalvanError,
    Host,
    HostFacts,
    How,
    PutFile,
    Remote,
    Restart,
    RestoreFile,
    Role,
    Stage,
    Unreadable,
    Unsafe,
)
from galvan.tips.sst_tls.checks import unfit
from galvan.tips.sst_tls.facts import FIT
from galvan.tips.sst_tls.healing import file_for

FACTS = (*HOUSE, FIT)
LIMIT = 3600
"""Seconds that a start may take which brings a full copy."""
STILL = "systemctl stop {{unit}}; systemctl reset-failed {{unit}} 2>/dev/null; ! systemctl is-active -q {{unit}}"


async def heal(desk: Desk, host: Host, told: Callable[[str, str], None]) -> None:
    """Raises Unsafe where another member is not well, where this one runs, or where it does
    not differ (nothing was changed then); NotHealed where it does not come back (the lines stay: with
    others it never could)."""
    name = host.name
    async with hands(desk, new_run(), desk.authorities(), (FIT,)) as ssh:
        snapshot = await gather(desk.cluster, FACTS, ssh)
        mine, others = snapshot.of(name), [f for f in snapshot.having(Role.DATABASE) if f.host != host]
        _may(mine, others)
        content, path = file_for(mine, others), settle.path_of(mine)
        unit, wave = text(mine[INSTALL], "unit"), Stage.TRANSFER.at(name)
        told(
            name,
            f"its transfers would be made so: {spoken(mine).said}; {others[0].host.name}: {spoken(others[0]).said}",
        )
        await ssh.act(host, sh(STILL, unit=unit), wave)
        await ssh.act(host, PutFile(path, content), wave)
        try:
            await _understood(desk, host, others[0], ssh)
        except GalvanError:
            await ssh.act(host, RestoreFile(path, wave), wave)
            told(name, f"{path} is as it was; the server is stopped, so that it takes no donor out of service")
            raise
        told(name, f"{path} has the others' lines now; it starts, and gets a full copy where it needs one")
        members = len(desk.cluster.having(Role.DATABASE, Role.ARBITRATOR))
        await ssh.act(host, Restart(members, unit, How.START, limit=LIMIT), wave)
        await synced(host, crew_of(desk, ssh, told))
    told(name, "Synced again, and counted by every member")


def _may(mine: HostFacts, others: list[HostFacts]) -> None:
    if _answers(mine):
        raise Unsafe(f"the server of {mine.host.name} answers: this is for a member that cannot come back")
    for facts in others:
        if not _answers(facts) or facts[STATUS].get("wsrep_cluster_status") != "Primary":
            raise Unsafe(
                f"{facts.host.name} is not in the primary component: one member at a time can be healed, the others being well"
            )


def _answers(facts: HostFacts) -> bool:
    return not isinstance(facts.readings.get(VARIABLES.id), Unreadable | None)


async def _understood(desk: Desk, host: Host, other: HostFacts, remote: Remote) -> None:
    """What the scripts will read now, asked of the host, before anything starts."""
    here = (await gather(replace(desk.cluster, hosts=(host,)), [*HOUSE, FIT], remote)).of(host.name)
    if spoken(here).talks != spoken(other).talks:
        raise Unsafe(f"{host.name} still reads {spoken(here).said}: another file says so after Galvan's")
    if spoken(other).encrypted and (why := [*unfit(here)]):
        raise Unsafe(f"the certificates of {host.name} would not do: {'; '.join(why)}")
