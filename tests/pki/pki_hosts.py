"""This machine as a host: the scripts run for real, as root, with `nobody` in the place of mysql."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pki_requests import wanted

from galvan.model import Shell
from galvan.pki.authority import Unlocked, issue
from galvan.pki.material import Material, parse_material
from galvan.pki.needs import judge_material, make_key_and_request
from galvan.pki.places import Place

NOBODY = "nobody:nogroup"
SHELLS = [name for name in ("sh", "bash") if shutil.which(name)]
real = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("openssl"), reason="needs root and openssl")


def run(script: Shell, shell: str = "sh", **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin"} | environ
    return subprocess.run(
        [shell], input="{\n" + script.text + "\n}\n", capture_output=True, text=True, env=env, check=False
    )


def make(
    place: Place, *, renew: bool = False, shell: str = "sh", name: str = "db1"
) -> subprocess.CompletedProcess[str]:
    return run(make_key_and_request("cluster", name, NOBODY, renew=renew, place=place), shell)


def equip(place: Place, signer: Unlocked) -> str:
    """All that a host needs; returns the leaf."""
    assert make(place).returncode == 0
    leaf = issue(signer, Path(place.request).read_text(), wanted(), time.time())
    Path(place.certificate).write_text(leaf)
    Path(place.ca).write_text(signer.certificate.public_bytes(Encoding.PEM).decode())
    return leaf


def look(*directories: str, shell: str = "sh", **environ: str) -> dict[str, Material]:
    done = run(judge_material(directories, "nobody"), shell, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(parse_material(done.stdout))
