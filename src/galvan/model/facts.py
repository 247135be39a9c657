"""What we look at: queries, facts and snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

from galvan.model.errors import Unreadable
from galvan.model.hosts import Cluster, Host, Role

T = TypeVar("T")
Value: TypeAlias = str | int | bool | None
State: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Shell:
    """POSIX sh; built with `cluster.quote.sh`, so that no value can break out. `limit`: seconds that it may take as an action."""

    text: str
    kind: str = "shell"
    limit: int = 120


@dataclass(frozen=True, slots=True)
class Sql:
    """One statement for the server's own client over its local socket; values by `cluster.quote.sql`."""

    text: str
    kind: str = "sql"


Query: TypeAlias = Shell | Sql


@dataclass(frozen=True, slots=True, eq=False)
class Fact(Generic[T]):
    """One read-only look at a host: a query and a pure parser that raises Unreadable.

    `stable` facts make the snapshot's fingerprint; counters and sessions are not stable.
    """

    id: str
    query: Query
    parse: Callable[[str], T]
    stable: bool = True
    roles: frozenset[Role] = frozenset({Role.DATABASE})


@dataclass(frozen=True, slots=True)
class HostFacts:
    host: Host
    readings: Mapping[str, object]

    def __getitem__(self, fact: Fact[T]) -> T:
        """The reading; raises Unreadable where it failed or was never asked for."""
        reading = self.readings.get(fact.id, Unreadable(f"{fact.id} was not asked for on {self.host.name}"))
        if isinstance(reading, Unreadable):
            raise reading
        return cast(T, reading)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What all hosts said, at one time (`taken_at`: seconds since the epoch).

    `digests`: of what each stable fact printed, by (host, fact id); plans and proofs are bound to some of them.
    """

    cluster: Cluster
    hosts: tuple[HostFacts, ...]
    digests: Mapping[tuple[str, str], str]
    taken_at: float

    def having(self, *roles: Role) -> tuple[HostFacts, ...]:
        return tuple(h for h in self.hosts if h.host.role in roles)

    def of(self, host: str) -> HostFacts:
        return next(h for h in self.hosts if h.host.name == host)
