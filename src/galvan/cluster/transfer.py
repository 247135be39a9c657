"""State transfers (SST): which method, and how the next one would travel, by what the transfer scripts will read.

The scripts look in several groups of the option files, first non-empty value wins: `[mysqld]` before `[sst]`, and mariabackup's then in
`[xtrabackup]` and `[mariabackup]`; but tca, tcert and tkey they look for in `[sst]` alone. `ssl-server-cert` and its like are
the joiner's and come before all of those, `ssl-client-cert` the donor's (MariaDB's wsrep_sst_common, check_server_ssl_config).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import BACKUP_CONFIG, CONFIG, SST_CONFIG, VARIABLES
from galvan.cluster.health import series, text
from galvan.model import HostFacts, Setting, Shell, Stage, State, Unreadable

BACKUP = ("mariabackup", "xtrabackup-v2", "xtrabackup")
RSYNC = ("rsync", "rsync_wan")
OURS = "secure_rsync"
"""The method whose script is Galvan's own."""
FIXED = {(10, 6): 28, (10, 11): 19, (11, 4): 13, (11, 8): 9, (12, 3): 3}
"""The first version of each series whose scripts end where TLS was asked for and cannot be had (MDEV-28233)."""
_ROLES = tuple(f"ssl_{role}_{part}" for role in ("server", "client") for part in ("ca", "capath", "cert", "key"))
_SPEAKS = ("ssl_mode", "encrypt", "tca", "tcert", "tkey", "ssl_ca", "ssl_cert")


QUIET = Shell(
    "n=0; while pgrep -f 'wsrep_sst_[a-z]' >/dev/null; do\n"
    "  n=$((n + 1)); [ $n -lt 300 ] || { echo 'a state transfer has been running here for a minute, and nothing is changed under it: "
    "wait for its end, then galvan resume' >&2; exit 1; }\n"
    "  sleep 0.2\ndone"
)
"""Waits until no transfer runs on the host."""


@dataclass(frozen=True, slots=True)
class End:
    """What one end of a transfer shows and whom it believes: paths, empty where none is named."""

    ca: str
    certificate: str
    key: str

    @property
    def whole(self) -> bool:
        return bool(self.certificate and self.key)


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a host's scripts would carry the next transfer. `encrypt` and `mode` as the option files have them (0 and empty
    where they have not); `ends`: as the joiner, as the donor."""

    method: str
    encrypt: int
    mode: str
    ends: tuple[End, End]
    sockopt: str = ""

    @property
    def ca(self) -> str:
        """Whom both ends believe; empty where one of them believes anybody."""
        return self.ends[0].ca if all(end.ca for end in self.ends) else ""

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
        return all(end.whole for end in self.ends)


def falls_back(version: str) -> bool:
    """Do the scripts of this MariaDB go on in clear text where stunnel or the certificate is missing?

    >>> falls_back("10.11.18-MariaDB"), falls_back("10.11.19-MariaDB-0+deb12u1"), falls_back("11.2.5"), falls_back("12.4.0")
    (True, False, True, False)
    """
    bare = version.split("-", 1)[0]
    train, patch = series(bare), [*bare.split("."), "0", "0"][2]
    if train in FIXED:
        return not patch.isdigit() or int(patch) < FIXED[train]
    return train < max(FIXED)


def method(facts: HostFacts) -> str:
    """What the running server would ask for; where it does not run, what its files say."""
    try:
        said = facts[VARIABLES].get("wsrep_sst_method")
    except Unreadable:
        said = None
    return str(said or facts[CONFIG].get("wsrep_sst_method") or "rsync")


def spoken(facts: HostFacts) -> Spoken:
    """Raises Unreadable where `encrypt` is no number: the script would end there."""
    groups = read(facts)
    encrypt = _first("encrypt", *groups) or "0"
    if not encrypt.isdigit():
        raise Unreadable(f"encrypt={encrypt} in the option files is no number, so no transfer would begin")
    mode, sockopt = _first("ssl_mode", *groups).upper(), str(facts[SST_CONFIG].get("sockopt") or "")
    return Spoken(method(facts), int(encrypt), mode, _ends(facts, groups), sockopt)


def read(facts: HostFacts) -> tuple[State, ...]:
    """The groups of the option files that the method's script reads, in its order."""
    own = facts[CONFIG], facts[SST_CONFIG]
    return (*own, facts[BACKUP_CONFIG]) if method(facts) in BACKUP else own


def by_role(facts: HostFacts) -> list[str]:
    """The options that are set for one end of a transfer alone, where this host's script heeds them."""
    if method(facts) == OURS or _older(facts):
        return []
    return [name for name in _ROLES if _first(name, *read(facts))]


def _older(facts: HostFacts) -> bool:
    """Scripts that know no certificate for each role (MDEV-23744 came with the releases of `FIXED`)."""
    try:
        seen = facts[VARIABLES]
    except Unreadable:  # a member that does not run has files all the same
        return False
    return dialect(seen) is not Dialect.MARIADB or falls_back(text(seen, "version"))


def _ends(facts: HostFacts, groups: tuple[State, ...]) -> tuple[End, End]:
    section, heeded = facts[SST_CONFIG], by_role(facts)

    def pair(prefix: str) -> End:
        ca = _first(f"{prefix}ca", *groups) or _first(f"{prefix}capath", *groups)
        return End(ca, _first(f"{prefix}cert", *groups), _first(f"{prefix}key", *groups))

    both = End(_first("tca", section) or _first("tcapath", section), _first("tcert", section), _first("tkey", section))
    both = both if both != End("", "", "") else pair("ssl_")
    if not heeded:
        return both, both
    own = pair("ssl_server_"), pair("ssl_client_")
    joiner, donor = (End(o.ca or both.ca, o.certificate or both.certificate, o.key or both.key) for o in own)
    return joiner, donor


def _first(name: str, *groups: State) -> str:
    return next((str(group[name]).strip() for group in groups if group.get(name)), "")


def pin(facts: HostFacts, tip: str) -> Iterator[Setting]:
    """Keeps SST as it is now, on all hosts, before a server certificate appears in `[mysqld]`.

    Without it MariaDB's rsync method would turn to TLS on the hosts that have the certificate and on no other, and
    even an incremental transfer would fail between them. The scripts read it live, so nothing restarts for it.
    """
    if not any(group.get(name) for group in read(facts)[1:] for name in _SPEAKS):
        reason = "state transfers stay as they are until the tip sst_tls moves all hosts at once"
        yield Setting(facts.host.name, "sst", "ssl-mode", "DISABLED", Stage.PREPARE, tip, reason)
