"""Where the lab keeps its things on the operator's machine, and the lock that keeps two labs apart."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galvan.lab.errors import LabError


def state_dir() -> Path:
    """Keys, passwords and the description of the running lab; `down` removes it."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "galvan" / "lab"


def cache_dir() -> Path:
    """Image tarballs; they outlive every lab."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "galvan-lab"


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write by rename, so that a reader sees the old file or the new one, and never with wider rights."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine's one lab lock; the kernel lets go of it however the process ends."""
    common = Path("/run/lock")
    folder = common if common.is_dir() else Path(tempfile.gettempdir())
    with (folder / "galvan-lab.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another `galvan lab` command is at work on this machine: wait for it to end") from None
        yield
