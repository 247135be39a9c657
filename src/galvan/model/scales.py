"""The scales: verdicts, severities, rungs, phases, stages."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "n/a"


class Severity(IntEnum):
    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Rung(IntEnum):
    """The height of a tip on a host: open, both ways, old way refused, refusal seen from outside."""

    OPEN = 0
    READY = 1
    ENFORCED = 2
    PROVEN = 3


class Phase(IntEnum):
    WIDEN = 1
    SWITCH = 2
    NARROW = 3


class Stage(IntEnum):
    """The order of a whole climb over all tips; the tens leave room for later tips."""

    COUNT = 10  # what a wall would refuse is counted; nothing is dropped
    WALL = 12  # members' ports are for members: before any door is opened wider
    JOIN = 14  # who may join is written down in the cluster itself
    ASKER = 15  # an account with which a member is asked: once, replicated
    HEALTH = 16  # members say whether they serve, where only balancers may ask
    DOOR = 17  # a balancer's new door, beside the old one
    PAIR = 18  # two balancers share an address, at which either door is found
    LABEL = 19  # ports and files carry the labels that the server's policy knows; its domain is only watched
    PREPARE = 20  # certificates on the hosts, the pin of the SST mode: nothing listens differently yet
    STOP_CLEAR = 25  # only where an outage was allowed: every member stops, with the strict file lying ready
    START_STRICT = 26  # the last that stopped is bootstrapped, the others join it
    FIRST_RESTART = 30  # TLS offered to clients, socket.dynamic between members
    STAGE_STRICT = 40  # the strict file lies on every host, so that a crash comes back strict
    SECOND_RESTART = 50  # strict between members
    CALM = 55  # what was only set for the passes is put back
    ENCRYPT = 57  # tables that are there are encrypted in the background, host by host
    TRANSFER = 58  # state transfers turn to TLS on all hosts at once: there is no way to speak both
    METHODS = 59  # what no transfer needs is no longer run for whoever asks for it
    HAND_OUT = 60  # applications receive what they need to go the new way
    SST_ACCOUNT = 62  # state transfers log in with an account of their own
    ACCOUNTS = 70  # REQUIRE SSL: once, replicated
    REFUSE = 80  # require_secure_transport, host by host
    OLD_DOOR = 82  # the balancer's old way in is closed
    PROTECT = 84  # statements that nobody learnt are refused at the balancer
    OLD_ACCOUNT = 86  # with which transfers logged in before: locked once the new one has proven itself
    CONFINE = 88  # the server is held to its policy and to what was learnt, host by host
    SHUT = 90  # what no rule lets in is dropped, host by host

    @property
    def phase(self) -> Phase:
        if self <= Stage.PREPARE or self is Stage.FIRST_RESTART:
            return Phase.WIDEN
        return Phase.SWITCH if self in (Stage.HAND_OUT, Stage.SST_ACCOUNT) else Phase.NARROW

    def at(self, host: str) -> str:
        """The name of this stage's wave on a host; kept files lie under it."""
        return f"{self.name.lower().replace('_', '-')}@{host}"


class Disruption(IntEnum):
    NONE = 0
    RELOAD = 1
    RESTART = 2
