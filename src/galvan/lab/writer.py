"""The lab's application: a connection pool and N writers that keep exact books of every attempt.

Runs on app1 under Debian's own python3 and knows nothing of galvan. One attempt is one transaction; nothing is
tried twice. A row counts as acknowledged only when COMMIT returned; a COMMIT that broke is ambiguous, since the
row may be there. Prints one JSON summary at the end and keeps a small status file while it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from typing import Any

import pymysql
from sqlalchemy import create_engine, exc
from sqlalchemy.engine import Engine

INSERT = "INSERT INTO app.ledger (writer, seq, payload, at) VALUES (%s, %s, %s, %s)"
CONFLICT = 1213
LONG_GAP = 1.0
SPARE = 4
LIFETIME = 15


class Logins:
    """Opens connections the way the application is configured at that moment, and counts how they came out."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.lock = threading.Lock()
        self.tls = 0
        self.plain = 0

    def connect(self) -> Any:
        with open(self.options.password_file, encoding="utf-8") as file:
            password = file.read().strip()
        extra: dict[str, Any] = {}
        if os.path.exists(self.options.client_file):  # with it: TLS, the certificate and the host name are verified
            extra = {"read_default_file": self.options.client_file, "read_default_group": "client"}
            extra["ssl"] = {"check_hostname": True, "verify_mode": True}
        connection = pymysql.connect(
            host=self.options.host, port=self.options.port, user="app", password=password, database="app",
            connect_timeout=10, read_timeout=60, write_timeout=60, **extra,
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            row = cursor.fetchone()
        with self.lock:
            if row and row[1]:
                self.tls += 1
            else:
                self.plain += 1
        return connection


class Writer(threading.Thread):
    """One thread with its own rows; only its own thread touches its books."""

    def __init__(self, number: int, engine: Engine, options: argparse.Namespace, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.number, self.engine, self.options, self.stop = number, engine, options, stop
        self.attempts = self.acknowledged = self.failed = self.conflicts = 0
        self.ranges: list[list[int]] = []
        self.ambiguous: list[int] = []
        self.errors: dict[str, int] = {}
        self.gaps: list[tuple[float, float]] = []
        self.longest = 0.0
        self.finished = False
        self.last = time.time()

    def run(self) -> None:
        self.last = time.time()
        seq = self.options.first
        while not self.stop.is_set():
            self.attempt(seq)
            seq += 1
            self.stop.wait(self.options.pause / 1000)
        self.gap_until(time.time())
        self.finished = True

    def attempt(self, seq: int) -> None:
        self.attempts += 1
        committing = False
        try:
            with self.engine.connect() as connection:
                transaction = connection.begin()
                values = (self.number, seq, f"{self.name} says {seq}", time.time())
                connection.exec_driver_sql(INSERT, values)
                committing = True
                transaction.commit()
                self.acknowledge(seq)
                committing = False
        except (exc.SQLAlchemyError, pymysql.Error, OSError) as error:
            self.book(seq, error, committing)

    def acknowledge(self, seq: int) -> None:
        self.acknowledged += 1
        if self.ranges and self.ranges[-1][1] == seq - 1:
            self.ranges[-1][1] = seq
        else:
            self.ranges.append([seq, seq])
        now = time.time()
        self.gap_until(now)
        self.last = now

    def gap_until(self, now: float) -> None:
        self.longest = max(self.longest, now - self.last)
        if now - self.last > LONG_GAP:
            self.gaps.append((self.last, now))

    def book(self, seq: int, error: Exception, committing: bool) -> None:
        cause = getattr(error, "orig", None) or error
        number = cause.args[0] if cause.args and isinstance(cause.args[0], int) else None
        name = f"{number or type(cause).__name__}: {cause.args[-1] if cause.args else cause}"[:200]
        name = ("commit " if committing else "") + name
        self.errors[name] = self.errors.get(name, 0) + 1
        if number == CONFLICT:
            self.conflicts += 1
        elif committing:
            self.ambiguous.append(seq)
        else:
            self.failed += 1


def pool(logins: Logins, writers: int) -> Engine:
    """A pool as behind a balancer: pinged at checkout, replaced after 15 s, a few connections idle at the bottom."""
    return create_engine(
        "mysql+pymysql://", creator=logins.connect, pool_size=writers + SPARE, max_overflow=0, pool_use_lifo=True,
        pool_pre_ping=True, pool_recycle=LIFETIME,
    )  # fmt: skip


def fill(engine: Engine, size: int) -> None:
    """Open every connection of the pool at once, so that it starts full."""
    connections = [engine.connect() for _ in range(size)]
    for connection in connections:
        connection.close()


def status(writers: list[Writer], logins: Logins, began: float) -> dict[str, Any]:
    now = time.time()
    return {
        "at": now,
        "seconds": now - began,
        "attempts": sum(w.attempts for w in writers),
        "acknowledged": sum(w.acknowledged for w in writers),
        "failed": sum(w.failed for w in writers),
        "conflicts": sum(w.conflicts for w in writers),
        "ambiguous": sum(len(w.ambiguous) for w in writers),
        "longest_gap_s": max(max(w.longest, now - w.last if w.is_alive() else 0.0) for w in writers),
        "logins_tls": logins.tls,
        "logins_plain": logins.plain,
    }


def summary(writers: list[Writer], logins: Logins, began: float) -> dict[str, Any]:
    errors: dict[str, int] = {}
    for writer in writers:
        for name, count in writer.errors.items():
            errors[name] = errors.get(name, 0) + count
    books = {
        str(w.number): {"ranges": w.ranges, "ambiguous": w.ambiguous, "longest_gap_s": w.longest, "gaps": w.gaps}
        for w in writers
    }
    crashed = [w.number for w in writers if not w.finished]
    first = writers[0].options.first
    return {**status(writers, logins, began), "first": first, "errors": errors, "crashed": crashed, "writers": books}


def keep(path: str, value: dict[str, Any]) -> None:
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="lb1")
    parser.add_argument("--port", type=int, default=3307)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--pause", type=float, default=5.0, help="milliseconds between two transactions of a writer")
    parser.add_argument("--seconds", type=float, default=0.0, help="0: until SIGTERM or the stop file")
    parser.add_argument("--first", type=int, default=1, help="the first seq of every writer")
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--client-file", default="/etc/galvan/client/client.cnf")
    parser.add_argument("--status-file", required=True)
    parser.add_argument("--stop-file", required=True)
    return parser.parse_args()


def main() -> None:
    chosen = options()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logins = Logins(chosen)
    engine = pool(logins, chosen.writers)
    fill(engine, chosen.writers + SPARE)
    writers = [Writer(n, engine, chosen, stop) for n in range(1, chosen.writers + 1)]
    began = time.time()
    for writer in writers:
        writer.start()
    while not stop.wait(1.0):
        keep(chosen.status_file, status(writers, logins, began))
        if os.path.exists(chosen.stop_file) or (chosen.seconds and time.time() - began >= chosen.seconds):
            stop.set()
    for writer in writers:
        writer.join()
    keep(chosen.status_file, status(writers, logins, began))
    print(json.dumps(summary(writers, logins, began)))


if __name__ == "__main__":
    main()
