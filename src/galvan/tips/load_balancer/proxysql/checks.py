"""What is thought of a ProxySQL: judgements of one host, which the tip's core lifts into checks for every kind of balancer.

Each raises Unreadable where the admin interface could not be asked, and does not concern a host without a ProxySQL.
"""

from __future__ import annotations

import re

from galvan.cluster.proxysql import SERVERS
from galvan.model import Balancing, HostFacts, Judgement, Role, Snapshot, State, Unreadable, holds, not_here
from galvan.tips.load_balancer.facts import most_of
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL
from galvan.tips.load_balancer.proxysql.sql import has_own_table, limit

NOT_HERE = not_here("no ProxySQL is installed here")
SLOWEST = 5000
"""Milliseconds between two looks at a member; ProxySQL's own default."""


def _rows(state: State, kind: str, width: int) -> dict[str, list[str]]:
    found = {key.partition(".")[2]: str(value).split(" ") for key, value in state.items() if key.startswith(f"{kind}.")}
    if bad := next((name for name, said in found.items() if len(said) != width), None):
        raise Unreadable(f"ProxySQL's {kind} {bad} has a form that Galvan does not know")
    return found


def _variable(state: State, name: str) -> str:
    if (value := state.get(f"var.{name}")) is None:
        raise Unreadable(f"ProxySQL did not say its {name}")
    return str(value)


def _named(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def backend_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-01. Between balancer and member go the same statements as before the balancer. ProxySQL compares no names of members (its
    connections never ask for that), so an authority of the cluster's own is what there is to verify against."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    want = "use_ssl = 1 for every member, and an authority to verify against"
    found = _rows(state, "server", 4)
    if clear := sorted(name for name, said in found.items() if said[0] != "1"):
        return holds(False, f"{_named(clear)} in clear text", want)
    if not found:
        return holds(False, "it knows no member", want)
    if all(_authority(state, name) for name in found):
        return holds(
            True, f"{len(found)} members over TLS, verified against an authority; names are not compared", want
        )
    return holds(
        False, f"{_named(sorted(n for n in found if not _authority(state, n)))} over TLS that nothing verifies", want
    )


def _authority(state: State, member: str) -> bool:
    """A server's own row counts whole, also where it names no authority; without one it is what is set for all."""
    own = state.get(f"ssl.{member}:") if has_own_table(str(state["version"])) else None
    if own is not None:
        ca, _, _, path, _ = str(own).split("|")
        return bool(ca or path)
    return bool(_variable(state, "mysql-ssl_p2s_ca") or _variable(state, "mysql-ssl_p2s_capath"))


def front_offered(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-02, its first half. A client that wants TLS gets it. Off by default before 2.6."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    said = _variable(state, "mysql-have_ssl")
    return holds(said == "true", f"mysql-have_ssl = {said}", "mysql-have_ssl = true")


def front_tls(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-02. What REQUIRE SSL says at the members binds the balancer's connection and not the client's, which may still come in
    clear text: only mysql_users.use_ssl refuses that."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    want = "mysql-have_ssl = true and use_ssl = 1 for every user"
    if (said := _variable(state, "mysql-have_ssl")) != "true":
        return holds(False, f"mysql-have_ssl = {said}", want)
    clear = sorted(name for name, row in _rows(state, "user", 8).items() if row[0] == row[2] == "1" and row[1] == "0")
    return holds(not clear, f"{_named(clear)} may come in clear text" if clear else "every user has to use TLS", want)


def credentials(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-03. Whoever logs in as admin reads every password that this balancer keeps and leads traffic where he likes; stats reads
    every statement's digest."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    known = {
        "admin": "admin:admin",
        "stats": "stats:stats",
        "monitor": "monitor:monitor",
        "cluster": "admin:admin between ProxySQL servers",
    }
    if lost := [name for name in known if state.get(f"default.{name}") not in ("yes", "no")]:
        raise Unreadable(f"ProxySQL did not say whether the password of {lost[0]} is the one that everybody knows")
    found = [text for name, text in known.items() if state[f"default.{name}"] == "yes"]
    return holds(
        not found, f"{_named(found)} let in" if found else "none of them lets in", "no password that everybody knows"
    )


def passwords(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-03. A user's password in clear text in proxysql.db is one file away from whoever reads a backup; the member's own hash does
    as well."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    kinds = {name: row[7] for name, row in _rows(state, "user", 8).items()}
    clear, empty = (sorted(n for n, kind in kinds.items() if kind == which) for which in ("clear", "empty"))
    seen = [f"{_named(clear)} in clear text"] if clear else []
    seen += [f"{_named(empty)} without any"] if empty else []
    return holds(not seen, "; ".join(seen) or f"{len(kinds)} users, hashed", "hashes as the members keep them")


def admin_ports(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-04. By what is really bound: the configuration file says nothing after the first start. ProxySQL binds its web page and its
    REST interface to every address, so that only a wall closes those."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    want = "the admin's ports on loopback, web and REST off"
    said = [part for part in re.split(r"\s*;\s*", _variable(state, "admin-mysql_ifaces")) if part]
    ports = {part.rpartition(":")[2] for part in said if not part.startswith("/")}
    bound = [key.removeprefix("socket.") for key in state if key.startswith("socket.")]
    found = {socket for socket in bound if socket.rpartition(":")[2] in ports and not _local(socket)}
    found |= {part for part in said if not part.startswith("/") and not _local(part)}
    for name in ("web", "restapi"):
        if _variable(state, f"admin-{name}_enabled") == "true":
            found.add(f"{name} on {_variable(state, f'admin-{name}_port')}")
    for name in ("admin-telnet_admin_ifaces", "admin-telnet_stats_ifaces"):
        if state.get(f"var.{name}") not in (None, "", "(null)", "NULL"):
            found.add(f"telnet on {state[f'var.{name}']}")
    return holds(not found, ", ".join(sorted(found)) or ", ".join(said), want)


def _local(socket: str) -> bool:
    address = socket.rpartition(":")[0].strip("[]").removeprefix("::ffff:")
    return address.startswith("127.") or address in ("::1", "localhost")


def caps(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-06. A burst of clients has to queue here. Where the balancers may open more connections than the server takes, the members
    refuse them one by one, the monitor's among them, and are then called dead."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    found = _rows(state, "server", 4)
    if not found:
        return holds(False, "it knows no member", "max_connections set for every member")
    most = max(int(row[3]) for row in found.values())
    front = int(_variable(state, "mysql-max_connections"))
    share = snapshot.cluster.policy.load_balancer.connections or _room(snapshot)
    want = (
        f"at most {share} connections to a member"
        if share
        else "set for every member, and below ProxySQL's default of 1000"
    )
    good = most <= share if share else most < 1000
    return holds(good, f"up to {most} to a member, {front} clients", want)


def _room(snapshot: Snapshot) -> int:
    """What the smallest member leaves for each balancer; 0 where no member is known."""
    most = [most_of(member) for member in snapshot.having(Role.DATABASE)]
    return limit(Balancing(), min(most), len(snapshot.cluster.having(Role.LOAD_BALANCER))) if most else 0


def one_door(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-06. Every interface of a ProxySQL leads to the same users, limits and rules; which there are is its owner's to say."""
    return not_here("every interface of a ProxySQL is held to the same users, limits and rules")


def health(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """LB-08. Without mysql_galera_hostgroups ProxySQL asks a member whether it answers and not whether it is Synced, and leads
    statements to a donor that cannot commit."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    want = f"the monitor on, an active row in mysql_galera_hostgroups, a look every {SLOWEST} ms at most"
    wrong = []
    if (enabled := _variable(state, "mysql-monitor_enabled")) != "true":
        wrong.append(f"mysql-monitor_enabled = {enabled}")
    groups = _rows(state, "galera", 7)
    if not groups:
        wrong.append("mysql_galera_hostgroups is empty")
    wrong += [f"hostgroup {name} is not active" for name, row in groups.items() if row[3] != "1"]
    interval = int(_variable(state, "mysql-monitor_galera_healthcheck_interval"))
    if interval > SLOWEST:
        wrong.append(f"a look every {interval} ms")
    if not wrong and (down := [s.name for s in facts[SERVERS] if s.status == "DOWN"]):
        wrong.append(f"{_named(sorted(down))} not served at this moment")
    user = _variable(state, "mysql-monitor_username")
    return holds(not wrong, "; ".join(wrong) or f"{user} looks every {interval} ms", want)


def lasting(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """What runs and is not on disk is gone with the next restart; what is in memory and not loaded surprises whoever loads next."""
    if not (state := facts[PROXYSQL]):
        return NOT_HERE
    said = {"unloaded": "changed and not loaded", "unsaved": "not saved to disk"}
    found = [
        f"{key.partition('.')[2]} {said[key.partition('.')[0]]}"
        for key, value in state.items()
        if key.partition(".")[0] in said and value != "0"
    ]
    return holds(
        not found,
        _named(sorted(found)) or "memory, runtime and disk say the same",
        "the same in memory, at runtime and on disk",
    )
