"""State transfers on the cluster in memory: the hosts turn together, whatever holds a run up; and every way back ends where it began."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from practice import boundaries, carry, climb_of, copy_of, heights, insecure, order_in, planned, run, undo_of

from galvan.app.change import BY_ID
from galvan.edges.fake import Fake, Killed
from galvan.edges.runs import climb
from galvan.engine.climb import with_watch
from galvan.engine.document import to_document
from galvan.engine.plan import Plan
from galvan.model import Rung, Stage
from galvan.tips.sst_tls import TIP

TIPS = (TIP,)
Json = dict[str, Any]


def ground() -> tuple[Fake, Plan]:
    fake = insecure()
    return fake, run(planned(fake, TIPS))


async def driven(fake: Fake, made: Plan, pause: str) -> Json:
    from galvan.engine.pace import Pace

    worker = climb_of(fake, made, loop=asyncio.get_running_loop())
    worker.pace = Pace(
        made, worker.crew, seconds=[1.0] * len(made.waves), pause=pause, poll=0.001, patience=0.002, soak=0.01
    )
    document = with_watch(to_document(made), BY_ID) | {"orders": {"pause": pause}}
    return await asyncio.to_thread(climb, document, worker)


def test_no_host_is_left_behind_where_a_run_pauses_after_each_wave() -> None:
    fake, made = ground()
    turning = {wave.host for wave in made.waves if wave.stage is Stage.TRANSFER}
    assert turning == {"db1", "db2", "db3"}
    ended: Json = {"status": "paused"}
    while ended["status"] == "paused":
        ended = run(driven(fake, made, "each"))
        spoken = {host for host in turning if "encrypt" in _section(fake, host)}
        assert spoken in (set(), turning)
    assert ended["status"] == "done"
    assert run(heights(fake, TIPS)) == {"sst_tls": Rung.ENFORCED}
    assert sum(fake.witness.restarts.values()) == 0


def _section(fake: Fake, host: str) -> str:
    return "".join(file.content for path, file in fake.machines[host].files.items() if path.endswith("zz-galvan.cnf"))


def test_the_way_back_is_walked_together_too() -> None:
    fake, made = ground()
    back = undo_of(made, order_in(fake))
    together = [wave for wave in with_watch(to_document(back), BY_ID)["waves"] if wave.get("beside") == "always"]
    assert [wave["stage"] for wave in together] == ["transfer", "transfer"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_it_goes_on_and_goes_back(when: str) -> None:
    start, made = ground()
    before = {host: dict(machine.files) for host, machine in start.machines.items()}
    for crash in range(1, boundaries(start, lambda fake: carry(fake, made)) + 1):
        fake = copy_of(start)
        fake.crash_at, fake.crash_when = crash, when
        with pytest.raises(Killed):
            run(carry(fake, made))
        fake.crash_at = 0
        run(carry(fake, made))
        assert run(heights(fake, TIPS)) == {"sst_tls": Rung.ENFORCED}
        run(carry(fake, undo_of(made, order_in(fake))))
        assert run(heights(fake, TIPS)) == {"sst_tls": Rung.OPEN}
        for host, files in before.items():
            lies = {
                path: file
                for path, file in fake.machines[host].files.items()
                if not path.startswith("/var/lib/galvan/")
            }
            assert lies == files, (crash, host)
            assert not fake.machines[host].shut
