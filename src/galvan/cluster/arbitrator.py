"""The arbitrator: garbd, a member with a vote and without data. It has no SQL, so what it does is seen from its process.

Debian's garb.service runs /usr/bin/garb-systemd, which reads /etc/default/garb itself and so overrides any environment
that systemd gives it. Galvan's own drop-in therefore takes over the start: it reads the same file for the members, the
group and the log, and only the provider's options come from the drop-in.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from galvan.cluster import provider
from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.cluster.quote import clean
from galvan.model import Fact, HostFacts, Role, Shell, State, Unreadable, Value

UNIT = "garb"
OWN = "/etc/systemd/system/garb.service.d/zz-galvan.conf"
PACKAGED = "/usr/bin/garb-systemd start"
MEMBERS = (Role.DATABASE, Role.ARBITRATOR)
"""Who has a vote, and speaks on the group port."""
_ARBITRATOR = frozenset({Role.ARBITRATOR})
_NAME = "GALVAN_OPTIONS"
_DROP_IN = """\
# Written by Galvan, which reads it back: edit another file. To undo: galvan rollback
# Members, group and log are still read from {config}; GALERA_OPTIONS there has no effect.
[Service]
Environment="{name}={options}"
ExecStart=
ExecStart={start}
"""
_START = (
    '/bin/bash -c \'. {config}; exec /usr/bin/garbd -a "gcomm://$${{GALERA_NODES// /,}}" -g "$$GALERA_GROUP" '
    '-o "$$GALVAN_OPTIONS" $${{LOG_FILE:+-l "$$LOG_FILE"}} $${{WORK_DIR:+-w "$$WORK_DIR"}}\''
)


@dataclass(frozen=True, slots=True)
class Setup:
    """How garbd will be started next. `options`: the provider's, as they will be read; `own`: Galvan's drop-in."""

    user: str
    config: str
    dynamic: bool  # does the binary know socket.dynamic?
    start: str
    options: str
    own: str

    @property
    def ours(self) -> bool:
        return self.start == start_of(self.config)


def start_of(config: str) -> str:
    return _START.format(config=config)


def drop_in(config: str, options: Mapping[str, str]) -> str:
    """The whole file. Raises BadInput where an option holds a control character."""
    text = clean(provider.render(options)).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return _DROP_IN.format(config=config, name=_NAME, options=text, start=start_of(config))


def options_in(text: str, config: str) -> str:
    """The options out of Galvan's drop-in; Unreadable where somebody else wrote in it."""
    line = next((line for line in text.splitlines() if line.startswith(f'Environment="{_NAME}=')), "")
    said = line.partition("=")[2].removeprefix(f'"{_NAME}=').removesuffix('"')
    options = said.replace("%%", "%").replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")
    if not line or drop_in(config, provider.parse(options)) != text:
        raise Unreadable(f"{OWN} is not as Galvan wrote it; move what is yours to a drop-in of your own")
    return options


def setup(output: str) -> Setup:
    """Raises Unreadable where the unit is missing, or is started in a way whose options cannot be told."""
    head, _, rest = output.partition("@unit\n")
    unit, _, rest = rest.partition("@config\n")
    config, _, own = rest.partition("@own\n")
    said = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    if said.get("load") != "loaded":
        raise Unreadable(f"there is no unit {UNIT} on this host, and Galvan knows garbd under no other")
    start = ""
    for line in unit.splitlines():
        start = line.removeprefix("ExecStart=").strip() if line.startswith("ExecStart=") else start
    path, own = said["config"], own + "\n" if own and not own.endswith("\n") else own
    if start == start_of(path):
        options = options_in(own, path)
    elif start == PACKAGED:
        options = _assigned(config).get("GALERA_OPTIONS", "")
    else:
        raise Unreadable(f"the unit {UNIT} starts {start!r}; Galvan knows only {PACKAGED}, and its own way")
    return Setup(said.get("user") or "root", path, said.get("dynamic") == "yes", start, options, own)


def _assigned(text: str) -> dict[str, str]:
    """The assignments of a file that a shell will read, last one wins; Unreadable where only a shell could tell.

    >>> _assigned('GALERA_OPTIONS="a=1; b=2"')
    {'GALERA_OPTIONS': 'a=1; b=2'}
    """
    found = {}
    for line in text.splitlines():
        name, _, value = line.strip().removeprefix("export ").partition("=")
        try:
            words = shlex.split(value, comments=True)
        except ValueError as wrong:
            raise Unreadable(f"{name} is set in a way that only a shell can read ({wrong})") from None
        if len(words) > 1 or ("$" in value and "'" not in value) or "`" in value:
            raise Unreadable(f"{name} is set in a way that only a shell can read: {value[:80]}")
        found[name] = words[0] if words else ""
    return found


def running(output: str) -> State:
    """The provider's options of the running process as `provider.KEY`, its listener and whom it dials, as VARIABLES has them.

    `witness`: who says how it listens: its log, or its command line where the log of this start is gone.
    """
    _, _, rest = output.partition("@args\n")
    args, mark, log = rest.partition("@log\n")
    words = args.splitlines()
    if not mark or not words:
        raise Unreadable("garbd's command line could not be read")
    if any(word in ("-c", "--cfg") or word.startswith("--cfg=") for word in words):
        raise Unreadable("garbd reads a configuration file of its own (--cfg), which Galvan does not")
    options = provider.parse(_option(words, "-o", "--options"))
    state: dict[str, Value] = {f"provider.{key}": value for key, value in options.items()}
    heard = [line.removeprefix("listening at ").strip() for line in log.splitlines() if line.startswith("listening")]
    strict = provider.yes(options.get("socket.ssl")) and not provider.yes(options.get("socket.dynamic"))
    address = heard[-1] if heard else f"{'ssl' if strict else 'tcp'}://{_address(options)}"
    state |= {"wsrep_cluster_address": _option(words, "-a", "--address")}
    state |= {"provider.gmcast.listen_addr": address, "listener": address.split("://", 1)[0]}
    return state | {"witness": "its log" if heard else "its command line"}


def _option(words: list[str], short: str, long: str) -> str:
    """What stands after an option, as a word of its own or joined to it."""
    for here, after in zip(words, [*words[1:], ""], strict=True):
        if here in (short, long):
            return after
        if here.startswith((f"{long}=", short)):
            return here.removeprefix(f"{long}=").removeprefix(short)
    return ""


def _address(options: Mapping[str, str]) -> str:
    return options.get("gmcast.listen_addr", "0.0.0.0:4567").rpartition("://")[2]


SETUP: Fact[Setup] = Fact(
    "arbitrator.setup",
    Shell(
        f"echo load=$(systemctl show {UNIT} -p LoadState --value); echo user=$(systemctl show {UNIT} -p User --value)\n"
        "f=/etc/default/garb; [ -e /etc/debian_version ] || f=/etc/sysconfig/garb; echo config=$f\n"
        "grep -qa socket.dynamic /usr/bin/garbd && echo dynamic=yes || echo dynamic=no\n"
        f"echo @unit; systemctl cat {UNIT} 2>/dev/null | grep '^ExecStart='\n"
        "echo @config; grep -E '^[[:space:]]*(export )?GALERA_OPTIONS=' $f 2>/dev/null\n"
        f"echo @own; cat {OWN} 2>/dev/null; true"
    ),
    setup,
    roles=_ARBITRATOR,
)
RUNNING: Fact[State] = Fact(
    "arbitrator.running",
    Shell(
        f"p=$(systemctl show {UNIT} -p MainPID --value)\n"
        f"[ \"${{p:-0}}\" -gt 0 ] || {{ echo 'the unit {UNIT} does not run' >&2; exit 1; }}\n"
        '[ "$(cat /proc/$p/comm)" = garbd ] || p=$(pgrep -x -P $p garbd | head -n 1)\n'
        f"[ -n \"$p\" ] || {{ echo 'the unit {UNIT} runs, and no garbd in it' >&2; exit 1; }}\n"
        "echo @args; tr '\\0' '\\n' </proc/$p/cmdline\n"
        "l=$(tr '\\0' '\\n' </proc/$p/cmdline | sed -n '/^\\(-l\\|--log\\)$/{n;p}')\n"
        'echo @log; if [ -n "$l" ]; then cat "$l"; else journalctl -o cat --no-pager '
        f"_SYSTEMD_INVOCATION_ID=$(systemctl show {UNIT} -p InvocationID --value); fi 2>/dev/null |\n"
        "  grep -o 'listening at [a-z]*://[^ ]*' | tail -n 1; true"
    ),
    running,
    roles=_ARBITRATOR,
)
PULSE: Fact[State] = Fact(
    "arbitrator.pulse",
    Shell(f"echo clock=$(date +%s.%N); echo service=$(systemctl is-active {UNIT}); echo garbd=$(pgrep -cx garbd)"),
    lambda output: dict(line.split("=", 1) for line in output.splitlines() if "=" in line),
    stable=False,
    roles=_ARBITRATOR,
)
FACTS = (SETUP, RUNNING, PULSE)


def shown(facts: HostFacts) -> State:
    """What a member runs with: a database's server says it, an arbitrator's process shows it."""
    return facts[RUNNING] if facts.host.role is Role.ARBITRATOR else facts[VARIABLES]


def configured(facts: HostFacts) -> dict[str, str]:
    """The provider's options as a member's next start will read them."""
    if facts.host.role is Role.ARBITRATOR:
        return provider.parse(facts[SETUP].options)
    return provider.parse(str(facts[CONFIG].get("wsrep_provider_options") or ""))
