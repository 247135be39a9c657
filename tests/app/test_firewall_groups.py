"""`galvan firewall`: the exit codes, and that nothing is said of what could not be seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from galvan import cli
from galvan.app import groups
from galvan.app.desk import Desk
from galvan.cluster.facts import PLATFORM, VARIABLES
from galvan.edges import aws
from galvan.model import Host, HostFacts, Role, Snapshot, Unreadable, Walls
from galvan.tips.firewall.facts import CALLER, LISTENERS, Caller, Listener

FILE = """
cluster: shop
hosts:
  db1: {role: database, address: 10.0.0.1}
  db2: {role: database, address: 10.0.0.2}
  lb1: {role: load_balancer, address: 10.0.1.1, kind: haproxy}
  app1: {role: application, address: 10.0.2.1}
"""


@dataclass
class Office:
    """What the hosts show, and what AWS would say."""

    file: Path
    readings: dict[str, dict[str, object]]
    seen: dict[str, Any]

    def run(self, *words: str) -> int:
        return cli.run(["firewall", *words, "--cluster", str(self.file)])


def shown(host: Host) -> dict[str, object]:
    door = Listener("tcp", "*", 3306, "haproxy" if host.role is Role.LOAD_BALANCER else "mariadbd")
    return {
        VARIABLES.id: {"port": "3306", "wsrep_on": "ON", "wsrep_node_address": host.address}, PLATFORM.id: {"addresses": host.address},
        LISTENERS.id: (Listener("tcp", "*", 22, "sshd"), door), CALLER.id: Caller("192.0.2.7", 22),
    }  # fmt: skip


def let(port: int, *networks: str, unread: str = "") -> aws.Let:
    return aws.Let("sg-1", "tcp", port, port, networks, unread)


SSH = let(22, "192.0.2.0/24")
MEMBER = aws.Seen("i-1", (
    SSH, let(3306, "10.0.1.1"), let(4567, "10.0.0.1", "10.0.0.2"), let(4568, "10.0.0.1", "10.0.0.2"), let(4444, "10.0.0.0/30"),
    let(9200, "10.0.1.1"),
))  # fmt: skip
GOOD = replace(MEMBER, lets=(*MEMBER.lets[:4], let(4444, "10.0.0.1", "10.0.0.2"), MEMBER.lets[5]))
DOOR = aws.Seen("i-9", (SSH, let(3306, "10.0.2.1")))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "galvan.yaml").write_text(FILE)
    made = Office(tmp_path / "galvan.yaml", {}, {"db1": GOOD, "db2": GOOD, "lb1": DOOR})

    async def look(desk: Desk) -> Snapshot:
        policy = replace(desk.cluster.policy, firewall=Walls(operators=("192.0.2.0/24",)))
        cluster = replace(desk.cluster, policy=policy)
        facts = tuple(HostFacts(h, shown(h) | made.readings.get(h.name, {})) for h in cluster.hosts)
        return Snapshot(cluster, facts, {}, 0.0)

    monkeypatch.setattr(groups, "_look", look)
    monkeypatch.setattr(aws, "read", lambda hosts, *_: {name: made.seen[name] for name in hosts})
    return made


def test_export_prints_the_document(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run("export", "--to", "terraform-aws") == cli.OK
    said = json.loads(capsys.readouterr().out)
    rules = said["resource"]["aws_vpc_security_group_ingress_rule"]
    assert rules["database_tcp_4567_from_database"]["from_port"] == 4567
    assert set(said["output"]["security_group_ids"]["value"]) == {"db1", "db2", "lb1"}


def test_export_writes_the_file(office: Office, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "shop.tf.json"
    assert office.run("export", "--to", "terraform-openstack", "--output", str(file)) == cli.OK
    assert capsys.readouterr().out == ""
    assert "openstack_networking_secgroup_v2" in json.loads(file.read_text())["resource"]


def test_nothing_is_exported_where_the_policy_cannot_be_known(
    office: Office, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    office.readings["db2"] = {LISTENERS.id: Unreadable("db2 does not answer")}
    file = tmp_path / "shop.tf.json"
    assert office.run("export", "--to", "terraform-gcp", "--output", str(file)) == cli.INCOMPLETE
    assert "db2 does not answer" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize(
    "words", [("export", "--to", "aws"), ("compare", "--to", "terraform-aws"), ("export",), ("drop", "--to", "aws")]
)
def test_wrong_words(office: Office, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run(*words) == cli.USAGE


def test_compare_passes_where_the_groups_are_the_policy(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.run("compare", "--to", "aws", "--fail-on", "info") == cli.OK
    assert "0 fail, 0 could not be looked at, 3 pass" in capsys.readouterr().out


def test_compare_has_the_shape_of_an_audit(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.seen["db1"] = replace(GOOD, lets=(*GOOD.lets, let(3306, "0.0.0.0/0")))
    assert office.run("compare", "--to", "aws", "--format", "json") == cli.OK, "an audit fails on request only"
    said = json.loads(capsys.readouterr().out)
    assert [(f["check"], f["host"], f["verdict"]) for f in said["findings"]] == [
        ("firewall.security-groups", "db1", "fail"), ("firewall.security-groups", "db2", "pass"),
        ("firewall.security-groups", "lb1", "pass"),
    ]  # fmt: skip
    assert said["findings"][0]["seen"] == "lets in too much: tcp 3306 from 0.0.0.0/0 (sg-1)"
    assert office.run("compare", "--to", "aws", "--fail-on", "high") == cli.OK
    assert office.run("compare", "--to", "aws", "--fail-on", "medium") == cli.FINDINGS


@pytest.mark.parametrize("blind", ["aws", "group", "host"])
def test_what_could_not_be_seen_is_incomplete_and_beats_a_finding(
    office: Office, blind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    office.seen["db1"] = MEMBER
    if blind == "aws":
        office.seen["db2"] = Unreadable("AWS could not be asked: no credentials")
    elif blind == "group":
        office.seen["db2"] = replace(GOOD, lets=(*GOOD.lets, let(22, unread="pl-1 could not be read")))
    else:
        office.readings["db2"] = {LISTENERS.id: Unreadable("db2 does not answer")}
    assert office.run("compare", "--to", "aws", "--fail-on", "medium", "--format", "json") == cli.INCOMPLETE
    verdicts = {f["host"]: f["verdict"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert verdicts == {"db1": "fail", "db2": "unknown", "lb1": "pass"}


def test_hosts_that_are_not_the_cluster_are_said_and_not_exported(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.readings["db2"] = {VARIABLES.id: {"port": "3306", "wsrep_on": "OFF"}}
    assert office.run("export", "--to", "terraform-aws") == cli.GATE
    assert office.run("compare", "--to", "aws") == cli.INCOMPLETE
    said = capsys.readouterr()
    assert "db2 runs a server that is no Galera member" in said.err
    assert "attention: db2" in said.out
    assert said.out.count("{") == 0


def test_compare_keeps_to_the_limit(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.seen["db1"] = MEMBER
    assert office.run("compare", "--to", "aws", "--limit", "db2", "--fail-on", "medium", "--format", "json") == cli.OK
    assert [f["host"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["db2"]


def test_a_risk_that_the_policy_accepts_is_not_counted(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.seen["db1"] = MEMBER
    risk = "{check: firewall.security-groups, host: db1, reason: moving, owner: Ann, until: 2999-01-01}"
    office.file.write_text(f"{FILE}accept:\n  - {risk}\n")
    assert office.run("compare", "--to", "aws", "--fail-on", "info") == cli.OK
    assert "1 accepted by policy" in capsys.readouterr().out


def test_the_facts_that_are_asked_are_what_the_table_reads() -> None:
    assert {VARIABLES, PLATFORM, LISTENERS, CALLER} <= set(groups.NEEDED)


def test_an_audit_may_hold_them_beside_its_own(office: Office) -> None:
    import asyncio

    from galvan.app import desk as desks

    desk = desks.sit_down(office.file, ["firewall"], [])
    office.seen["db2"] = Unreadable("AWS knows no instance with this address")
    nothing = desks.Audited(Snapshot(desk.cluster, (), {}, 0.0), (), {}, (), {})
    seen = asyncio.run(groups.beside(desk, nothing))
    assert {f.host: f.verdict.value for f in seen.findings} == {"db1": "pass", "db2": "unknown", "lb1": "pass"}
