"""A strict reader of MaxScale's files, written from its source and not from Galvan's renderer.

Lines: maxutils/maxbase/src/inih/ini.c with the flags of its CMakeLists (no inline comments, continuation lines, `=` or `:`).
Sections: server/core/config.cc (unique without regard to case, no blanks, not @@, [maxscale] in the main file only) and the
configuration guide (Names). Parameters, their types and the version that brought them: the specifications in server.cc, listener.cc,
service.cc, monitor.cc, galeramon.cc, readwritesplit.cc, readconnroute.cc, regexfilter.cc and config.cc at the release tags from 22.08.0 to
24.08.0; the firewall filter by its documentation (25.10).
"""

from __future__ import annotations

import re

Version = tuple[int, int, int]
FIRST: Version = (0, 0, 0)
BOOL, COUNT, DURATION, TEXT, PATH, NAMES = "bool", "count", "duration", "text", "path", "names"
TLS_LIST = ((22, 8, 13), (23, 2, 10), (23, 8, 6), (24, 2, 2), (24, 8, 0))

_TLS = {
    "ssl": BOOL, "ssl_ca": PATH, "ssl_cert": PATH, "ssl_key": PATH, "ssl_version": "tls", "ssl_cipher": TEXT, "ssl_cert_verify_depth": COUNT,
    "ssl_verify_peer_certificate": BOOL, "ssl_verify_peer_host": BOOL,
}  # fmt: skip
KNOWN: dict[str, dict[str, str]] = {
    "server": {
        "address": TEXT, "port": COUNT, "socket": PATH, "priority": COUNT, "proxy_protocol": BOOL, "max_routing_connections": COUNT,
        "persistpoolmax": COUNT, "persistmaxtime": DURATION, "extra_port": COUNT, **_TLS,
    },
    "monitor galeramon": {
        "module": TEXT, "servers": NAMES, "user": TEXT, "password": "password", "monitor_interval": DURATION, "backend_connect_timeout": DURATION,
        "disable_master_failback": BOOL, "available_when_donor": BOOL, "disable_master_role_setting": BOOL, "root_node_as_master": BOOL,
        "use_priority": BOOL, "set_donor_nodes": BOOL,
    },
    "service": {
        "router": TEXT, "servers": NAMES, "cluster": TEXT, "filters": "filters", "user": TEXT, "password": "password", "max_connections": COUNT,
        "enable_root_user": BOOL, "wait_timeout": DURATION, "idle_session_pool_time": DURATION, "multiplex_timeout": DURATION,
    },
    "service readwritesplit": {
        "max_slave_connections": COUNT, "slave_connections": COUNT, "master_reconnection": BOOL, "master_accept_reads": BOOL, "lazy_connect": BOOL,
        "master_failure_mode": "fail_instantly|fail_on_write|error_on_write", "delayed_retry": BOOL, "delayed_retry_timeout": DURATION,
        "transaction_replay": BOOL, "transaction_replay_timeout": DURATION, "transaction_replay_attempts": COUNT,
        "transaction_replay_safe_commit": BOOL,
    },
    "service readconnroute": {"router_options": "(master|slave|running|synced)(,(master|slave|running|synced))*", "master_accept_reads": BOOL},
    "listener": {"service": TEXT, "protocol": "MariaDBClient|MariaDB|mariadb", "address": TEXT, "port": COUNT, "ssl_crl": PATH, **_TLS},
    "filter regexfilter": {"module": TEXT, "match": "/.+/", "replace": TEXT, "options": "ignorecase|case|extended", "user": TEXT},
    "filter firewall": {
        "module": TEXT, "mode": "idle|learn-clear|learn-append|supervise|enforce", "action": "return-error|disconnect",
        "user_scope": "collective|individual", "exclude_users": TEXT,
    },
    "maxscale": {
        "admin_host": TEXT, "admin_port": COUNT, "admin_auth": BOOL, "admin_secure_gui": BOOL, "admin_ssl_key": PATH, "admin_ssl_cert": PATH,
        "admin_ssl_ca": PATH, "admin_ssl_version": "tls", "threads": TEXT,
    },
}  # fmt: skip
BROUGHT_BY: dict[str, Version] = {"transaction_replay_safe_commit": (23, 8, 0), "firewall": (25, 10, 0)}
TYPES = {
    BOOL: r"true|false", COUNT: r"[0-9]+", DURATION: r"[0-9]+(h|m|min|s|ms)", TEXT: r".+", PATH: r"/\S+",
    NAMES: r"[\w.~-]+(,[\w.~-]+)*", "filters": r"[\w.~-]+(\|[\w.~-]+)*", "password": r"[0-9A-Fa-f]{32,}|@[a-z_]+@",
}  # fmt: skip
SLOTS = {"user", "password"}


class Refused(Exception):
    """MaxScale would not take this file."""


def sections(text: str, main: bool = False) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    here: dict[str, str] | None = None
    last = ""
    for raw in text.split("\n"):
        line = raw.strip(" \t\r\v\f")
        if not line or line[0] in ";#":
            continue
        if last and raw[0] in " \t\r\v\f" and here is not None:
            here[last] += line
        elif line[0] == "[":
            if "]" not in line:
                raise Refused(f"no ] in {line!r}")
            name = line[1 : line.index("]")]
            if not name or re.search(r"\s", name) or name.startswith("@@") or not re.fullmatch(r"[\w.~-]+", name, re.A):
                raise Refused(f"{name!r} is no name")
            if name.lower() in (each.lower() for each in found):
                raise Refused(f"[{name}] stands there twice")
            if name.lower() == "maxscale" and not main:
                raise Refused("[maxscale] stands in an additional file")
            here, last = found.setdefault(name, {}), ""
        else:
            end = re.search("[=:]", line)
            key, value = (line[: end.start()].rstrip(), line[end.end() :].strip()) if end else (line, "")
            if here is None or not key or key in here:
                raise Refused(f"{line!r} belongs to no section, has no name, or stands there twice")
            here[key], last = value, key
    return found


def _fits(kind: str, value: str, version: Version) -> bool:
    if kind == "tls":
        mine = [each for each in TLS_LIST if each[:2] == version[:2]]
        lists = version >= mine[0] if mine else version > TLS_LIST[-1]
        word = r"TLSv1\.?[0-3]|MAX" if lists else r"TLSv1[0-3]|MAX"
        return re.fullmatch(f"({word})(,({word}))*" if lists else word, value) is not None
    if value[:1] in "\"'" or value[:1] == "$":
        return False
    return re.fullmatch(TYPES.get(kind, kind), value) is not None


def recognise(text: str, version: Version, main: bool = False) -> dict[str, dict[str, str]]:
    """The sections, if MaxScale of this version would take them: known modules, known parameters of the right type, names that exist."""
    found = sections(text, main)
    for name, values in found.items():
        kind = "maxscale" if name.lower() == "maxscale" else values.get("type", "")
        module = values.get("module") or values.get("router") or ""
        known = {**KNOWN.get(kind, {}), **KNOWN.get(f"{kind} {module}", {})}
        if (
            not known
            or (kind in ("monitor", "filter") and f"{kind} {module}" not in KNOWN)
            or version < BROUGHT_BY.get(module, FIRST)
        ):
            raise Refused(f"[{name}]: no such type or module: {kind} {module}")
        for key, value in values.items():
            if key == "type":
                continue
            if key not in known or version < BROUGHT_BY.get(key, FIRST):
                raise Refused(f"[{name}]: {key} is not known")
            if not _fits(known[key], value, version):
                raise Refused(f"[{name}]: {key}={value!r} is no {known[key]}")
    _names(found)
    return found


def _names(found: dict[str, dict[str, str]]) -> None:
    def must(name: str, key: str, said: list[str], kind: str) -> None:
        for each in said:
            if found.get(each, {}).get("type") != kind:
                raise Refused(f"[{name}]: {key} names {each}, which is no {kind}")

    for name, values in found.items():
        must(name, "servers", values["servers"].split(",") if "servers" in values else [], "server")
        must(name, "cluster", [values["cluster"]] if "cluster" in values else [], "monitor")
        must(name, "service", [values["service"]] if "service" in values else [], "service")
        must(name, "filters", values["filters"].split("|") if "filters" in values else [], "filter")
        if (
            values.get("type") == "listener"
            and values.get("ssl") == "true"
            and not {"ssl_key", "ssl_cert"} <= values.keys()
        ):
            raise Refused(f"[{name}]: TLS without key and certificate")
