"""What the applications feel, as far as the server itself can say it: flow control, and how long statements take."""

from __future__ import annotations

from collections.abc import Mapping

from galvan.cluster.facts import pairs, rows
from galvan.model import Fact, Sql, State, Unreadable

Histogram = Mapping[float, int]
"""Statements by the upper bound (seconds) of the bucket that they fell into, since the server counts."""

FLOW: Fact[State] = Fact(
    "server.flow",
    Sql("SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_flow_control_paused_ns', 'Uptime')"),
    pairs,
    stable=False,
)


def histogram(output: str) -> Histogram:
    """The last bucket of MariaDB's plugin has no bound (TOO LONG).

    >>> histogram("      0.000001\\t3\\nTOO LONG\\t1\\n")
    {1e-06: 3, inf: 1}
    """
    try:
        counted = {float("inf" if bound.startswith("TOO") else bound): int(count) for bound, count in rows(output, 2)}
    except ValueError as wrong:
        raise Unreadable(f"no histogram of statements: {wrong}") from None
    if not counted:
        raise Unreadable("the server counts no statements by their time")
    return counted


RESPONSE: Fact[Histogram] = Fact(
    "server.response", Sql("SELECT TIME, COUNT FROM information_schema.QUERY_RESPONSE_TIME"), histogram, stable=False
)
"""MariaDB, where the plugin query_response_time is installed and query_response_time_stats is ON."""
STATEMENTS: Fact[Histogram] = Fact(
    "server.statements",
    Sql(
        "SELECT BUCKET_TIMER_HIGH / 1000000000000, COUNT_BUCKET "
        "FROM performance_schema.events_statements_histogram_global WHERE COUNT_BUCKET > 0"
    ),
    histogram,
    stable=False,
)
"""MySQL's own, where performance_schema is on; MariaDB has no such table."""
LOAD = (FLOW, RESPONSE, STATEMENTS)
