"""Who may join, written down in the cluster itself: mysql.wsrep_allowlist, one replicated table (MariaDB 10.10 and later)."""

from __future__ import annotations

from collections.abc import Iterator

from galvan.cluster.arbitrator import MEMBERS
from galvan.cluster.quote import literal
from galvan.model import Blind, Fact, Role, Scope, Snapshot, Sql, Stage, State, Step
from galvan.tips.firewall.judge import lacking
from galvan.tips.firewall.table import sources

TIP = "firewall"
_NONE = "(no such table)"
_QUERY = Sql(
    "SELECT '(no such table)' /*M!101000 FROM DUAL WHERE 0 UNION ALL SELECT '(table)' UNION ALL SELECT ip FROM mysql.wsrep_allowlist */"
)


def addresses(output: str) -> tuple[str, ...] | None:
    """None where the server knows no such list."""
    rows = [row.strip() for row in output.splitlines()]
    return None if "(table)" not in rows else tuple(sorted(row for row in rows if row and row != "(table)"))


ALLOWLIST: Fact[tuple[str, ...] | None] = Fact("firewall.allowlist", _QUERY, addresses)
LISTED: Fact[State] = Fact("firewall.listed", _QUERY, lambda output: dict.fromkeys(addresses(output) or (), "listed"))


def wanted(snapshot: Snapshot) -> tuple[str, ...]:
    """Every address from which a member or an arbitrator dials; in the form of both families where they may be mapped."""
    found: dict[str, None] = {}
    for facts in snapshot.having(*MEMBERS):
        for address in sources(facts):
            found[address] = None
            if ":" not in address:
                found[f"::ffff:{address}"] = None
    return tuple(found)


def join(snapshot: Snapshot) -> Iterator[Step]:
    """The rows that are missing, in one step for the cluster. Raises Blind where the list would lack a member: it stays, and is
    locked out at its next restart."""
    first = snapshot.having(Role.DATABASE)[0]
    seen, want = first[ALLOWLIST], wanted(snapshot)
    if not snapshot.cluster.policy.firewall.allowlist or seen is None or set(want) <= set(seen):
        return
    if missing := sorted({a for facts in snapshot.having(*MEMBERS) for a in lacking(facts, snapshot)}):
        raise Blind(
            f"a member dials from {', '.join(missing)}, which galvan.yaml does not name; in a list of who may join it would be "
            "locked out at its next restart: name the address there (hosts: names)"
        )
    new = [address for address in want if address not in seen]
    values = ", ".join(f"({literal(address)})" for address in new)
    listed = ", ".join(literal(address) for address in new)
    yield Step(
        id=f"{TIP}.join-list", tip=TIP, host=first.host.name, stage=Stage.JOIN, read=LISTED,
        before=dict.fromkeys(new), want=dict.fromkeys(new, "listed"),
        do=(Sql(f"INSERT IGNORE INTO mysql.wsrep_allowlist (ip) VALUES {values}"),),  # noqa: S608 - addresses, quoted
        undo=(Sql(f"DELETE FROM mysql.wsrep_allowlist WHERE ip IN ({listed})"),),  # noqa: S608
        title=f"list who may join: {', '.join(new)}", scope=Scope.CLUSTER,
    )  # fmt: skip
