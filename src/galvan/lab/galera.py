"""A Galera cluster as open as the seed's reader has it: no TLS, no firewall, SST as root."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from galvan.lab import odd
from galvan.lab.errors import LabError
from galvan.lab.paths import write_private
from galvan.lab.podman import File, execute, put, together
from galvan.lab.topology import Host, Lab

CONFIG = "/etc/mysql/mariadb.conf.d/60-galera.cnf"
SETTINGS = """\
# The practice cluster is insecure on purpose: this is where the eight tips start from.
[mysqld]
bind-address = {any}
skip_name_resolve = ON
max_connections = 500
default_storage_engine = InnoDB
binlog_format = ROW
innodb_autoinc_lock_mode = 2
innodb_buffer_pool_size = 64M
innodb_log_file_size = 16M
innodb_flush_log_at_trx_commit = 2
# old TLS stays possible, so that a proof about it can fail; any ssl_* option turns TLS on,
# and without a certificate the server then refuses to start: the last word here is OFF, until a later file gives one
ssl_cipher = ALL:@SECLEVEL=0
tls_version = TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3
ssl = OFF

wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_provider_options = "gcache.size=128M; gmcast.segment=0;{more}"
wsrep_cluster_name = lab
wsrep_cluster_address = gcomm://{members}
wsrep_node_name = {name}
wsrep_node_address = {address}
wsrep_slave_threads = 2
wsrep_sst_method = {sst}
"""
AUTHORISED = "wsrep_sst_auth = root:{password}\n"
# a guest is emulated: what it answers comes when it comes
PATIENT = " evs.suspect_timeout=PT30S; evs.inactive_timeout=PT1M; evs.install_timeout=PT30S; gmcast.peer_timeout=PT15S;"
# MariaDB 11.4 and later have clients that insist on a verified certificate by default
PLAIN_CLIENTS = """
[client-server]
skip-ssl
"""
SCHEMA = """
ALTER USER root@localhost IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('{root}');
CREATE USER clustercheck@localhost IDENTIFIED VIA unix_socket;
CREATE DATABASE app;
CREATE TABLE app.ledger (
  writer INT NOT NULL, seq BIGINT NOT NULL, payload VARCHAR(200) NOT NULL, at DOUBLE NOT NULL,
  PRIMARY KEY (writer, seq)) ENGINE=InnoDB;
CREATE USER app@'%' IDENTIFIED BY '{app}';
GRANT ALL PRIVILEGES ON app.* TO app@'%';
"""
# mariabackup sleeps 10 s in each transfer, so the very first state of every joiner comes by rsync
FIRST_JOIN = """
printf '[mysqld]\\nwsrep_sst_method = rsync\\n' >{file}
systemctl start mariadb
result=$?
rm -f {file}
(exit $result)"""
AFTERWARDS = """
mariadb -e "SET GLOBAL wsrep_sst_method = '{sst}'"
systemctl enable --quiet mariadb galera-health.socket
systemctl start galera-health.socket"""
STATUS = """
mariadb -N -B -e "SHOW GLOBAL STATUS WHERE Variable_name IN
  ('wsrep_local_state_comment', 'wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_ready')" 2>/dev/null || true"""


@dataclass(frozen=True, slots=True)
class Member:
    """What a database host says of itself; None where it says nothing."""

    state: str | None
    size: int | None
    primary: bool


def start(lab: Lab) -> None:
    """Bootstrap on the first host, let the others join by a real SST, leave no bootstrap behind."""
    passwords = {"root": secrets.token_urlsafe(18), "app": secrets.token_urlsafe(18)}
    write_private(lab.password_file, passwords["app"] + "\n")
    if lab.options.odd:
        together(lambda host: execute(host.name, odd.PREPARE), lab.databases)
    together(lambda host: put(host.name, _files(lab, host, passwords["root"])), lab.databases)
    first, *others = lab.databases
    _started(first, "galera_new_cluster && systemctl unset-environment _WSREP_NEW_CLUSTER")
    execute(first.name, f"mariadb <<'EOF'\n{SCHEMA.format(**passwords)}\nEOF")
    for host in others:  # one after the other: two joiners at once cost five seconds more
        config = odd.config(host) if lab.options.odd else CONFIG
        _started(host, FIRST_JOIN.format(file=config.replace("60-galera", "70-first-join")))
    together(lambda host: execute(host.name, AFTERWARDS.format(sst=lab.options.sst)), lab.databases)
    together(lambda host: synced(host, lab.options.nodes), lab.databases)


def _files(lab: Lab, host: Host, password: str) -> tuple[File, ...]:
    """With two members the donor is the only one left to serve, so there it counts as available."""
    donor = int(lab.options.nodes == 2)
    health = File("/etc/default/galera-health", f"AVAILABLE_WHEN_DONOR={donor}\n")
    text = settings(lab, host, password)
    if lab.options.odd:
        return File(odd.config(host), text), health, *odd.files(lab, host)
    return File(CONFIG, text), health


def settings(lab: Lab, host: Host, password: str) -> str:
    """Pure: a host's 60-galera.cnf."""
    members, ipv6 = ",".join(member.url for member in lab.databases), lab.options.ipv6
    text = SETTINGS.format(
        members=members, name=host.name, address=host.url, sst=lab.options.sst, any="::" if ipv6 else "0.0.0.0",  # noqa: S104 - the lab is open on purpose
        more=" gmcast.listen_addr=tcp://[::]:4567;" if ipv6 else PATIENT if host.guest else "",
    )  # fmt: skip
    if lab.options.sst == "mariabackup":
        text += AUTHORISED.format(password=password)
    return text + (PLAIN_CLIENTS if host.release == "trixie" else "")


def _started(host: Host, command: str) -> None:
    try:
        execute(host.name, f"{{ {command}\n}} >/dev/null 2>&1", limit=600 if host.guest else 180)
    except LabError:
        said = execute(host.name, "journalctl -u mariadb -n 40 -o cat --no-pager | grep -i 'error\\|fail' | tail -5")
        raise LabError(f"{host.name}: MariaDB did not start: {' | '.join(said.split(chr(10)))}") from None


def synced(host: Host, size: int) -> None:
    tries = 900 if host.guest else 150
    script = f"""
tries=0
until mariadb -N -B -e "SHOW GLOBAL STATUS" | grep -c -x -E 'wsrep_local_state\t4|wsrep_cluster_size\t{size}' | grep -qx 2
do tries=$((tries + 1)); [ $tries -lt {tries} ] || exit 1; sleep 0.2; done"""
    try:
        execute(host.name, script, limit=600 if host.guest else 60)
    except LabError:
        seen = member(host)
        raise LabError(
            f"{host.name}: is {seen.state} in a cluster of {seen.size}, not Synced in one of {size}"
        ) from None


def member(host: Host) -> Member:
    """Ask a database host over its local socket; a stopped server is an answer, not an error."""
    try:
        said = execute(host.name, STATUS, limit=20)
    except LabError:
        return Member(None, None, False)
    found = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    size = found.get("wsrep_cluster_size", "")
    return Member(
        state=found.get("wsrep_local_state_comment"),
        size=int(size) if size.isdigit() else None,
        primary=found.get("wsrep_cluster_status") == "Primary" and found.get("wsrep_ready") == "ON",
    )
