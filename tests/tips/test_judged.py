"""Whole audits of the tip, judged by hand row by row: two servers as their distribution installs them, and a member of the lab before and
after. A false alarm is a defect."""

from __future__ import annotations

import tomllib

import pytest
from practice_cases import BY_ID, HERE, snapshot_of

SETS = ("fresh-10.11", "fresh-11.8", "lab-open", "lab-hardened")
ROWS = {name: tomllib.loads((HERE / "outputs" / name / "judged.toml").read_text())["row"] for name in SETS}


@pytest.mark.parametrize("name", SETS)
def test_a_host_is_judged_as_a_person_judged_it(name: str) -> None:
    snapshot = snapshot_of({"from": name})
    mine = [check for id, check in BY_ID.items() if id.startswith("hardening.")]
    said = {f.check: (str(f.verdict), f.seen) for c in mine for f in c.judge(snapshot) if f.host in ("db1", None)}
    assert said == {row["check"]: (row["verdict"], row["seen"]) for row in ROWS[name]}


@pytest.mark.parametrize("name", SETS)
def test_each_alarm_has_its_reason(name: str) -> None:
    assert [row["check"] for row in ROWS[name] if row["verdict"] == "fail" and not row.get("why")] == []
    assert [row["check"] for row in ROWS[name] if row["verdict"] == "unknown"] == []
