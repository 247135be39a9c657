"""MariaDB 11.8 from open to proven and back: the same way as on 10.11, on another release."""

from __future__ import annotations

import pytest

from .operator import Operator
from .walk import Ground, walk

pytestmark = [pytest.mark.lab, pytest.mark.campaign]
GROUND = {"release": "trixie"}


def test_the_whole_way_on_mariadb_11_8(operator: Operator) -> None:
    walked = walk(operator, Ground("MariaDB 11.8", GROUND))
    assert "11.8" in walked.hosts
    assert walked.transactions > 0
