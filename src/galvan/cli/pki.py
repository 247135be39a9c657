"""`galvan pki status|renew|timer`."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from galvan.app import keys
from galvan.app.desk import Desk
from galvan.cli import ERROR, INCOMPLETE, OK
from galvan.cli.output import Output
from galvan.model import BadInput
from galvan.report.text import Table


def pki(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    if words.what == "renew":
        return _renew(words, out, desk)
    if words.what == "timer":
        return _timer(words, out, desk)
    seen = asyncio.run(keys.status(desk))
    if out.json:
        out.document({"certificates": [c.shape() for c in seen.certificates], "unread": dict(seen.unread)})
    rows = tuple((c.host, _whose(c), c.ends, f"{c.days:.0f}", c.sha256[:16], c.said) for c in seen.certificates)
    out.table(Table("Certificates", ("host", "authority", "ends", "days left", "sha-256", "judged"), rows))
    for host, why in seen.unread.items():
        out.line(f"could not be read: {host}: {why}")
    out.close()
    return INCOMPLETE if seen.unread else OK


def _whose(certified: keys.Certified) -> str:
    return f"yours, for {certified.authority}" if certified.brought else certified.authority


def _renew(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    """Not OK where a certificate is about to end all the same: nobody reads what a timer's service prints."""
    done = asyncio.run(keys.renew(desk, words.all, out.event))
    renewed = done.renewed
    ending = asyncio.run(keys.ending(desk))
    if out.json:
        out.document({
            "renewed": [{"host": host, "authority": authority, "sha256": sha} for host, authority, sha in renewed],
            "ending": [certified.shape() for certified in ending],
            "left": [certified.shape() for certified in done.left],
        })  # fmt: skip
    out.line(
        f"{len(renewed)} certificates renewed; each is served and accepted by a peer" if renewed else "nothing is due"
    )
    for c in done.left:
        out.line(f"left alone: {c.brought} on {c.host} is not Galvan's; it ends {c.ends}, renew it where it came from")
    for certified in ending:
        days = f"in {certified.days:.0f} days, which is less than policy.warn_days"
        out.line(
            f"about to end: the {certified.authority} certificate of {certified.host} ends {certified.ends}, {days}"
        )
    out.close()
    return ERROR if ending else OK


def _timer(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    from galvan.app import timer
    from galvan.edges.authorities import VARIABLE

    if words.install and words.remove:
        raise BadInput("--install and --remove at once: choose one")
    if words.remove:
        gone = timer.remove(desk)
        out.line(f"removed {', '.join(gone)}" if gone else f"there is no timer for {desk.cluster.name}")
        out.close()
        return OK
    named = words.passphrase_file or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None:
        raise BadInput(
            f"nobody is there to type a passphrase when a timer runs: give --passphrase-file FILE or {VARIABLE}"
        )
    made = timer.schedule(desk, words.cluster, named, words.on_failure)
    if words.install:
        timer.install(desk, made)
    if out.json:
        out.document({"units": dict(made.units), "installed": words.install})
    for name, text in made.units.items() if not words.install else ():
        out.line(f"# /etc/systemd/system/{name}")
        out.line(text)
    if words.install:
        out.line(
            f"{made.timer} runs; look: systemctl list-timers {made.timer}; try now: systemctl start {made.timer.replace('.timer', '.service')}"
        )
    if words.install and not words.on_failure:
        out.line("nobody is told when a renewal fails: install again with --on-failure UNIT")
    out.close()
    return OK
