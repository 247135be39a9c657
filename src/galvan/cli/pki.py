"""`galvan pki status|renew`."""

from __future__ import annotations

import argparse
import asyncio

from galvan.app import keys
from galvan.app.desk import Desk
from galvan.cli import INCOMPLETE, OK
from galvan.cli.output import Output
from galvan.report.text import Table


def pki(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    if words.what == "renew":
        return _renew(words, out, desk)
    seen = asyncio.run(keys.status(desk))
    if out.json:
        out.document({"certificates": [c.shape() for c in seen.certificates], "unread": dict(seen.unread)})
    rows = tuple((c.host, c.authority, c.ends, f"{c.days:.0f}", c.sha256[:16], c.said) for c in seen.certificates)
    out.table(Table("Certificates", ("host", "authority", "ends", "days left", "sha-256", "judged"), rows))
    for host, why in seen.unread.items():
        out.line(f"could not be read: {host}: {why}")
    out.close()
    return INCOMPLETE if seen.unread else OK


def _renew(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    renewed = asyncio.run(keys.renew(desk, words.all, out.event))
    if out.json:
        out.document(
            {"renewed": [{"host": host, "authority": authority, "sha256": sha} for host, authority, sha in renewed]}
        )
    out.line(
        f"{len(renewed)} certificates renewed; each is served and accepted by a peer" if renewed else "nothing is due"
    )
    out.close()
    return OK
