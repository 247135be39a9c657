"""Two servers as their distribution installs them, judged by hand row by row: a false alarm is a defect."""

from __future__ import annotations

import tomllib

import pytest
from practice_cases import BY_ID, HERE, snapshot_of

RELEASES = ("10.11", "11.8")
ROWS = {
    release: tomllib.loads((HERE / "outputs" / f"fresh-{release}" / "judged.toml").read_text())["row"]
    for release in RELEASES
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_fresh_server_is_judged_as_a_person_judged_it(release: str) -> None:
    snapshot = snapshot_of({"from": f"fresh-{release}"})
    mine = [check for id, check in BY_ID.items() if id.startswith("hardening.")]
    said = {f.check: (str(f.verdict), f.seen) for check in mine for f in check.judge(snapshot)}
    assert said == {row["check"]: (row["verdict"], row["seen"]) for row in ROWS[release]}


@pytest.mark.parametrize("release", RELEASES)
def test_each_alarm_has_its_reason(release: str) -> None:
    assert [row["check"] for row in ROWS[release] if row["verdict"] == "fail" and not row.get("why")] == []
    assert [row["check"] for row in ROWS[release] if row["verdict"] == "unknown"] == []
