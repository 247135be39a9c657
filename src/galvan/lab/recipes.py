"""What the two images hold. A changed recipe has another fingerprint, and so is built anew."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from galvan.lab.podman import File

COMMON = "systemd systemd-sysv dbus openssh-server sudo socat openssl rsync iproute2 procps nftables tcpdump"
DATABASE = "mariadb-server mariadb-backup galera-4 galera-arbitrator-4 stunnel4 bsdutils ca-certificates"
TOOLS = "haproxy keepalived python3 python3-pymysql python3-sqlalchemy mariadb-client galera-arbitrator-4 bsdutils ca-certificates"
LINKED = "libcurl4 libgnutls30 libgssapi-krb5-2 libmicrohttpd12 libodbc2 libpam0g libsqlite3-0 libssl3 libuuid1 nodejs zlib1g"
"""nodejs: for a maxctrl that was built from its source; the vendor's package has one inside."""

SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 100:30:300
MaxSessions 100
# each connection and its key is one line in the journal: connections are counted there
LogLevel VERBOSE
"""

JOURNAL = """\
[Journal]
Storage=persistent
RateLimitIntervalSec=0
SystemMaxUse=512M
"""

HEALTH = r"""#!/bin/sh
# 200 only from a Synced, ready member of the primary component; asked by haproxy on port 9200
[ -r /etc/default/galera-health ] && . /etc/default/galera-health
end=$(printf '\r')
while read -r line && [ -n "$line" ] && [ "$line" != "$end" ]; do :; done
ask() {
  state= primary= ready=
  eval "$(timeout 1 mariadb --no-defaults --skip-ssl --user=clustercheck --socket=/run/mysqld/mysqld.sock -N -B -e "
    SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state', 'wsrep_cluster_status', 'wsrep_ready')" 2>/dev/null |
    while read -r name value; do case $name in
      wsrep_local_state) echo "state=$value" ;; wsrep_cluster_status) echo "primary=$value" ;;
      wsrep_ready) echo "ready=$value" ;; esac; done)"
}
ask
if [ "${AVAILABLE_WHEN_DONOR:-0}" = 1 ]; then
  [ "$state" = 2 ] && state=4
else
  # each IST makes its donor state 2 for half a second: no reason to cut its sessions, so look again before saying no
  tries=0
  while [ "$state" = 2 ] && [ $tries -lt 4 ]; do tries=$((tries + 1)); sleep 0.3; ask; done
fi
answer='503 Service Unavailable'
[ "$state/$primary/$ready" = 4/Primary/ON ] && answer='200 OK'
body="state=$state status=$primary ready=$ready"
printf 'HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s\n' \
  "$answer" $((${#body} + 1)) "$body"
"""

HEALTH_SOCKET = """\
[Unit]
Description=Health of the Galera member, for load balancers

[Socket]
ListenStream=9200
Accept=yes
MaxConnections=64
# the default trigger limit puts the socket in `failed` for good under many checks
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"""

HEALTH_SERVICE = """\
[Unit]
Description=Health of the Galera member, one answer
CollectMode=inactive-or-failed

[Service]
User=clustercheck
ExecStart=-/usr/local/sbin/galera-health
StandardInput=socket
StandardOutput=socket
StandardError=null
RuntimeMaxSec=5
LogLevelMax=warning
"""

FINISH = """\
set -eu
rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/ssh/ssh_host_* /etc/mysql/mariadb.conf.d/05-small.cnf
sed -i '/pam_motd\\|pam_mail/d' /etc/pam.d/sshd
useradd -u 1000 -m -s /bin/bash -p '*' dba
echo 'dba ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/dba
chmod 440 /etc/sudoers.d/dba
install -d -m 700 /root/.ssh
install -d -m 700 -o dba -g dba /home/dba/.ssh
mkdir -p /var/log/journal
for unit in garb haproxy mariadb rsync nftables getty@ e2scrub_reap systemd-pstore apt-daily.timer \\
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
  systemctl disable "$unit" >/dev/null 2>&1 || true
done
systemctl enable ssh >/dev/null 2>&1
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /usr/share/doc/* /usr/share/man/*
: > /etc/machine-id
touch /etc/default/locale
"""

DATABASE_FINISH = """\
useradd -r -s /usr/sbin/nologin clustercheck
mkdir -p /usr/local/sbin
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image as a value: packages, files, and a last script that runs inside."""

    name: str
    release: str
    packages: tuple[str, ...]
    files: tuple[File, ...]
    finish: str

    @property
    def tag(self) -> str:
        text = repr((self.release, self.packages, self.files, self.finish))
        return f"{self.release}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def image(self) -> str:
        return f"localhost/galvan-lab-{self.name}:{self.tag}"


def database(release: str) -> Recipe:
    files = (
        *_common_files(),
        File("/usr/local/sbin/galera-health", HEALTH, 0o755),
        File("/etc/systemd/system/galera-health.socket", HEALTH_SOCKET),
        File("/etc/systemd/system/galera-health@.service", HEALTH_SERVICE),
    )
    return Recipe("db", release, _packages(DATABASE), files, FINISH + DATABASE_FINISH)


def walled(release: str) -> Recipe:
    """A database host with iptables and firewalld; each switched off until a lab asks for it."""
    return _with("walled", release, "iptables iptables-persistent firewalld", "firewalld netfilter-persistent")


def ufw(release: str) -> Recipe:
    """On an image of its own: its package and iptables-persistent exclude each other."""
    return _with("ufw", release, "ufw", "ufw")


def brought(release: str) -> Recipe:
    """A balancer's host without HAProxy, with what ProxySQL and MaxScale are linked against."""
    plain = tools(release)
    kept = {word for word in plain.packages if word not in ("haproxy", "keepalived")}
    return Recipe("brought", release, tuple(sorted({*kept, *LINKED.split()})), plain.files, plain.finish)


def _with(name: str, release: str, packages: str, units: str) -> Recipe:
    plain = database(release)
    finish = f"{plain.finish}systemctl disable {units} >/dev/null 2>&1 || true\n"
    return Recipe(name, release, tuple(sorted({*plain.packages, *packages.split()})), plain.files, finish)


def tools(release: str) -> Recipe:
    return Recipe("tools", release, _packages(TOOLS), _common_files(), FINISH)


def _packages(special: str) -> tuple[str, ...]:
    return tuple(sorted({*COMMON.split(), *special.split()}))


def _common_files() -> tuple[File, ...]:
    return (
        File("/etc/ssh/sshd_config.d/10-lab.conf", SSHD),
        File("/etc/systemd/journald.conf.d/lab.conf", JOURNAL),
    )
