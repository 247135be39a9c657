"""A lab's life: up, reset, down; a start that breaks half-way takes away what it made."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from galvan.lab import arbitrator, balancer, brought, firewalls, galera, guests, hosts, images, topology
from galvan.lab.errors import LabError
from galvan.lab.paths import alone, state_dir, write_private
from galvan.lab.podman import check_tools, together
from galvan.lab.topology import Host, Lab, Options, Say


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One line of `lab status`; the last three are None on hosts without a database."""

    name: str
    role: str
    address: str
    running: bool
    state: str | None
    cluster_size: int | None
    primary: bool | None


def up(options: Options, say: Say) -> Lab:
    options.check()
    check_tools(guests.NEEDED if options.guests else {})
    if options.balancer != "haproxy":
        brought.given(options.balancer)
    with alone():
        _not_anothers()
        present = topology.load(state_dir())
        if present is not None:
            faults = unhealthy(present)
            if not faults:
                return _keep(present, options, say)
            say(f"the present lab is not whole ({'; '.join(faults)}): making a new one")
        return _make(options, say)


def reset(say: Say) -> Lab:
    check_tools()
    with alone():
        return _make(current().options, say)


def down(say: Say, purge: bool) -> None:
    check_tools()
    with alone():
        _not_anothers()
        hosts.remove()
        hosts.forget(state_dir())
        if purge:
            images.purge()
    say("the lab is gone" + (", its images too" if purge else "; its images stay for the next one"))


def current() -> Lab:
    """The lab that `up` made, or an error that says how to get one."""
    lab = topology.load(state_dir())
    if lab is None:
        raise LabError("no lab is up: run `galvan lab up`")
    return lab


def running() -> bool:
    lab = topology.load(state_dir())
    return lab is not None and not hosts.missing(lab)


def status() -> tuple[HostStatus, ...]:
    lab = current()
    stopped = set(hosts.missing(lab))
    return tuple(together(lambda host: _status_of(host, host.name not in stopped), lab.hosts))


def unhealthy(lab: Lab) -> tuple[str, ...]:
    """What is wrong with a lab that once came up; empty when it is as good as new."""
    stopped = hosts.missing(lab)
    if stopped:
        return tuple(f"{name} does not run" for name in stopped)
    states = together(galera.member, lab.databases)
    wanted = galera.Member("Synced", lab.votes, primary=True)
    pairs = zip(lab.databases, states, strict=True)
    return tuple(f"{host.name} is {seen.state} in a cluster of {seen.size}" for host, seen in pairs if seen != wanted)


def _status_of(host: Host, runs: bool) -> HostStatus:
    if host.role != "database":
        return HostStatus(host.name, host.role, host.address, runs, None, None, None)
    seen = galera.member(host) if runs else galera.Member(None, None, primary=False)
    return HostStatus(host.name, host.role, host.address, runs, seen.state, seen.size, seen.primary)


def _keep(present: Lab, options: Options, say: Say) -> Lab:
    if present.options != options:
        raise LabError(f"a lab with other options is up ({present.options}): run `galvan lab down` first")
    say("a healthy lab with these options is already up")
    return present


def _not_anothers() -> None:
    """Containers have machine-wide names: never take away the hosts of somebody else's whole lab."""
    owner = hosts.owner()
    if owner not in (None, state_dir()) and (Path(str(owner)) / "lab.json").exists():
        raise LabError(f"another lab is up on this machine, described in {owner}: take that one down first")


def _make(options: Options, say: Say) -> Lab:
    began = time.monotonic()
    lab = topology.lab_of(options, state_dir())
    recipes = images.ensure({(host.image, host.release) for host in lab.hosts}, say)
    with ExitStack() as undo:
        undo.callback(hosts.forget, lab.state)
        undo.callback(hosts.remove)
        hosts.remove()
        hosts.forget(lab.state, keep=("id_ed25519", "id_ed25519.pub"))
        if hosts.nobodys():
            images.sweep(recipes)
        say(f"hosts: booting {' '.join(host.name for host in lab.hosts)}")
        hosts.make(lab, recipes)
        say(f"cluster: starting {options.nodes} members, SST by {options.sst}")
        galera.start(lab)
        arbitrator.start(lab)
        firewalls.start(lab)
        say(f"balancer: opening {' '.join(f'{host.name}:{brought.FRONT_DOOR}' for host in lab.balancers)}")
        balancer.start(lab)
        write_private(lab.state / "lab.json", topology.dump(lab))
        undo.pop_all()
    say(f"the lab is up after {time.monotonic() - began:.0f} s; ssh -F {lab.ssh_config} db1")
    return lab
