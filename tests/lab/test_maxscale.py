"""A real MaxScale before a running cluster, as its manual begins: its members over TLS, a door of Galvan's beside the owner's, members at
rest behind both, and back. In order. GALVAN_MAXSCALE names a tar of its package's files."""

from __future__ import annotations

import os
import time

import pytest

from galvan import lab

from .operator import Operator, a_writer_dies, all_rest, restarts

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not os.environ.get("GALVAN_MAXSCALE"), reason="MaxScale is in no registry: GALVAN_MAXSCALE names none"
    ),
]
GROUND = {"balancer": "maxscale"}
OLD, DOOR = "lb1", "lb1:3310"
KEPT = """
find /etc/maxscale.cnf /etc/maxscale.cnf.d /var/lib/maxscale/maxscale.cnf.d -type f -printf '%p %m %u:%g\\n' | sort
find /etc/maxscale.cnf /etc/maxscale.cnf.d /var/lib/maxscale/maxscale.cnf.d -type f | sort | xargs sha256sum
"""
"""Files: a directory of MaxScale's that Galvan made, and left empty, stays."""
CTL = "[ ! -r /etc/galvan/maxscale/maxctrl.cnf ] || o='-c /etc/galvan/maxscale/maxctrl.cnf'; grep -q '^admin_ssl_key' /etc/maxscale.cnf && o=\"$o -s -n=false\"; maxctrl $o "


@pytest.fixture(scope="module")
def balanced(operator: Operator) -> Operator:
    who = Operator(operator.home, ("client_tls", "load_balancer"))
    who.govern("{load_balancer: {door: 3310}}")
    return who


@pytest.fixture(scope="module")
def before(balanced: Operator) -> str:
    return lab.execute("lb1", KEPT)


def ctl(words: str) -> str:
    return lab.execute("lb1", f"{CTL} {words} --tsv 2>&1 || true").strip()


def writer() -> str:
    """By name, who takes the writes now."""
    return next((row.split("\t")[0] for row in ctl("list servers").splitlines() if "Master" in row), "")


def test_it_stands_as_its_manual_begins(balanced: Operator, before: str) -> None:
    found = balanced.json("audit")
    failing = {f["check"] for f in found["findings"] if f["verdict"] == "fail" and f["host"] == "lb1"}
    assert {
        "load_balancer.default-credentials", "load_balancer.commands-closed", "load_balancer.backend-tls", "load_balancer.front-tls",
        "load_balancer.queue-and-caps",
    } <= failing  # fmt: skip
    assert [f for f in found["findings"] if f["verdict"] == "unknown" and f["host"] == "lb1"] == []
    assert lab.execute("lb1", KEPT) == before


def test_members_offer_tls_while_applications_write_through_the_owners_door(balanced: Operator, before: str) -> None:
    """Three restarts behind a MaxScale that by itself would cut whoever writes when its writer changes."""
    began = time.time()
    lab.start_load(writers=8, door=OLD)
    try:
        done = balanced.json("apply", "--auto-approve", "--watch", "3")
    finally:
        report = lab.stop_load()
    assert done["status"] == "done", done
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1}
    assert lab.execute("lb1", KEPT) == before, "what was switched on for the drains is off again"


def test_a_restart_of_maxscale_is_asked_for_by_name(balanced: Operator) -> None:
    refused = balanced.run("apply", "--auto-approve", "--watch", "1")
    assert refused.returncode == 5
    assert "maxscale-restart on lb1" in refused.stderr
    done = balanced.json("apply", "--auto-approve", "--watch", "1", "--accept-impact", "maxscale-restart", code=5)
    assert done["status"] == "watching", done
    assert "galvan-listener" in ctl("list listeners")
    handed = balanced.json("apply", "--auto-approve", "--watch", "1", code=5)
    assert handed["status"] == "watching", handed
    accepted = balanced.json(
        "apply", "--auto-approve", "--watch", "1", "--accept-impact", "Front", "--accept-impact", "maxscale-restart"
    )
    assert accepted["status"] == "done"
    failing = {f["check"] for f in balanced.json("audit")["findings"] if f["verdict"] in ("fail", "unknown")}
    assert failing == {
        "load_balancer.old-doors", "load_balancer.one-way-in", "load_balancer.queue-and-caps", "load_balancer.statements", "load_balancer.redundant",
    }  # fmt: skip
    assert balanced.json("plan")["waves"] == []


def test_nobody_gets_in_by_the_old_ways(balanced: Operator) -> None:
    password = lab.current().password_file.read_text().strip()
    asked = f"MYSQL_PWD={password} timeout 20 mariadb --skip-ssl -h lb1 -P %d -u app -N -e 'SELECT 1' 2>&1 || true"
    assert "ERROR" in lab.execute("app1", asked % 3310)
    assert "ERROR" in lab.execute("app1", asked % 3307)
    assert "401" in lab.execute("lb1", "HOME=/nonexistent maxctrl -s -n=false list servers 2>&1 || true")
    assert (
        lab.execute("mallory", "timeout 5 bash -c '</dev/tcp/lb1/8989' 2>/dev/null && echo open || echo shut").strip()
        == "shut"
    )
    through = f"MYSQL_PWD={password} timeout 20 mariadb --defaults-file=/etc/galvan/client/client.cnf -h lb1 -P 3310 -u app -N -e 'SELECT 1'"
    assert lab.execute("app1", through).strip() == "1"


def test_each_member_rests_and_no_transaction_fails(balanced: Operator) -> None:
    all_rest(balanced, DOOR)


def test_a_writer_that_dies_is_left_and_nothing_acknowledged_is_lost(balanced: Operator) -> None:
    a_writer_dies(writer, DOOR)


def test_the_way_back_leaves_everything_as_it_was(balanced: Operator, before: str) -> None:
    for _ in range(4):
        assert balanced.json("rollback", "--auto-approve")["status"] == "done"
    assert lab.execute("lb1", KEPT) == before
    assert "galvan" not in lab.execute("db1", "mariadb -N -B -e 'SELECT User FROM mysql.user'")
    assert "Door" in ctl("list services")
    assert "galvan" not in ctl("list services")
