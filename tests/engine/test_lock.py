"""One operator at a time, and a run that goes on after its own death."""

from __future__ import annotations

import json

import pytest
from practice import carry, climb_of, insecure, look, planned, run

from galvan.app.change import FACTS
from galvan.app.manifest import MANIFEST, entries_of, set_aside
from galvan.cluster.health import not_held
from galvan.edges.fake import Fake, File, scripts
from galvan.engine.document import wave_document
from galvan.engine.gather import gather
from galvan.model import Shell, Unsafe

LOCK = scripts.LOCK


def owners(fake: Fake) -> dict[str, str]:
    return {name: machine.files[LOCK].content for name, machine in fake.machines.items() if LOCK in machine.files}


def test_a_second_operator_is_refused_and_told_who_and_how() -> None:
    fake = insecure()
    made = run(planned(fake))
    fake.machines["db2"].files[LOCK] = File("ann on desk1, run 20250101-0800, since 2025-01-01 08:00:00 +0000\n")
    with pytest.raises(Unsafe) as refused:
        run(climb_of(fake, made)._lock())
    assert "ann on desk1, run 20250101-0800" in str(refused.value)
    assert "galvan unlock" in str(refused.value)
    assert set(owners(fake)) == {"db2"}


def test_who_asks_before_he_locks_is_told_of_the_run_and_not_of_what_it_does() -> None:
    fake = insecure()
    fake.machines["db2"].files[LOCK] = fake.machines["db1"].files[LOCK] = File("ann on desk1, run r, since today\n")
    fake.group.leave("db2")
    with pytest.raises(Unsafe, match=r"^nothing was begun: locked by: ann on desk1, run r, since today \(if that run"):
        not_held(run(look(fake)))
    fake.die("db1")
    with pytest.raises(Unsafe, match="locked by: ann"):
        not_held(run(look(fake)))
    del fake.machines["db2"].files[LOCK]
    not_held(run(look(fake)))


def test_all_members_are_locked_whoever_the_plan_concerns_and_released_at_the_end() -> None:
    fake = insecure()
    made = run(planned(fake))
    climb = climb_of(fake, made)
    run(climb._lock())
    assert set(owners(fake)) == {"db1", "db2", "db3", "app1"}
    assert all("run run-1" in owner for owner in owners(fake).values())
    run(climb._release("stopped"))
    assert owners(fake) == {}


def test_its_own_lock_is_taken_again_and_another_ones_is_never_taken_off() -> None:
    fake = insecure()
    made = run(planned(fake))
    run(climb_of(fake, made)._lock())
    run(climb_of(fake, made)._lock())
    fake.machines["db3"].files[LOCK] = File("bob on desk2, run other, since today\n")
    run(climb_of(fake, made)._release("stopped"))
    assert owners(fake) == {"db3": "bob on desk2, run other, since today\n"}


def test_a_rollback_takes_over_the_lock_of_the_run_it_undoes() -> None:
    fake = insecure()
    made = run(planned(fake))
    run(climb_of(fake, made)._lock())
    fake.run = "undo-run-1"
    run(climb_of(fake, made, instead="run-1")._lock())
    assert all("run undo-run-1" in owner for owner in owners(fake).values())


def test_a_run_whose_name_begins_like_another_is_another() -> None:
    fake = insecure()
    made = run(planned(fake))
    fake.machines["db1"].files[LOCK] = File("ann on desk1, run run-11, since today\n")
    with pytest.raises(Unsafe, match="run-11"):
        run(climb_of(fake, made)._lock())


def test_every_wave_lies_on_its_host_before_it_is_carried_out() -> None:
    fake = insecure()
    made = run(planned(fake))
    run(carry(fake, made))
    snapshot = run(gather(fake.cluster, [MANIFEST], fake))
    for facts in snapshot.hosts:
        mine = [wave for wave in made.waves if wave.host == facts.host.name]
        entries = entries_of(facts[MANIFEST])
        assert [entry.document for entry in entries] == json.loads(json.dumps([wave_document(wave) for wave in mine]))
        assert [entry.wave(FACTS) for entry in entries] == mine
    first = {done.wave: done.number for done in reversed(fake.log)}
    remembered = [done.number for done in fake.log if done.wave == "remember"]
    assert all(any(n < first[wave.id] for n in remembered) for wave in made.waves if wave.id in first)


def test_a_run_that_was_undone_is_set_aside() -> None:
    fake = insecure()
    run(carry(fake, run(planned(fake))))
    host = fake.cluster.hosts[0]
    run(fake.act(host, set_aside("run-1"), "forget"))
    assert not any(path.startswith("/var/lib/galvan/runs/") for path in fake.machines["db1"].files)
    assert any(path.startswith("/var/lib/galvan/undone/run-1/") for path in fake.machines["db1"].files)


def test_the_cluster_in_memory_takes_no_script_that_it_does_not_know() -> None:
    fake = insecure()
    with pytest.raises(AssertionError, match="does not know"):
        run(fake.act(fake.cluster.hosts[0], Shell("rm -rf /var/lib/mysql"), "x"))
