"""A cluster lives through everything that SELinux should know, one host and one event at a time, and what was noted is collected.

Denials are joined to the event that caused them by each host's own clock, and asked of every host: a transfer is noted where it
comes from, too. A log that lost something ends the rehearsal: what is not known was not learnt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from galvan.app.change import crew_of, heeding
from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.app.planning import order_of
from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.facts import GATE, INSTALL
from galvan.cluster.health import complaints, text
from galvan.cluster.quote import sh
from galvan.engine.bounce import bounced
from galvan.engine.choreography import DRAINED
from galvan.engine.gates import Crew, synced
from galvan.engine.gather import gather
from galvan.model import GalvanError, Host, HostFacts, How, NotHealed, Remote, Restart, Snapshot, Unreadable, Unsafe
from galvan.model.denials import Denial
from galvan.tips.selinux import apparmor
from galvan.tips.selinux.audit import Log, concerns, log, query
from galvan.tips.selinux.events import Event, Pass
from galvan.tips.selinux.facts import STATE
from galvan.tips.selinux.impact import answered
from galvan.tips.selinux.review import Caught

Told = Callable[[str, str], None]
COPY = 4 * 3600
"""Seconds that a start may take which brings a full copy."""
WRITTEN = 2.0
"""Seconds that a record may be on its way from the kernel to the log."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One event on one host, and the denials that it brought on all of them. `failed`: it could not be carried through."""

    host: str
    event: str
    caught: tuple[Caught, ...]
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`watched`: the hosts whose logs are asked. `events`: by host, in the order in which they are tried.
    `left`: rules whose denials are no news, because somebody took them by name. `strict`: it is being
    enforced, so the first event that fails or is refused anything ends it; what a host that is still permissive only notes, and what was
    built lets through, is no refusal: it gives its neighbour the data."""

    snapshot: Snapshot
    watched: tuple[HostFacts, ...]
    events: tuple[tuple[HostFacts, Event], ...]
    left: frozenset[str] = frozenset()
    strict: bool = False

    def is_news(self, denial: Denial) -> bool:
        let_through = self.strict and not denial.refused and answered(self.snapshot.cluster, denial)
        return denial.rule not in self.left and not let_through

    @property
    def restarts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for facts, event in self.events:
            counts[facts.host.name] = counts.get(facts.host.name, 0) + len(event.passes)
        return counts


def in_order(snapshot: Snapshot, events: Sequence[tuple[HostFacts, Event]]) -> tuple[tuple[HostFacts, Event], ...]:
    """The host that takes the writes goes last."""
    order = order_of(snapshot)
    return tuple(sorted(events, key=lambda pair: order.index(pair[0].host.name)))


async def rehearse(
    desk: Desk,
    made: Rehearsal,
    run: str,
    told: Told,
    keep: Callable[[Trial], None] = lambda trial: None,
) -> tuple[Trial, ...]:
    """`keep` gets each trial as soon as it is over: a process that dies later has not learnt it in vain. A strict
    rehearsal ends with the first event that fails or is refused anything. Otherwise what failed is told and stands in the trials; a host that does not come back
    ends it all the same. A signal ends it after the event that is under way, with every member where it belongs. Raises Unsafe then, and where a gate
    refuses or a log loses records."""
    trials: list[Trial] = []
    asked = asyncio.Event()

    def stop() -> None:
        told("interrupt", "stopping after this event")
        asked.set()

    async with hands(desk, run, desk.authorities(), (DRAINED,)) as ssh:
        crew = crew_of(desk, ssh, told)
        with heeding(stop):
            for facts, event in made.events:
                trials.append(await _tried(facts, event, made, crew))
                keep(trials[-1])
                if made.strict and (trials[-1].failed or trials[-1].caught):
                    break
                if failed := trials[-1].failed:
                    await _whole(crew, failed)
                if asked.is_set() and (made.strict or len(trials) < len(made.events)):
                    raise Unsafe(
                        f"stopped as asked after {event.id}@{facts.host.name}: {len(trials)} of {len(made.events)} events were tried"
                    )
    return tuple(trials)


async def _tried(facts: HostFacts, event: Event, made: Rehearsal, crew: Crew) -> Trial:
    """Raises Unsafe where the logs cannot be trusted."""
    host, name, ssh = facts.host, f"{event.id}@{facts.host.name}", crew.remote
    crew.say(name, event.title)
    before = await _logs(made.watched, {f.host.name: await _clock(f.host, ssh) for f in made.watched}, ssh)
    failed = ""
    try:
        await _happen(facts, event, made.snapshot, crew, name)
    except (NotHealed, Unreadable) as why:
        failed = str(why)
        crew.say(name, f"it failed: {failed}")
    await asyncio.sleep(WRITTEN)
    after = await _logs(made.watched, {name: one.since for name, one in before.items()}, ssh)
    trial = Trial(host.name, event.id, _caught(event, before, after, made), failed)
    crew.say(name, f"{len(trial.caught)} denials")
    return trial


def _caught(event: Event, before: dict[str, Log], after: dict[str, Log], made: Rehearsal) -> tuple[Caught, ...]:
    found = []
    for host, seen in after.items():
        if lost := seen.lost - before[host].lost:
            raise Unsafe(
                f"{host} lost {lost} records of its audit log meanwhile: what was refused is not known. Raise its backlog (auditctl -b)"
            )
        noted = [apparmor.known(denial) for denial in seen.denials if concerns(denial)]
        found += [Caught(host, event.id, denial) for denial in noted if made.is_news(denial)]
    return tuple(found)


async def _clock(host: Host, ssh: Remote) -> float:
    return float(await ssh.act(host, sh("date +%s.%N"), "rehearse"))


async def _logs(watched: Sequence[HostFacts], since: dict[str, float], ssh: Remote) -> dict[str, Log]:
    async def one(host: Host) -> tuple[str, Log]:
        try:
            return host.name, log(await ssh.act(host, query(f"{since[host.name]:.0f}"), "rehearse"))
        except Unreadable as why:
            raise Unsafe(f"{host.name}: {why}. Nothing is learnt from a log that cannot be trusted") from why

    return dict(await asyncio.gather(*(one(facts.host) for facts in watched)))


async def _happen(facts: HostFacts, event: Event, snapshot: Snapshot, crew: Crew, wave: str) -> None:
    for action in event.do:
        await crew.remote.act(facts.host, action, "rehearse")
    for one in event.passes:
        await _pass(facts, one, snapshot, crew, wave)


async def _pass(facts: HostFacts, one: Pass, snapshot: Snapshot, crew: Crew, wave: str) -> None:
    other = next((f.host for f in snapshot.hosts if f.host.role is facts.host.role and f is not facts), None)

    async def between() -> None:
        if one.here:
            await crew.remote.act(facts.host, one.here, "rehearse")
        if one.elsewhere and other:
            await crew.remote.act(other, one.elsewhere, "rehearse")

    await bounced(facts.host, crew, restart_of(facts, crew), between, wave, one.options)
    if one.after:
        await crew.remote.act(facts.host, one.after, "rehearse")


def restart_of(facts: HostFacts, crew: Crew) -> Restart:
    return Restart(len(crew.cluster.having(*MEMBERS)), text(facts[INSTALL], "unit"), limit=COPY)


async def _whole(crew: Crew, failed: str) -> None:
    """After an event that failed. Raises Unsafe while the cluster is not whole."""
    if told := [*complaints(await gather(crew.cluster, GATE, crew.remote))]:
        raise Unsafe(f"{failed}. The rehearsal ends here: {'; '.join(told)}")


async def eased(desk: Desk, facts: HostFacts, run: str, told: Told) -> None:
    """A host that enforcing has broken is permissive again, at once, and its server is up before anything else is put back."""
    async with hands(desk, run, desk.authorities(), (DRAINED,)) as ssh:
        crew = crew_of(desk, ssh, told)
        await ssh.act(facts.host, apparmor.back() if apparmor.at_work(facts[STATE]) else sh("setenforce 0"), "rehearse")
        told(facts.host.name, "permissive again")
        if await ssh.act(
            facts.host,
            sh("systemctl is-active -q {{unit}} || echo down", unit=text(facts[INSTALL], "unit")),
            "rehearse",
        ):
            try:
                await ssh.act(facts.host, replace(restart_of(facts, crew), how=How.START), "rehearse")
            except GalvanError as why:
                raise NotHealed(f"{facts.host.name} is permissive again, and its server does not start: {why}") from why
        await synced(facts.host, crew)
        await crew.choreography.welcome(facts.host, ssh)
