"""Settings as needs: at once where the server takes them while it runs, else with the first restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.model import Finding, Need, Rung, Setting, Snapshot, Stage, Step

TIP = "hardening"


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    for finding in failing:
        if finding.check == "hardening.local-infile" and finding.host:
            reason = "no client is asked for its own files"
            yield Setting(finding.host, "mysqld", "local_infile", "OFF", Stage.REFUSE, TIP, reason, live=True)
