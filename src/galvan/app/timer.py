"""Renewal that nobody has to remember: a systemd timer on the operator's machine that runs `galvan pki renew` weekly.

The passphrase of the authorities' keys lies in a file of the operator's, 0600; systemd hands it to the service as a
credential, so that it stands in no unit, no argument and no environment.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from galvan.app.desk import AUTHORITIES, Desk
from galvan.edges.authorities import CREDENTIAL
from galvan.edges.state import home
from galvan.edges.timer import MARK, Systemd
from galvan.model import BadInput

_SERVICE = """{mark}
[Unit]
Description=Galvan renews the certificates of the cluster {cluster}
Wants=network-online.target
After=network-online.target
{on_failure}
[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
Environment={state}
LoadCredential={credential}
ExecStart={command}
TimeoutStartSec=2h
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={home} /tmp
"""
_TIMER = """{mark}
[Unit]
Description=Weekly: are certificates of the cluster {cluster} due?

[Timer]
OnCalendar=weekly
RandomizedDelaySec=6h
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`units`: name and text; `timer` is the one of them that is enabled."""

    units: Mapping[str, str]
    timer: str


def names_of(cluster: str) -> tuple[str, str]:
    return f"galvan-renew-{cluster}.service", f"galvan-renew-{cluster}.timer"


def schedule(
    desk: Desk, file: Path, passphrase: Path, on_failure: str = "", python: str = sys.executable, user: str = ""
) -> Schedule:
    """Pure but for where things lie: every path in a unit is absolute. `on_failure`: a unit that pages somebody."""
    file, secret, state = (
        file.expanduser().absolute(),
        passphrase.expanduser().absolute(),
        home().expanduser().absolute(),
    )
    service, timer = names_of(desk.cluster.name)
    command = (python, "-m", "galvan", "pki", "renew", "--cluster", str(file), "--no-input", "--no-color")
    said = _SERVICE.format(
        mark=MARK, cluster=desk.cluster.name, user=user or getpass.getuser(), folder=_plain(file.parent), command=_argv(command),
        state=_word(f"GALVAN_STATE={state}"), credential=f"{CREDENTIAL}:{_plain(secret)}", home=_word(str(state)),
        on_failure=f"OnFailure={_checked(on_failure)}\n" if on_failure else "",
    )  # fmt: skip
    return Schedule({service: said, timer: _TIMER.format(mark=MARK, cluster=desk.cluster.name)}, timer)


def _argv(words: Sequence[str]) -> str:
    return " ".join(_word(word.replace("$", "$$")) for word in words)


def _word(text: str) -> str:
    """One word for systemd: `%` is its own, and quotes are needed around anything but plain letters."""
    text = _checked(text).replace("%", "%%")
    if all(c.isalnum() or c in "/._-=+:@,%$" for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(path: Path) -> str:
    """A value that systemd takes to the end of the line, without quotes."""
    return _checked(str(path)).replace("%", "%%")


def _checked(text: str) -> str:
    if not text.isprintable():
        raise BadInput(f"{text!r} cannot stand in a unit: move the file to a path of printable characters")
    return text


def install(desk: Desk, made: Schedule, systemd: Systemd | None = None) -> None:
    """Raises BadInput where the passphrase does not open both keys: a timer that cannot renew is worse than none."""
    authorities = desk.authorities()
    for name in AUTHORITIES:
        authorities.open(name)
    (systemd or Systemd()).install(made.units, made.timer)


def remove(desk: Desk, systemd: Systemd | None = None) -> tuple[str, ...]:
    names = names_of(desk.cluster.name)
    return (systemd or Systemd()).remove(names, names[1])
