"""State transfers (SST): which method, and how the next one would travel, by what the transfer scripts will read.

The scripts look in several groups of the option files, first non-empty value wins: `[mysqld]` before `[sst]`, but for
tca, tcert and tkey, which they look for in `[sst]` alone (MariaDB's wsrep_sst_common, parse_cnf).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from galvan.cluster.facts import CONFIG, SST_CONFIG, VARIABLES
from galvan.model import HostFacts, Setting, Shell, Stage, State, Unreadable

BACKUP = ("mariabackup", "xtrabackup-v2", "xtrabackup")
RSYNC = ("rsync", "rsync_wan")
OURS = "secure_rsync"
"""The method whose script is Galvan's own."""
_SPEAKS = ("ssl_mode", "encrypt", "tca", "tcert", "tkey", "ssl_ca", "ssl_cert")


QUIET = Shell(
    "n=0; while pgrep -f 'wsrep_sst_[a-z]' >/dev/null; do\n"
    "  n=$((n + 1)); [ $n -lt 300 ] || { echo 'a state transfer has been running here for a minute, and nothing is changed under it: "
    "wait for its end, then galvan resume' >&2; exit 1; }\n"
    "  sleep 0.2\ndone"
)
"""Waits until no transfer runs on the host."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a host's scripts would carry the next transfer. `encrypt` and `mode` as the option files have them (0 and empty
    where they have not);"""

    method: str
    encrypt: int
    mode: str
    ca: str
    certificate: str
    key: str
    sockopt: str = ""

    @property
    def encrypted(self) -> bool:
        if self.method in BACKUP:
            return self.encrypt >= 2 or (self.encrypt == 0 and self._asked and self._holds)
        if self.method in RSYNC:
            return self._asked or (not self.mode and (bool(self.ca) or self._holds))
        return self.method == OURS

    @property
    def verified(self) -> bool:
        """Is the other side asked for a certificate of the authority?"""
        if self.method in BACKUP and self.encrypt >= 2:
            return bool(self.ca)
        if self.method in (*BACKUP, *RSYNC):
            return self.encrypted and bool(self.ca) and (self.mode.startswith("VERIFY") or not self.mode)
        return self.method == OURS

    @property
    def talks(self) -> tuple[object, ...]:
        """Two hosts understand each other where this is equal."""
        return self.method, self.encrypted, self.mode if self.method in RSYNC else self.encrypt

    @property
    def said(self) -> str:
        mode = self.mode.lower() or "(not set)"
        return f"wsrep_sst_method={self.method}, encrypt={self.encrypt}, ssl-mode={mode}, authority {self.ca or 'none'}"

    @property
    def _asked(self) -> bool:
        return self.mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")

    @property
    def _holds(self) -> bool:
        return bool(self.certificate and self.key)


def method(facts: HostFacts) -> str:
    """What the running server would ask for; where it does not run, what its files say."""
    try:
        said = facts[VARIABLES].get("wsrep_sst_method")
    except Unreadable:
        said = None
    return str(said or facts[CONFIG].get("wsrep_sst_method") or "rsync")


def spoken(facts: HostFacts) -> Spoken:
    """Raises Unreadable where `encrypt` is no number: the script would end there."""
    server, section = facts[CONFIG], facts[SST_CONFIG]
    own = {name: str(section.get(name) or "") for name in ("tca", "tcapath", "tcert", "tkey")}
    if any(own.values()):
        ca, certificate, key = own["tca"] or own["tcapath"], own["tcert"], own["tkey"]
    else:
        ca = _first("ssl_ca", server, section) or _first("ssl_capath", server, section)
        certificate, key = _first("ssl_cert", server, section), _first("ssl_key", server, section)
    encrypt = _first("encrypt", server, section) or "0"
    if not encrypt.isdigit():
        raise Unreadable(f"encrypt={encrypt} in the option files is no number, so no transfer would begin")
    mode = _first("ssl_mode", server, section).upper()
    return Spoken(method(facts), int(encrypt), mode, ca, certificate, key, str(section.get("sockopt") or ""))


def _first(name: str, *groups: State) -> str:
    return next((str(group[name]).strip() for group in groups if group.get(name)), "")


def pin(facts: HostFacts, tip: str) -> Iterator[Setting]:
    """Keeps SST as it is now, on all hosts, before a server certificate appears in `[mysqld]`.

    Without it MariaDB's rsync method would turn to TLS on the hosts that have the certificate and on no other, and
    even an incremental transfer would fail between them. The scripts read it live, so nothing restarts for it.
    """
    config = facts[SST_CONFIG]
    if not any(config.get(name) for name in _SPEAKS):
        reason = "state transfers stay as they are until the tip sst_tls moves all hosts at once"
        yield Setting(facts.host.name, "sst", "ssl-mode", "DISABLED", Stage.PREPARE, tip, reason)
