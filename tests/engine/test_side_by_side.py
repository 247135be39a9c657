"""Hosts that are only laid ready go side by side, on the cluster in memory."""

from __future__ import annotations

from practice import Notes, run
from test_pace import climber, driven, first, ground

from galvan.edges.fake import CONFIG_HOME, File
from galvan.model import Stage

MINE = f"{CONFIG_HOME}/zz-galvan.cnf"


def test_hosts_are_laid_ready_side_by_side_and_one_that_fails_is_put_back_alone() -> None:
    fake, made = ground()
    fake.machines["db3"].files[MINE] = File("# of somebody else\n")
    ended = run(driven(climber(fake, made, Notes())))
    assert (ended["status"], ended["waves_done"]) == ("refused", first(made, Stage.PREPARE)), ended
    assert fake.machines["db3"].files[MINE].content == "# of somebody else\n"
    assert all("galvan" in fake.machines[name].files[MINE].content for name in ("db1", "db2"))
    assert not fake.witness.restarts


def test_a_run_that_pauses_takes_one_host_after_the_other() -> None:
    fake, made = ground()
    ended = run(driven(climber(fake, made, Notes(), pause=made.waves[0].id)))
    assert (ended["status"], ended["waves_done"]) == ("paused", 1)
    assert [name for name in ("db1", "db2", "db3") if MINE in fake.machines[name].files] == [made.waves[0].host]
