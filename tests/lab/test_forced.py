"""A forced transfer where every member serves clients: the one that gives is spared by the balancer, and no client notices."""

from __future__ import annotations

import re

import pytest

from galvan import lab

from .operator import Operator, synced

pytestmark = pytest.mark.lab
GROUND = {"multi_writer": True}


def test_no_client_notices_where_every_member_writes(operator: Operator) -> None:
    lab.execute("db1", "mariadb -e 'CREATE TABLE app.bulk (b BLOB)'")
    for host in lab.current().databases:  # so that the transfer lasts, and past the cache of write sets
        rows = "SET SESSION wsrep_on = OFF; INSERT INTO bulk SELECT RPAD(MD5(seq), 12288, SHA2(seq, 512)) FROM seq_1_to_16384"
        lab.execute(host.name, f"mariadb app -e '{rows}'")
    lab.start_load(writers=4)
    done = operator.run("verify", "--tip", "sst_account", "--force-sst", "db3")
    report = lab.stop_load()
    assert "got all its data anew" in done.stdout, done.stdout + done.stderr
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report.errors
    assert synced()
    log = lab.execute("lb1", "journalctl -u haproxy -o cat --no-pager")
    drained, down = (
        set(re.findall(rf"Server galera/(db\d) {said}", log)) for said in ("enters drain state", "is DOWN")
    )
    assert len(drained) == 2
    assert "db3" in drained
    assert down <= drained, log  # nobody's sessions were cut
    states = lab.execute(
        "lb1", "echo 'show stat' | socat - /run/haproxy/admin.sock | grep '^galera,db' | cut -d, -f2,18"
    )
    assert states.split() == ["db1,UP", "db2,UP", "db3,UP"]
