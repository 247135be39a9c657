"""A full transfer that an operator asked for (`galvan verify --force-sst HOST`), and what was seen of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from galvan.app.change import crew_of
from galvan.app.desk import Desk
from galvan.cluster.facts import INSTALL, VARIABLES
from galvan.cluster.health import text
from galvan.edges import witness
from galvan.edges.ssh import Ssh
from galvan.engine.gather import gather
from galvan.engine.rehearse import full_transfer
from galvan.model import GalvanError, Host, Role, Unreadable

SETTLE = 1.0
"""Seconds that the onlookers get to begin before anything is stopped."""


async def rehearse(desk: Desk, ssh: Ssh, name: str, told: Callable[[str, str], None]) -> witness.Recorded:
    """Never raises what a host did: a transfer that failed is in the record."""
    host = next(h for h in desk.cluster.having(Role.DATABASE) if h.name == name)
    members = desk.cluster.having(Role.DATABASE)
    looks = {h.name: asyncio.create_task(_look(ssh, h)) for h in members}
    tap = asyncio.create_task(_tap(ssh, host))
    await asyncio.sleep(SETTLE)
    failed, user = "", ""
    try:
        facts = (await gather(replace(desk.cluster, hosts=(host,)), [INSTALL, VARIABLES], ssh)).of(name)
        unit, datadir = text(facts[INSTALL], "unit"), text(facts[VARIABLES], "datadir")
        await full_transfer(host, crew_of(desk, ssh, told), unit, datadir, lambda said: told(f"transfer {name}", said))
        user = (await ssh.exec(host, witness.BY_WHOM, 30.0))[0].strip()
    except GalvanError as why:
        failed = str(why)
        told(f"transfer {name}", failed)
    for member in members:
        with suppress(GalvanError):
            await ssh.exec(member, witness.ENOUGH, 30.0)
    said = {member: await task for member, task in looks.items()}
    return witness.Recorded(failed, await tap, said, user)


async def _look(ssh: Ssh, host: Host) -> str:
    try:
        return (await ssh.exec(host, witness.LOOK, witness.LIMIT + 60.0))[0]
    except GalvanError:
        return ""


async def _tap(ssh: Ssh, host: Host) -> bytes | Unreadable:
    try:
        out, err, code = await ssh.run(host, witness.TAP.encode(), witness.LIMIT + 60.0)
    except GalvanError as why:
        return Unreadable(str(why))
    return out if not code else Unreadable(f"{host.name}: {err.decode(errors='replace').strip()}")
