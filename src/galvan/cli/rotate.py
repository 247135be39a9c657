"""`galvan rotate at-rest-key|sst-secret`."""

from __future__ import annotations

import argparse
import asyncio

from galvan.app import rotation
from galvan.app.desk import Desk
from galvan.app.orders import Orders
from galvan.app.secret import rotate as password
from galvan.cli import ERROR, GATE, OK
from galvan.cli.changes import agreed, finish
from galvan.cli.output import Output
from galvan.edges.secrets import check
from galvan.model import SecretRef


def rotate(words: argparse.Namespace, out: Output, desk: Desk) -> int:
    """Every member restarts once, and rewrites its tables while it is drained: so it asks. Of a password only the hosts hear."""
    if not words.auto_approve and not agreed(words, desk.cluster.name):
        return GATE
    if words.what == "sst-secret":
        return finish(out, asyncio.run(password(desk, out.event, words.secret and check(SecretRef(words.secret)))))
    done = asyncio.run(rotation.rotate(desk, out.event, Orders(words.watch, frozenset(words.accept_impact))))
    if out.json:
        out.document({"key": done.number, "run": done.ended.run, "status": done.ended.status, "tables": done.tables})
    for host, count in done.tables.items():
        out.line(f"{host}: {count} tables were given key {done.number}")
    if done.ended.status == "done":
        out.line(
            "redo log, binary logs and the system tablespace keep key 1: file_key_management has no versions of a key"
        )
    else:
        out.line(f"run {done.ended.run}: {done.ended.status}: {done.ended.why}; go on: galvan rotate at-rest-key")
    out.close()
    return OK if done.ended.status == "done" else ERROR
