"""The machine beneath the server, as its processes show it: who runs it, with what rights, and who shouts a password."""

from __future__ import annotations

from dataclasses import dataclass

from galvan.cluster.facts import lines
from galvan.model import Fact, Shell, State, Unreadable

_SCRIPT = r"""
named() { for p; do p=${p#/proc/}; p=${p%%/*}; read -r c 2>/dev/null </proc/$p/comm && printf '%s(%s) ' "$c" $p; done; }
n=0 p= kept=no shippers=
for c in $(grep -sHxE 'mariadbd|mysqld|filebeat|auditbeat|fluent-bit|fluentd|td-agent|vector|promtail|alloy|splunkd|nxlog|rsyslogd|syslog-ng|chronyd|ntpd|ntpd-rs|openntpd|ptp4l' /proc/[0-9]*/comm); do
  case $c in *:mariadbd|*:mysqld) n=$((n + 1)); p=${p:-${c#/proc/}}; p=${p%%/*};; *:chronyd|*:ntp*|*:openntpd|*:ptp4l) kept=yes;; *) shippers="$shippers ${c#*:}";; esac
done
[ -e /run/systemd/timesync/synchronized ] && kept=yes
printf '%s\n' "servers=$n" "synchronised=$kept" "shippers=${shippers# }"
echo "account=$(getent passwd mysql | cut -d: -f7)"
echo "groups=$(id -Gn mysql 2>/dev/null)"
echo "sudo=$(grep -lsE '^[[:space:]]*%?mysql[[:space:]]' /etc/sudoers /etc/sudoers.d/* | tr '\n' ' ')"
if [ -n "$p" ]; then
  echo "user=$(stat -c %U /proc/$p)"
  awk '/^NoNewPrivs/ {print "no_new_privileges=" $2} /^CapBnd/ {print "capabilities=" $2} /^Seccomp:/ {print "seccomp=" $2}
    FILENAME ~ /cgroup/ && match($0, /[^\/]*[.]service/) {print "unit=" substr($0, RSTART, RLENGTH); exit}' /proc/$p/status /proc/$p/cgroup
  [ "$(readlink /proc/$p/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ] && echo own_mounts=no || echo own_mounts=yes
  echo "links=$(for f in /proc/$p/cwd/master*.info; do [ -s "$f" ] && awk 'NR==1 && $0+0 < 15 {exit} NR==4 {h=$0} NR==7 {h=h ":" $0} NR==9 {s=$0} NR==12 {c=$0} NR==13 {l=$0} NR==15 {print h "|" s "|" $0 "|" l "|" c}' "$f"; done | tr '\n' ' ')"
  echo "arguments=$(tr '\0' '\n' </proc/$p/cmdline | sed -n 's/^--\([^=]*\).*/\1/p' | tr '\n' ' ')"
fi
echo "environment=$(named $(grep -lsaz '^MYSQL_PWD=.' /proc/[0-9]*/environ))"
shown=
for c in $(grep -lsazE '[-]-(password|wsrep[-_]sst[-_]auth|auth)=x*[^x[:space:]]' /proc/[0-9]*/cmdline) -p $(grep -lsazE '^-p.*[^x]' /proc/[0-9]*/cmdline); do
  [ $c = -p ] && short=yes && continue
  [ -z "${short:-}" ] || case $(cat ${c%cmdline}comm 2>/dev/null) in mysql*|mariadb|mariadb-[a-z]*|mariabackup|xtrabackup) ;; *) continue;; esac
  shown="$shown $c"
done
echo "shown=$(named $shown)"
[ -d /var/log/journal ] && echo journal=lasting || echo journal=volatile
fips=; read -r fips 2>/dev/null </proc/sys/crypto/fips_enabled; echo "fips=$fips"
[ -e /run/.containerenv ] || [ -e /.dockerenv ] || [ -e /run/systemd/container ] && echo container=yes || echo container=no
"""


def machine(output: str) -> State:
    said = lines(output)
    if "servers" not in said or "shown" not in said:
        raise Unreadable("the host's processes could not be looked at (pgrep, /proc)")
    return said


MACHINE: Fact[State] = Fact("hardening.machine", Shell(_SCRIPT), machine, stable=False)


@dataclass(frozen=True, slots=True)
class Link:
    """Asynchronous replication from `source`, as the server's own file says it; its password is not looked at."""

    source: str
    encrypted: bool
    verifies: bool
    cipher: str
    certificate: str


def links(said: str) -> tuple[Link, ...]:
    """
    >>> links("10.0.9.5:3306|1|0|| ")[0].encrypted
    True
    """
    parts = (entry.split("|") for entry in said.split())
    return tuple(Link(source, ssl == "1", verify == "1", cipher, cert) for source, ssl, verify, cipher, cert in parts)
