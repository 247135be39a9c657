"""The one place that runs programs on the operator's machine: podman, mmdebstrap, ssh-keygen."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from galvan.lab.errors import LabError
from galvan.lab.paths import called

Item = TypeVar("Item")
Result = TypeVar("Result")

NEEDED = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap", "ssh-keygen": "openssh-client"}
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


def check_tools() -> None:
    """Say all that is missing at once, before anything is made."""
    if os.geteuid() != 0:
        raise LabError("the lab boots whole hosts in containers and needs root: run it with sudo")
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
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
    """Run a POSIX sh script inside a host as root, from within: no network, no SSH.

    The script goes over stdin (it may hold a password) and is read whole before it starts, so that no child
    can swallow the rest of it.
    """
    body = "{\n" + script + "\n} </dev/null\n"
    return podman(
        "exec", "-i", container(host), "sh", "-s", what=f"{host}: a script failed", stdin=body.encode(), limit=limit
    )


def put(host: str, files: Iterable[File]) -> None:
    """Place files in a host, whether it is running or not yet started (`-a=false` keeps the archive's owners)."""
    what = f"{host}: files could not be placed"
    podman("cp", "-a=false", "-", f"{container(host)}:/", what=what, stdin=tarball(files))


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
