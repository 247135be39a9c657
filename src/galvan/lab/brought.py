"""ProxySQL and MaxScale, which no registry has: the caller brings the program, and it starts as open as its first manual has it.

`GALVAN_PROXYSQL` and `GALVAN_MAXSCALE` name a tar of what the package holds (`dpkg-deb --fsys-tarfile`); for ProxySQL the program
alone will do.
"""

from __future__ import annotations

import os
import secrets
import shlex
import tarfile
from pathlib import Path

from galvan.lab.errors import LabError
from galvan.lab.podman import File, container, execute, podman, put
from galvan.lab.topology import Host, Lab

FRONT_DOOR = 3307
ACCOUNTS = {
    "proxysql": "CREATE USER monitor@'%' IDENTIFIED BY 'monitor';",
    "maxscale": "CREATE USER maxscale@'%' IDENTIFIED BY '{maxscale}'; GRANT SELECT ON mysql.* TO maxscale@'%'; "
    "GRANT SHOW DATABASES, SLAVE MONITOR ON *.* TO maxscale@'%';",
}
PROXYSQL = """\
datadir="/var/lib/proxysql"
errorlog="/var/lib/proxysql/proxysql.log"
admin_variables=
{{
  admin_credentials="admin:admin"
  mysql_ifaces="{any}:6032"
}}
mysql_variables=
{{
  threads=2
  max_connections=2048
  interfaces="{any}:{door}"
  default_schema="information_schema"
  server_version="10.11.6"
  connect_timeout_server=3000
  connect_timeout_server_max=10000
  monitor_username="monitor"
  monitor_password="monitor"
  monitor_ping_interval=10000
  ping_interval_server_msec=120000
  ping_timeout_server=500
}}
mysql_galera_hostgroups=
(
  {{ writer_hostgroup=10, backup_writer_hostgroup=20, reader_hostgroup=30, offline_hostgroup=40, active=1, max_writers={writers}, writer_is_also_reader=0, max_transactions_behind=100 }}
)
mysql_servers=
(
{servers}
)
mysql_users=
(
  {{ username="app", password="{app}", default_hostgroup=10, active=1 }}
)
"""
PROXYSQL_UNIT = """\
[Unit]
Description=High Performance Advanced Proxy for MySQL
After=network.target

[Service]
Type=forking
ExecStart=/usr/bin/proxysql --idle-threads -c /etc/proxysql.cnf
PIDFile=/var/lib/proxysql/proxysql.pid
User=proxysql
Group=proxysql
UMask=0007
LimitNOFILE=102400

[Install]
WantedBy=multi-user.target
"""
MAXSCALE = """\
[maxscale]
threads=2
admin_host=0.0.0.0
admin_secure_gui=false

{servers}
[Cluster]
type=monitor
module=galeramon
servers={names}
user=maxscale
password={password}
monitor_interval=1000ms

[Door]
type=service
router=readwritesplit
servers={names}
user=maxscale
password={password}

[Front]
type=listener
service=Door
address={any}
port={door}
"""
START = """
getent passwd {kind} >/dev/null || useradd -r -s /usr/sbin/nologin {kind}
for d in /var/lib/{kind} /var/log/{kind} /var/cache/{kind} /run/{kind}; do mkdir -p $d; chown {kind}: $d; done
chown {kind}: /etc/{cnf}; chmod 640 /etc/{cnf}
systemctl daemon-reload; systemctl enable --quiet {kind}; systemctl restart {kind}
tries=0
until MYSQL_PWD={password} mariadb -h {host} -P {door} -u app -N -B -e 'SELECT @@wsrep_on' 2>/dev/null | grep -q '^[1O]'; do
  tries=$((tries + 1))
  [ $tries -lt 150 ] || {{ tail -n 5 /var/lib/proxysql/proxysql.log /var/log/maxscale/maxscale.log >&2; exit 1; }}
  sleep 0.2
done"""


def given(kind: str) -> Path:
    """The file that the caller brings. Raises LabError, before anything is made, where there is none."""
    name = f"GALVAN_{kind.upper()}"
    said = os.environ.get(name, "")
    if not said or not Path(said).is_file():
        raise LabError(
            f"{kind} is in no registry: let {name} name a tar of its package's files (dpkg-deb --fsys-tarfile), and it is put on lb1"
            + (f"; {said} is no file" if said else "")
        )
    if kind == "maxscale" and not tarfile.is_tarfile(said):
        raise LabError(f"{said} is no tar: MaxScale needs its modules beside it (dpkg-deb --fsys-tarfile)")
    return Path(said)


def start(lab: Lab, host: Host) -> None:
    """The program, a configuration as its manual begins, and the wait for the first answer through the door."""
    kind, password = host.balancer, lab.password_file.read_text().strip()
    _place(host, given(kind))
    own = secrets.token_urlsafe(18)
    first = lab.databases[0].name
    execute(first, f"mariadb <<'EOF'\n{ACCOUNTS[kind].format(maxscale=own)}\nEOF")
    if kind == "proxysql":
        put(
            host.name,
            (
                File("/etc/proxysql.cnf", proxysql(lab, password)),
                File("/etc/systemd/system/proxysql.service", PROXYSQL_UNIT),
            ),
        )
    else:
        put(host.name, (File("/etc/maxscale.cnf", maxscale(lab, own)),))
    script = START.format(
        kind=kind, cnf=f"{kind}.cnf", password=shlex.quote(password), host=host.address, door=FRONT_DOOR
    )
    execute(host.name, script, limit=120)


def _place(host: Host, brought: Path) -> None:
    if not tarfile.is_tarfile(brought):
        podman(
            "cp",
            str(brought),
            f"{container(host.name)}:/usr/bin/proxysql",
            what=f"{host.name}: {brought} was not placed",
        )
        execute(host.name, "chmod 755 /usr/bin/proxysql")
        return
    podman(
        "cp",
        "-a=false",
        "-",
        f"{container(host.name)}:/",
        what=f"{host.name}: {brought} was not unpacked",
        stdin=brought.read_bytes(),
    )


def proxysql(lab: Lab, password: str) -> str:
    """Pure: proxysql.cnf, read at the first start."""
    servers = ",\n".join(
        f'  {{ address="{host.address}", port=3306, hostgroup=10, max_connections=200 }}' for host in lab.databases
    )
    writers = len(lab.databases) if lab.options.multi_writer else 1
    return PROXYSQL.format(any=_any(lab, "[::]"), door=FRONT_DOOR, writers=writers, servers=servers, app=password)


def maxscale(lab: Lab, password: str) -> str:
    """Pure: maxscale.cnf."""
    servers = "".join(f"[{host.name}]\ntype=server\naddress={host.address}\nport=3306\n\n" for host in lab.databases)
    names = ",".join(host.name for host in lab.databases)
    return MAXSCALE.format(any=_any(lab, "::"), door=FRONT_DOOR, servers=servers, names=names, password=password)


def _any(lab: Lab, ipv6: str) -> str:
    return ipv6 if lab.options.ipv6 else "0.0.0.0"  # noqa: S104 - the lab is open on purpose
