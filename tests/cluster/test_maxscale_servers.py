"""What `maxctrl list servers --tsv` prints, and what is made of it.

The rows are those that users of MaxScale with Galera show of `maxctrl list servers` (24.02: "Master, Synced, Running", GTID); that --tsv
prints no header, and tabs between the same cells, is in maxctrl's source (lib/common.js, tsvopts). The order of the words of a state is
in MaxScale's (server/core/target.cc, status_to_string). Newer documentation says Write and Read for Master and Slave.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from galvan.cluster.balancer import Server
from galvan.cluster.maxscale import LOGIN, MAXSCALE, drain, servers, set_state, status_of, undrain
from galvan.model import Unreadable

TSV = (
    "Galera-71\t192.168.56.71\t3306\t4\tMaster, Synced, Running\t70-7000-5\tGalera-Monitor\n"
    "Galera-72\t192.168.56.72\t3306\t0\tSlave, Synced, Running\t70-7000-5\tGalera-Monitor\n"
    "Galera-73\t192.168.56.73\t3306\t2\tDraining, Slave, Synced, Running\t70-7000-5\tGalera-Monitor\n"
)


def test_who_is_behind_the_door() -> None:
    assert servers(TSV) == (
        Server("maxscale", "Galera-71", "192.168.56.71", "UP", 4, True),
        Server("maxscale", "Galera-72", "192.168.56.72", "UP", 0, False),
        Server("maxscale", "Galera-73", "192.168.56.73", "DRAIN", 2, False),
    )
    assert servers("") == ()
    assert (
        servers("s1\t10.0.0.1\t3306\t0\tDown\n")[0].status == "DOWN"
    )  # 22.08 prints five cells where no GTID is known


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("Master, Synced, Running", "UP"), ("Slave, Running", "UP"), ("Write, Running", "UP"), ("Read, Running", "UP"),
        ("Running", "DOWN"), ("Down", "DOWN"), ("Auth Error, Down", "DOWN"), ("Drained, Slave, Synced, Running", "DRAIN"),
        ("Maintenance, Running", "MAINT"), ("Maintenance, Slave, Synced, Running", "MAINT"), ("Master, Synced, Running, Master Stickiness", "UP"),
    ],
)  # fmt: skip
def test_the_words_of_a_state(state: str, said: str) -> None:
    assert status_of(state) == said


@pytest.mark.parametrize(
    "output",
    [
        "Error: Server at http://127.0.0.1:8989 responded with 401 Unauthorized to `GET servers`\n", "Could not connect to MaxScale\n",
        "s1\t10.0.0.1\t3306\tmany\tRunning\n",
    ],
)  # fmt: skip
def test_what_is_no_list_is_unreadable(output: str) -> None:
    with pytest.raises(Unreadable, match="did not list"):
        servers(output)


def test_the_scripts_are_sh_and_hold_no_password() -> None:
    for action in (drain("galvan-db1"), undrain("galvan-db1"), MAXSCALE.query):
        assert subprocess.run(["sh", "-n"], input=action.text, text=True, check=False).returncode == 0
        assert f"-c {LOGIN}" in action.text
        assert not re.search(r"\bm(axctrl|x)\b[^|;\n]* -p ", action.text)
    server = servers(TSV)[0]
    assert set_state(server.backend, server.name, "drain") == drain("Galera-71")
    assert set_state(server.backend, server.name, "ready") == undrain("Galera-71")
    assert "'it'\"'\"'s'" in drain("it's").text
