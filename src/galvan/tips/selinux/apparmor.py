"""AppArmor, where the kernel runs it and the packaged profile is empty: a profile of Galvan's own, first complaining and then enforcing.

It begins with the places that the server itself names, so that what is learnt is only the rest. A profile that somebody else wrote is
read and judged, and never written beside.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from galvan.cluster.facts import lines
from galvan.cluster.quote import sh
from galvan.model import (
    Blind,
    Deadman,
    Fact,
    HostFacts,
    Judgement,
    PutFile,
    RestoreFile,
    Rung,
    Shell,
    Stage,
    State,
    Step,
    Unreadable,
    holds,
)
from galvan.model.denials import Answer, Book, Denial, Rule
from galvan.tips.selinux.facts import PATHS, STATE
from galvan.tips.selinux.places import absolute

PROFILE = "galvan_mariadbd"
FILE = f"/etc/apparmor.d/{PROFILE}"
TIP = "selinux"
LOADED: Fact[State] = Fact(
    "selinux.profile",
    Shell(
        '[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || exit 0\n'
        "p=$(pgrep -o -x mariadbd || pgrep -o -x mysqld)\n"
        'echo context=$(tr -d "\\0" </proc/${p:-0}/attr/current 2>/dev/null)\n'
        f"echo own=$([ -e {FILE} ] && sha256sum {FILE} | cut -d ' ' -f 1)\n"
        f"echo mode=$(sed -n 's/^{PROFILE} (\\(.*\\))$/\\1/p' /sys/kernel/security/apparmor/profiles)\n"
        f"echo foreign=$(grep -lE '^[^#]*/(mariadbd|mysqld)' /etc/apparmor.d/* 2>/dev/null | grep -v {PROFILE} | tr '\\n' ' ')"
    ),
    lines,
)
"""Galvan's profile (its digest and how it is loaded), and files of somebody else's that hold one for the server."""


def denied(found: Sequence[Denial], names: Sequence[str]) -> Judgement:
    seen = f"{len(found)} in the last day: {', '.join(names[:3])}" if found else "none"
    return holds(not found, seen, "no denial of the server's")


# the profile -----------------------------------------------------------------------------------------------------------
_HEAD = """\
# {name} {version}: written by Galvan (galvan selinux build); it is read by apparmor_parser
abi <abi/3.0>,
include <tunables/global>

profile {name} {exe}{flags} {{
  include <abstractions/base>
  include <abstractions/nameservice>
  include <abstractions/openssl>

  capability dac_override,
  capability dac_read_search,
  capability setgid,
  capability setuid,
  capability sys_resource,
  network inet stream,
  network inet6 stream,
  signal (send, receive) peer={name},
  unix peer=(label={name}),

  # its transfers are scripts that run the system's own programs; each of them stays under this profile
  {exe} mr,
  /{{usr/,}}{{s,}}bin/* mrix,
  /sys/block/ r,
  /sys/devices/**/queue/* r,
  /sys/devices/system/node/{{,**}} r,
"""
_MASKS = {"a": "w", "c": "w", "d": "w"}


def profile(paths: State, exe: str, learnt: Sequence[str], complain: bool, version: str = "0") -> str:
    """`learnt`: lines out of the book."""
    data = str(paths.get("datadir") or "/var/lib/mysql/").rstrip("/")
    logs = {
        absolute(str(paths.get(name) or ""), data).rpartition("/")[0]
        for name in ("log_error", "slow_query_log_file", "general_log_file")
    }
    own = {
        data: "rwkl",
        "/run/mysqld": "rwk",
        str(paths.get("tmpdir") or "/var/tmp"): "rwkl",  # noqa: S108 - the server says which
        **{log: "rwk" for log in logs if log and log != data},
    }
    body = [line for folder, mask in sorted(own.items()) for line in (f"  {folder}/ r,", f"  {folder}/** {mask},")]
    body += [f"  {folder}/ r,\n  {folder}/** r," for folder in ("/etc/mysql", "/usr/share/mysql", "/usr/share/mariadb")]
    body += [f"  {folder}/ r,\n  {folder}/** rm," for folder in (str(paths.get("plugin_dir") or "/usr/lib/mysql/plugin").rstrip("/"), "/usr/lib/galera")]  # fmt: skip
    head = _HEAD.format(name=PROFILE, version=version, exe=exe, flags=" flags=(complain)" if complain else "")
    return head + "\n".join([*body, "", *(f"  {line}" for line in learnt), "}", ""])


def granted(book: Book) -> tuple[str, ...]:
    """The lines of the profile that the book allows."""
    mine = [rule for _, rule in sorted(book.rules.items()) if rule.answer is Answer.ALLOW and rule.parts[0] == PROFILE]
    return tuple(line for rule in mine for line in _lines(*rule.parts[1:], rule.permissions))


def _lines(target: str, kind: str, permissions: Collection[str]) -> Iterator[str]:
    if kind == "file":
        yield f"{target} {''.join(sorted(set(permissions) - {'x'}))}{'ix' if 'x' in permissions else ''},"
    elif kind in ("ptrace", "signal"):
        yield from (f"{kind} ({asked}) peer={target}," for asked in sorted(permissions))
    else:
        yield f"{kind} {target.replace('-', ' ')},"


def generalised(denial: Denial) -> Denial:
    """Names of processes and of temporary files are other ones each time.

    >>> generalised(Denial(0, 0, frozenset("c"), "mariadbd", PROFILE, "open", "file", "/proc/12/status")).rule
    'galvan_mariadbd//proc/[0-9]*/status/file'
    """
    thing = re.sub(r"/\d+(?=/|$)", "/[0-9]*", denial.object)
    thing = re.sub(r"(\.|_)[A-Za-z0-9]{6}$", r"\1*", thing) if thing.startswith("/tmp/") else thing  # noqa: S108
    target = thing.replace(" ", "-") if denial.kind != "file" else thing
    masks = (
        frozenset(_MASKS.get(letter, letter) for mask in denial.permissions for letter in mask)
        if denial.kind == "file"
        else denial.permissions
    )
    return replace(denial, target=target, permissions=masks)


def known(denial: Denial) -> Denial:
    """As it goes into the book: SELinux's as they are."""
    return generalised(denial) if denial.source == PROFILE else denial


_SYSTEM = re.compile(r"/(etc|usr|bin|sbin|lib\w*|boot|root)/")
_PRIVILEGED = frozenset(
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
    ]
)


def dangers(rule: Rule) -> Iterator[str]:
    _, target, kind = rule.parts
    if kind == "file" and rule.permissions & set("wl") and _SYSTEM.match(target):
        yield f"writing to {target}: the system's own files, of which the server needs none"
    if kind == "file" and re.search(r"/(shadow|gshadow|\.ssh|ssh_host)", target):
        yield f"{target}: passwords or keys"
    if kind == "file" and rule.permissions & set("xm") and not _SYSTEM.match(target):
        yield f"{target}: what the server can write is run"
    if kind == "capability" and target in _PRIVILEGED:
        yield f"{target}: as good as root"
    if (kind == "ptrace" and rule.permissions - {"read", "readby"}) or (kind == "signal" and target != PROFILE):
        yield f"{target}: another program is steered by the server"
    if not rule.permissions or (kind == "file" and not target.startswith("/")):
        yield "the record does not say what it was about"


# the way up --------------------------------------------------------------------------------------------------------------
_LOAD = "apparmor_parser -r -W {{file}}"
_RELOAD = f"[ ! -e {{{{file}}}} ] || {_LOAD}"
_DROP = "[ ! -e {{file}} ] || apparmor_parser -R {{file}} || true"


def watched(facts: HostFacts, anew: bool = False) -> Iterator[Step]:
    """A profile that complains; the server comes under it with its next start. `anew`: one that complains already is written as it would
    be today. Raises Blind where somebody else has one."""
    state, host = facts[LOADED], facts.host.name
    if foreign := str(state.get("foreign") or "").strip():
        raise Blind(
            f"{host} has a profile for the server that is not Galvan's: {foreign}. Set it to enforce (aa-enforce), or take it out"
        )
    if facts[STATE].get("has-apparmor_parser") != "yes":
        raise Blind(f"{host} has no apparmor_parser: install apparmor")
    text = profile(facts[PATHS], str(facts[STATE].get("exe") or "/usr/sbin/mariadbd"), (), complain=True)
    want: State = {"own": sha256(text.encode()).hexdigest(), "mode": "complain"}
    before: State = {key: state.get(key) for key in want}
    if before == want or state.get("mode") == "enforce" or (state.get("mode") and not anew):
        return
    yield Step(
        f"selinux.profile@{host}", TIP, host, Stage.LABEL, LOADED, before, want, (PutFile(FILE, text), sh(_LOAD, file=FILE)),
        (sh(_DROP, file=FILE), RestoreFile(FILE, Stage.LABEL.at(host)), sh(_RELOAD, file=FILE)),
        f"{FILE}: AppArmor notes what it does not know, from the next start on",
    )  # fmt: skip


def mend(facts: HostFacts, names: Collection[str], to: Rung, learnt: str) -> Iterator[Step]:
    """Raises Blind where the server has not come under the profile yet."""
    if "selinux.apparmor" not in names or facts[STATE].get("apparmor") != "on":
        return
    yield from watched(facts)
    if to is not Rung.ENFORCED or not learnt:
        return
    state, host = facts[LOADED], facts.host.name
    if not str(state.get("context")).startswith(PROFILE):
        raise Blind(
            f"the server of {host} runs {state.get('context')}: it comes under its profile with its next start (galvan node restart {host})"
        )
    text = profile(
        facts[PATHS],
        str(facts[STATE].get("exe")),
        learnt.splitlines()[1:],
        complain=False,
        version=learnt.partition("\n")[0],
    )
    yield Step(
        f"selinux.enforce-profile@{host}", TIP, host, Stage.CONFINE, LOADED, {key: state.get(key) for key in ("own", "mode")},
        {"own": sha256(text.encode()).hexdigest(), "mode": "enforce"}, (PutFile(FILE, text), sh(_LOAD, file=FILE)),
        (back(), RestoreFile(FILE, Stage.CONFINE.at(host))), f"{FILE} is enforced", deadman=Deadman(60),
    )  # fmt: skip


def back() -> Shell:
    """Complaining at once; the file comes back after it."""
    return sh(
        "sed -i 's/^profile \\([^ ]* [^ ]*\\) {$/profile \\1 flags=(complain) {/' {{file}}; apparmor_parser -r -W {{file}}",
        file=FILE,
    )


def lines_of(book: Book, version: int) -> str:
    """What `galvan selinux build` writes beside galvan.yaml: the version, then a line each."""
    return "\n".join([str(version), *granted(book), ""])


def covers(learnt: str, denial: Denial) -> bool:
    """`learnt`: the lines that were built. A file's letters may stand in one line with others."""
    lines = learnt.splitlines()[1:]
    if denial.kind != "file":
        return {*_lines(denial.target, denial.kind, denial.permissions)} <= {*lines}
    found = {target: mask.rstrip(",") for target, _, mask in (line.rpartition(" ") for line in lines)}
    return denial.permissions <= set(found.get(denial.target, "").replace("i", ""))


def at_work(state: State) -> bool:
    """Raises Unreadable where the host does not say."""
    if "apparmor" not in state:
        raise Unreadable("the host does not say whether its kernel runs AppArmor")
    return state["apparmor"] == "on" and state.get("kernel") == "off"
