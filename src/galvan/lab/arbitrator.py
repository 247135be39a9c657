"""arb1: a vote without data, as Debian ships it (garb.service reads /etc/default/garb), in clear text like the rest."""

from __future__ import annotations

from galvan.lab import galera
from galvan.lab.podman import File, execute, put, together
from galvan.lab.topology import Lab

CONFIG = "/etc/default/garb"
SETTINGS = """\
# The practice cluster is insecure on purpose: this is where the eight tips start from.
GALERA_NODES="{members}"
GALERA_GROUP="lab"
GALERA_OPTIONS="gmcast.segment=0; evs.suspect_timeout=PT5S"
"""


def start(lab: Lab) -> None:
    """Lets every arbitrator join and waits until the members count it."""
    arbitrators = tuple(host for host in lab.hosts if host.role == "arbitrator")
    for host in arbitrators:
        put(host.name, (File(CONFIG, settings(lab)),))
        execute(host.name, "systemctl enable --quiet garb && systemctl start garb", limit=120)
    if arbitrators:
        together(lambda host: galera.synced(host, lab.votes), lab.databases)


def settings(lab: Lab) -> str:
    """Pure: /etc/default/garb."""
    return SETTINGS.format(members=" ".join(f"{host.address}:4567" for host in lab.databases))
