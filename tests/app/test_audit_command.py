"""`galvan audit` as it is typed, as far as no host is needed: nothing listens where these hosts are said to be."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from galvan import cli
from galvan.cli.auditwords import FORMATS

HOSTS = "cluster: shop\nhosts:\n  db1: {role: database, address: 127.0.0.1, port: 1, ssh: 127.0.0.1}\n"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("GALVAN_FORMAT", raising=False)
    (tmp_path / "galvan.yaml").write_text(HOSTS)
    monkeypatch.chdir(tmp_path)


READERS = {"json": json.loads, "sarif": json.loads, "junit": xml.fromstring, "html": str, "ocsf": json.loads, "csv": lambda text: list(csv.reader(text.splitlines()))}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS["audit"])
def test_every_format_is_a_whole_document(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "--format", kind]) == cli.INCOMPLETE
    out = capsys.readouterr().out
    assert READERS.get(kind, str)(out)  # type: ignore[operator]
    assert "nothing listens at 127.0.0.1 port 1" in out


@pytest.mark.parametrize("kind", FORMATS["audit"])
def test_a_file_holds_the_same_and_nothing_is_printed(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report"
    assert cli.run(["audit", "--format", kind, "--output", str(file)]) == cli.INCOMPLETE
    assert capsys.readouterr().out == ""
    assert READERS.get(kind, str)(file.read_text(encoding="utf-8"))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["plan", "--format", "sarif"],
            "galvan plan knows text, json, and not sarif; sarif is a format of galvan audit",
        ),
        (["verify", "--format", "html"], "galvan verify knows text, json, and not html"),
        (
            ["audit", "--format", "pdf"],
            "galvan audit knows text, json, sarif, junit, html, ocsf, csv, markdown, and not pdf\n",
        ),
        (["audit", "--format", "sarif", "--fail-on", "high"], "--fail-on cannot go with --format sarif"),
        (["audit", "--format", "csv", "--baseline", "x"], "--baseline is shown in text and json, and not in csv"),
        (["audit", "--format", "html", "--timings"], "--timings is shown in text and json, and not in html"),
        (["audit", "--save-baseline", "nowhere/x"], "--save-baseline nowhere/x: there is no directory nowhere"),
    ],
)
def test_wrong_use_is_64_and_a_sentence(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == cli.USAGE
    assert told in capsys.readouterr().err


def test_a_format_of_the_environment_is_held_to_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GALVAN_FORMAT", "sarif")
    assert cli.run(["checks"]) == cli.USAGE
    assert "galvan checks knows text, json, markdown" in capsys.readouterr().err


def test_a_baseline_is_kept_and_compared_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kept.json"
    assert cli.run(["audit", "--save-baseline", str(file)]) == cli.INCOMPLETE
    capsys.readouterr()
    assert cli.run(["audit", "--baseline", str(file)]) == cli.INCOMPLETE
    assert ": 0 better, 0 worse, 0 new, 0 gone" in capsys.readouterr().out
    said = json.loads(file.read_text())
    gone = said["findings"].pop(1)
    assert gone["verdict"] == "unknown"
    said["findings"][0]["verdict"] = "pass"
    file.write_text(json.dumps(said))
    cli.run(["audit", "--baseline", str(file), "--format", "json"])
    changes = json.loads(capsys.readouterr().out)["baseline"]
    assert [change["check"] for change in changes["new"]] == [gone["check"]]
    assert [(change["check"], change["before"]) for change in changes["worse"]] == [
        (said["findings"][0]["check"], "pass")
    ]
    assert changes["since"] == said["taken_at"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is no audit that Galvan can compare with"),
        (b"\xff\xfe", "is no audit that Galvan can compare with"),
        (
            b'{"cluster": "stock", "findings": [], "rungs": {}}',
            "is an audit of the cluster stock, and this one is shop",
        ),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_baseline_of_this_cluster(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept.json"
    if content is not None:
        file.write_bytes(content)
    assert cli.run(["audit", "--baseline", str(file)]) == cli.ERROR
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("policy: {controls: {client_tls.offred: off}}\n", "policy.controls: there is no check client_tls.offred; did you mean client_tls.offered?"),
        ('accept: [{check: offered, reason: r, owner: o, until: "2099-01-01"}]\n', "accept: there is no check offered; did you mean client_tls.offered?"),
    ],
)  # fmt: skip
def test_a_policy_about_no_check_is_an_error(
    more: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "galvan.yaml").write_text(HOSTS + more)
    assert cli.run(["audit"]) == cli.ERROR
    assert told in capsys.readouterr().err


def test_off_is_said_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "galvan.yaml").write_text(HOSTS + "policy: {controls: {client_tls.offered: off}}\n")
    cli.run(["audit", "--accepted"])
    out = capsys.readouterr().out
    assert "off by policy: client_tls.offered, could not look on db1" in out
    assert "off\tcritical\tclient_tls.offered\tdb1" in out


@pytest.mark.parametrize("kind", FORMATS["checks"])
def test_the_checks_are_listed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["checks", "--format", kind]) == cli.OK
    out = capsys.readouterr().out
    assert "client_tls.offered" in out
    if kind == "json":
        first = json.loads(out)["checks"][0]
        assert {"id", "tip", "severity", "title", "control", "profile", "remedy", "references", "why"} <= first.keys()


def test_an_explanation_and_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", "client_tls.offered"]) == cli.OK
    assert "evidence   the server is asked, first of all:" in capsys.readouterr().out
    assert cli.run(["explain", "policy.risk-expired", "--format", "json"]) == cli.OK
    assert json.loads(capsys.readouterr().out)["remedy"].startswith("Give the entry")
    assert cli.run(["explain", "client_tls.ofered"]) == cli.ERROR
    assert (
        "there is no check client_tls.ofered; did you mean client_tls.offered? (galvan checks lists them)"
        in capsys.readouterr().err
    )
