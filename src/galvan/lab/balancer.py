"""lb1, and lb2 where there is one: a front door for the application, with a health check that knows Galera."""

from __future__ import annotations

from galvan.lab import brought
from galvan.lab.brought import FRONT_DOOR
from galvan.lab.odd import port
from galvan.lab.podman import File, execute, put
from galvan.lab.topology import Lab

# checks are patient: on a busy machine an answer takes seconds, and marking a server down cuts its sessions
CONFIG = """\
global
    log /dev/log local0
    stats socket /run/haproxy/admin.sock mode 600 level admin
    stats timeout 2m
    user haproxy
    group haproxy
    maxconn 4000

defaults
    log global
    mode tcp
    option tcplog
    option redispatch
    retries 3
    timeout connect 5s
    timeout client 10m
    timeout server 10m
    timeout check {check}

frontend front_door
    bind {any}:{port}
    maxconn 2000
    default_backend galera

backend galera
    balance {balance}
    option httpchk
    default-server check port 9200 {pace} on-marked-down shutdown-sessions
"""
PACE = "inter 1s fastinter 500ms rise 2 fall 4"
# each answer costs a guest a third of a second of its one processor
GUESTS_PACE = "inter 5s fastinter 2s rise 1 fall 4"
UP = """
systemctl enable --quiet haproxy && systemctl restart haproxy
tries=0
until [ "$(echo 'show stat' | socat - /run/haproxy/admin.sock | grep -c '^galera,db.*,L7OK,')" = {servers} ]; do
  tries=$((tries + 1))
  [ $tries -lt {tries} ] || {{ echo 'show stat' | socat - /run/haproxy/admin.sock | cut -d, -f1,2,18,37 >&2; exit 1; }}
  sleep 0.2
done"""


def start(lab: Lab) -> None:
    """Open each front door and wait until its balancer has found every server up."""
    tries = 600 if lab.guests else 100
    for host in lab.balancers:
        if host.balancer != "haproxy":
            brought.start(lab, host)
            continue
        put(host.name, (File("/etc/haproxy/haproxy.cfg", config(lab)),))
        execute(host.name, UP.format(servers=len(lab.databases), tries=tries), limit=180)


def config(lab: Lab) -> str:
    """Pure: haproxy.cfg. One writer unless asked otherwise: certification conflicts then cannot happen."""
    balance = "leastconn" if lab.options.multi_writer else "roundrobin"
    lines = []
    for number, host in enumerate(lab.databases):
        backup = " backup" if number and not lab.options.multi_writer else ""
        lines.append(f"    server {host.name} {host.url}:{port(lab, host)}{backup}\n")
    pace, check = (GUESTS_PACE, "15s") if lab.guests else (PACE, "10s")
    any_address = "[::]" if lab.options.ipv6 else "*"
    return CONFIG.format(any=any_address, port=FRONT_DOOR, balance=balance, pace=pace, check=check) + "".join(lines)
