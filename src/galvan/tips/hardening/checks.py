"""What an audit can say of the server's settings by reading."""

from __future__ import annotations

from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, check, holds
from galvan.tips.hardening.facts import SETTINGS


@check(
    "hardening.local-infile", Severity.MEDIUM, "Clients are asked for their own files", rung=Rung.READY, control="CF-06"
)
def local_infile(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With LOAD DATA LOCAL a server may ask any client for any file that the client can read; one statement slipped into
    an application is enough."""
    seen = text(facts[SETTINGS], "local_infile")
    return holds(seen == "OFF", f"@@local_infile={seen}", "OFF")


CHECKS = (local_infile,)
