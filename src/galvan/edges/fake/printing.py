"""What each known query would print on a host in memory; the real parsers read it. An unknown fact is an error."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake import doors, guards, hardened, notary, options, transfers, walls
from galvan.edges.fake.clients import BUNDLE
from galvan.edges.fake.machines import CONFIG_HOME, HOME, Machine, Server
from galvan.model import Role, Unreadable
from galvan.pki.places import AUTHORITIES, on_application, on_server

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

Printer = Callable[["Fake", Machine], str]
DOWN = "the server's client could not ask: ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)"
_HAPROXY = (
    "pxname", "svname", "qcur", "qmax", "scur", "smax", "slim", "stot", "bin", "bout", "status", "weight", "act", "bck",
    "check_status", "addr", "cookie", "mode",
)  # fmt: skip


def _server(machine: Machine) -> Server:
    if machine.server is None or not machine.server.up:
        raise Unreadable(DOWN)
    return machine.server


def _table(said: Mapping[str, object]) -> str:
    return "".join(f"{name}\t{value}\n" for name, value in said.items())


def _variables(fake: Fake, machine: Machine) -> str:
    server = _server(machine)
    shown = "".join(f"{key} = {value}; " for key, value in sorted(server.provider.items()))
    return _table({**server.variables, "wsrep_provider_options": shown})


def _status(fake: Fake, machine: Machine) -> str:
    server, name = _server(machine), machine.host.name
    inside = name in fake.group.primary
    said = _table({
        "Com_delete": 26, "Com_insert": 44_067, "Com_update": 0, "Ssl_finished_accepts": server.tls_accepts,
        "Uptime": server.uptime, "wsrep_last_committed": server.committed, "wsrep_local_commits": 44_067,
        "wsrep_replicated": 44_067, "wsrep_replicated_bytes": 44_067 * server.write_set, "wsrep_received": 19,
        "wsrep_received_bytes": 19 * server.write_set,
        "wsrep_local_cached_downto": server.cached_from, "wsrep_local_state": 4 if server.state == "Synced" else 0,
        "wsrep_local_state_comment": server.state,
        "wsrep_incoming_addresses": ",".join(f"{fake.machines[n].host.address}:0" for n in sorted(fake.group.primary & fake.machines.keys())),
        "wsrep_cluster_weight": fake.group.votes(fake.group.primary) if inside else 0,
        "wsrep_desync_count": server.desync, "wsrep_gcomm_uuid": "29b8f7c2-e7e4-11f1-b573-a230b24cbf66",
        "wsrep_cluster_conf_id": fake.group.conf_id if inside else 18446744073709551615,
        "wsrep_cluster_size": len(fake.group.primary) if inside else 1, "wsrep_cluster_state_uuid": server.uuid or fake.group.uuid,
        "wsrep_cluster_status": "Primary" if inside else "non-Primary", "wsrep_connected": "ON" if inside else "OFF",
        "wsrep_local_index": 0, "wsrep_provider_version": "4.23(rXXXX)",
        "wsrep_ready": "ON" if inside and server.state == "Synced" else "OFF",
    })  # fmt: skip
    server.uptime += 1
    server.committed += server.busy
    fake.group.looked_at(name)
    return said


def _limits(fake: Fake, machine: Machine) -> str:
    _server(machine)
    return _table({"max_connections": 151, "wait_timeout": 28_800})


def _flow(fake: Fake, machine: Machine) -> str:
    server = _server(machine)
    return _table({"Uptime": server.uptime, "wsrep_flow_control_paused_ns": server.paused_ns})


def _histogram(fake: Fake, machine: Machine) -> str:
    counted = _server(machine).histogram
    if not counted:
        raise Unreadable("error 1109: Unknown table 'QUERY_RESPONSE_TIME' in information_schema")
    return _table(counted)


def _host_upkeep(fake: Fake, machine: Machine) -> str:
    said = {
        "backups": "",
        "packages": "",
        "unattended": "",
        "owned": "",
        "available_kb": "4000000",
        "start_limit": "15min",
    }
    return "".join(f"{key}={value}\n" for key, value in {**said, **machine.upkeep}.items())


def _server_upkeep(fake: Fake, machine: Machine) -> str:
    _server(machine)
    return _table({"osu_method": machine.upkeep.get("osu_method", "TOI")})


def _accounts(fake: Fake, machine: Machine) -> str:
    _server(machine)
    if machine.host.name not in fake.group.primary:
        raise Unreadable("error 1047: WSREP has not yet prepared node for application use")
    return "".join(
        f"{a.user}\t{a.host}\t{a.require}\t{a.locked}\t{a.role}\t{a.plugin}\t{a.access}\n"
        for a in fake.clients.accounts
    )


def _sessions(fake: Fake, machine: Machine) -> str:
    _server(machine)
    said = "".join(
        f"{s.id}\t{s.user}\t{s.client}:{s.port}\t{s.command}\t{s.idle:.4f}\t{int(s.open)}\n"
        for s in fake.clients.sessions
        if s.member == machine.host.name
    )
    fake.clients.let_go(machine.host.name)
    return said


def _clients(fake: Fake, machine: Machine) -> str:
    if _server(machine).variables["performance_schema"] != "ON":
        return "0\t\t\t\t\n"
    return "1\t\t\t\t\n" + "".join(
        f"1\t{s.user}\t{s.client}\t{'SSL/TLS' if s.tls else 'TCP/IP'}\t{s.tls}\n"
        for s in fake.clients.sessions
        if s.member == machine.host.name
    )


def _logins(fake: Fake, machine: Machine) -> str:
    server = _server(machine)
    watched = server.logins if server.variables["performance_schema"] == "ON" else {}
    return _table({**watched, "#tls": server.tls_accepts, "#uptime": server.uptime})


def _defaults(*sections: str) -> Printer:
    def printed(fake: Fake, machine: Machine) -> str:
        return "".join(
            f"--{name}={'(hidden)' if name == 'wsrep_sst_auth' else value}\n"
            for name, value in machine.effective(*sections)
        )

    return printed


def _platform(fake: Fake, machine: Machine) -> str:
    host = machine.host
    said = {
        "unit": "mariadb",
        "dynamic": fake.dynamic,
        "hostname": host.name,
        "short": host.name,
    }
    tools = dict.fromkeys(("openssl", "socat", "stunnel", "tcpdump", "setpriv", "galera_new_cluster"), "yes")
    pace = {"start_s": 2.5, "stop_s": 0.5}
    shown = {**said, "addresses": machine.address or host.address, **tools, **pace}
    return "".join(f"{k}={v}\n" for k, v in shown.items())


def _reading(fake: Fake, machine: Machine) -> str:
    """One my.cnf that includes one directory."""
    said = ["version\t10.11", "file\t/etc/mysql/my.cnf", f"dir\t{CONFIG_HOME}"]
    for path in sorted(p for p in machine.files if p.startswith(f"{CONFIG_HOME}/") and p.endswith(".cnf")):
        said.append(f"file\t{path}")
        lines = ((s, line) for s in options.SERVER for line in options.read(machine.files[path].content, (s,)))
        said += [f"option\t{section}\t{name}\t{path}" for section, (name, _) in lines]
    return "\n".join([*said, f"end\t{CONFIG_HOME}", ""])


def _position(fake: Fake, machine: Machine) -> str:
    server = fake.group.server(machine.host.name)
    said = {
        "service": "active" if server.up else "failed" if server.crashed else "inactive",
        "uuid": server.uuid or fake.group.uuid, "seqno": -1 if server.up or server.crashed else server.committed,
        "safe_to_bootstrap": int(server.safe),
    }  # fmt: skip
    return "".join(f"{k}={v}\n" for k, v in said.items())


def _moment(fake: Fake, machine: Machine) -> str:
    owner = machine.files.get(f"{HOME}/lock/owner")
    said = {
        "clock": f"{time.time() + machine.clock_ahead:.9f}", "disk_kb": machine.disk_kb, "bootstrap": machine.bootstrap,
        "service": "active" if machine.server and machine.server.up else "failed",
        "transfer": machine.transfers, "lock": owner.content.replace("\n", " ") if owner else "",
    }  # fmt: skip
    return "".join(f"{k}={v}\n" for k, v in said.items())


def _links(fake: Fake, machine: Machine) -> str:
    near, inside = machine.host.name, fake.group.primary
    others = [m for name, m in fake.machines.items() if name in inside and name != near and near in inside]
    peers = [m.host.address for m in others if m.host.name not in machine.unheard and near not in m.unheard]
    return f"own={machine.host.address}\npeers={' '.join(f'4567@{address}' for address in peers)}\n"


def _own_files(fake: Fake, machine: Machine) -> str:
    mine = [p for p in machine.files if p == options_path() or p.startswith(BUNDLE.rpartition("/")[0] + "/")]
    mine += [p for p in machine.files if p.startswith("/etc/mysql/galvan/") and p.endswith(".pem")]
    return "".join(f"{hashlib.sha256(machine.files[p].content.encode()).hexdigest()}  {p}\n" for p in sorted(mine))


def options_path() -> str:
    return f"{CONFIG_HOME}/zz-galvan.cnf"


def _own_config(fake: Fake, machine: Machine) -> str:
    file = machine.files.get(options_path())
    return file.content if file else ""


def _material(fake: Fake, machine: Machine) -> str:
    if machine.host.role is Role.APPLICATION:
        return notary.look(machine, (on_application().directory,), "root", 0)
    return notary.look(machine, tuple(on_server(name).directory for name in AUTHORITIES), "mysql", 105)


def _balancer(fake: Fake, machine: Machine) -> str:
    lines = ["# " + ",".join(_HAPROXY) + ","]
    for door in fake.clients.doors[machine.host.name]:
        status = "DRAIN" if door.drained else ("UP" if fake.group.serves(door.member) else "DOWN")
        said = {
            "pxname": door.backend, "svname": door.member, "status": status, "addr": f"{door.address}:3306", "mode": "tcp",
            "scur": str(sum(s.member == door.member for s in fake.clients.sessions)), "act": str(int(door.active)),
        }  # fmt: skip
        lines.append(",".join(said.get(column, "") for column in _HAPROXY) + ",")
    return "\n".join([*lines, ",".join(["galera", "BACKEND", *[""] * 16]), ""])


def _listed(fake: Fake, machine: Machine) -> str:
    _server(machine)
    return walls.print_allowlist(fake, machine)


def _manifest(fake: Fake, machine: Machine) -> str:
    return "".join(file.content for path, file in sorted(machine.files.items()) if path.startswith(f"{HOME}/runs/"))


PRINTERS: Mapping[str, Printer] = {
    "server.variables": _variables,
    "server.status": _status,
    "host.upkeep": _host_upkeep,
    "server.upkeep": _server_upkeep,
    "server.data": lambda fake, machine: _table({"data_bytes": 25_739_264}),
    "server.flow": _flow,
    "server.response": _histogram,
    "server.statements": _histogram,
    "server.accounts": _accounts,
    "server.requirements": _accounts,
    "server.sessions": _sessions,
    "server.long": lambda fake, machine: "".join("\t".join(row) + "\n" for row in _server(machine).work),
    "client_tls.clients": _clients,
    "client_tls.logins": _logins,
    "host.config": _defaults(*options.SERVER),
    "host.sst_config": _defaults("sst"), "host.backup_config": _defaults("mariabackup", "xtrabackup"),
    "host.platform": _platform,
    "host.install": _platform,
    "host.reading": _reading,
    "host.bootstrap": _moment,
    "host.moment": _moment,
    "host.links": _links,
    "host.position": _position,
    "host.own_files": _own_files,
    "host.own_config": _own_config,
    "host.drained": lambda fake, machine: "yes\n" if f"{HOME}/drained" in machine.files else "",
    "host.manifest": _manifest,
    "host.restarts": lambda fake, machine: f"{machine.server.starts if machine.server else 0}\n",
    "pki.material": _material,
    "pki.sound": _material,
    "pki.app_material": _material,
    "pki.app_sound": _material,
    "host.wall": walls.print_wall,
    "firewall.control": walls.print_control,
    "firewall.ruleset": walls.print_ruleset,
    "firewall.saved": lambda fake, machine: "# ip6tables\n",
    "firewall.listeners": walls.print_listeners,
    "firewall.guests": walls.print_guests,
    "firewall.counted": walls.print_counted,
    "firewall.caller": walls.print_caller,
    "firewall.bypass": lambda fake, machine: "",
    "firewall.object": lambda fake, machine: "object=no\nunsaved=no\n",
    "firewall.allowlist": _listed,
    "firewall.listed": _listed,
    "server.limits": _limits,
    "health.laid": doors.print_laid,
    "health.answer": doors.print_answer,
    "health.account": doors.print_asker,
    "haproxy.file": doors.print_file,
    "haproxy.written": doors.print_file,
    "keepalived.host": doors.print_keepalived,
    "keepalived.standing": doors.print_keepalived,
    "haproxy.guests": doors.print_guests,
    "balancer.servers": _balancer,
    "balancer.check_users": lambda fake, machine: "",
    **doors.OTHERS, **guards.OTHERS, **hardened.OTHERS, **transfers.OTHERS,
    "sst.fit": transfers.fit(_defaults("sst")),
}  # fmt: skip
