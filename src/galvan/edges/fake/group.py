"""The group: who sees whom, who is in the primary component, and what must never happen to it.

From live trials: clear and strict members cannot see each other; a member that leaves in order takes its vote with it;
one that dies does not, and less than a majority is no primary component.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from galvan.edges.fake.machines import Channel, Machine, Server


@dataclass(slots=True)
class Witness:
    """What was seen at every action. All but `restarts` and `refused_logins` must stay empty."""

    primary_lost: list[str] = field(default_factory=list)
    no_majority: list[str] = field(default_factory=list)
    restarted_while: list[str] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    killed_open: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)  # a primary component beside another
    lost: list[str] = field(default_factory=list)  # write sets that a bootstrap left behind
    restarts: Counter[str] = field(default_factory=Counter)
    refused_logins: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> tuple[str, ...]:
        return (
            *self.primary_lost,
            *self.no_majority,
            *self.restarted_while,
            *self.pairs,
            *self.killed_open,
            *self.second,
            *self.lost,
        )


@dataclass(slots=True)
class Group:
    """`primary`: the names in the primary component; empty once it is lost. Arbitrators have a vote and no server."""

    members: dict[str, Machine]
    arbitrators: frozenset[str]
    witness: Witness
    primary: set[str] = field(default_factory=set)
    conf_id: int = 13
    uuid: str = "29b976e0-e7e4-11f1-876e-d6a67b970189"
    outage: bool = False  # allowed: that nobody serves is no accident then

    def server(self, name: str) -> Server:
        server = self.members[name].server
        assert server is not None
        return server

    def votes(self, names: set[str]) -> int:
        return sum(self.server(n).weight if n in self.members else 1 for n in names)

    def sees(self, one: str, other: str) -> bool:
        if one in self.arbitrators or other in self.arbitrators:
            return True
        return {self.server(one).channel, self.server(other).channel} != {Channel.PLAIN, Channel.STRICT}

    def serves(self, name: str) -> bool:
        """In the primary component and Synced: where clients may go."""
        server = self.server(name)
        return self.members[name].reachable and server.up and name in self.primary and server.state == "Synced"

    def leave(self, name: str) -> None:
        """In order: the vote goes with the member. The others write the change of the view down, so they are ahead."""
        self.server(name).up = False
        self.server(name).safe = self.primary == {name}
        self.primary.discard(name)
        for other in self.primary & self.members.keys():
            self.server(other).committed += 1
        self.conf_id += 1

    def lose(self, names: set[str]) -> None:
        """Without a word: the rest must be a majority of what was there, or nobody is primary."""
        before = self.votes(self.primary)
        for name in names & self.members.keys():
            self.server(name).up, self.server(name).crashed = False, True
        left = self.primary - names
        self.primary = left if 2 * self.votes(left) > before else set()
        self.conf_id += 1

    def join(self, name: str, lag: int) -> None:
        """Into the primary component, where every member of it can be seen; else it stays outside, not Synced."""
        server, others = self.server(name), self.primary - {name}
        blind = sorted(other for other in others if not self.sees(name, other))
        running = sorted(n for n in self.members if n != name and self.server(n).up and not self.sees(name, n))
        self.witness.pairs += [f"{name} ({server.channel}) was started beside {other}" for other in running]
        if blind or not others:
            return
        self.primary.add(name)
        self.conf_id += 1
        server.committed = max(self.server(n).committed for n in others if n in self.members)
        server.lag, server.state = lag, "Joined" if lag else "Synced"
        if server.stuck:
            server.state = server.stuck
            if server.stuck == "Initialized":
                self.primary.discard(name)

    def bootstrap(self, name: str, when: str) -> None:
        """A new primary component of one, whatever there is beside it."""
        if self.primary:
            self.witness.second.append(f"{when}: {name} was bootstrapped beside {', '.join(sorted(self.primary))}")
        for other in self.members:
            if (ahead := self.server(other).committed - self.server(name).committed) > 0:
                self.witness.lost.append(f"{when}: {name} was bootstrapped, {other} was {ahead} ahead")
        self.primary = {name}
        self.server(name).state = self.server(name).stuck or "Synced"
        self.conf_id += 1

    def looked_at(self, name: str) -> None:
        """Time goes by with each look: a member that catches up gets there."""
        server = self.server(name)
        if server.state == "Joined" and not server.stuck:
            server.lag -= 1
            if server.lag <= 0:
                server.state = "Synced"

    def note(self, when: str) -> None:
        whole = {*self.members, *self.arbitrators}
        if self.outage:
            return
        if not self.primary:
            self.witness.primary_lost.append(f"{when}: nobody is in a primary component")
        elif len(whole) > 2 and 2 * self.votes(self.primary) <= self.votes(whole):
            self.witness.no_majority.append(f"{when}: only {', '.join(sorted(self.primary))} are left")

    def note_restart(self, name: str, when: str) -> None:
        self.witness.restarts[name] += 1
        for other in self.members:
            if other != name and not self.serves(other):
                self.witness.restarted_while.append(f"{when}: {name} was stopped while {other} did not serve")
