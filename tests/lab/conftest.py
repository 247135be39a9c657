"""The lab for a whole file of tests, fresh, with an operator who has run `galvan init`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from galvan import lab

from .operator import Operator, sit_down


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    if lab.running():
        lab.down()
    lab.up()
    yield sit_down(tmp_path_factory.mktemp("operator"))
    lab.down()
