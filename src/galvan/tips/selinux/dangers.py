"""Rules that would give away more than a database needs. Each says why; none of them is ever allowed unless a person takes it by name."""

from __future__ import annotations

import re

from galvan.model.denials import Rule

_WRITES = frozenset(
    [
        "write",
        "append",
        "create",
        "unlink",
        "rename",
        "setattr",
        "link",
        "add_name",
        "remove_name",
        "rmdir",
        "reparent",
        "relabelfrom",
        "relabelto",
        "mounton",
    ]
)
_MEMORY = {"execmem": "memory that is written and then run", "execstack": "a stack that can be run", "execheap": "a heap that can be run",
           "execmod": "a changed file that is run"}  # fmt: skip
_SECRETS = re.compile(
    r"(shadow|passwd_file|sshd_key|ssh_home|gpg_secret|crack_db)\w*_t|shadow_t|memory_device_t|fixed_disk_device_t|kmsg_device_t"
)
_SYSTEM = re.compile(
    r"(etc|bin|lib|ld_so|usr|boot|root|shell_exec|selinux_config|policy_config|semanage_store|default_context|file_context|cron_spool|system_cron_spool|\w+_unit|systemd_unit|sysctl\w*|proc|security|var_spool)_t"
)
_PRIVILEGES = frozenset(
    [
        "sys_admin",
        "sys_module",
        "sys_rawio",
        "sys_ptrace",
        "sys_boot",
        "mac_admin",
        "mac_override",
        "net_admin",
        "audit_control",
        "audit_write",
        "setfcap",
        "syslog",
        "bpf",
        "perfmon",
    ]
)
_WIDE = re.compile(r"(port|unreserved_port|ephemeral_port|reserved_port|hi_reserved_port|generic_port)_t")
_CONTROL = frozenset(
    ["ptrace", "transition", "dyntransition", "setexec", "setcurrent", "setfscreate", "setkeycreate", "setsockcreate"]
)


def of(rule: Rule) -> tuple[str, ...]:
    source, target, kind = rule.parts
    asked = rule.permissions
    found = [f"{name}: {why} lets injected code run" for name, why in _MEMORY.items() if name in asked]
    if "unconfined" in source or "unconfined" in target:
        found.append("unconfined: what is reached there is bound by no policy")
    if "mysqld" not in source and "mariadb" not in source:
        found.append(f"{source} is no domain of the server's: the rule would be another program's")
    found += _files(target, asked)
    found += _others(target, kind, asked)
    return tuple(found)


def _files(target: str, asked: frozenset[str]) -> list[str]:
    found = []
    if _SECRETS.fullmatch(target) and asked - {"getattr", "search"}:
        found.append(f"{target}: passwords, keys or raw memory")
    if asked & _WRITES and target.endswith("_exec_t"):
        found.append(f"writing to {target}: who changes a program chooses what others run")
    elif asked & _WRITES and _SYSTEM.fullmatch(target):
        found.append(f"writing to {target}: the system's own files, of which the server needs none")
    return found


def _others(target: str, kind: str, asked: frozenset[str]) -> list[str]:
    found = []
    if kind.startswith(("capability", "cap_userns")) and (given := sorted(asked & _PRIVILEGES)):
        found.append(f"{', '.join(given)}: as good as root")
    if kind == "process" and (given := sorted(asked & _CONTROL)):
        found.append(f"{', '.join(given)}: another process, or another domain")
    if kind in ("security", "system") and asked - {"module_request"}:
        found.append(f"{kind}: the policy itself")
    if kind.startswith(("rawip_", "packet_", "netlink_audit", "netlink_selinux")):
        found.append(f"{kind}: raw access to the network or to the kernel's own channels")
    if asked & {"name_bind", "name_connect"} and _WIDE.fullmatch(target):
        found.append(f"{target}: not one port, but every port that has no name")
    return found
