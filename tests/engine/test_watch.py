"""SWITCH: who still goes the old way is seen, waited for, and hurts nobody else's climb."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from practice import TOP, Notes, carry, climb_of, copy_of, heights, insecure, planned, run

from galvan.app.change import BY_ID
from galvan.edges.fake import Fake, Pool
from galvan.edges.runs import climb
from galvan.edges.state import LedgerBook, StateDirectory
from galvan.engine.climb import with_watch
from galvan.engine.document import to_document
from galvan.engine.plan import Plan
from galvan.engine.watch import watch
from galvan.model import Fact, Host, Impact, Rung, Stage, Unreadable

CLIENT = BY_ID["client_tls"]
WINDOW = 0.02


@pytest.fixture(scope="module")
def switched() -> tuple[Fake, Plan]:
    """All is handed out; what comes next refuses the old way."""
    fake = insecure()
    made = run(planned(fake))
    run(carry(fake, made, upto=next(n for n, wave in enumerate(made.waves) if wave.stage is Stage.ACCOUNTS)))
    return fake, made


class Between:
    """Reads like the cluster in memory; something happens right after the `at`-th look at `host`."""

    def __init__(self, fake: Fake, host: str, happen: Callable[[], object], at: int = 1) -> None:
        self.fake, self.host, self.happen, self.left = fake, host, happen, at

    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        said = await self.fake.read(host, facts)
        self.left -= host.name == self.host
        if host.name == self.host and self.left == 0:
            self.happen()
        return said


def watched(
    fake: Fake, reader: Any = None, notes: Notes | None = None, said: list[str] | None = None, window: float = WINDOW
) -> list[Impact]:
    say = (said if said is not None else []).append
    return list(run(watch(CLIENT, fake.known(), reader or fake, window, notes or Notes(), say)))


def test_nobody_is_left(switched: tuple[Fake, Plan]) -> None:
    notes = Notes()
    assert watched(copy_of(switched[0]), notes=notes) == []
    assert notes.old == {}


def test_a_client_that_stays_is_named_with_its_evidence(switched: tuple[Fake, Plan]) -> None:
    fake, said = copy_of(switched[0]), list[str]()
    fake.clients.pools.append(Pool("report", "app1", "lb1", 2, stubborn=True))
    fake.clients.tend()
    (impact,) = watched(fake, said=said)
    assert (impact.who, impact.host) == ("report@10.0.0.20", "db1")
    assert impact.evidence == "2 live sessions without TLS"
    assert said == ["still on the old way: report@10.0.0.20"]


def test_a_client_that_moves_while_it_is_watched(switched: tuple[Fake, Plan]) -> None:
    fake, notes = copy_of(switched[0]), Notes()
    session = fake.clients.open_session("report", "10.0.0.9", "db2")
    assert session

    def move() -> None:
        session.tls = "TLSv1.2"

    assert watched(fake, Between(fake, "db2", move, at=3), notes, window=0.1) == []
    assert notes.old == {}


def test_a_client_that_only_went_away_is_outstanding(switched: tuple[Fake, Plan]) -> None:
    """A quiet window is no proof: who was seen the old way, and never the new one, is held against NARROW."""
    fake, notes = copy_of(switched[0]), Notes()
    session = fake.clients.open_session("monthly", "10.0.0.9", "db2")
    assert session
    reader = Between(fake, "db2", lambda: fake.clients.sessions.remove(session), at=2)
    (impact,) = watched(fake, reader, notes)
    assert (impact.who, impact.host) == ("monthly@10.0.0.9", "db2")
    assert session not in fake.clients.sessions


def test_a_login_between_two_looks_is_seen_by_the_counters(switched: tuple[Fake, Plan]) -> None:
    fake = copy_of(switched[0])
    reader = Between(fake, "db2", lambda: fake.clients.login("cron", "10.0.0.9", "db2"))
    notes = Notes()
    watched(fake, reader, notes)
    assert list(notes.old) == ["cron@10.0.0.9"]
    assert notes.old["cron@10.0.0.9"].evidence.startswith("1 logins in the window, 1 of all logins on db2 without")


def test_a_tls_login_between_two_looks_is_no_complaint(switched: tuple[Fake, Plan]) -> None:
    fake, notes = copy_of(switched[0]), Notes()
    reader = Between(fake, "db2", lambda: fake.clients.login("cron", "10.0.0.9", "db2", "TLSv1.3"))
    assert watched(fake, reader, notes) == []
    assert notes.old == {}


def test_a_restart_between_two_looks_does_not_count_backwards(switched: tuple[Fake, Plan]) -> None:
    fake = copy_of(switched[0])
    reader = Between(fake, "db2", lambda: fake.crash_server("db2"))
    assert watched(fake, reader) == []


def test_who_cannot_be_seen_is_not_absent(switched: tuple[Fake, Plan]) -> None:
    fake = copy_of(switched[0])
    fake.group.server("db3").variables["performance_schema"] = "OFF"
    with pytest.raises(Unreadable, match="nobody can say which sessions use TLS"):
        watched(fake)


def test_the_window_begins_again_with_each_sighting(
    switched: tuple[Fake, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds of our own making: somebody is seen at 8 s of a window of 10 s, so it is quiet at 18 s and not before."""
    fake, now, notes = copy_of(switched[0]), [0.0], Notes()

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        fake.clients.sessions = [s for s in fake.clients.sessions if s.user != "report"]
        notes.old.clear()
        if now[0] == 8.0:
            fake.clients.open_session("report", "10.0.0.9", "db2")

    monkeypatch.setattr("galvan.engine.watch.asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr("galvan.engine.watch.time", SimpleNamespace(monotonic=lambda: now[0]))
    assert watched(fake, notes=notes, window=10.0) == []
    assert now[0] == 18.0


# a whole run: the worker, as a durable run would drive it ----------------------------------------------------------
async def driven(fake: Fake, made: Plan, notes: Notes, accepted: frozenset[str] = frozenset()) -> dict[str, Any]:
    document = with_watch(to_document(made), BY_ID)
    worker = climb_of(
        fake, made, notes=notes, loop=asyncio.get_running_loop(), window=WINDOW, accepted=accepted
    )  # fmt: skip
    return await asyncio.to_thread(climb, document, worker)


def test_watching_ends_the_run_cleanly_and_holds_up_no_other_tip() -> None:
    fake, notes = insecure(), Notes()
    fake.clients.pools.append(Pool("report", "app1", "lb1", 1, stubborn=True))
    fake.clients.tend()
    made = run(planned(fake))
    ended = run(driven(fake, made, notes))
    assert ended["status"] == "watching"
    assert "report@10.0.0.20 on db2 would be refused: 1 live sessions without TLS" in ended["why"]
    assert run(heights(fake)) == {"client_tls": Rung.READY, "replication_tls": Rung.ENFORCED}
    assert fake.accounts()["'app'@'%'"] == "0"
    assert not fake.witness.refused_logins
    assert not any(path.endswith("/lock/owner") for machine in fake.machines.values() for path in machine.files)


def test_the_next_apply_narrows_once_the_list_is_empty() -> None:
    fake, notes = insecure(), Notes()
    stubborn = Pool("report", "app1", "lb1", 1, stubborn=True)
    fake.clients.pools.append(stubborn)
    fake.clients.tend()
    run(driven(fake, run(planned(fake)), notes))
    fake.clients.pools[-1] = replace(stubborn, stubborn=False)
    fake.clients.sessions = [s for s in fake.clients.sessions if s.pool != stubborn]
    fake.clients.tend()
    fake.run = "run-2"
    assert run(driven(fake, run(planned(fake)), notes))["status"] == "done"
    assert run(heights(fake)) == TOP
    assert set(fake.witness.restarts.values()) == {2}


def test_a_run_that_ended_watching_is_resumed_from_its_first_wave() -> None:
    """`resume` of an ended run carries the same plan out again: what is done is seen to be done."""
    fake, notes = insecure(), Notes()
    stubborn = Pool("report", "app1", "lb1", 1, stubborn=True)
    fake.clients.pools.append(stubborn)
    fake.clients.tend()
    made = run(planned(fake))
    assert run(driven(fake, made, notes))["status"] == "watching"
    fake.clients.pools[-1] = replace(stubborn, stubborn=False)
    fake.clients.sessions = [s for s in fake.clients.sessions if s.pool != stubborn]
    fake.clients.tend()
    ended = run(driven(fake, made, notes))
    assert (ended["status"], ended["waves_done"]) == ("done", len(made.waves))
    assert run(heights(fake)) == TOP
    assert set(fake.witness.restarts.values()) == {2}


def test_accepted_by_name_it_narrows_and_hurts_exactly_those() -> None:
    fake, notes = insecure(), Notes()
    fake.clients.pools.append(Pool("report", "app1", "lb1", 1, stubborn=True))
    fake.clients.tend()
    ended = run(driven(fake, run(planned(fake)), notes, frozenset({"report@10.0.0.20"})))
    assert ended["status"] == "done"
    fake.clients.sessions = [s for s in fake.clients.sessions if s.user != "report"]
    fake.clients.tend()
    assert set(fake.witness.refused_logins) == {"report@10.0.0.20"}


def test_accepting_another_name_does_not_help() -> None:
    fake = insecure()
    fake.clients.pools.append(Pool("report", "app1", "lb1", 1, stubborn=True))
    fake.clients.tend()
    assert run(driven(fake, run(planned(fake)), Notes(), frozenset({"app@10.0.0.20"})))["status"] == "watching"


def test_where_nobody_can_be_seen_nothing_is_narrowed() -> None:
    """performance_schema stays off by policy: then there is no look, and no look is no leave."""
    fake = insecure(watch_clients=False)
    ended = run(driven(fake, run(planned(fake)), Notes()))
    assert ended["status"] == "watching"
    assert "nobody can say which sessions use TLS" in ended["why"]
    assert fake.accounts()["'app'@'%'"] == "0"
    assert fake.group.server("db1").variables["require_secure_transport"] == "OFF"


def test_a_whole_run_with_nobody_left_is_done() -> None:
    fake = insecure()
    made = run(planned(fake))
    ended = run(driven(fake, made, Notes()))
    assert (ended["status"], ended["waves_done"]) == ("done", len(made.waves))
    assert run(heights(fake)) == TOP


# the ledger on the operator's side -----------------------------------------------------------------------------------
def test_the_ledger_remembers_over_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path))
    old = Impact("client_tls", "db1", "monthly@10.0.0.9", "would be refused", "1 live sessions without TLS")
    now = time.time()
    LedgerBook(StateDirectory("shop")).saw("client_tls", [old], [], now)
    (left,) = LedgerBook(StateDirectory("shop")).outstanding("client_tls")
    assert (left.who, left.host) == (old.who, old.host)
    assert LedgerBook(StateDirectory("shop")).outstanding("other") == ()
    LedgerBook(StateDirectory("shop")).saw("client_tls", [], ["monthly@10.0.0.9"], now + 5)
    assert LedgerBook(StateDirectory("shop")).outstanding("client_tls") == ()
    LedgerBook(StateDirectory("shop")).saw("client_tls", [old], [], now + 9)
    assert len(LedgerBook(StateDirectory("shop")).outstanding("client_tls")) == 1


def test_the_ledger_forgets_after_a_month_and_a_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path))
    old = Impact("client_tls", "db1", "gone@10.0.0.9", "would be refused", "1 live sessions without TLS")
    LedgerBook(StateDirectory("shop")).saw("client_tls", [old], [], time.time() - 36 * 86400)
    assert LedgerBook(StateDirectory("shop")).outstanding("client_tls") == ()
