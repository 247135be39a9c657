"""A plan as estimates, as commands to type, and on some hosts only."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
from practice import insecure, planned, run

from galvan.app.change import FACTS
from galvan.engine.document import from_document, to_document
from galvan.engine.estimate import estimates
from galvan.engine.plan import Plan, limited
from galvan.model import Restart, Stage, Unsafe
from galvan.report.commands import commands
from galvan.report.shapes import with_estimates


@pytest.fixture(scope="module")
def made() -> Plan:
    return run(planned(insecure()))


def typed(made: Plan, present: tuple[str, ...] = ()) -> str:
    ssh = {wave.host: f"{wave.host}.example" for wave in made.waves}
    doors = {"db2": [("lb1", "galera", "db2")]}
    return "\n".join(commands(made.waves, ssh, doors, "/state/authorities", present, 1095, "shop"))


def test_estimates_are_added_to_the_document_and_do_not_disturb_it(made: Plan) -> None:
    document = with_estimates(to_document(made), estimates(made.waves, {}, 45.0))
    assert all(wave["estimate_s"] > 0 and wave["measured"] is False for wave in document["waves"])
    assert to_document(from_document(json.loads(json.dumps(document)), FACTS)) == to_document(made)


def test_every_step_has_its_commands(made: Plan) -> None:
    text = typed(made)
    assert text.count("\n## ") == len(made.waves)
    for wave in made.waves:
        assert f" {wave.id}\n" in text
    restarts = sum(isinstance(action, Restart) for wave in made.waves for step in wave.steps for action in step.do)
    assert text.count("systemctl stop mariadb\nsystemctl start mariadb") == restarts == 6
    assert text.count("set server galera/db2 state drain") == text.count("set server galera/db2 state ready") == 2
    assert "ALTER USER 'app'@'%' REQUIRE SSL;" in text
    assert "scp db1.example:/etc/mysql/galvan/cluster/request.pem request.pem" in text


def test_commands_are_shell(made: Plan) -> None:
    done = subprocess.run(["bash", "-n"], input=typed(made), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_authority_that_is_there_is_not_made_again(made: Plan) -> None:
    assert typed(made).count("openssl req -x509") == 2
    assert typed(made, ("client", "cluster")).count("openssl req -x509") == 0
    assert "passphrase:?" in typed(made, ("client", "cluster"))


def test_a_limit_is_refused_where_it_leaves_a_mixed_state(made: Plan) -> None:
    with pytest.raises(Unsafe, match="replication_tls has to change db3 too"):
        limited(replace(made, tips=("replication_tls",)), {"db1", "db2", "app1"})
    with pytest.raises(Unsafe, match="client_tls has to change app1 too"):
        limited(made, {"db1", "db2", "db3"})
    assert limited(made, {"db1", "db2", "db3", "app1", "lb1"}).waves == made.waves
    assert limited(made, {"lb1"}).waves == ()


def test_one_host_that_lost_its_certificate_may_be_mended_alone(made: Plan) -> None:
    alone = replace(made, waves=tuple(w for w in made.waves if w.host == "db2" and w.stage is Stage.PREPARE))
    assert limited(alone, {"db2"}).waves == alone.waves
