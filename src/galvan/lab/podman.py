"""The one place that runs programs on the operator's machine: podman, mmdebstrap, ssh-keygen."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from galvan.lab.errors import LabError
from galvan.lab.paths import called, guest_dir, state_dir

Item = TypeVar("Item")
Result = TypeVar("Result")

NEEDED = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap", "ssh-keygen": "openssh-client"}
NO_MORE: Mapping[str, str] = MappingProxyType({})
PODMAN = ("podman", "--runtime", "runc")  # crun refuses hybrid cgroups


@dataclass(frozen=True, slots=True)
class File:
    """A file to lie in a host's root file system."""

    path: str
    text: str
    mode: int = 0o644
    owner: int = 0


def container(host: str) -> str:
    return f"{called('galvan-lab')}-{host}"


def check_tools(more: Mapping[str, str] = NO_MORE) -> None:
    """Say all that is missing at once, before anything is made; `more`: programs beside those that every lab needs."""
    if os.geteuid() != 0:
        raise LabError("the lab boots whole hosts in containers and needs root: run it with sudo")
    missing = [package for tool, package in {**NEEDED, **more}.items() if shutil.which(tool) is None]
    if missing:
        raise LabError(f"the lab needs programs that are not installed: apt-get install {' '.join(sorted(missing))}")


def run(argv: Sequence[str], what: str, stdin: bytes | None = None, limit: float = 600.0) -> str:
    """Run a program to its end and return what it printed; `what` names the deed in the error."""
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    try:
        done = subprocess.run(
            argv, input=stdin or b"", capture_output=True, timeout=limit, env=environment, check=False
        )
    except FileNotFoundError:
        raise LabError(f"{what}: the program {argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{what}: {argv[0]} did not end within {limit:.0f} s") from None
    if done.returncode != 0:
        raise LabError(f"{what}: {_reason(done.stderr, done.stdout)} (exit {done.returncode})")
    return done.stdout.decode(errors="replace")


def _reason(stderr: bytes, stdout: bytes) -> str:
    """The last lines of what a failed program said, without podman's warnings about other networks."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line and "level=warning" not in line]
    lines = lines or stdout.decode(errors="replace").splitlines()
    return " | ".join(lines[-4:]) or "no reason given"


def podman(*words: str, what: str, stdin: bytes | None = None, limit: float = 600.0) -> str:
    return run((*PODMAN, *words), what, stdin, limit)


def execute(host: str, script: str, limit: float = 600.0) -> str:
    """Run a POSIX sh script inside a host as root, from within: no network, no SSH (a guest has no other door than SSH).

    The script goes over stdin (it may hold a password) and is read whole before it starts, so that no child
    can swallow the rest of it.
    """
    body = "{\n" + script + "\n} </dev/null\n"
    return run((*into(host), "sh", "-s"), f"{host}: a script failed", body.encode(), limit)


def into(host: str) -> tuple[str, ...]:
    """What the command line begins with of a program that runs inside a host as root."""
    if not guest_dir(host).exists():
        return (*PODMAN, "exec", "-i", container(host))
    # a login to a guest costs it two seconds, so one connection is kept for all that follows
    kept = {"ControlMaster": "auto", "ControlPath": guest_dir(host) / "ssh", "ControlPersist": 60}
    patient = {"ConnectTimeout": 20, "ServerAliveInterval": 10, "ServerAliveCountMax": 6, "BatchMode": "yes"}
    options = (f"-o{key}={value}" for key, value in {**kept, **patient}.items())
    return ("ssh", "-F", str(state_dir() / "ssh_config"), *options, host)


def put(host: str, files: Iterable[File]) -> None:
    """Place files in a host, whether it is running or not yet started (`-a=false` keeps the archive's owners)."""
    what, placed = f"{host}: files could not be placed", tuple(files)
    if guest_dir(host).exists():
        paths = shlex.join(file.path for file in placed)
        run((*into(host), f"tar -x -C / && restorecon -F {paths}"), what, tarball(placed))
    else:
        podman("cp", "-a=false", "-", f"{container(host)}:/", what=what, stdin=tarball(placed))


def tarball(files: Iterable[File]) -> bytes:
    """Pure: files as a tar archive with owners and modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            data = file.text.encode()
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(data), file.mode, file.owner, file.owner
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def together(deed: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do a deed for all items at the same time; the first error rises after all have ended."""
    things = list(items)
    with ThreadPoolExecutor(max_workers=max(len(things), 1)) as pool:
        return list(pool.map(deed, things))
