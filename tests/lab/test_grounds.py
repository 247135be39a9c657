"""Odd ground, one whole way each (`make campaign`); each writes its line into docs/campaigns/grounds.md.

A ground is a value. Add yours to GROUNDS, and run it alone with `pytest -m campaign tests/lab/test_grounds.py -k NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from galvan import lab

from .walk import Ground, full_transfer, note, rolling, stand_on, walk

pytestmark = [pytest.mark.lab, pytest.mark.campaign]

ALREADY = {
    "client_tls.no-tlsv1": "its default is TLS 1.2 and 1.3",
    "client_tls.no-tlsv1.1": "its default is TLS 1.2 and 1.3",
    "client_tls.served-certificate": "TLS is there, and no authority to measure it by: not measured",
    "client_tls.wire": "our own marker asks for TLS, and gets it",
}


def as_it_comes() -> None:
    """What the lab takes away from 11.8 is put back: TLS by itself, clients that verify, an SST account by itself."""
    rolling(
        "sed -i '/^ssl/d;/^tls_version/d;/^wsrep_sst_auth/d;/^.client-server.$/,$d' /etc/mysql/mariadb.conf.d/60-galera.cnf"
    )


GROUNDS = (
    Ground("11.8", {"release": "trixie"}),
    Ground(
        "11.8-as-it-comes",
        {"release": "trixie"},
        prepare=as_it_comes,
        at_top=lambda operator: full_transfer("db3"),
        passing=ALREADY,
        notes="its own TLS on, no SST account, SST at the top",
    ),
    Ground(
        "mixed",
        {"release": "bookworm,bookworm,trixie"},
        notes="in mid-upgrade, mariabackup",
        refused=r"could not come back if db3 .* finish the upgrade first",
    ),
    Ground(
        "mixed-rsync",
        {"release": "bookworm,bookworm,trixie", "sst": "rsync"},
        impact=("mixed-versions",),
        notes="in mid-upgrade, rsync",
    ),
    Ground("ipv6", {"ipv6": True}, notes="IPv6 addresses and no others"),
    Ground("two", {"nodes": 2}, impact=("no-fault-tolerance",)),
    Ground("five", {"nodes": 5}),
    Ground("arbitrator", {"nodes": 2, "arbitrator": True}, notes="2 hosts and an arbitrator"),
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "operator"
    lab.down()


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: ground.name)
def test_a_ground(ground: Ground, home: Path) -> None:
    note(walk(stand_on(ground, home), ground))
