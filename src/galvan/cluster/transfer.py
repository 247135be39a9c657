"""State transfers as far as other channels touch them (law 13)."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.facts import SST_CONFIG
from galvan.model import HostFacts, Setting, Stage

_SPEAKS = ("ssl_mode", "encrypt", "tca", "tcert", "tkey", "ssl_ca", "ssl_cert")


def pin(facts: HostFacts, tip: str) -> Iterator[Setting]:
    """Keeps SST as it is now, on all hosts, before a server certificate appears in `[mysqld]`.

    Without it MariaDB's rsync method would turn to TLS on the hosts that have the certificate and on no other, and
    even an incremental transfer would fail between them. The scripts read it live, so nothing restarts for it.
    """
    config = facts[SST_CONFIG]
    if not any(config.get(name) for name in _SPEAKS):
        reason = "state transfers stay as they are until the tip sst_tls moves all hosts at once"
        yield Setting(facts.host.name, "sst", "ssl-mode", "DISABLED", Stage.PREPARE, tip, reason)
