"""Every check is judged on real output of real hosts (of ProxySQL and MaxScale: on what their documentation has them print):
tests/tips/TIP/CHECK.toml, one file a check."""

from __future__ import annotations

import tomllib

import pytest
from practice_cases import BY_ID, HERE, Case, cases, file_of, judge

from galvan.model import Check

CASES = cases()
FILES = sorted(HERE.glob("*/*.toml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case) -> None:
    finding = judge(case)
    assert finding.verdict == case.said["verdict"], finding.seen
    assert case.said["seen"] in finding.seen
    assert finding.check == case.check


@pytest.mark.parametrize("check", BY_ID.values(), ids=lambda check: check.id)
def test_every_check_has_its_cases(check: Check) -> None:
    """One that passes, one that fails, and one in which it cannot know."""
    assert file_of(check).is_file(), f"write {file_of(check).relative_to(HERE.parent.parent)}"
    assert {"pass", "fail", "unknown"} <= {c.said["verdict"] for c in CASES if c.check == check.id}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_belongs_to_a_check(path: object) -> None:
    said = tomllib.loads(path.read_text())  # type: ignore[attr-defined]
    assert said["check"] in BY_ID, "no such check: remove the file with it"
    assert file_of(BY_ID[said["check"]]) == path


def test_names_of_cases_are_not_given_twice() -> None:
    names = [case.id for case in CASES]
    assert sorted(names) == sorted(set(names))


def test_no_secret_lies_in_the_outputs() -> None:
    for path in HERE.glob("outputs/*/*/*.txt"):
        text = path.read_text()
        assert "PRIVATE KEY" not in text
        assert "wsrep_sst_auth=" not in text.replace("wsrep_sst_auth=(hidden)", "")
