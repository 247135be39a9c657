"""What a host says of its security modules. Where the kernel has none, each of these answers at once; where it has, the policy is
read from its own store and not asked of `semanage`, which would take longer than all the rest of an audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster.facts import lines, pairs
from galvan.model import Fact, Shell, Sql, State, Unreadable, Value

MODULE = "galvan_galera"
LEARNT = f"{MODULE}.cil"
TOOLS = "semanage semodule restorecon matchpathcon chcon ausearch audit2allow checkmodule apparmor_parser aa-enforce"
_PLAIN = """z() { bzcat "$1" 2>/dev/null || python3 -c 'import bz2,sys; sys.stdout.buffer.write(bz2.open(sys.argv[1]).read())' "$1" 2>/dev/null || cat "$1"; }\n"""
"""The store keeps its modules compressed, unless it was told not to."""
_SERVER = (
    "p=$(pgrep -o -x mariadbd || pgrep -o -x mysqld)\n"
    "t=$(sed -n 's/^SELINUXTYPE=[[:space:]]*\\([a-z0-9_-]*\\).*/\\1/p' /etc/selinux/config 2>/dev/null)\n"
    's=; for d in /var/lib/selinux/$t/active /etc/selinux/$t/active; do [ -d "$d/modules" ] && { s=$d; break; }; done\n'
)
STATE: Fact[State] = Fact(
    "selinux.state",
    Shell(
        "[ -e /run/systemd/container ] || [ -e /run/.containerenv ] && echo container=yes || echo container=no\n"
        'k=/sys/fs/selinux; if [ -e $k/enforce ]; then [ "$(cat $k/enforce)" = 1 ] && echo kernel=enforcing || echo kernel=permissive; else echo kernel=off; fi\n'
        "echo config=$(sed -n 's/^SELINUX=[[:space:]]*\\([a-z]*\\).*/\\1/p' /etc/selinux/config 2>/dev/null)\n"
        'a=/sys/module/apparmor/parameters/enabled; [ "$(cat $a 2>/dev/null)" = Y ] && echo apparmor=on || echo apparmor=off\n'
        "[ -e $k/enforce ] || [ -e $a ] || exit 0\n" + _PLAIN + _SERVER + "echo policy=$t store=$s | tr ' ' '\\n'\n"
        f"for c in {TOOLS}; do command -v $c >/dev/null && echo has-$c=yes || echo has-$c=no; done\n"
        'if [ -n "$p" ]; then echo context=$(tr -d "\\0" </proc/$p/attr/current); echo exe=$(readlink /proc/$p/exe); else echo context=; echo exe=; fi\n'
        "[ -e $k/enforce ] || exit 0\n"
        'e=$(readlink /proc/${p:-0}/exe || command -v mariadbd || command -v mysqld); echo binary=$(stat -c %C "$e" 2>/dev/null)\n'
        'for m in "$s"/modules/[0-9]*/permissive_*; do [ -d "$m" ] && m=${m#"$s"/modules/} && echo permissive.${m#*/permissive_}=${m%%/*}; done\n'
        '[ -e "$s/disable_dontaudit" ] && echo dontaudit=off || echo dontaudit=on\n'
        f'm="$s/modules/400/{MODULE}/cil"; [ -e "$m" ] && echo module=$(z "$m" | sha256sum | cut -d " " -f 1)\n'
        "for b in $k/booleans/*mysql* $k/booleans/*daemons_use_t* $k/booleans/secure_mode_policyload; do [ -e $b ] && echo boolean.${b##*/}=$(cut -c 1 $b); done\n"
        "sed -n 's/^portcon \\([a-z]*\\) \\([0-9-]*\\) [^:]*:[^:]*:\\([^:]*\\).*/local.\\1.\\2=\\3/p' \"$s/ports.local\" 2>/dev/null\n"
        "true"
    ),
    lines,
)
"""Mode, domain, store, tools, and what an administrator said of ports (`local.`)."""
PORTS: Fact[State] = Fact(
    "selinux.ports",
    Shell(
        "[ -e /sys/fs/selinux/enforce ] || exit 0\n"
        + _PLAIN
        + _SERVER
        + 'b="$s/modules/100/base/cil"; [ -e "$b" ] && z "$b" | sed -n \'s/^(portcon \\(tcp\\|udp\\) (*\\([0-9]*\\) *\\([0-9]*\\))* *([a-z_0-9]* [a-z_0-9]* \\([a-z0-9_]*\\) .*/port.\\1.\\2-\\3=\\4/p\'; true'
    ),
    lines,
)
"""The policy's own labels of ports (`port.`)."""


def domain(state: State) -> str:
    """The type out of `system_u:system_r:mysqld_t:s0`. Raises Unreadable where no server runs.

    >>> domain({"context": "system_u:system_r:mysqld_t:s0"})
    'mysqld_t'
    """
    context = str(state.get("context") or "")
    if not context:
        raise Unreadable("no server runs there, so nobody can say which domain it runs in")
    parts = context.split(":")
    return parts[2] if len(parts) > 2 else context


def kernel(state: State) -> str:
    """enforcing, permissive or off. Raises Unreadable."""
    said = str(state.get("kernel") or "")
    if said not in ("enforcing", "permissive", "off"):
        raise Unreadable("the host does not say whether its kernel runs SELinux")
    return said


def port_label(state: State, protocol: str, port: int) -> str:
    """What the policy calls this port: an administrator's word first, then the policy's narrowest. `state`: STATE and PORTS together. Raises Unreadable.

    >>> port_label({"port.tcp.1024-65535": "unreserved_port_t", "port.tcp.4444-": "kerberos_port_t"}, "tcp", 4444)
    'kerberos_port_t'
    """
    found: list[tuple[int, int, str]] = []
    for key, value in state.items():
        kind, _, rest = key.partition(".")
        said, _, ports = rest.partition(".")
        if kind not in ("local", "port") or said != protocol:
            continue
        first, _, last = ports.partition("-")
        low, high = int(first), int(last or first)
        if low <= port <= high:
            found.append((0 if kind == "local" else 1, high - low, str(value)))
    if not any(key.startswith("port.") for key in state):
        raise Unreadable(
            "the policy's store could not be read (it takes bzcat or python3), so the labels of ports are not known"
        )
    return min(found)[2] if found else "port_t"


@dataclass(frozen=True, slots=True)
class Labels:
    """`at`: the type of each place that the server uses; `wrong`: path, its type, and the one that the policy has for it;
    `types`: the names that this policy gives to things of the server's."""

    at: Mapping[str, str]
    wrong: tuple[tuple[str, str, str], ...]
    types: frozenset[str]


def labelled(output: str) -> State:
    """Lines: `off`, or `at CONTEXT PATH`, `type NAME` and what restorecon would do."""
    if output.strip() == "off":
        raise Unreadable("the kernel runs no SELinux")
    state: dict[str, Value] = {"wrong": 0}
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word == "at":
            context, _, path = rest.partition(" ")
            state[f"at.{path}"] = _type(context)
        elif word == "type":
            state[f"type.{rest}"] = ""
        elif line.startswith("Would relabel ") and " from " in line:
            path, _, change = line.removeprefix("Would relabel ").rpartition(" from ")
            before, _, after = change.partition(" to ")
            state[f"wrong.{path}"] = f"{_type(before)} {_type(after)}"
            state["wrong"] = int(str(state["wrong"])) + 1
    if "type.mysqld_db_t" not in state:
        raise Unreadable("the policy's file_contexts names no label of the server's")
    return state


def labels_of(state: State) -> Labels:
    said = [(key.partition(".")[0], key.partition(".")[2], str(value)) for key, value in state.items()]
    return Labels(
        {path: kind for word, path, kind in said if word == "at"},
        tuple((path, *change.split(" ")) for word, path, change in said if word == "wrong" and path),  # type: ignore[misc]
        frozenset(name for word, name, _ in said if word == "type"),
    )


def _type(context: str) -> str:
    parts = context.split(":")
    return parts[2] if len(parts) > 2 else context


_LABELS = (
    "[ -e /sys/fs/selinux/enforce ] || { echo off; exit 0; }\n"
    + _SERVER
    + "paths() { my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--[a-z_-]*\\(datadir\\|home[-_]dir\\|undo[-_]directory\\|tmpdir\\|log[-_]error\\|log[-_]file\\|log[-_]bin\\|relay[-_]log\\|secure[-_]file[-_]priv\\|wsrep[-_]notify[-_]cmd\\)=\\(\\/.*\\)/\\2/p' | sed 's/^.*\\/tmp$//'\n"
    + "  echo /var/lib/mysql; echo /var/log/mysql; echo /var/log/mariadb; echo /etc/mysql; echo /etc/my.cnf; echo /etc/my.cnf.d; echo /run/mysqld; echo /run/mariadb\n"
    + "  readlink /proc/${p:-0}/exe; for f in /usr/bin/wsrep_* /usr/bin/mariabackup /usr/bin/mariadb-backup; do echo $f; done; }\n"
    + 'IFS=\'\n\'; for f in $(paths | sort -u); do [ -n "$f" ] && [ -e "$f" ] || continue; echo "at $(stat -c %C "$f") $f"; set -- "$@" "$f"; done\n'
    + "unset IFS; grep -oh 'mysqld_[a-z_]*_t' /etc/selinux/$t/contexts/files/file_contexts* 2>/dev/null | sort -u | sed 's/^/type /'\n"
)
LABELS: Fact[State] = Fact(
    "selinux.labels",
    Shell(_LABELS + '[ $# -eq 0 ] || restorecon -n -v -R -- "$@" 2>/dev/null; true'),
    labelled,
)


PATHS: Fact[State] = Fact(
    "selinux.paths",
    Sql(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('datadir', 'tmpdir', 'log_error', 'slow_query_log', 'slow_query_log_file', "
        "'general_log_file', 'log_bin', 'log_bin_basename', 'relay_log_basename', 'innodb_data_home_dir', 'innodb_log_group_home_dir', "
        "'secure_file_priv', 'ssl_cert', 'ssl_key', 'ssl_ca', 'socket', 'pid_file', 'plugin_dir', 'aria_log_dir_path', "
        "'wsrep_notify_cmd', 'long_query_time', 'port', 'extra_port', 'wsrep_node_name', 'wsrep_sst_method', 'wsrep_sst_donor')"
    ),
    pairs,
)
CONFIG_FILE: Fact[State] = Fact(
    "selinux.config",
    Shell("[ -e /sys/fs/selinux/enforce ] || exit 0; cat /etc/selinux/config 2>/dev/null; true"),
    lambda output: {"text": output},
)
