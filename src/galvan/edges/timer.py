"""systemd on the operator's own machine: units of Galvan's own are put in place, and taken away. No other unit is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from galvan.model import BadInput, GalvanError

MARK = "# Written by `galvan pki timer`, which writes over it and removes it: your changes belong into a drop-in (systemctl edit)"
UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
"""There where systemd is what runs the machine (sd_booted(3))."""


def _systemctl(argv: Sequence[str]) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GalvanError(f"{' '.join(argv)} failed: {done.stderr.strip() or f'exit status {done.returncode}'}")


@dataclass(frozen=True, slots=True)
class Systemd:
    """`directory` and `booted` are elsewhere in tests."""

    directory: Path = UNITS
    booted: Path = BOOTED
    run: Callable[[Sequence[str]], None] = _systemctl
    root: Callable[[], bool] = lambda: os.geteuid() == 0

    def install(self, units: Mapping[str, str], timer: str) -> None:
        """Raises BadInput before anything is written, where this is not root's, not systemd's, or a unit is another's."""
        self._may(units)
        for name, text in units.items():
            new = self.directory / f".{name}.new"
            new.write_text(text)
            new.chmod(0o644)
            new.replace(self.directory / name)
        self.run(["systemctl", "daemon-reload"])
        self.run(["systemctl", "enable", "--now", timer])

    def remove(self, names: Sequence[str], timer: str) -> tuple[str, ...]:
        """The units that were there and are gone now."""
        self._may(names)
        there = tuple(name for name in names if (self.directory / name).exists())
        if timer in there:
            self.run(["systemctl", "disable", "--now", timer])
        for name in there:
            (self.directory / name).unlink()
        if there:
            self.run(["systemctl", "daemon-reload"])
        return there

    def _may(self, names: Sequence[str] | Mapping[str, str]) -> None:
        if not self.booted.is_dir():
            raise BadInput(
                "systemd does not run this machine; print the units (galvan pki timer) and take them where it does"
            )
        if not self.root():
            raise BadInput(
                "units are put into place by root: use sudo, or print them (galvan pki timer) and install them yourself"
            )
        for name in names:
            path = self.directory / name
            if path.is_symlink() or (path.exists() and not path.read_text(errors="replace").startswith(MARK)):
                raise BadInput(f"{path} was not written by Galvan and is left alone; nothing was changed")
