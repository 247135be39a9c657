"""A Galera cluster in memory, for the engine's logic: it reads and acts like hosts over ssh, restarts read the files,
and members join only whom they can see. It can be killed, refused and cut off at any action, and its `witness` notes at
each of them what must never happen. Nothing about TLS itself is proven here: that takes the lab.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from galvan.cluster import provider
from galvan.cluster.balancer import FILE
from galvan.edges.fake import notary, options, people, scripts, services, walls
from galvan.edges.fake.clients import Account, Clients, Door, Pool, Session
from galvan.edges.fake.doors import stock
from galvan.edges.fake.group import Group, Witness
from galvan.edges.fake.machines import CONFIG_HOME, HOME, Channel, File, Machine, Server
from galvan.edges.fake.printing import DOWN, PRINTERS
from galvan.model import (
    Action,
    Cluster,
    Fact,
    Host,
    How,
    NotHealed,
    PutFile,
    Restart,
    RestoreFile,
    Role,
    Sealed,
    SecretRef,
    Shell,
    Signed,
    Sql,
    Unreachable,
    Unreadable,
)  # fmt: skip

__all__ = [
    "Account", "CONFIG_HOME", "Channel", "Clients", "Done", "Fake", "File", "Group", "HOME", "Killed", "Machine", "Pool",
    "Server", "Session", "Witness",
]  # fmt: skip

ACCOUNTS = (
    Account("app", "%"), Account("clustercheck", "localhost", plugin="unix_socket"),
    Account("mariadb.sys", "localhost", locked="1"), Account("mysql", "localhost", access="18446744073709551615"),
    Account("root", "localhost", access="549755813887"), Account("reader", "%", role="1"),
)  # fmt: skip


class Killed(BaseException):
    """This process died; nothing in the engine may catch it."""


@dataclass(frozen=True, slots=True)
class Done:
    number: int
    host: str
    wave: str
    action: Action


@dataclass
class Fake:
    """`crash_at`: the number of the action at which this process dies, `before`, in the `middle` of, or `after` it.
    `events`: what happens in the world just before an action."""

    cluster: Cluster
    run: str = "run-1"
    lag: int = 1
    dynamic: str = "yes"
    crash_at: int = 0
    crash_when: str = "before"
    events: dict[int, Callable[[Fake], None]] = field(default_factory=dict)
    count: int = 0
    reads: int = 0
    log: list[Done] = field(default_factory=list)
    listed: list[str] | None = field(default_factory=list)  # mysql.wsrep_allowlist; None: no such table
    authorities: set[str] = field(default_factory=set)  # those that were asked for: they exist from then on

    def __post_init__(self) -> None:
        self.anew: list[str] = []  # hosts to which a new connection was tried
        self._died_in: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self.machines = {host.name: Machine(host) for host in self.cluster.hosts}
        databases = self.cluster.having(Role.DATABASE)
        self.witness = Witness()
        self.group = Group(
            {h.name: self.machines[h.name] for h in databases},
            frozenset(h.name for h in self.cluster.having(Role.ARBITRATOR)),
            self.witness,
        )
        for host in databases:
            self._install(host, ",".join(h.address for h in databases))
        self.group.primary = {*self.group.members, *self.group.arbitrators}
        doors = {
            lb.name: [Door("galera", h.name, h.address, active=h == databases[0]) for h in databases]
            for lb in self.cluster.having(Role.LOAD_BALANCER)
        }
        for name, behind in doors.items():
            self.machines[name].files[FILE] = File(stock(behind))
        self.clients = Clients(self.group, self.machines, [replace(a) for a in ACCOUNTS], doors)

    def _install(self, host: Host, members: str) -> None:
        """As insecure as the seed's reader."""
        machine = self.machines[host.name]
        text = options.GALERA.format(cluster=self.cluster.name, members=members, name=host.name, address=host.address)
        machine.files[f"{CONFIG_HOME}/50-server.cnf"] = File(options.BASE)
        machine.files[f"{CONFIG_HOME}/60-galera.cnf"] = File(text)
        machine.server = Server()
        machine.start(machine.server)
        machine.server.state, machine.server.starts = "Synced", 0

    # what an edge does ------------------------------------------------------------------------------------------
    async def read(self, host: Host, facts: Sequence[Fact[Any]]) -> Mapping[str, str | Unreadable]:
        self.reads += 1
        machine = self._reach(host)
        return {fact.id: self._print(machine, fact) for fact in facts}

    def _print(self, machine: Machine, fact: Fact[Any]) -> str | Unreadable:
        try:
            return PRINTERS[fact.id](self, machine)
        except Unreadable as why:
            return Unreadable(f"{fact.id}: {why}")

    async def act(self, host: Host, action: Action, wave: str) -> str:
        if self._died_in is not None and self._died_in() is asyncio.get_running_loop():
            raise Killed("whoever is dead does nothing more, not even tidy up")
        self.count += 1
        if event := self.events.get(self.count):
            event(self)
        machine, at = self._reach(host), f"action {self.count} ({wave})"
        here = self.count == self.crash_at
        if here:
            self._died_in = weakref.ref(asyncio.get_running_loop())
        if here and self.crash_when == "before":
            raise Killed(at)
        self.log.append(Done(self.count, host.name, wave, action))
        try:
            said = self._do(machine, action, wave, at, whole=not (here and self.crash_when == "middle"))
        finally:
            self.clients.tend()
            self.group.note(at)
        if here:
            raise Killed(at)
        return said

    async def act_anew(self, host: Host, action: Action, wave: str) -> str:
        """A new connection of the operator's: the wall is asked whether it lets one in."""
        machine = self._reach(host)
        self.anew.append(host.name)
        if not walls.knock(machine, machine.around.caller, 22):
            raise Unreachable(f"{host.name} ({host.ssh}) did not let us in over ssh: Connection timed out")
        return await self.act(host, action, wave)

    def _reach(self, host: Host) -> Machine:
        machine = self.machines[host.name]
        if not machine.reachable:
            raise Unreachable(f"{host.name} ({host.ssh}) did not let us in over ssh: No route to host")
        return machine

    def _do(self, machine: Machine, action: Action, wave: str, at: str, whole: bool) -> str:
        match action:
            case PutFile():
                machine.keep(action.path, self.run, wave)
                if whole:
                    file = File(self._content(machine, action), action.mode, action.owner)
                    machine.put(action.path, file, self.run, wave)
            case RestoreFile(path):
                if whole and not machine.restore(path, self.run, action.wave):
                    raise NotHealed(f"{machine.host.name}: restoring {path} failed: nothing was kept of {path}")
            case Restart(how=How.START | How.BOOTSTRAP):
                services.start(self, machine, action, at, whole)
            case Restart():
                services.restart(self, machine, action, at, whole)
            case Sql():
                self._statement(machine, action.text, at)
            case Shell():
                return scripts.run(self, machine, action.text, whole)
        return ""

    def _content(self, machine: Machine, action: PutFile) -> str:
        match action.content:
            case str() as text:
                return text
            case SecretRef(name):
                kind, _, which = name.partition(":")
                self.authorities.add(which)
                assert kind == "authority", f"a secret that the cluster in memory does not know: {name}"
                return notary.authority_pem(which, self.cluster.name)
            case Signed() as wanted:
                request = machine.files.get(wanted.csr)
                if request is None:
                    raise NotHealed(f"{machine.host.name}: the request for a certificate is not there: {wanted.csr}")
                return notary.sign(self.cluster.name, request.content, wanted)
            case Sealed() as sealed:
                return f"sealed: what {sealed.source} printed\n"

    def _statement(self, machine: Machine, text: str, at: str) -> None:
        """SET GLOBAL, ALTER USER … REQUIRE, KILL CONNECTION and the list of who may join; anything else is an error."""
        server = machine.server
        if server is None or not server.up:
            raise NotHealed(f"{machine.host.name}: statement {text[:80]!r} failed: {DOWN}")
        if match := re.fullmatch(r"SET GLOBAL (\w+) ?= ?('(?:[^'\\]|''|\\.)*'|ON|OFF)", text):
            self._set(server, match[1], match[2].strip("'"))
        elif match := re.fullmatch(r"ALTER USER '([^']*)'@'([^']*)' REQUIRE (NONE|SSL|X509)", text):
            account = next((a for a in self.clients.accounts if (a.user, a.host) == (match[1], match[2])), None)
            if account is None:
                raise NotHealed(
                    f"{machine.host.name}: statement failed: ERROR 1396 (HY000): Operation ALTER USER failed"
                )
            account.require = {"NONE": "0", "SSL": "1", "X509": "2"}[match[3]]
        elif match := re.fullmatch(r"KILL CONNECTION (\d+)", text):
            self._kill(machine, int(match[1]), at)
        elif text.startswith(
            "CREATE USER IF NOT EXISTS 'galvan-health'@'localhost' IDENTIFIED /*M! VIA unix_socket */"
        ):
            self.clients.accounts.append(Account("galvan-health", "localhost", plugin="unix_socket"))
        elif text == "DROP USER IF EXISTS 'galvan-health'@'localhost'":
            self.clients.accounts[:] = [a for a in self.clients.accounts if a.user != "galvan-health"]
        elif "mysql.wsrep_allowlist" in text:
            self._list(text)
        elif not people.statement(self.clients.people, text):
            raise AssertionError(f"a statement that the cluster in memory does not know: {text!r}")

    @staticmethod
    def _set(server: Server, name: str, value: str) -> None:
        """The provider takes single keys while it runs; what shows how a member listens is not among them."""
        if name != "wsrep_provider_options":
            server.variables[name] = value
            return
        for key, wanted in provider.parse(value).items():
            if key.startswith(("socket.", "gmcast.listen", "base_")):
                raise NotHealed(
                    f"ERROR 1231 (42000): Variable 'wsrep_provider_options' can't be set to '{key}={wanted}'"
                )
            server.provider[key] = wanted

    def _list(self, text: str) -> None:
        """One replicated table: who may join."""
        assert self.listed is not None
        named = re.findall(r"'([^']*)'", text)
        if text.startswith("INSERT IGNORE INTO mysql.wsrep_allowlist (ip) VALUES ("):
            self.listed += [address for address in named if address not in self.listed]
        elif text.startswith("DELETE FROM mysql.wsrep_allowlist WHERE ip IN ("):
            self.listed = [address for address in self.listed if address not in named]
        else:
            raise AssertionError(f"a statement that the cluster in memory does not know: {text!r}")

    def _kill(self, machine: Machine, number: int, at: str) -> None:
        found = [s for s in self.clients.sessions if s.id == number and s.member == machine.host.name]
        if not found:
            raise NotHealed(f"{machine.host.name}: statement failed: ERROR 1094 (HY000): Unknown thread id: {number}")
        if found[0].open:
            self.witness.killed_open.append(f"{at}: {found[0].user}'s open transaction was killed")
        self.clients.sessions.remove(found[0])

    # what happens to it -----------------------------------------------------------------------------------------
    def die(self, name: str) -> None:
        """The host is gone without a word."""
        self.machines[name].reachable = False
        self.group.lose({name})
        self.clients.tend()

    def crash_server(self, name: str) -> None:
        """The server process dies and systemd starts it again with the files that lie there now."""
        self.group.lose({name})
        server = self.group.server(name)
        self.machines[name].start(server)
        self.group.join(name, self.lag)
        self.clients.tend()

    def known(self) -> Cluster:
        """The cluster as its operator's side knows it: with the authorities that were made by now."""
        made = tuple((name, notary.authority_pem(name, self.cluster.name)) for name in sorted(self.authorities))
        return replace(self.cluster, authorities=made)

    # what can be seen of it -------------------------------------------------------------------------------------
    def files(self) -> dict[str, dict[str, File]]:
        """Every file of every host but Galvan's own notes under /var/lib/galvan."""
        return {
            name: {path: file for path, file in machine.files.items() if not path.startswith(f"{HOME}/")}
            for name, machine in self.machines.items()
        }

    def running(self) -> dict[str, tuple[dict[str, str], dict[str, str], Channel]]:
        return {
            name: (
                dict(self.group.server(name).variables),
                dict(self.group.server(name).provider),
                self.group.server(name).channel,
            )
            for name in self.group.members
        }

    def accounts(self) -> dict[str, str]:
        return {f"'{a.user}'@'{a.host}'": a.require for a in self.clients.accounts}
