"""Health answers and the balancer's file on hosts in memory: what is laid, what is said, who comes through."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from galvan.cluster.answer import FLAG, SCRIPT, UNIT
from galvan.cluster.balancer import FILE
from galvan.edges.fake.clients import Door
from galvan.edges.fake.machines import File
from galvan.model import NotHealed, Role

if TYPE_CHECKING:
    from galvan.edges.fake import Fake
    from galvan.edges.fake.machines import Machine

STOCK = """\
global
    stats socket /run/haproxy/admin.sock mode 600 level admin

frontend front_door
    bind *:3307
    default_backend galera

backend galera
    option httpchk
    default-server check port 9200
"""


def stock(doors: list[Door]) -> str:
    """haproxy.cfg as its owner wrote it."""
    lines = (f"    server {d.member} {d.address}:3306{'' if d.active else ' backup'}\n" for d in doors)
    return STOCK + "".join(lines)


# what a host shows -----------------------------------------------------------------------------------------------
def print_laid(fake: Fake, machine: Machine) -> str:
    health = machine.health
    said = {path: _digest(machine.files[path].content) for path in (SCRIPT, UNIT) if path in machine.files}
    said |= {
        "enabled": "enabled" if health.runs else "", "active": "active" if health.runs else "inactive", "user": "998" * health.user,
        "socat": "/usr/bin/socat", "by": "galvan-health.service" if health.runs else "",
    }  # fmt: skip
    return "".join(f"{key}={value}\n" for key, value in said.items())


def print_answer(fake: Fake, machine: Machine) -> str:
    if not machine.health.runs:
        return ""
    serves = fake.group.serves(machine.host.name) and FLAG not in machine.files
    return "HTTP/1.1 200 OK\n" if serves else "HTTP/1.1 503 Service Unavailable\n"


def print_asker(fake: Fake, machine: Machine) -> str:
    there = any(account.user == "galvan-health" for account in fake.clients.accounts)
    return "account=galvan-health@localhost unix_socket USAGE\n" if there else ""


def print_file(fake: Fake, machine: Machine) -> str:
    if machine.host.role is not Role.LOAD_BALANCER:
        return ""
    text = machine.files[FILE].content
    return f"version=2.6.12-1+deb12u1\nplain={_digest(_plain(text))}\n---\n{text}"


def print_keepalived(fake: Fake, machine: Machine) -> str:
    """It is not installed in memory: an address that moves is tried on real hosts."""
    return f"address eth0 {machine.host.address}/24\n"


def print_guests(fake: Fake, machine: Machine) -> str:
    front = "galvan_write" if "listen galvan_write" in machine.files[FILE].content else "front_door"
    homes = [fake.machines[pool.home].host.address for pool in fake.clients.pools if pool.door == machine.host.name]
    return "".join(f"0x55d1: proto=tcpv4 src={home}:40001 fe={front} be={front} srv=db1\n" for home in homes)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(text: str) -> str:
    owners = re.sub(r"^# galvan: begin.*?^# galvan: end\n", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^#galvan# ", "", owners, flags=re.MULTILINE)


# what is done to it ----------------------------------------------------------------------------------------------
def make_user(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.health.user = True
    return ""


def start(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """It cannot run as a user that is not there, from files that are not there."""
    assert machine.health.user
    assert {SCRIPT, UNIT} <= machine.files.keys()
    machine.health.runs = whole
    return ""


def stop(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.health.runs = False
    return ""


def leave(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.health.user &= "userdel" not in text
    return ""


def flag(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """Only where the answer runs: its directory is there as long as it does."""
    if not machine.health.runs:
        return ""
    machine.files[FLAG] = File("")
    return "laid\n"


def unflag(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.files.pop(FLAG, None)
    return ""


def _nothing(fake: Fake, machine: Machine) -> str:
    return ""


OTHERS = dict.fromkeys(
    (
        "balancer.proxysql", "balancer.maxscale", "proxysql.admin", "statements.proxysql.standing", "load_balancer.maxscale",
        "load_balancer.maxscale_door", "load_balancer.maxscale_listeners", "load_balancer.maxscale_servers", "balancer.askers", "client_tls.doors",
    ),
    _nothing,
)  # fmt: skip
"""What is asked of a ProxySQL or a MaxScale: the balancer of the cluster in memory is a HAProxy."""


def lay(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """The file is replaced at a stroke, so a sender that is killed in the middle leaves the old one."""
    (plain,) = shlex.split(text.partition('-f 1)" = ')[2].partition(" ] ||")[0])
    (aside,) = shlex.split(text.partition("-v aside=")[2].partition(" 'BEGIN")[0]) or [""]
    block = shlex.split(text.partition("printf %s ")[2].partition(' >>"$new"')[0])
    owners = _plain(machine.files[FILE].content)
    if _digest(owners) != plain:
        raise NotHealed(
            f"{machine.host.name}: command failed: somebody changed {FILE} since it was looked at: plan again"
        )
    out = {int(number) for number in aside.split()}
    lines = [("#galvan# " if number in out else "") + line for number, line in enumerate(owners.splitlines(True), 1)]
    if whole:
        machine.files[FILE] = replace(machine.files[FILE], content="".join(lines) + "".join(block))
        fake.clients.doors[machine.host.name] = _doors(machine.files[FILE].content)
    return ""


def _doors(text: str) -> list[Door]:
    """The server lines that are in use."""
    found, name = [], ""
    for words in (line.split() for line in text.splitlines() if line.split()):
        name = words[1] if words[0] in ("listen", "backend") else name
        if words[0] == "server":
            found.append(Door(name, words[1], words[2].rpartition(":")[0], "backup" not in words))
    return found
