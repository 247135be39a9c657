"""Where the lab keeps its things on the operator's machine, and the lock that keeps two labs apart."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galvan.lab.errors import LabError


def name() -> str:
    """Which of several labs on this machine is meant (GALVAN_LAB); empty for the one that everybody means."""
    said = os.environ.get("GALVAN_LAB", "")
    if said and not re.fullmatch(r"[a-z][a-z0-9]{0,11}", said):
        raise LabError(
            f"GALVAN_LAB={said!r} is no name for a lab: up to twelve small letters and digits, a letter first"
        )
    return said


def called(stem: str) -> str:
    """A machine-wide name that belongs to this lab alone."""
    return f"{stem}-{name()}" if name() else stem


def state_dir() -> Path:
    """Keys, passwords and the description of the running lab; `down` removes it."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "galvan" / called("lab")


def guest_dir(host: str) -> Path:
    """Where a host that is a guest has its disk, its console and its process; no other host has one."""
    return state_dir() / "guests" / host


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
    """Hold this lab's lock; the kernel lets go of it however the process ends."""
    with _lock_file(called("galvan-lab")).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another `galvan lab` command is at work on this lab: wait for it to end") from None
        yield


@contextmanager
def one_builder() -> Iterator[None]:
    """Images are shared by all labs of the machine: whoever comes second waits, and finds them made."""
    with _lock_file("galvan-lab-images").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file(stem: str) -> Path:
    common = Path("/run/lock")
    return (common if common.is_dir() else Path(tempfile.gettempdir())) / f"{stem}.lock"
