"""One host by hand: out of the balancer, back, or restarted through the same gates as in a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from galvan.app.change import crew_of, new_run
from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.cluster.arbitrator import MEMBERS, RUNNING, UNIT
from galvan.cluster.facts import INSTALL, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.order import Wave
from galvan.engine.apply import restart_only
from galvan.engine.choreography import DRAINED
from galvan.engine.gates import Crew
from galvan.engine.gather import gather
from galvan.model import BadInput, Disruption, Host, Restart, Role, Stage, Step


async def node(desk: Desk, what: str, name: str, told: Callable[[str, str], None]) -> None:
    allowed = MEMBERS if what == "restart" else (Role.DATABASE,)
    host = next((h for h in desk.cluster.having(*allowed) if h.name == name), None)
    if host is None:
        raise BadInput(f"galvan.yaml names no {' or '.join(allowed)} host {name}")
    if what == "heal":
        from galvan.app.healing import heal

        await heal(desk, host, told)
        return
    async with hands(desk, new_run(), desk.authorities(), (DRAINED,)) as ssh:
        crew = crew_of(desk, ssh, told)
        if what == "drain":
            await crew.choreography.drain(host, ssh, lambda said: told(name, said))
        elif what == "undrain":
            await crew.choreography.undrain(host, ssh)
            told(name, "back behind its balancer")
        elif host.role is Role.ARBITRATOR:
            await restart_by_hand(crew, host, UNIT)
            told(name, "restarted, and counted by every member")
        else:
            snapshot = await gather(replace(desk.cluster, hosts=(host,)), [INSTALL, VARIABLES], ssh)
            await restart_by_hand(crew, host, text(snapshot.of(name)[INSTALL], "unit"))
            told(name, "restarted, Synced, and back behind its balancer")


async def restart_by_hand(crew: Crew, host: Host, unit: str, wave: str = "") -> None:
    """A restart for its own sake, through the gates of a run. `wave`: under which name it is told."""
    restart = Restart(len(crew.cluster.having(*MEMBERS)), unit)
    read = RUNNING if host.role is Role.ARBITRATOR else VARIABLES
    step = Step(
        wave or f"node.restart@{host.name}", "node", host.name, Stage.FIRST_RESTART, read, {}, {}, (restart,), (restart,),
        f"restart {unit}", Disruption.RESTART,
    )  # fmt: skip
    await restart_only(Wave(Stage.FIRST_RESTART, host.name, (step,)), host, crew)
