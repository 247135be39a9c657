"""No test waits ten minutes for a member in memory."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvan.engine.apply.RETURN", 0.05)
