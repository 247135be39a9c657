"""What is done to a ProxySQL, in three heights: a new door beside the old one, the way to the members over TLS, the old door shut.

Each step keeps the rows that it touches on the host, and its undo puts exactly those back, runtime and disk included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from galvan.cluster import sealed
from galvan.cluster.facts import REQUIREMENTS, Account
from galvan.cluster.proxysql import ACCOUNT, OWN, feed, settled
from galvan.cluster.quote import proxysql, sh
from galvan.model import Action, Balancing, Blind, HostFacts, PutFile, RestoreFile, Scope, Shell, Stage, State, Step
from galvan.tips.load_balancer.proxysql import sql, users
from galvan.tips.load_balancer.proxysql.facts import PROXYSQL, STATS
from galvan.tips.load_balancer.proxysql.keep import Rows, back, change, kept
from galvan.tips.load_balancer.proxysql.sql import Groups, Member, Trust

TIP = "load_balancer"
STATS_FILE = "/etc/galvan/proxysql/stats.cnf"
AUTHORITY = "/etc/galvan/proxysql/ca.pem"
_CREDENTIALS = ("admin-admin_credentials", "admin-stats_credentials")
_KEPT_PASSWORD = "hashed"  # noqa: S105 - how it is kept


def widen(facts: HostFacts, policy: Balancing, members: Sequence[Member], limit: int, tls: bool) -> Iterator[Step]:
    """The door: Galvan's own account, the members as a Galera cluster, the ways. `tls`: every member takes TLS already."""
    state = _ready(facts)
    groups = sql.groups_of(state, members)
    yield from _own_account(facts, state)
    yield from _members(facts, state, policy, groups, members, limit, tls)
    yield from _variables(
        facts, state, Stage.DOOR, "ways", sql.ways(policy), "offer TLS, look at members often, share connections"
    )


def monitor(facts: HostFacts, member: HostFacts) -> Iterator[Step]:
    """A monitor's account of this balancer's own; the member learns the hash, and nobody else does."""
    state, address = _ready(facts), facts.host.address
    name = f"'{users.MONITOR}'@'{address}'"
    seen, kept = member[REQUIREMENTS].get(name), str(state["kept"])
    if seen is not None and kept != "yes":
        raise Blind(
            f"{name} is there, and its password does not lie on {facts.host.name}: galvan resume (or rollback) the run that made it; "
            "where nobody did, drop it"
        )
    if kept != "yes":
        yield Step(
            id=f"{TIP}.proxysql-monitor-password@{facts.host.name}", tip=TIP, host=facts.host.name, stage=Stage.ASKER, read=PROXYSQL,
            before={"kept": kept}, want={"kept": "yes"}, do=(users.make_password(),), undo=(users.forget_password(),),
            title="make a password for the monitor; it stays here",
        )  # fmt: skip
    if seen is None:
        first, host = users.put_monitor(facts.host.name), member.host.name
        yield Step(
            id=f"{TIP}.proxysql-monitor-account-{facts.host.name}@{host}", tip=TIP, host=host, stage=Stage.HEALTH, read=REQUIREMENTS,
            before={name: seen}, want={name: "NONE"}, do=(sealed.OWN_KEY, first, users.make_monitor(address)),
            undo=(users.drop_monitor(address), RestoreFile(first.path, Stage.HEALTH.at(host))),
            title=f"an account {name} that may only look", scope=Scope.CLUSTER,
        )  # fmt: skip
    want = {"default.monitor": "no", "var.mysql-monitor_username": users.MONITOR}
    rows = (Rows("global_variables", "variable_name", ("mysql-monitor_username", "mysql-monitor_password")),)
    yield from _step(
        facts, state, Stage.DOOR, "monitor", want, rows, sql.MYSQL_VARIABLES, users.name_monitor(),
        "look at members with an account of its own",
    )  # fmt: skip


def carry_users(facts: HostFacts, member: HostFacts, accounts: Sequence[Account], groups: Groups) -> Iterator[Step]:
    """`accounts`: of `users.carried`. Those that the balancer lacks, or whose password it keeps in clear, get the member's hash."""
    state, want = _ready(facts), {}
    for account in accounts:
        seen = str(state.get(f"user.{account.user}") or "")
        kind = seen.rpartition(" ")[2]
        if kind != _KEPT_PASSWORD:
            fresh = f"1 0 1 1 {groups.writer} 10000 0 {_KEPT_PASSWORD}"
            want[f"user.{account.user}"] = f"{seen.removesuffix(kind)}{_KEPT_PASSWORD}" if seen else fresh
    if not want:
        return
    moved = [account for account in accounts if f"user.{account.user}" in want]
    put = users.put_hashes(member.host.name, moved)
    rows = (Rows("mysql_users", "username", tuple(account.user for account in moved)),)
    yield from _step(
        facts, state, Stage.DOOR, "users", want, rows, sql.USERS, users.take_hashes(groups.writer),
        f"let in {', '.join(account.user for account in moved)} with the hashes that {member.host.name} keeps",
        first=(sealed.OWN_KEY, put), last_undo=(RestoreFile(put.path, Stage.DOOR.at(facts.host.name)),),
    )  # fmt: skip


def encrypt(
    facts: HostFacts, members: Sequence[Member], limit: int, authority: str, files: Trust | None = None
) -> Iterator[Step]:
    """To the members over TLS, before an account is put under REQUIRE SSL. The monitor goes the same way: ProxySQL takes it from use_ssl.
    `authority`: the certificate (PEM) of whoever signs the members'."""
    state = _ready(facts)
    groups, files = sql.groups_of(state, members), files or Trust(AUTHORITY)
    own_table = sql.has_own_table(str(state["version"]))
    want = {**sql.wanted_servers(members, limit, True), **sql.wanted_trust(members, files, own_table)}
    rows = [Rows("mysql_servers", "hostgroup_id", _numbers(groups))]
    told: tuple[str, ...] = (*settled(groups.writer), *sql.servers(groups, members, limit, True))
    # the monitor heeds use_ssl at the load after the one that brought it
    again = (*settled(groups.writer), sql.SERVERS[0])
    if own_table:
        rows.append(Rows("mysql_servers_ssl_params", "hostname", tuple(member.address for member in members)))
        last: tuple[str, ...] = sql.SERVERS
        told = (*told, *sql.trust(members, files, True), *sql.SERVERS)
    else:
        names = tuple(key.removeprefix("var.") for key in sql.wanted_trust(members, files, False))
        rows.append(Rows("global_variables", "variable_name", names))
        last = (*sql.MYSQL_VARIABLES, *sql.SERVERS)
        told = (*sql.trust(members, files, False), *sql.MYSQL_VARIABLES, *told, *sql.SERVERS)
    yield from _step(
        facts, state, Stage.HAND_OUT, "to-members", want, rows, last, feed(told) + feed(again) + _ANEW, "go to the members over TLS",
        first=(PutFile(AUTHORITY, authority),), last_undo=(RestoreFile(AUTHORITY, Stage.HAND_OUT.at(facts.host.name)),),
    )  # fmt: skip


_ANEW = r"""old() { echo "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-$1';" | admin; }
put() { printf "UPDATE global_variables SET variable_value = '%s' WHERE variable_name = 'mysql-%s';\n" "$2" "$1"; }
load() { echo 'LOAD MYSQL VARIABLES TO RUNTIME;'; }
age=$(old connection_max_age_ms); ping=$(old ping_interval_server_msec)
trap '{ put connection_max_age_ms "$age"; put ping_interval_server_msec "$ping"; put monitor_enabled true; load; } | admin' EXIT
trap 'exit 1' HUP INT TERM
{ put connection_max_age_ms 500; put ping_interval_server_msec 1000; put monitor_enabled false; load; } | admin
sleep 1
{ put monitor_enabled true; load; } | admin
n=0
until [ "$(echo "SELECT COUNT(*) FROM stats_mysql_free_connections WHERE json_extract(mysql_info, '$.options.use_ssl') = 0;" | admin)" = 0 ]; do
  n=$((n + 1)); [ $n -lt 20 ] || break
  sleep 0.5
done
"""
"""Connections that ProxySQL keeps open to members were made in clear text and would stay so (seen, 2.7.1). Those that nobody holds
are closed as soon as they are half a second old, for as long as that takes; the monitor forgets its own when it is stopped, and for that
second nobody looks after members. What a session holds ends with that session."""


def narrow(facts: HostFacts, forced: Sequence[str]) -> Iterator[Step]:
    """The old door: clear text, the passwords that everybody knows, and the admin's port for others than this host.
    `forced`: the users that have to come over TLS from now on."""
    state = _ready(facts)
    peers = state["default.peers"] == "yes"
    clear = [name for name in forced if str(state.get(f"user.{name}") or "1 1").split(" ")[1] == "0"]
    if clear:
        want: dict[str, str] = {}
        for name in clear:
            active, _, rest = str(state[f"user.{name}"]).split(" ", 2)
            want[f"user.{name}"] = f"{active} 1 {rest}"
        yield from _step(
            facts, state, Stage.OLD_DOOR, "users-tls", want, (Rows("mysql_users", "username", tuple(clear)),), sql.USERS,
            feed((*sql.force_tls(clear), *sql.USERS)), f"refuse {', '.join(clear)} without TLS",
        )  # fmt: skip
    if peers and state["default.cluster"] == "yes":
        raise Blind(
            f"the ProxySQL servers beside {facts.host.name} log in to each other as admin:admin: give them an account first (admin-cluster_username)"
        )
    yield from _step(
        facts, state, Stage.OLD_DOOR, "defaults", {"default.admin": "no", "default.stats": "no"},
        (Rows("global_variables", "variable_name", _CREDENTIALS),), sql.ADMIN_VARIABLES,
        _AS_ITSELF + feed((*sql.refuse_defaults(), *sql.ADMIN_VARIABLES)), "refuse admin:admin and stats:stats",
    )  # fmt: skip
    if not peers:  # they need the port
        yield from _loopback(facts, state)


def _loopback(facts: HostFacts, state: State) -> Iterator[Step]:
    seen = str(state["var.admin-mysql_ifaces"])
    said = proxysql(
        "UPDATE global_variables SET variable_value = {{to}} WHERE variable_name = 'admin-mysql_ifaces'",
        to=sql.loopback(seen),
    )
    script = _AS_ITSELF + feed((said, sql.ADMIN_VARIABLES[0])) + _NEW_WAY + feed(sql.ADMIN_VARIABLES[1:])
    yield from _step(
        facts, state, Stage.OLD_DOOR, "loopback", {"var.admin-mysql_ifaces": sql.loopback(seen)},
        (Rows("global_variables", "variable_name", ("admin-mysql_ifaces",)),), sql.ADMIN_VARIABLES, script,
        "close the admin's port to other hosts",
    )  # fmt: skip


_AS_ITSELF = "[ $way = own ] || { echo 'Galvan has no account of its own here yet' >&2; exit 1; }\n"
_NEW_WAY = (
    f"host=127.0.0.1\nsed -i 's/^host=.*/host=127.0.0.1/' {OWN} {STATS_FILE}\n"
    "n=0; until echo 'SELECT 1;' | admin >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 20 ] || { echo 'nobody gets in at 127.0.0.1' >&2; exit 1; }; sleep 0.5; done\n"
)
"""Written to disk only after a new login has come in by the new way: a restart brings the old one back until then."""


def _own_account(facts: HostFacts, state: State) -> Iterator[Step]:
    want = {"default.own": "yes", "default.own-stats": "yes", "login": "own"}
    yield from _step(
        facts, state, Stage.DOOR, "own-account", want, (Rows("global_variables", "variable_name", _CREDENTIALS),),
        sql.ADMIN_VARIABLES, sh(_OWN_ACCOUNT, own=OWN, stats=STATS_FILE, admin=ACCOUNT, reader=STATS, last=sql.ADMIN_VARIABLES).text,
        f"an account of Galvan's own, whose password lies in {OWN}", after=f"rm -f {OWN} {STATS_FILE}\n",
    )  # fmt: skip


_OWN_ACCOUNT = r"""(umask 022; mkdir -p "$(dirname {{own}})")
new() {
  [ ! -s "$2" ] || return 0
  (umask 077; printf '[client]\nuser=%s\npassword=%s\nhost=%s\nport=%s\n' "$1" "$(openssl rand -hex 24)" "$host" "$port" >"$2.part")
  mv "$2.part" "$2"
}
new {{admin}} {{own}}; new {{reader}} {{stats}}
add() {
  pw=$(sed -n 's/^password=//p' "$3")
  case $pw in *[!0-9a-f]*|'') echo "$3 holds no password" >&2; exit 1 ;; esac
  printf "UPDATE global_variables SET variable_value = variable_value || ';%s:%s' WHERE variable_name = '%s' AND instr(';' || variable_value, ';%s:') = 0;\n" "$2" "$pw" "$1" "$2"
}
said=$(add admin-admin_credentials {{admin}} {{own}}; add admin-stats_credentials {{reader}} {{stats}})
printf '%s;\n' "$said" {{last}} | sed 's/;;$/;/' | admin
way=own; echo 'SELECT 1;' | admin >/dev/null
"""


def _members(
    facts: HostFacts, state: State, policy: Balancing, groups: Groups, members: Sequence[Member], limit: int, tls: bool
) -> Iterator[Step]:
    tls = tls or all(str(state.get(f"server.{member.name}") or "").startswith("1 1 ") for member in members)
    lag = str(state.get(f"galera.{groups.writer}") or "0").rpartition(" ")[2]
    want = {**sql.wanted_galera(groups, policy, len(members), lag), **sql.wanted_servers(members, limit, tls)}
    rows = (
        Rows("mysql_galera_hostgroups", "writer_hostgroup", (groups.writer,)),
        Rows("mysql_servers", "hostgroup_id", _numbers(groups)),
    )
    told = (
        *settled(groups.writer),
        *sql.galera(groups, policy, len(members)),
        *sql.servers(groups, members, limit, tls),
        *sql.SERVERS,
    )
    title = f"serve {len(members)} members as one Galera cluster, at most {limit} connections each"
    yield from _step(facts, state, Stage.DOOR, "members", want, rows, sql.SERVERS, feed(told), title)


def _variables(
    facts: HostFacts, state: State, stage: Stage, name: str, values: Mapping[str, str], title: str
) -> Iterator[Step]:
    want = {f"var.{key}": value for key, value in values.items()}
    rows = (Rows("global_variables", "variable_name", tuple(values)),)
    yield from _step(
        facts, state, stage, name, want, rows, sql.MYSQL_VARIABLES,
        feed((*sql.variables(values), *sql.MYSQL_VARIABLES)), title,
    )  # fmt: skip


def _numbers(groups: Groups) -> tuple[int, ...]:
    return (groups.writer, groups.backup, groups.reader, groups.offline)


def _ready(facts: HostFacts) -> State:
    """LOAD and SAVE would carry along whatever somebody has typed and not finished."""
    state = facts[PROXYSQL]
    if not state:
        raise Blind(f"no ProxySQL is installed on {facts.host.name}")
    for way, what in (("unloaded", "not loaded to runtime"), ("unsaved", "not saved to disk")):
        if left := [k.partition(".")[2] for k, v in state.items() if k.startswith(f"{way}.") and v != "0"]:
            raise Blind(
                f"ProxySQL on {facts.host.name} has {', '.join(left)} that somebody changed and is {what}: finish that, or put it back, first"
            )
    return state


def _step(
    facts: HostFacts, state: State, stage: Stage, name: str, want: State, rows: Sequence[Rows], last: Sequence[str], script: str,
    title: str, *, first: tuple[Action, ...] = (), last_undo: tuple[Action, ...] = (), after: str = "",
) -> Iterator[Step]:  # fmt: skip
    before = {key: state.get(key) for key in want}
    if before == dict(want):
        return
    file = kept(name, before, want)
    do: Shell = change(file, rows, last, script)
    yield Step(
        id=f"{TIP}.proxysql-{name}@{facts.host.name}", tip=TIP, host=facts.host.name, stage=stage, read=PROXYSQL, before=before,
        want=want, do=(*first, do), undo=(back(file, after), *last_undo), title=title,
    )  # fmt: skip
