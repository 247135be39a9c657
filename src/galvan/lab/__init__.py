"""A practice cluster of real hosts on this machine."""

from __future__ import annotations

from galvan.lab import lifecycle
from galvan.lab.books import LoadReport
from galvan.lab.errors import LabError
from galvan.lab.lifecycle import HostStatus, current, running, status
from galvan.lab.load import load, load_running, load_status, start_load, stop_load
from galvan.lab.podman import execute
from galvan.lab.topology import Host, Lab, Options, Say, own_subnet

__all__ = [
    "Host",
    "HostStatus",
    "Lab",
    "LabError",
    "LoadReport",
    "Options",
    "current",
    "down",
    "execute",
    "load",
    "load_running",
    "load_status",
    "reset",
    "running",
    "ssh_argv",
    "start_load",
    "status",
    "stop_load",
    "up",
]


def up(
    nodes: int | None = None,
    release: str = "bookworm",
    sst: str = "mariabackup",
    multi_writer: bool = False,
    say: Say = print,
    subnet: str = "",
    ipv6: bool = False,
    odd: bool = False,
    arbitrator: bool = False,
    firewall: str = "",
    guests: str = "",
    balancers: int = 1,
    balancer: str = "haproxy",
) -> Lab:
    """Bring a lab up; a healthy one with the same options is returned as it is. `ipv6`: on IPv6 and nothing else.
    `balancer`: or `proxysql` or `maxscale`, of GALVAN_PROXYSQL or GALVAN_MAXSCALE.
    `firewall`: what is in charge on the database hosts, one word or one for each host by commas.
    `guests`: the database hosts have kernels of their own, guarded by `selinux` or `apparmor`; two of them unless told."""
    subnet = subnet or own_subnet(ipv6)
    members = nodes or (2 if guests else 3)
    made = Options(members, release, sst, multi_writer, subnet, odd, arbitrator, balancers, firewall, guests, balancer)
    return lifecycle.up(made, say)


def down(say: Say = print, purge: bool = False) -> None:
    """Take the lab away: containers, network, keys and passwords; with `purge` the images too."""
    lifecycle.down(say, purge)


def reset(say: Say = print) -> Lab:
    """Fresh hosts with the same options and the same operator key."""
    return lifecycle.reset(say)


def ssh_argv(host: str) -> list[str]:
    """The command line that logs in to a host as root."""
    lab = current()
    return ["ssh", "-F", str(lab.ssh_config), lab.host(host).name]
