"""The learnt query firewall begins to detect, or to protect: what that would take, and the taking of it.

ProxySQL by ProxySQL; a plan is made from what was seen, and where one of them does not come to hold, all are put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galvan.app.change import new_run
from galvan.app.desk import Desk
from galvan.app.hands import hands
from galvan.app.statements import Told, balancers, door_of, missed_at, once
from galvan.edges import statements as files
from galvan.engine.gather import gather
from galvan.model import Action, GalvanError, Host, Impact, NotHealed, Remote, Step, Unsafe, remaining
from galvan.model.statements import Book
from galvan.tips.load_balancer.statements import book as books
from galvan.tips.load_balancer.statements.door import Admin
from galvan.tips.load_balancer.statements.orders import DETECTING, OFF, PROTECTING, modes
from galvan.tips.load_balancer.statements.proxysql import LOG, Standing, said_by, standing_of
from galvan.tips.load_balancer.statements.steps import cut_short, obstacles, pending, release, step


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a mode would take at each balancer. `impact`: what would be refused and nobody took by name."""

    mode: str
    book: Book
    steps: tuple[Step, ...]
    impact: tuple[Impact, ...]
    accepted: tuple[Impact, ...]
    notes: tuple[str, ...]


async def prepare(
    desk: Desk, path: Path, mode: str, doors: Mapping[str, Admin], accepted: frozenset[str] = frozenset()
) -> Prepared:
    """Reads only. Raises Unsafe where the book is empty or a balancer cannot hold to it, BadInput where there is none."""
    hosts, notes = balancers(desk)
    if notes and mode == PROTECTING and not desk.limit:
        raise Unsafe(
            f"not protected: {'; '.join(notes)}. What goes through it is held to nothing; --limit takes the others alone"
        )
    book = files.read(path)
    if books.empty(book):
        raise Unsafe(f"{path} allows no statement: everything would be unknown. Learn first, and decide")
    admin = door_of(doors)
    said, standing = said_by(admin), standing_of(admin)
    seen = await once(desk, hosts, (said, standing, LOG))
    against = [f"{f.host.name}: {why}" for f in seen.hosts for why in obstacles(book, f[standing], mode)]
    if mode == PROTECTING:
        against += [f"{f.host.name}: {why}" for f in seen.hosts for why in _not_watched(book, f[standing])]
    if against:
        raise Unsafe("; ".join(against))
    steps = tuple(step(f.host.name, book, f[standing], mode, admin) for f in seen.hosts)
    steps = tuple(one for one in steps if remaining(one, one.before))
    found = tuple(m for f in seen.hosts for m in missed_at(f, book, said))
    notes = (*notes, *(n for f in seen.hosts for n in _notes(book, f.host, f[standing])))
    kept = tuple(one for one in found if one.who in accepted)
    return Prepared(mode, book, steps, tuple(one for one in found if one.who not in accepted), kept, notes)


async def prepare_off(desk: Desk, doors: Mapping[str, Admin]) -> Prepared:
    """The way back from both. Needs no book. Raises Unsafe where somebody left changes in a ProxySQL's memory."""
    hosts, notes = balancers(desk)
    admin = door_of(doors)
    standing = standing_of(admin)
    seen = await once(desk, hosts, (standing,))
    if against := [f"{f.host.name}: {why}" for f in seen.hosts for why in pending(f[standing])]:
        raise Unsafe("; ".join(against))
    steps = tuple(release(f.host.name, f[standing], admin) for f in seen.hosts)
    return Prepared(OFF, Book({}), tuple(one for one in steps if remaining(one, one.before)), (), (), notes)


def _not_watched(book: Book, seen: Standing) -> list[str]:
    """Nobody is refused who was not watched before."""
    stand = modes(seen.runtime)
    return [
        f"{account} is not watched yet (galvan lb firewall detect)"
        for account in book.accounts
        if stand.get(account) not in (DETECTING, PROTECTING)
    ]


def _notes(book: Book, host: Host, seen: Standing) -> list[str]:
    free = [account for account in seen.accounts if account not in book.accounts]
    said = [f"{host.name}: not in the book, so held to nothing: {', '.join(free)}"] if free else []
    said += [
        f"{host.name}: only the beginning of this statement makes its digest: {name}" for name in cut_short(book, seen)
    ]
    return [
        *said,
        f"{host.name}: an account that is made later has no row and is refused until `detect` or `protect` is said again",
    ]


async def carry_out(desk: Desk, made: Prepared, told: Told) -> str:
    """Balancer by balancer; where one does not come to hold, it and those before it are put back. Raises Unsafe where somebody
    would be refused, NotHealed."""
    if made.mode == PROTECTING and made.impact:
        raise Unsafe(f"{len(made.impact)} statements that are said would be refused, and nobody took them by name")
    run = new_run()
    by_name = {host.name: host for host in desk.cluster.hosts}
    async with hands(desk, run, desk.authorities(), [one.read for one in made.steps]) as ssh:
        done: list[Step] = []
        try:
            for one in made.steps:
                done.append(one)
                await _do(desk, one, by_name[one.host], ssh)
                told(one.host, one.title)
        except GalvanError:
            for one in reversed(done):
                await _put_back(one, by_name[one.host], ssh, told)
            raise
    return run


async def _do(desk: Desk, one: Step, host: Host, remote: Remote) -> None:
    await _act(one.do, one, host, remote)
    snapshot = await gather(replace(desk.cluster, hosts=(host,)), [one.read], remote)
    if left := remaining(one, snapshot.of(host.name)[one.read]):
        raise NotHealed(f"{one.id}: ProxySQL took it and does not stand so: {', '.join(map(str, left))}")


async def _put_back(one: Step, host: Host, remote: Remote, told: Told) -> None:
    """The error that began it is the one that is told; this one is told beside it."""
    try:
        await _act(one.undo, one, host, remote)
        told(one.host, "put back to what stood there")
    except GalvanError as why:
        told(one.host, f"could not be put back: {why}")


async def _act(actions: Sequence[Action], one: Step, host: Host, remote: Remote) -> None:
    for action in actions:
        await remote.act(host, action, one.stage.at(host.name))
