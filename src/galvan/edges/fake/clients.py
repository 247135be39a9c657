"""Applications with pools of connections, and the balancer before the members."""

from __future__ import annotations

from dataclasses import dataclass, field

from galvan.edges.fake.group import Group
from galvan.edges.fake.machines import Machine
from galvan.edges.fake.people import Person, stock

BUNDLE = "/etc/galvan/client/client.cnf"


@dataclass(frozen=True, slots=True)
class Pool:
    """`home`: the host it runs on. `door`: the balancer it goes through, empty for straight to the first member that
    serves. It asks for TLS once the bundle lies on its host, unless it is `stubborn`."""

    user: str
    home: str
    door: str = ""
    size: int = 3
    stubborn: bool = False


@dataclass(slots=True)
class Session:
    id: int
    user: str
    client: str
    port: int
    member: str
    pool: Pool | None = None
    tls: str = ""
    command: str = "Sleep"
    idle: float = 0.3
    open: bool = False


@dataclass(slots=True)
class Door:
    """One server line of a balancer."""

    backend: str
    member: str
    address: str
    active: bool
    drained: bool = False


@dataclass(slots=True)
class Account:
    """`require`: as the server keeps it, 0 none, 1 any, 2 X509."""

    user: str
    host: str
    require: str = "0"
    locked: str = "0"
    role: str = "0"
    plugin: str = "mysql_native_password"
    access: str = "0"


@dataclass(slots=True)
class Clients:
    group: Group
    machines: dict[str, Machine]
    accounts: list[Account]
    doors: dict[str, list[Door]]
    pools: list[Pool] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    last_id: int = 20
    people: list[Person] = field(default_factory=stock)

    def tend(self) -> None:
        """Sessions of members that do not serve end; pools go the new way where they can, and fill up again."""
        self.sessions = [
            s for s in self.sessions if self.group.server(s.member).up and self.machines[s.member].reachable
        ]
        for session in list(self.sessions):
            if (
                session.pool
                and not session.tls
                and not session.open
                and self._may_encrypt(session.pool, session.member)
            ):
                self.sessions.remove(session)
        for pool in self.pools:
            for _ in range(pool.size - sum(s.pool == pool for s in self.sessions)):
                self._connect(pool)

    def let_go(self, member: str) -> None:
        """Pools recycle: one session that is in no transaction leaves a member that no new one comes to."""
        drained = any(door.drained for doors in self.doors.values() for door in doors if door.member == member)
        for session in self.sessions if drained else ():
            if session.member == member and session.pool and not session.open and session.idle < 1:
                self.sessions.remove(session)
                break
        self.tend()

    def login(self, user: str, client: str, member: str, tls: str = "") -> bool:
        """One login, in and out again; counted by the server where it was let in."""
        server = self.group.server(member)
        require = next((a.require for a in self.accounts if a.user == user), "0")
        if not tls and (server.variables["require_secure_transport"] == "ON" or require != "0"):
            self.group.witness.refused_logins[f"{user}@{client}"] += 1
            return False
        server.logins[f"{user}@{client}"] = server.logins.get(f"{user}@{client}", 0) + 1
        server.tls_accepts += bool(tls)
        return True

    def open_session(
        self, user: str, client: str, member: str, tls: str = "", pool: Pool | None = None
    ) -> Session | None:
        if not self.login(user, client, member, tls):
            return None
        self.last_id += 1
        session = Session(self.last_id, user, client, 40_000 + self.last_id, member, pool, tls)
        self.sessions.append(session)
        return session

    def behind(self, balancer: str) -> str:
        """The member to which a balancer sends a new connection; empty where there is none."""
        up = [door for door in self.doors[balancer] if not door.drained and self.group.serves(door.member)]
        return min(up, key=lambda door: not door.active).member if up else ""

    def _connect(self, pool: Pool) -> None:
        member = self.behind(pool.door) if pool.door else next(filter(self.group.serves, self.group.members), "")
        if member:
            client = self.machines[pool.door or pool.home].host.address
            self.open_session(pool.user, client, member, "TLSv1.3" if self._may_encrypt(pool, member) else "", pool)

    def _may_encrypt(self, pool: Pool, member: str) -> bool:
        handed_out = BUNDLE in self.machines[pool.home].files
        return handed_out and not pool.stubborn and self.group.server(member).variables["have_ssl"] == "YES"
