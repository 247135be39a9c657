"""The scanner itself. Its text is sent to a vantage and run there by whatever Python is found, so: the standard library
only, nothing newer than Python 3.6, and no import of ours.

A port is silent only if three things hold. Two SYNs went out a second apart: the kernel sends the second one, which
costs no further connection, and the socket's own counter says that it did. Whatever had arrived was read before the
deadline was judged. And the control was dialled before and afterwards, and was open at the first SYN both times; where it
was not, all that was silent in between is tried anew, more slowly.
"""

import collections
import errno
import heapq
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import time
from typing import Any

RATE = {"tcp": 5000.0, "udp": 1000.0}  # new connections a second
SLOWEST = 50.0
RESENT = 1.0  # seconds after which a kernel sends its SYN again
GRACE = 0.3  # seconds for an answer, on top of four times the slowest that was seen
STUCK = 6.0  # seconds after which a socket is given up, whatever its counter says
EVERY = 2000  # ports between two dials of the control: a server may count dials without a login against the caller
PAUSES = (0.5, 1.0, 2.0)  # seconds before a silent control is dialled again
FALLS, TRIES, PASSES = 4, 3, 5
EASY, FULL = 0.35, 0.5  # of the connection table: from where on it goes slower, and where it stops
ANSWERS = {0: "open", errno.ECONNRESET: "open", errno.ECONNREFUSED: "closed"}
ANSWERS.update(dict.fromkeys((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPROTO), "unreached"))
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN)
SYN_SENT = 2
TABLE = "/proc/sys/net/netfilter/nf_conntrack_"


class Dead(Exception):
    """Why nothing is known."""


class Flight:
    __slots__ = ("again", "began", "port", "sock", "udp")

    def __init__(self, port: int, sock: socket.socket, udp: bool) -> None:
        self.port, self.sock, self.udp, self.again, self.began = port, sock, udp, False, time.monotonic()


def resolve(address: str, port: int) -> "tuple[int, tuple[Any, ...]]":
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as why:
        raise Dead(f"{address}: {why}") from why
    return found[0], found[4]


def ports_in(ranges: "list[list[int]]") -> "list[int]":
    """Range after range, each in an order that spreads and is always the same."""
    ports: dict[int, None] = {}
    for first, last in ranges:
        ports.update(dict.fromkeys(random.Random(first).sample(range(first, last + 1), last + 1 - first)))  # noqa: S311
    return list(ports)


def descriptors() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 10000 if hard == resource.RLIM_INFINITY else min(hard, 10000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted - 64


def send(sock: socket.socket) -> int:
    try:
        return sock.send(b"")
    except OSError as why:
        return why.errno or errno.EIO


class Scanner:
    """`held` became silent before the control's dial that is under way, `fresh` after its beginning."""

    def __init__(
        self, address: str, ports: "list[list[int]]", answering: "list[int]", control: "tuple[str, int]",
        protocol: str, limit: float, rate: float = 0.0,
    ) -> None:  # fmt: skip
        self.udp = protocol == "udp"
        self.family, self.where = resolve(address, 1)
        self.known, self.name = resolve(*control), "the control, {} port {},".format(*control)
        self.queue, self.expected = collections.deque(ports_in(ports)), frozenset(answering)
        self.fastest = self.rate = rate or RATE[protocol]
        self.window = min(descriptors(), 2 * int(self.rate) + 16)
        self.selector = selectors.DefaultSelector()
        self.deadlines: list[tuple[float, int, Flight]] = []
        self.flights: dict[int, Flight] = {}
        self.control: Flight | None = None
        self.answers: dict[int, str] = {}
        self.silent: set[int] = set()
        self.walled: set[int] = set()
        self.held: list[int] = []
        self.fresh: list[int] = []
        self.tries: dict[int, int] = {}
        self.trusted = self.ever = self.resent = False
        self.since = self.falls = self.falling = self.count = self.news = self.peak = 0
        self.slowest = self.credit = self.quiet = self.looked = 0.0
        self.room, self.passes, self.parent, self.last = 1.0, 1, os.getppid(), time.monotonic()
        self.until = self.last + limit

    def scan(self) -> "dict[str, Any]":
        while True:
            while self.queue or self.flights or self.held or self.fresh:
                self.tick()
            if not (self.udp and self.news) or self.passes == PASSES:
                break
            self.passes, self.news = self.passes + 1, 0
            self.queue.extend(sorted(self.silent))
            self.silent.clear()
        said: dict[str, Any] = {"partial": bool(self.udp and self.news), "peak": self.peak, "silent": len(self.silent)}
        said["walled"] = len(self.silent & self.walled)
        for kind in ("open", "closed"):
            said[kind] = sorted(port for port, answer in self.answers.items() if answer == kind)
        return said

    def tick(self) -> None:
        now = time.monotonic()
        if now > self.until:
            raise Dead(f"not done in time after {len(self.answers) + len(self.silent)} ports: the rest is unknown")
        if os.getppid() != self.parent:
            sys.exit(1)  # whoever asked is gone
        self.launch(now)
        self.dial_control(now)
        busy = self.queue and self.trusted and self.room and len(self.flights) < self.window
        for key, _ in self.selector.select(0.002 if busy else 0.02):
            self.heard(key.data)
        while self.deadlines and self.deadlines[0][0] <= now:
            flight = heapq.heappop(self.deadlines)[2]
            if flight is self.control or self.flights.get(flight.port) is flight:
                self.late(flight, now)

    def launch(self, now: float) -> None:
        if now - self.looked > 0.1:
            self.looked = now
            self.look_at_table()
        self.credit = min(self.credit + (now - self.last) * self.rate * self.room, self.rate * 0.05 + 1)
        self.last = now
        while self.trusted and self.queue and self.credit >= 1 and len(self.flights) < self.window:
            self.credit -= 1
            if not self.dial(self.queue.popleft()):
                break

    def look_at_table(self) -> None:
        """Each silent port stays in the vantage's connection table for two minutes; others need that table too."""
        try:
            with open(TABLE + "count") as count, open(TABLE + "max") as most:
                used, full = int(count.read()), int(most.read())
        except (OSError, ValueError):
            return
        self.peak = max(self.peak, used)
        self.room = min(1.0, max(0.0, (FULL - used / full) / (FULL - EASY))) if full else 1.0

    def dial(self, port: int) -> bool:
        where = (self.where[0], port, *self.where[2:])
        flight, error = self.begin(port, self.family, where, self.udp)
        if error in SHORT:
            self.queue.appendleft(port)
            self.window = max(16, len(self.flights) * 3 // 4)
            return False
        if flight is None or error not in (0, errno.ECONNREFUSED):
            raise Dead(f"the vantage cannot even begin to dial {where[0]}: {os.strerror(error)}")
        self.since += 1
        self.flights[port] = flight
        if error:
            self.settle(flight, "closed")
        return True

    def dial_control(self, now: float) -> None:
        idle = not self.queue and not self.flights
        if self.control or now < self.quiet or (self.trusted and self.since < EVERY and not idle):
            return
        self.since, self.held, self.fresh = 0, self.held + self.fresh, []
        self.control, error = self.begin(0, *self.known, False)
        if self.control is None:
            self.judge(os.strerror(error))
        elif error:
            self.settle(self.control, os.strerror(error))

    def begin(self, port: int, family: int, where: "tuple[Any, ...]", udp: bool) -> "tuple[Flight | None, int]":
        """And the error that came at once, or 0. No flight where there was not even a socket."""
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        except OSError as why:
            return None, why.errno or errno.EIO
        sock.setblocking(False)
        flight = Flight(port, sock, udp)
        error = sock.connect_ex(where) or (send(sock) if udp else 0)
        if error in SHORT:
            sock.close()
            return None, error
        self.selector.register(sock, selectors.EVENT_READ if udp else selectors.EVENT_WRITE, flight)
        self.extend(flight, RESENT)
        return flight, 0 if error == errno.EINPROGRESS else error

    def extend(self, flight: Flight, seconds: float) -> None:
        self.count += 1
        until = time.monotonic() + seconds + GRACE + 4 * self.slowest
        heapq.heappush(self.deadlines, (until, self.count, flight))

    def heard(self, flight: Flight) -> None:
        sock, error = flight.sock, flight.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if not error and flight.udp:
                sock.recv(1)
            elif not error and sock.getsockname() == sock.getpeername():
                error = errno.ECONNREFUSED  # nobody listens: our own dial met itself
        except OSError as why:
            error = why.errno or errno.EIO
        if error not in (errno.EAGAIN, errno.ENOTCONN):
            self.settle(flight, ANSWERS.get(error, "silent"))

    def late(self, flight: Flight, now: float) -> None:
        state, sent_again = SYN_SENT, 1
        if flight.udp:
            if not flight.again:
                flight.again = True
                error = send(flight.sock)
                self.extend(flight, RESENT)
                if error:  # the answer to the first one
                    self.settle(flight, ANSWERS.get(error, "silent"))
                return
        elif hasattr(socket, "TCP_INFO") and now - flight.began < STUCK + 4 * self.slowest:
            state, _, sent_again = flight.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[:3]
        if state == SYN_SENT and sent_again:
            self.settle(flight, "silent")
            return
        self.extend(flight, 0.0)
        if state != SYN_SENT:
            self.heard(flight)

    def settle(self, flight: Flight, answer: str) -> None:
        took = time.monotonic() - flight.began
        if answer == "open" and not flight.udp:
            flight.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.selector.unregister(flight.sock)
        flight.sock.close()
        if answer in ("open", "closed"):
            self.resent = self.resent or (took > 0.9 * RESENT and not flight.again)
            self.slowest = max(self.slowest, took) if took <= 0.9 * RESENT else self.slowest
        if flight is self.control:
            self.control = None
            self.judge(answer)
            return
        del self.flights[flight.port]
        if answer in ("open", "closed"):
            self.answers[flight.port], self.news = answer, self.news + 1
        else:
            self.fresh.append(flight.port)
            self.walled.update([flight.port] if answer == "unreached" else ())

    def judge(self, answer: str) -> None:
        if answer != "open":
            self.fall(answer)
            return
        fallen, self.trusted, self.ever, self.falling = not self.trusted, True, True, 0
        lost, self.resent, self.slowest = self.resent, False, self.slowest * 0.7  # one hiccup is forgotten
        self.rate = max(SLOWEST, self.rate / 2) if lost else self.rate if fallen else min(self.fastest, self.rate * 1.5)
        held, self.held = self.held, []
        for port in held:
            tried = self.tries.get(port, 1)
            if tried < TRIES and (lost or port in self.expected):
                self.tries[port] = tried + 1
                self.queue.append(port)
            else:
                self.silent.add(port)

    def fall(self, answer: str) -> None:
        """All that is not certain goes back into the queue, and nothing goes out until the control is open again."""
        for flight in self.flights.values():
            self.selector.unregister(flight.sock)
            flight.sock.close()
        self.queue.extendleft([*self.flights, *self.held, *self.fresh])
        self.flights.clear()
        self.held, self.fresh = [], []
        if self.trusted:
            self.falls, self.rate = self.falls + 1, max(SLOWEST, self.rate / 4)
        self.trusted, self.falling = False, self.falling + 1
        if not self.ever and self.falling > 1:
            raise Dead(f"{self.name} is {answer}: so silence would mean nothing")
        if self.falling > len(PAUSES) or self.falls > FALLS:
            after = f"after {len(self.answers) + len(self.silent)} ports: the rest is unknown"
            raise Dead(f"{self.name} fell silent ({answer}) {after}")
        self.quiet = time.monotonic() + PAUSES[self.falling - 1]


def serve(order: str) -> None:
    try:
        said = Scanner(**json.loads(order)).scan()
    except Dead as why:
        said = {"dead": str(why)}
    sys.stdout.write(json.dumps(said) + "\n")
