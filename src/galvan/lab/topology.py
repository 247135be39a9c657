"""Which hosts a lab has, where they live, and the options it was made with."""

from __future__ import annotations

import ipaddress
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from galvan.lab.errors import LabError
from galvan.lab.paths import name

Say: TypeAlias = Callable[[str], object]

RELEASES = ("bookworm", "trixie")
SST_METHODS = ("mariabackup", "rsync")
FIREWALLS = ("nftables", "iptables", "legacy", "firewalld", "ufw")
"""`legacy`: the iptables of old, on a host without nft."""
SUBNET, SUBNET6 = "10.89.77.0/24", "fd89:77::/64"
LIMITS = (2, 5)
GUARDS = ("selinux", "apparmor")
BALANCERS = ("haproxy", "proxysql", "maxscale")
"""What opens the door. The last two are in no registry: the lab takes what the caller brings (`brought`)."""
GUEST_LIMIT = 3


def own_subnet(ipv6: bool = False) -> str:
    """The lab that everybody means has a fixed network; each named one has another, the same every time."""
    number = 100 + zlib.crc32(name().encode()) % 150
    if ipv6:
        return f"fd89:77:0:{number}::/64" if name() else SUBNET6
    return f"10.89.{number}.0/24" if name() else SUBNET


@dataclass(frozen=True, slots=True)
class Options:
    """How a lab is made; `reset` makes the same one again.

    `release`: of all hosts, or of each database host, by commas (the first is then the other hosts' too).
    `subnet`: IPv4 or IPv6; the hosts have addresses of this one kind and no other.
    """

    nodes: int = 3
    release: str = "bookworm"
    sst: str = "mariabackup"
    multi_writer: bool = False
    subnet: str = field(default_factory=own_subnet)
    odd: bool = False  # paths, ports, names and spellings as nobody would expect them
    arbitrator: bool = False
    balancers: int = 1
    firewall: str = ""
    guests: str = ""  # selinux or apparmor: what guards the kernels of the database hosts, which are guests then
    balancer: str = "haproxy"

    def check(self) -> None:
        if self.guests:
            self._check_guests()
        elif not LIMITS[0] <= self.nodes <= LIMITS[1]:
            raise LabError(f"a lab has {LIMITS[0]} to {LIMITS[1]} database hosts, not {self.nodes}")
        for release in self.releases:
            if release not in RELEASES:
                raise LabError(f"no lab image for release {release!r}: choose one of {', '.join(RELEASES)}")
        if len(self.releases) != self.nodes:
            raise LabError(f"{self.release} names {len(self.releases)} releases for {self.nodes} database hosts")
        if self.sst not in SST_METHODS:
            raise LabError(f"the lab knows no SST method {self.sst!r}: choose one of {', '.join(SST_METHODS)}")
        if unknown := [word for word in self.firewalls if word and word not in FIREWALLS]:
            raise LabError(f"the lab knows no firewall {unknown[0]!r}: choose of {', '.join(FIREWALLS)}")
        if len(self.firewalls) != self.nodes:
            raise LabError(f"{self.firewall} names {len(self.firewalls)} firewalls for {self.nodes} database hosts")
        self._check_balancers()
        self._check_network()

    def _check_balancers(self) -> None:
        if self.balancers not in (1, 2):
            raise LabError(f"a lab has 1 or 2 balancers, not {self.balancers}")
        if self.balancer not in BALANCERS:
            raise LabError(f"the lab knows no balancer {self.balancer!r}: choose one of {', '.join(BALANCERS)}")
        if self.balancer != "haproxy" and (self.odd or self.guests):
            raise LabError(f"{self.balancer} is set up before plain members only: no odd paths, no guests")

    def _check_guests(self) -> None:
        if self.guests not in GUARDS:
            raise LabError(f"the lab knows no guests with {self.guests!r}: choose one of {', '.join(GUARDS)}")
        if not 1 <= self.nodes <= GUEST_LIMIT:
            raise LabError(f"a lab of guests has 1 to {GUEST_LIMIT} database hosts, not {self.nodes}")
        if self.odd or self.arbitrator or self.firewall or self.ipv6 or self.release != RELEASES[0]:
            raise LabError(
                f"guests are plain hosts of {RELEASES[0]}: no other release, firewall, arbitrator, IPv6 or odd paths"
            )

    def _check_network(self) -> None:
        try:
            network = ipaddress.ip_network(self.subnet)
        except ValueError as error:
            raise LabError(f"{self.subnet!r} is no network ({error}): give one like {SUBNET} or {SUBNET6}") from None
        if network.num_addresses < 256:
            raise LabError(f"the network {self.subnet} is too small for the lab's addresses: give a /24 or wider")

    @property
    def releases(self) -> tuple[str, ...]:
        """Of each database host, in order."""
        named = tuple(self.release.split(","))
        return named * self.nodes if len(named) == 1 else named

    @property
    def firewalls(self) -> tuple[str, ...]:
        """Of each database host, in order."""
        named = tuple(self.firewall.split(","))
        return named * self.nodes if len(named) == 1 else named

    @property
    def ipv6(self) -> bool:
        return ":" in self.subnet


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    role: str  # database, arbitrator, load_balancer, application, outsider
    address: str
    release: str = RELEASES[0]
    firewall: str = ""
    guest: str = ""  # what guards its kernel, if it has one of its own
    balancer: str = ""

    @property
    def image(self) -> str:
        """The kind of image that it is made from."""
        if self.balancer in ("proxysql", "maxscale"):
            return "brought"
        if self.role != "database":
            return "tools"
        if self.guest:
            return "guest"
        return {"": "db", "nftables": "db", "ufw": "ufw"}.get(self.firewall, "walled")

    @property
    def url(self) -> str:
        """The address as it stands before a port."""
        return f"[{self.address}]" if ":" in self.address else self.address


@dataclass(frozen=True, slots=True)
class Lab:
    """A running lab: its options, its hosts and where its keys lie."""

    options: Options
    hosts: tuple[Host, ...]
    state: Path

    @property
    def databases(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "database")

    @property
    def balancers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "load_balancer")

    @property
    def guests(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.guest)

    @property
    def votes(self) -> int:
        """How many members the cluster counts, the arbitrator among them."""
        return len(self.databases) + self.options.arbitrator

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def identity(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def password_file(self) -> Path:
        return self.state / "app.password"

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"the lab has no host {name!r}: it has {', '.join(h.name for h in self.hosts)}")


def hosts_of(options: Options) -> tuple[Host, ...]:
    """Pure: every host has the same address in every lab of the same subnet."""
    base, releases = ipaddress.ip_network(options.subnet).network_address, options.releases
    kinds = zip(releases, options.firewalls, strict=True)
    members = [Host(f"db{n}", "database", str(base + 10 + n), *kind, options.guests) for n, kind in enumerate(kinds, 1)]
    others = [("lb1", "load_balancer", 21), ("app1", "application", 31), ("mallory", "outsider", 66)]
    others += [("lb2", "load_balancer", 22)] if options.balancers == 2 else []
    others += [("arb1", "arbitrator", 41)] if options.arbitrator else []
    doors = {"load_balancer": options.balancer}
    return (
        *members,
        *(Host(name, role, str(base + n), releases[0], balancer=doors.get(role, "")) for name, role, n in others),
    )


def lab_of(options: Options, state: Path) -> Lab:
    return Lab(options, hosts_of(options), state)


def dump(lab: Lab) -> str:
    hosts = [asdict(host) for host in lab.hosts]
    return json.dumps({"options": asdict(lab.options), "hosts": hosts}, indent=2) + "\n"


def load(state: Path) -> Lab | None:
    """The lab that is described in the state directory; none if it never came up whole."""
    try:
        options = Options(**json.loads((state / "lab.json").read_text())["options"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{state / 'lab.json'} is not readable ({error}): run `galvan lab down`") from None
    return lab_of(options, state)
