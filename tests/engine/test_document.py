"""A plan as a document comes back as the same plan, and nothing else comes back at all."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from practice import OPERATORS, TLS, carry, insecure, order_in, planned, run, undo_of

from galvan.app.change import FACTS
from galvan.edges.fake import Pool
from galvan.engine.document import FORMAT, from_document, to_document, wave_document, wave_from
from galvan.engine.plan import Plan
from galvan.model import BadInput, Rung
from galvan.tips import TIPS

NAMES = ("whole", "two", "one-tip", "walls", "ready", "back", "half", "nothing")


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    fake, two, half = insecure(), insecure(databases=2, balancer=False), insecure(databases=4)
    half.clients.pools.append(Pool("report", "app1", "", 1, stubborn=True))
    half.clients.tend()
    made, walled = run(planned(fake)), insecure(firewall=OPERATORS)
    found = {
        "whole": made, "two": run(planned(two)), "one-tip": run(planned(fake, TLS[:1])), "walls": run(planned(walled, TIPS)), "ready": run(planned(fake, to=Rung.READY)),
        "back": undo_of(made, order_in(fake)),
    }  # fmt: skip
    run(carry(half, run(planned(half)), upto=9))
    found["half"] = run(planned(half))
    run(carry(fake, made))
    return {**found, "nothing": run(planned(fake))}


def test_every_plan_is_tried(plans: dict[str, Plan]) -> None:
    assert set(NAMES) == set(plans)
    assert [name for name in NAMES if not plans[name].waves] == ["nothing"]


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_comes_back_as_it_went(plans: dict[str, Plan], name: str) -> None:
    made = plans[name]
    said = json.loads(json.dumps(to_document(made)))
    assert from_document(said, FACTS) == made
    assert json.loads(json.dumps(to_document(from_document(said, FACTS)))) == said


@pytest.mark.parametrize("name", NAMES)
def test_a_wave_comes_back_as_it_went(plans: dict[str, Plan], name: str) -> None:
    for wave in plans[name].waves:
        assert wave_from(json.loads(json.dumps(wave_document(wave))), FACTS) == wave


def test_the_shape_that_is_promised(plans: dict[str, Plan]) -> None:
    said = to_document(plans["whole"])
    assert {"fingerprint", "waves", "restarts_per_host", "impact"} <= said.keys()
    assert {"phase", "host", "restart", "steps"} <= said["waves"][0].keys()
    assert {host: n for host, n in said["restarts_per_host"].items() if n} == {"db1": 2, "db2": 2, "db3": 2}


def test_no_secret_lies_in_it(plans: dict[str, Plan]) -> None:
    text = json.dumps(to_document(plans["whole"]))
    assert "PRIVATE KEY" not in text
    assert "BEGIN CERTIFICATE" not in text
    assert "not-for-you" not in text


@pytest.mark.parametrize("format", [FORMAT + 1, FORMAT - 1, str(FORMAT), None])
def test_another_format_is_refused(plans: dict[str, Plan], format: Any) -> None:
    with pytest.raises(BadInput, match="plan again"):
        from_document({**to_document(plans["whole"]), "format": format}, FACTS)


def _damaged() -> dict[str, Any]:
    def step(said: Any) -> Any:
        return said["waves"][0]["steps"][0]

    return {
        "no waves": lambda said: said.pop("waves"),
        "no rung": lambda said: said.update(to="somewhere"),
        "no stage": lambda said: said["waves"][0].update(stage="never"),
        "no such fact": lambda said: step(said).update(read="host.nothing"),
        "no such action": lambda said: step(said)["do"][0].update(kind="destroy"),
        "more than an action holds": lambda said: step(said)["do"][0].update(sudo=True),
        "no id": lambda said: step(said).pop("id"),
        "no disruption": lambda said: step(said).update(disruption="total"),
        "waves of text": lambda said: said.update(waves=["first"]),
    }


@pytest.mark.parametrize("what", _damaged())
def test_what_no_galvan_wrote_is_refused(plans: dict[str, Plan], what: str) -> None:
    said = copy.deepcopy(json.loads(json.dumps(to_document(plans["whole"]))))
    _damaged()[what](said)
    with pytest.raises(BadInput, match="plan again"):
        from_document(said, FACTS)
