"""Odd ground, one whole way each (`make campaign`); each writes its line into docs/campaigns/grounds.md.

A ground is a value. Add yours to GROUNDS, and run it alone with `pytest -m campaign tests/lab/test_grounds.py -k NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from galvan import lab

from .walk import Ground, note, stand_on, walk

pytestmark = [pytest.mark.lab, pytest.mark.campaign]

GROUNDS = (
    Ground("11.8", {"release": "trixie"}),
    Ground("mixed", {"release": "bookworm,bookworm,trixie"}, notes="in mid-upgrade, db3 joined by SST from 10.11"),
    Ground("ipv6", {"ipv6": True}, notes="IPv6 addresses and no others"),
    Ground("two", {"nodes": 2}, impact=("no-fault-tolerance",)),
    Ground("five", {"nodes": 5}),
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "operator"
    lab.down()


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: ground.name)
def test_a_ground(ground: Ground, home: Path) -> None:
    note(walk(stand_on(ground, home), ground))
