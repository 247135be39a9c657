"""A host is taken out by hand: behind the balancers that Galvan commands, or by its own answer where there are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from practice import crew_of, hosts, run

from galvan.cluster import answer
from galvan.cluster.balancer import BALANCER, Server
from galvan.cluster.behind import BEHIND, behind, ways
from galvan.cluster.maxscale import MAXSCALE
from galvan.cluster.proxysql import SERVERS
from galvan.cluster.quote import sh
from galvan.edges.fake import Fake
from galvan.engine import choreography
from galvan.model import Cluster, Host, HostFacts, Role
from galvan.tips.load_balancer.health import Endpoint


def alone(answers: bool) -> Fake:
    """Members without a balancer in galvan.yaml."""
    fake = Fake(Cluster("shop", tuple(h for h in hosts() if h.role is Role.DATABASE)))
    for machine in fake.machines.values():
        machine.health.runs = answers
    return fake


def test_the_flag_is_the_one_that_the_answer_looks_for() -> None:
    _, script, _, _ = Endpoint((), "/run/mysqld/mysqld.sock").files[0]
    assert f"\nhome={answer.HOME}\n" in script
    assert "[ ! -e $home/drained ]" in script
    assert f"{answer.HOME}/drained" == answer.FLAG


def test_its_own_answer_says_so_where_no_balancer_knows_it() -> None:
    fake, said = alone(answers=True), []
    host = fake.machines["db2"].host
    run(crew_of(fake).choreography.drain(host, fake, said.append))
    assert "its answer on port 9200 says 503 from now on" in said[0]
    assert answer.FLAG in fake.machines["db2"].files
    run(crew_of(fake).choreography.welcome(host, fake))
    assert answer.FLAG in fake.machines["db2"].files, "a run leaves it as its operator put it"
    run(crew_of(fake).choreography.undrain(host, fake))
    assert answer.FLAG not in fake.machines["db2"].files


def test_without_an_answer_there_is_nothing_to_lay() -> None:
    fake, said = alone(answers=False), []
    run(crew_of(fake).choreography.drain(fake.machines["db2"].host, fake, said.append))
    assert answer.FLAG not in fake.machines["db2"].files
    assert not any("503" in line for line in said)


@pytest.mark.parametrize("there", ["nothing", "flag", "link", "no directory"])
def test_the_flag_on_a_real_disk(tmp_path: Path, there: str) -> None:
    """A link that its user laid is not followed, and is an error."""
    flag, other = tmp_path / "run" / "drained", tmp_path / "other"
    other.write_text("precious")
    if there != "no directory":
        flag.parent.mkdir()
    if there == "flag":
        flag.touch()
    if there == "link":
        flag.symlink_to(tmp_path / "away")
    done = subprocess.run(
        ["dash", "-eu"], input=sh(choreography._LAY, flag=str(flag)).text, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is (there != "link")
    assert done.stdout == ("laid\n" if there in ("nothing", "flag") else "")
    assert not (tmp_path / "away").exists()


@pytest.mark.parametrize(
    ("kind", "fact"), [("", BALANCER), ("haproxy", BALANCER), ("proxysql", SERVERS), ("maxscale", MAXSCALE)]
)
def test_each_kind_is_asked_in_its_own_way(kind: str, fact: object) -> None:
    seen = (Server("10", "db1:3306", "db1", "UP", 3, True),)
    assert ways(kind)[0] is fact
    assert fact in BEHIND
    host = Host("lb1", "10.0.0.10", Role.LOAD_BALANCER, "lb1", kind)
    assert behind(HostFacts(host, {fact.id: seen})) == seen  # type: ignore[attr-defined]


def test_each_kind_is_told_in_its_own_way() -> None:
    told = {
        kind: [ways(kind)[1]("10", "db1:3306", state).text for state in ("drain", "ready")]
        for kind in ("haproxy", "proxysql", "maxscale")
    }
    assert "set server 10/db1:3306 state drain" in told["haproxy"][0]
    assert "OFFLINE_SOFT" in told["proxysql"][0]
    assert "set server db1:3306 maintenance" in told["maxscale"][0]
    assert "clear server db1:3306 maintenance" in told["maxscale"][1]
    assert len({text for texts in told.values() for text in texts}) == 6
