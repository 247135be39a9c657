"""The lab's db1, whatever height it stands at: a right and a wrong password, and a hello at the group port."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from galvan.edges.wire import OperatorDialer, Wire
from galvan.model import Attempt, GroupHello, Login, Outcome, SecretRef, Trial, Unreadable

DB1 = "10.89.77.11"
PASSWORD = Path.home() / ".local/state/galvan/lab/app.password"

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not PASSWORD.exists(), reason="the lab is not up")]


async def _nothing(*_: Any) -> Any:
    raise Unreadable("not in this test")


def attempt(what: Attempt) -> Trial:
    def secret(ref: SecretRef) -> str:
        return PASSWORD.read_text().strip() if ref.name == "app" else "wrong"

    return asyncio.run(Wire(OperatorDialer(), secret, _nothing, _nothing, _nothing).attempt("operator", what))


def test_a_wrong_password_is_refused_and_the_right_one_is_let_in_one_way_or_the_other() -> None:
    assert attempt(Login(DB1, 3306, "app", SecretRef("wrong"), False)).outcome is Outcome.REFUSED
    ways = {attempt(Login(DB1, 3306, "app", SecretRef("app"), tls)).outcome for tls in (False, True)}
    assert Outcome.ACCEPTED in ways


def test_the_group_port_speaks_plaintext_or_asks_for_a_certificate() -> None:
    for credential in ("none", "foreign"):
        assert attempt(GroupHello(DB1, 4567, credential)).outcome in (Outcome.CLEAR, Outcome.REFUSED)
