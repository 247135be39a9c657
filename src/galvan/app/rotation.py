"""A new key of encryption at rest: on every host first, then in use, table by table.

The first part is a run like any other: the key is sealed here, the new key file laid down everywhere, and every member restarted
through the gates, because a server reads its key file at a start only. It can be resumed and undone. Then, host by host, a
drained member rewrites its tables with the new key by itself (RSU: nothing of it is replicated, the others go on), and is
waited for. That part is harmless when begun again: what has the new key is passed by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from galvan.app.change import Ended, apply, crew_of, new_run
from galvan.app.desk import Desk, look, sit_again
from galvan.app.hands import hands
from galvan.app.orders import Orders
from galvan.app.planning import order_of
from galvan.cluster.behind import BEHIND
from galvan.cluster.facts import HOUSE, SESSIONS, rows
from galvan.cluster.quote import identifier
from galvan.cluster.settle import settle
from galvan.cluster.upkeep import UPKEEP
from galvan.edges import actions
from galvan.engine import audit as audits
from galvan.engine.choreography import DRAINED
from galvan.engine.gates import Crew, caught_up, gate
from galvan.engine.plan import Plan, plan
from galvan.model import Host, NotHealed, Remote, Role, Rung, Snapshot, Sql, Unsafe, Verdict
from galvan.pki.steps import certify
from galvan.tips import TIPS
from galvan.tips.hardening.at_rest.facts import FILES, TABLES
from galvan.tips.hardening.at_rest.steps import FIRST

Told = Callable[[str, str], None]
Run = Callable[[Host, str, float], Awaitable[tuple[str, str, int]]]
CHECK = "hardening.at-rest-keys"
LONG = 6 * 3600.0
_LEFT = (
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE ENGINE = 'InnoDB' AND TABLE_TYPE = 'BASE TABLE' "
    "AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') "
    "AND CREATE_OPTIONS NOT RLIKE 'ENCRYPT(ED`?=.?NO|ION_KEY_ID`?=.?{number}([^0-9]|$))' ORDER BY DATA_LENGTH, TABLE_SCHEMA, TABLE_NAME"
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """`tables`: how many were rewritten on each host. `ended` is not `done` where the run before it did not come to its end."""

    number: str
    ended: Ended
    tables: dict[str, int]


async def rotate(desk: Desk, told: Told, orders: Orders) -> Rotated:
    """Raises Unsafe where the cluster does not use keys of Galvan's, or not all of those that are kept here."""
    desk = replace(desk, tips=tuple(tip for tip in TIPS if tip.id == CHECK.partition(".")[0]), limit=frozenset())
    snapshot = await _seen(desk)
    kept = [number for number, _ in desk.cluster.escrow]
    _may(snapshot, kept)
    number = max(kept, key=int)
    if not await _under_way(desk, number):
        number = str(int(number) + 1)
        authorities = desk.authorities()
        desk.escrow(authorities).ensure([number])
        told("escrow", f"key {number} is kept on this side")
        desk = sit_again(desk)
        snapshot = await _seen(desk)
    made = _plan(desk, snapshot)
    ended = await apply(desk, made, orders, told) if made.waves else Ended("", "done", "", 0, {}, 0.0)
    tables = await _rewrite(desk, number, order_of(snapshot), told) if ended.status == "done" else {}
    return Rotated(number, ended, tables)


async def _seen(desk: Desk) -> Snapshot:
    return await look(desk, (*HOUSE, SESSIONS, *BEHIND, *UPKEEP))


def _may(snapshot: Snapshot, kept: list[str]) -> None:
    for facts in snapshot.having(Role.DATABASE):
        host = facts.host.name
        if facts[FILES]["ours"] != "yes" or facts[TABLES]["plugin"] != "file_key_management":
            raise Unsafe(
                f"{host} does not use keys that Galvan laid down, so there is nothing to rotate. Nothing was changed"
            )
        if not kept:
            raise Unsafe(
                f"this machine keeps no key of {host}'s: rotate from the one that made them. Nothing was changed"
            )
        if snapshot.cluster.policy.hardening.at_rest != "file":
            raise Unsafe("the policy does not say hardening: {at_rest: file}. Nothing was changed")


async def _under_way(desk: Desk, newest: str) -> bool:
    """Does some member not use the newest key throughout? That rotation is carried to its end, and no other is begun."""
    if newest == FIRST[-1]:
        return False
    async with hands(desk, new_run(), desk.authorities()) as ssh:
        left = [await _left(host, newest, ssh) for host in desk.cluster.having(Role.DATABASE)]
    return any(left)


async def _left(host: Host, number: str, remote: Remote) -> tuple[tuple[str, ...], ...]:
    return rows(await remote.act(host, Sql(_LEFT.format(number=int(number))), "rotate"), 2)


def _plan(desk: Desk, snapshot: Snapshot) -> Plan:
    """What the tip itself would plan for members that do not know a key which is kept, and nothing else."""
    found = [f for f in audits.audit(snapshot, desk.tips) if f.check == CHECK]
    if unknown := [f for f in found if f.verdict is Verdict.UNKNOWN]:
        raise Unsafe(f"{unknown[0].host}: {unknown[0].seen}. Nothing was changed")
    made = plan(found, snapshot, desk.tips, Rung.ENFORCED, order_of(snapshot), settle, certify)
    if made.refused:
        raise Unsafe("; ".join(made.refused.values()))
    return made


async def _rewrite(desk: Desk, number: str, order: tuple[str, ...], told: Told) -> dict[str, int]:
    hosts = {host.name: host for host in desk.cluster.having(Role.DATABASE)}
    done: dict[str, int] = {}
    async with hands(desk, new_run(), desk.authorities(), (DRAINED,)) as ssh:
        crew = crew_of(desk, ssh, told)
        for name in (name for name in order if name in hosts):
            done[name] = await _one(hosts[name], number, crew, ssh.exec)
    return done


async def _one(host: Host, number: str, crew: Crew, run: Run) -> int:
    """A member out of its balancer's sight, its tables one by one, and back when it has caught up."""
    left = await _left(host, number, crew.remote)
    if left:
        await gate(host, crew, gone=False)
        await crew.choreography.farewell(host, crew.remote, lambda said: crew.say(f"rotate@{host.name}", said))
    try:
        for count, (schema, table) in enumerate(left, 1):
            crew.say(f"rotate@{host.name}", f"{schema}.{table} gets key {number}, {count} of {len(left)}")
            await _table(host, f"{identifier(schema)}.{identifier(table)}", number, run)
            await caught_up(host, crew)
    finally:
        await crew.choreography.welcome(host, crew.remote)
    return len(left)


async def _table(host: Host, name: str, number: str, run: Run) -> None:
    alter = Sql(
        f"SET SESSION wsrep_OSU_method = 'RSU', lock_wait_timeout = 30; ALTER TABLE {name} ENCRYPTION_KEY_ID = {int(number)}"
    )
    _, err, code = await run(host, actions.statement(alter, "rotate"), LONG)
    if code:
        raise NotHealed(
            f"{host.name}: {name} keeps its key: {err.strip()[-300:]}. What has the new key keeps it; rotate again"
        )
