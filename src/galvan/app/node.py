"""One host by hand: out of the balancer, back, or restarted through the same gates as in a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from galvan.app.change import crew_of, new_run
from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.cluster.facts import INSTALL, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.order import Wave
from galvan.engine.apply import restart_only
from galvan.engine.choreography import DRAINED
from galvan.engine.gather import gather
from galvan.model import BadInput, Disruption, Restart, Role, Stage, Step


async def node(desk: Desk, what: str, name: str, told: Callable[[str, str], None]) -> None:
    host = next((h for h in desk.cluster.having(Role.DATABASE) if h.name == name), None)
    if host is None:
        raise BadInput(f"galvan.yaml names no database host {name}")
    async with hands(desk, new_run(), desk.authorities(), (DRAINED,)) as ssh:
        crew = crew_of(desk, ssh, told)
        if what == "drain":
            await crew.choreography.farewell(host, ssh, lambda said: told(name, said))
        elif what == "undrain":
            await crew.choreography.welcome(host, ssh)
            told(name, "back behind its balancer")
        else:
            snapshot = await gather(replace(desk.cluster, hosts=(host,)), [INSTALL, VARIABLES], ssh)
            unit = text(snapshot.of(name)[INSTALL], "unit")
            restart = Restart(len(desk.cluster.having(Role.DATABASE, Role.ARBITRATOR)), unit)
            step = Step(
                f"node.restart@{name}", "node", name, Stage.FIRST_RESTART, VARIABLES, {}, {}, (restart,), (restart,),
                f"restart {unit}", Disruption.RESTART,
            )  # fmt: skip
            await restart_only(Wave(Stage.FIRST_RESTART, name, (step,)), host, crew)
            told(name, "restarted, Synced, and back behind its balancer")
