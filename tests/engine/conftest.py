"""No test waits ten minutes for a member in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def soon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("galvan.engine.gates.RETURN", 0.05)
        yield
