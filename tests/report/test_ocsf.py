"""OCSF events against the schema of their own version and of a later one."""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import pytest
from audits import HOSTILE, OFFERED, REQUIRED, VERSIONS, audit, harmful
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from galvan.app.desk import Audited
from galvan.report import ocsf
from galvan.report.words import rows

Json = dict[str, Any]


@functools.cache
def validator(version: str) -> jsonschema.Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema("compliance_finding")
    return jsonschema.Draft202012Validator(schema)


def events(seen: Audited, version: str = ocsf.VERSION) -> list[Json]:
    text = ocsf.render(seen)
    found: list[Json] = json.loads(text.encode())
    assert len(text.splitlines()) == len(found) + 2, "one event a line"
    for event in found:
        validator(version).validate(event)
    return found


def of(found: list[Json], check: str, host: str) -> Json:
    (event,) = (e for e in found if e["metadata"]["event_code"] == check and e["resources"][0]["name"] == host)
    return event


@pytest.mark.parametrize("version", [ocsf.VERSION, "1.8.0"])
def test_every_row_is_an_event_that_the_schema_takes(version: str) -> None:
    assert len(events(audit(), version)) == len(rows(audit()))


def test_a_fault_is_seen() -> None:
    event = events(audit())[0]
    del event["finding_info"]
    with pytest.raises(jsonschema.ValidationError):
        validator(ocsf.VERSION).validate(event)


def test_the_numbers_are_those_of_a_compliance_finding_in_milliseconds() -> None:
    event = of(events(audit()), OFFERED, "db1")
    assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (2003, 2, 200301)
    assert event["time"] == 1795816800250
    assert (event["severity_id"], event["status_id"], event["compliance"]["status_id"]) == (5, 1, 3)
    assert event["compliance"]["standards"] == ["CIS MariaDB 10.6 8.1", "STIG MADB-10-004900"]
    assert event["remediation"]["desc"] == "galvan plan --tip client_tls"


def test_what_the_policy_sets_aside_is_suppressed_with_its_reason() -> None:
    found = events(audit())
    accepted, off = of(found, REQUIRED, "db2"), of(found, VERSIONS, "db1")
    assert (accepted["status"], accepted["status_detail"]) == (
        "Suppressed",
        "accepted by ann until 2099-01-31: an old driver",
    )
    assert (off["status"], off["compliance"]["status"]) == ("Suppressed", "Fail")


def test_not_to_know_is_no_pass() -> None:
    event = of(events(audit()), OFFERED, "db3")
    assert (event["status"], event["compliance"]["status"]) == ("New", "Unknown")


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_harmful_words(words: str) -> None:
    events(harmful(words))


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=())))
def test_any_words(words: str) -> None:
    events(harmful(words))
