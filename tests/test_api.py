"""Galvan as a library, as far as no host is needed; the rest is in tests/lab/test_api.py."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import galvan
from galvan import BadInput, Cluster, Plan, Rung, Verdict, apply, audit, plan, verify
from galvan.model import Host, Role
from galvan.tips import TIPS

NOBODY = Cluster(
    "shop",
    (
        Host("db1", "127.0.0.1", Role.DATABASE, "127.0.0.1", port=1),
        Host("lb1", "127.0.0.1", Role.LOAD_BALANCER, "127.0.0.1", "haproxy", port=1),
    ),
)
"""Nothing listens there, so every look is refused at once."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path))


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import galvan; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["galvan"]


def test_every_word_is_there_and_no_other() -> None:
    assert all(hasattr(galvan, word) for word in galvan.__all__)
    from galvan import api

    assert sorted(api.__all__) == sorted(galvan.__all__)
    with pytest.raises(AttributeError, match="galvan has no rollback_everything"):
        galvan.rollback_everything  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(galvan.__file__).parent / "py.typed").is_file()


def test_a_host_that_does_not_answer_is_named_and_nothing_is_said_of_it() -> None:
    seen = audit(NOBODY)
    assert "nothing listens at 127.0.0.1 port 1" in seen.unreachable["db1"]
    assert {finding.verdict for finding in seen.findings} == {Verdict.UNKNOWN}
    assert set(seen.rungs.values()) == {Rung.OPEN}


def test_a_plan_leaves_out_what_could_not_be_read() -> None:
    made = plan(NOBODY)
    assert set(made.refused) == {tip.id for tip in TIPS}
    assert made.waves == ()


def test_nothing_to_change_is_done_without_a_run() -> None:
    ended = apply(NOBODY, plan(NOBODY))
    assert (ended.status, ended.run, ended.waves_done) == ("done", "", 0)


def test_proofs_that_cannot_be_stated_are_named() -> None:
    done = verify(NOBODY)
    assert done.results == ()
    assert len(done.blind) == len(TIPS)


@pytest.mark.parametrize("call", [lambda: audit(NOBODY), lambda: plan(NOBODY), lambda: verify(NOBODY)])
def test_inside_a_running_loop_it_names_the_way_out(call: Callable[[], object]) -> None:
    async def inside() -> object:
        return call()

    with pytest.raises(BadInput, match=r"asyncio\.to_thread"):
        asyncio.run(inside())


def test_a_thread_is_that_way_out() -> None:
    async def inside() -> object:
        return await asyncio.to_thread(audit, NOBODY)

    assert isinstance(asyncio.run(inside()), galvan.Audited)


def test_a_file_is_read_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "galvan.yaml"
    with pytest.raises(BadInput, match="there is no"):
        audit(file)
    file.write_text("cluster: shop\nhosts:\n  db1: {role: database, address: 127.0.0.1, port: 1, ssh: 127.0.0.1}\n")
    assert audit(str(file)).snapshot.cluster.name == "shop"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: audit(NOBODY, tips="client_tls"), "takes a list"),
        (lambda: audit(NOBODY, limit="db1"), "takes a list"),
        (lambda: audit(NOBODY, tips=["client_tsl"]), "there is no tip client_tsl"),
        (lambda: audit(NOBODY, limit=["db9"]), "--limit db9: no host, role or group"),
        (lambda: plan(NOBODY, to=Rung.PROVEN), "READY or ENFORCED"),
        (lambda: apply(NOBODY, other_plan()), "a plan for other"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Callable[[], object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        call()


def other_plan() -> Plan:
    from galvan.cluster.order import Wave
    from galvan.model import Stage

    return Plan("other", "", (), Rung.READY, (Wave(Stage.PREPARE, "db1", ()),))
