"""What differs between versions of MaxScale, as data. Every row names where it is written.

`guide`: MaxScale's configuration guide; `source`: the tags of its repository (maxscale-22.08.0 and so on).
"""

from __future__ import annotations

import re
from enum import StrEnum

from galvan.model import Unreadable

Version = tuple[int, int, int]
OLDEST: Version = (22, 8, 0)
"""What Galvan renders for. Older ones are only judged."""


def parse_version(text: str) -> Version:
    """What `maxscale --version` prints. Its leading zeros are those of a year and a month.

    >>> parse_version("MaxScale 24.02.3"), parse_version("MaxScale 22.08.11 - 0a1b2c")
    ((24, 2, 3), (22, 8, 11))
    """
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)", text)
    if not found:
        raise Unreadable(f"MaxScale does not say its version: {text[:80]!r}")
    return int(found[1]), int(found[2]), int(found[3])


def said(version: Version) -> str:
    """
    >>> said((24, 2, 3)), said((6, 4, 16))
    ('24.02.3', '6.4.16')
    """
    major, minor, patch = version
    return f"{major}.{minor:02d}.{patch}" if major > 20 else f"{major}.{minor}.{patch}"


def since(version: Version, fixes: tuple[Version, ...]) -> bool:
    """Has it what came into several branches at once? A branch that is not named has it only if it is newer than them all."""
    mine = [fix for fix in fixes if fix[:2] == version[:2]]
    return version >= mine[0] if mine else version > max(fixes)


class TlsVersions(StrEnum):
    """What `ssl_version` of a server or a listener means (guide, `ssl_version`)."""

    ONLY = "only that version"
    MINIMUM = "that version and newer ones"
    LIST = "exactly the versions that are listed"


_LIST = (
    (6, 4, 16),
    (21, 6, 16),
    (22, 8, 13),
    (23, 2, 10),
    (23, 8, 6),
    (24, 2, 2),
    (24, 8, 0),
)  # guide; source: ParamEnumMask
_MINIMUM = (
    (6, 4, 14),
    (22, 8, 12),
    (23, 2, 8),
    (23, 8, 4),
    (24, 2, 0),
)  # guide; 24.02.0 and .1 by source, server/core/ssl.cc


def tls_versions(version: Version) -> TlsVersions:
    if since(version, _LIST):
        return TlsVersions.LIST
    return TlsVersions.MINIMUM if since(version, _MINIMUM) else TlsVersions.ONLY


def ssl_version(version: Version, least: str) -> str:
    """What to write so that nothing older than `least` (TLSv1.2 or TLSv1.3) is spoken. Names with a dot are known where lists are.
    Where one version alone can be named, that is the oldest which is allowed: who speaks it is served, nobody speaks less."""
    if tls_versions(version) is TlsVersions.LIST:
        return "TLSv1.3" if least == "TLSv1.3" else "TLSv1.2,TLSv1.3"
    return least.replace(".", "")


def spoken(version: Version, value: str) -> frozenset[str]:
    """The TLS versions that a value lets through: TLSv1.0 to TLSv1.3. `MAX` and nothing at all mean whatever the library can."""
    known = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
    named = [
        w if "." in w else f"{w[:-1]}.{w[-1]}" for w in re.split(r"[,\s]+", value) if re.fullmatch(r"TLSv1\.?[0-3]", w)
    ]
    if not named:
        return frozenset(known)
    if tls_versions(version) is TlsVersions.MINIMUM:
        return frozenset(known[known.index(named[0]) :])
    return frozenset(named)


class Firewall(StrEnum):
    """The filter that can refuse statements."""

    DBFW = "dbfwfilter"  # deprecated in 6, removed in 22.08 (its documentation, MaxScale 6)
    REGEX = "regexfilter"  # 22.08 to 25.01 know no other way: it rewrites what matches
    MODULE = "firewall"  # since 25.10 (its documentation)


def firewall(version: Version) -> Firewall:
    if version < (22, 8, 0):
        return Firewall.DBFW
    return Firewall.MODULE if version >= (25, 10, 0) else Firewall.REGEX


def ca_name(version: Version) -> str:
    """`ssl_ca_cert` until 6, `ssl_ca` with the old name as an alias since 22.08 (guide, `ssl_ca`)."""
    return "ssl_ca" if version >= (22, 8, 0) else "ssl_ca_cert"


_REFUSES = ((6, 4, 18), (21, 6, 18), (22, 8, 15), (23, 2, 12), (23, 8, 8), (24, 2, 4), (24, 8, 1))  # guide, `ssl`


def refuses_tls_accounts(version: Version) -> bool:
    """Does a listener without TLS refuse accounts that must use TLS? Then REQUIRE SSL shuts every plain door at once."""
    return since(version, _REFUSES)


_WRITES_ONCE = (
    (21, 6, 18),
    (22, 8, 15),
    (23, 2, 12),
    (23, 8, 8),
    (24, 2, 4),
    (25, 1, 1),
)  # readwritesplit, `delayed_retry`


def replays_safely(version: Version) -> bool:
    """May transactions be replayed without doing a thing twice? Needs transaction_replay_safe_commit (source: since 23.08) and a
    delayed_retry that sends no write twice."""
    return version >= (23, 8, 0) and since(version, _WRITES_ONCE)


def persists_by_choice(version: Version) -> bool:
    """persist_runtime_changes (guide: since 22.08.0)."""
    return version >= (22, 8, 0)


def monitor_grants(server: Version, mariadb: bool = True) -> tuple[str, ...]:
    """On *.* (galera-monitor, Required Grants). SLAVE MONITOR is REPLICA MONITOR's older name; MariaDB knows it since 10.5.9."""
    return ("SLAVE MONITOR",) if mariadb and server >= (10, 5, 9) else ("REPLICATION CLIENT",)


def service_tables(server: Version, mariadb: bool = True) -> tuple[str, ...]:
    """What the service reads of the schema mysql, beside SHOW DATABASES (authentication modules, Required grants). The last two are
    MariaDB's alone, global_priv since 10.4."""
    common = ("user", "db", "tables_priv", "columns_priv", "procs_priv", "proxies_priv")
    if not mariadb:
        return common
    return (*common, "roles_mapping", "global_priv") if server >= (10, 4, 0) else (*common, "roles_mapping")
