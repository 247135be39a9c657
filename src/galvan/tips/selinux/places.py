"""What the server uses, and which label the host's own policy has for such a thing. Pure; names are taken from the policy, because
distributions call the same thing differently (`mysqld_runtime_t` or `mysqld_var_run_t`, `kerberos_port_t` or `kerberos_master_port_t`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, State
from galvan.tips.selinux.facts import LABELS, PATHS, labels_of

PORT_TYPE = "mysqld_port_t"
_USUAL = {"data": ("mysqld_db_t",), "log": ("mysqld_log_t", "mysqld_db_t"), "options": ("mysqld_etc_t", "etc_t"), "keys": ("cert_t", "mysqld_etc_t"),
          "run": ("mysqld_runtime_t", "mysqld_var_run_t", "mysqld_db_t"), "server": ("mysqld_exec_t",)}  # fmt: skip
"""By purpose: the labels that will do, the one to give first; those that the policy does not have are left out."""
_TREE = re.compile(r"[.\[\]{}()*+?^$|\\]")


@dataclass(frozen=True, slots=True)
class Place:
    path: str
    purpose: str


def places(paths: State, at: Mapping[str, str]) -> Iterator[Place]:
    """`paths`: what the server says of itself; `at`: what is there."""
    data = absolute(str(paths.get("datadir") or "/var/lib/mysql/"), "/")
    yield Place(data.rstrip("/"), "data")
    for name in ("innodb_data_home_dir", "innodb_log_group_home_dir", "aria_log_dir_path"):
        if (home := absolute(str(paths.get(name) or ""), data).rstrip("/")) and not _within(home, data):
            yield Place(home, "data")
    for name in ("log_error", "slow_query_log_file", "general_log_file", "log_bin_basename", "relay_log_basename"):
        if (file := absolute(str(paths.get(name) or ""), data)) and not _within(file, data):
            yield Place(file.rpartition("/")[0], "log" if "bin" not in name and "relay" not in name else "data")
    for name in ("ssl_cert", "ssl_key", "ssl_ca"):
        if file := str(paths.get(name) or ""):
            yield Place(absolute(file, data).rpartition("/")[0], "keys")
    usual = {"/var/log/mysql": "log", "/var/log/mariadb": "log", "/etc/mysql": "options", "/etc/my.cnf.d": "options", "/run/mysqld": "run", "/run/mariadb": "run"}  # fmt: skip
    yield from (Place(path, purpose) for path, purpose in usual.items() if path in at)


def absolute(path: str, base: str) -> str:
    return path if path.startswith("/") or not path else f"{base.rstrip('/')}/{path.removeprefix('./')}"


def _within(path: str, folder: str) -> bool:
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def wanted(purpose: str, types: frozenset[str]) -> tuple[str, ...]:
    """Labels of this policy that will do for the purpose; `cert_t` and `etc_t` are in every one."""
    return tuple(kind for kind in _USUAL[purpose] if kind in types or not kind.startswith("mysqld_"))


def purpose_of(path: str, paths: State, at: Mapping[str, str]) -> str:
    """What the server uses this path for; empty where it is none of its places."""
    found = [place for place in places(paths, at) if _within(path, place.path)]
    return max(found, key=lambda place: len(place.path)).purpose if found else ""


def strange(facts: HostFacts) -> Iterator[tuple[str, str, str]]:
    """Places whose label is none that the server may use: path, label, the one to give. Raises Unreadable."""
    labels = labels_of(facts[LABELS])
    told = {path for path, _, _ in labels.wrong}
    for place in dict.fromkeys(places(facts[PATHS], labels.at)):
        kind, good = labels.at.get(place.path), wanted(place.purpose, labels.types)
        if kind and good and kind not in good and place.path not in told:
            yield place.path, kind, good[0]


def pattern(path: str) -> str:
    """The place and all below it, as a regular expression of file_contexts.

    >>> pattern("/data/my.sql")
    '/data/my\\\\.sql(/.*)?'
    """
    return _TREE.sub(lambda match: "\\" + match.group(), path) + "(/.*)?"


def ports(facts: HostFacts) -> Iterator[tuple[str, int, str]]:
    """What the server listens on and dials: protocol, port, what for. Raises Unreadable."""
    seen = facts[VARIABLES]
    group = int(str(seen.get("provider.gmcast.listen_addr") or ":4567").rpartition(":")[2] or 4567)
    yield "tcp", int(text(seen, "port")), "clients"
    if (extra := str(seen.get("extra_port") or "0")) != "0":
        yield "tcp", int(extra), "the extra port"
    yield "tcp", group, "the group"
    if str(seen.get("provider.gmcast.mcast_addr") or ""):
        yield "udp", group, "the group's multicast"
    ist = str(seen.get("provider.ist.recv_addr") or "").rpartition(":")[2]
    yield "tcp", int(ist) if ist.isdigit() else group + 1, "incremental transfers"
    sst = str(seen.get("wsrep_sst_receive_address") or "").rpartition(":")[2]
    yield "tcp", int(sst) if sst.isdigit() else 4444, "full transfers"
