"""What a server makes of its option files: read here on its own, so that what Galvan writes is checked by another reader."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from galvan.cluster import provider
from galvan.model import Host

SERVER = ("mysqld", "server", "mariadb", "mariadbd", "mariadb-10.11", "galera")

VARIABLES = {
    "version": "10.11.19-MariaDB-0+deb12u1", "version_comment": "Debian 12", "port": "3306", "extra_port": "0",
    "datadir": "/var/lib/mysql/", "socket": "/run/mysqld/mysqld.sock", "ssl_ca": "", "ssl_capath": "", "ssl_cert": "",
    "ssl_key": "", "ssl_cipher": "", "ssl_crl": "", "ssl_crlpath": "", "tls_version": "TLSv1.1,TLSv1.2,TLSv1.3",
    "require_secure_transport": "OFF", "performance_schema": "OFF", "wsrep_on": "OFF", "wsrep_provider": "none",
    "wsrep_cluster_address": "", "wsrep_cluster_name": "my_wsrep_cluster", "wsrep_node_name": "", "wsrep_node_address": "",
    "wsrep_sst_method": "rsync", "wsrep_sst_receive_address": "AUTO", "wsrep_sst_donor": "", "wsrep_notify_cmd": "", "bind_address": "*",
    "skip_name_resolve": "OFF", "event_scheduler": "OFF", "read_only": "OFF",
    # hard already
    "local_infile": "OFF", "secure_file_priv": "/var/lib/mysql-files/", "have_symlink": "DISABLED", "log_bin": "OFF", "plugin_dir": "/usr/lib/mysql/plugin/",
    "sql_mode": "STRICT_TRANS_TABLES", "old_passwords": "OFF", "secure_auth": "ON", "strict_password_validation": "ON",
    "max_password_errors": "1000", "max_connections": "500", "log_error": "", "log_warnings": "2", "general_log": "OFF",
    "slow_query_log": "OFF", "server_audit_logging": "ON", "server_audit_events": "CONNECT,QUERY_DDL,QUERY_DCL",
    "server_audit_excl_users": "", "server_audit_incl_users": "", "server_audit_output_type": "file",
    "server_audit_file_path": "/var/log/mysql/server_audit.log", "server_audit_file_rotate_size": "10000000", "server_audit_file_rotations": "9",
    "simple_password_check_minimal_length": "14", "wsrep_debug": "NONE", "system_time_zone": "UTC",
}  # fmt: skip
"""Defaults of the variables that Galvan asks for."""

KNOWN = frozenset(VARIABLES) | {
    "pid_file", "basedir", "ssl", "expire_logs_days", "max_connections", "default_storage_engine", "binlog_format",
    "innodb_autoinc_lock_mode", "symbolic_links", "wsrep_provider_options", "wsrep_sst_auth", "character_set_server",
}  # fmt: skip

PROVIDER = {
    "base_port": "4567", "evs.join_retrans_period": "PT1S", "evs.suspect_timeout": "PT5S", "gcache.dir": "/var/lib/mysql/",
    "gcache.size": "128M", "gmcast.segment": "0", "gmcast.mcast_addr": "", "pc.ignore_quorum": "false",
    "pc.ignore_sb": "false", "pc.weight": "1", "repl.proto_max": "11", "socket.checksum": "2",
}  # fmt: skip
"""Some of the provider's own defaults; the real one shows about sixty."""

BASE = """\
# the distribution's file
[server]
[mysqld]
pid-file                = /run/mysqld/mysqld.pid
basedir                 = /usr
bind-address            = 127.0.0.1
expire_logs_days        = 10
"""

GALERA = """\
[mysqld]
bind-address = 0.0.0.0
skip_name_resolve = ON
max_connections = 500
ssl_cipher = ALL:@SECLEVEL=0   # as open as can be
tls_version = TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3
ssl = OFF
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_provider_options = "gcache.size=128M; gmcast.segment=0;"
wsrep_cluster_name = {cluster}
wsrep_cluster_address = gcomm://{members}
wsrep_node_name = {name}
wsrep_node_address = {address}
wsrep_sst_method = mariabackup
wsrep_sst_auth = root:not-for-you
"""


def read(text: str, sections: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options of these sections in one spelling, in order."""
    here = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            here = line.strip("[]") in sections
        elif here and line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            yield name.strip().lower().replace("-", "_").removeprefix("loose_"), _value(value) if equals else "ON"


def _value(text: str) -> str:
    """A `#` ends an unquoted value, quotes come off where they enclose all of it, a backslash is expanded."""
    quote, kept, escaped = "", "", False
    for char in text.strip():
        if char == "#" and not quote:
            break
        if char in "\"'" and not escaped and (not quote or quote == char):
            quote = "" if quote else char
        escaped = char == "\\" and not escaped
        kept += char
    kept = kept.strip()
    if len(kept) > 1 and kept[0] in "\"'" and kept[-1] == kept[0]:
        kept = kept[1:-1]
    out, escaped = "", False
    for char in kept:
        if escaped:
            out += {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "s": " "}.get(
                char, char if char in "\\\"'" else "\\" + char
            )
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out += char
    return out


def provider_of(config: Mapping[str, str], address: str) -> dict[str, str]:
    """The running provider's options: its defaults, with the one string of the configuration laid over."""
    given = provider.parse(config.get("wsrep_provider_options", ""))
    shown = {**PROVIDER, "base_host": address, **given}
    encrypts = provider.yes(shown.get("socket.ssl", "yes" if "socket.ssl_key" in given else ""))
    if encrypts:
        shown |= {"socket.ssl": "YES", "socket.ssl_cipher": shown.get("socket.ssl_cipher", "")}
    strict = encrypts and not provider.yes(shown.get("socket.dynamic"))
    return {**shown, "gmcast.listen_addr": f"{'ssl' if strict else 'tcp'}://0.0.0.0:4567"}


def variables_of(lines: Sequence[tuple[str, str]], host: Host, files: Container[str]) -> dict[str, str]:
    """The running server's variables. Any later ssl-* option outdoes an earlier ssl=OFF; TLS is only on where its key
    and certificate can be read."""
    config, offered = dict(lines), True
    for name, value in lines:
        if name == "ssl":
            offered = value.upper() not in ("OFF", "0", "FALSE")
        elif name.startswith("ssl_"):
            offered = True
    shown = {name: config.get(name, default) for name, default in VARIABLES.items()}
    for name in ("require_secure_transport", "performance_schema"):
        shown[name] = "ON" if shown[name].upper() in ("ON", "1", "TRUE") else "OFF"
    readable = all(config.get(name, "") in files for name in ("ssl_cert", "ssl_key"))
    shown["have_ssl"] = "YES" if offered and readable else "DISABLED"
    return {**shown, "hostname": host.name}
