"""What a way back puts back, by the very scripts that hosts run: each run's own copy, whichever run was the latest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from galvan.edges import actions
from galvan.model import PutFile, RestoreFile

WAVE = "shut@db1"


def on_host(script: str, home: Path) -> None:
    text = script.replace(actions.HOME, str(home / "galvan")).replace("logger -t galvan", ": logger")
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that two runs wrote one after the other, in waves of one name."""
    file = tmp_path / "rules"
    file.write_text("of its owner\n")
    for run in ("run-1", "run-2"):
        on_host(
            actions.put(
                PutFile(str(file), f"of {run}\n", owner=f"{os.getuid()}:{os.getgid()}"), f"of {run}\n", run, WAVE
            ),
            tmp_path,
        )
    return file


def test_each_way_back_brings_back_what_its_own_run_replaced(path: Path, tmp_path: Path) -> None:
    for run, left in (("run-2", "of run-1\n"), ("run-1", "of its owner\n")):
        on_host(actions.restore(RestoreFile(str(path), WAVE), f"undo-{run}"), tmp_path)
        assert path.read_text() == left


def test_a_run_that_has_no_copy_takes_the_latest(path: Path, tmp_path: Path) -> None:
    on_host(actions.restore(RestoreFile(str(path), WAVE), "run-3"), tmp_path)
    assert path.read_text() == "of run-1\n"
