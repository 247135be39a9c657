"""The lab for a whole file of tests, fresh, with an operator who has run `galvan init`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from galvan import lab

from .operator import Operator, sit_down


@pytest.fixture(scope="module")
def operator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A module that wants other ground than the usual names it: `GROUND = {"nodes": 5}`, the words of `lab.up`; a test that is tried
    on several has them as the parameter."""
    lab.down()
    lab.up(**{**getattr(request.module, "GROUND", {}), **getattr(request, "param", {})})
    yield sit_down(tmp_path_factory.mktemp("operator"))
    lab.down()
