"""A cluster that grew under several hands: no path, no port and no spelling is where a manual would have it.

The option files as pure texts. What the plain lab says (`60-galera.cnf`) is said first here too, and said again by the
site's own file, which comes later and so wins: every host has options given twice, in other groups and other spellings.

db1  Debian's directories, then the site's own as the last one, in a my.cnf that replaces Debian's
db2  /etc/my.cnf and a my.cnf that includes one directory outside of /etc and none of Debian's
db3  a my.cnf that goes on after its last include; other ports than the other two; no wsrep_node_address
"""

from __future__ import annotations

from galvan.lab.podman import File
from galvan.lab.recipes import HEALTH
from galvan.lab.topology import Host, Lab

DATADIR, SOCKET = "/srv/mysql", "/run/mysqld/odd.sock"
PREPARE = f"""
rm -f /etc/mysql/my.cnf
[ -e {DATADIR} ] || mv /var/lib/mysql {DATADIR}"""
"""Debian's my.cnf is a link that a new file would be written through."""

MAIN = {
    "db1": "[client-server]\n!includedir /etc/mysql/conf.d/\n!includedir /etc/mysql/mariadb.conf.d\n!includedir /etc/mysql/zz-site.d/\n",
    "db2": "[mysqld]\npid-file = /run/mysqld/mysqld.pid\nskip-name-resolve\n! includedir  /srv/mysql.conf\n",
    "db3": "[mysqld]\n!includedir /etc/mysql/mariadb.conf.d/\nmax-connections = 400\n\n[galera]\nloose_wsrep_slave_threads = 3\n",
}
"""The my.cnf of each host; further hosts have db1's."""
VERSIONS = {"bookworm": "10.11", "trixie": "11.8"}
OLDEST = "# of the time before Galera\n[mysqld]\nport = 3307\ndatadir = /var/lib/mysql\nwsrep_provider_options = 'gcache.size=1G'\n"
SITE = """\
[mariadb]
datadir={datadir}
socket = {socket}
port={port}
[galera]
wsrep-cluster-address="gcomm://{members}"
{node_address}
loose-wsrep_sst_receive_address = {address}:{sst}
[mariadb-{version}]
WSREP-Provider_Options = "evs.keepalive_period=PT1S; evs.suspect_timeout = PT6S;evs.inactive_timeout=PT15S; \
evs.install_timeout=PT7.5S; evs.delay_margin=PT1S; evs.send_window=512; evs.user_send_window=256; \
evs.join_retrans_period=PT0.7S; evs.stats_report_period=PT1M; gcs.fc_limit=128; gcs.fc_factor=0.9; gmcast.peer_timeout=PT3S; \
gmcast.listen_addr=tcp://0.0.0.0:{group}; ist.recv_addr={address}:{ist}; pc.announce_timeout=PT3S; \
gcache.size=96M; evs.suspect_timeout=PT5S"
"""
"""A key is given twice in one string: the last one counts there too."""


def port(lab: Lab, host: Host) -> int:
    """Where the server listens for clients."""
    if not lab.options.odd:
        return 3306
    return 3506 if host.name == "db3" else 3406


def group_port(host: Host) -> int:
    return 5577 if host.name == "db3" else 5567


def config(host: Host) -> str:
    """Where `60-galera.cnf` lies."""
    return f"{_directory(host, 'base')}/60-galera.cnf"


def _directory(host: Host, which: str) -> str:
    if host.name == "db2":
        return "/srv/mysql.conf"
    return "/etc/mysql/mariadb.conf.d" if host.name == "db3" or which == "base" else "/etc/mysql/zz-site.d"


def files(lab: Lab, host: Host) -> tuple[File, ...]:
    """Pure: what an odd host has beside `60-galera.cnf`."""
    oldest = (File("/etc/my.cnf", OLDEST),) if host.name == "db2" else ()
    return (
        File("/etc/mysql/my.cnf", MAIN.get(host.name, MAIN["db1"])),
        File(f"{_directory(host, 'site')}/80-site.cnf", site(lab, host)),
        File("/usr/local/sbin/galera-health", HEALTH.replace("/run/mysqld/mysqld.sock", SOCKET), 0o755),
        *oldest,
    )


def site(lab: Lab, host: Host) -> str:
    """Names stand for addresses; db2 says its own with the port, db3 leaves it to the server's guess."""
    group = group_port(host)
    told = {"db1": "wsrep_node_address = db1", "db3": "# wsrep_node_address is left out"}
    return SITE.format(
        datadir=DATADIR, socket=SOCKET, port=port(lab, host), group=group, ist=group + 1, sst=group - 123, address=host.address,
        version=VERSIONS[host.release], members=",".join(f"{member.name}:{group_port(member)}" for member in lab.databases),
        node_address=told.get(host.name, f"wsrep_node-address={host.name}:{group}"),
    )  # fmt: skip


def environment(lab: Lab, host: Host) -> tuple[str, ...]:
    """The lab's own scripts find the socket by the variable that the client library knows; what comes by ssh does not."""
    return ("--env", f"MYSQL_UNIX_PORT={SOCKET}") if lab.options.odd and host.role == "database" else ()
