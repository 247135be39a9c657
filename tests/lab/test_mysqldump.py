"""mysqldump as the seed has it: an account under REQUIRE SSL on all members, which the donor's client logs in with at the joiner. Galvan
advises against it, and does not change it; what it needs beside client TLS is a client that asks for TLS, in a group that both the
client and the dump read. On 10.11 and 11.8."""

from __future__ import annotations

import pytest

from galvan import lab
from galvan.model import Outcome

from .operator import Operator, synced, wait
from .test_sst import MARKER, TIP, address, holds_the_marker, seen_on, tapped

pytestmark = pytest.mark.lab
GRANT = (
    "CREATE USER dump@'%' IDENTIFIED BY 'dump-in-the-lab' REQUIRE SSL; GRANT ALL ON *.* TO dump@'%' WITH GRANT OPTION"
)
LINES = "[mysqld]\\nwsrep_sst_method = mysqldump\\nwsrep_sst_auth = dump:dump-in-the-lab\\n[client-mariadb]\\nssl\\nskip-ssl-verify-server-cert\\n"
SETTING = "SET GLOBAL wsrep_sst_auth = 'dump:dump-in-the-lab'; SET GLOBAL wsrep_sst_method = 'mysqldump'"


@pytest.mark.parametrize(
    "operator", [{"release": "bookworm"}, {"release": "trixie"}], indirect=True, ids=["bookworm", "trixie"]
)
def test_all_of_it_and_what_was_missed_come_in_tls_alone(operator: Operator) -> None:
    assert operator.json("apply", "--tip", "client_tls", "--to", "ready", "--auto-approve")["status"] == "done"
    lab.execute("db1", f'mariadb -e "CREATE TABLE app.said (t TEXT); {GRANT}"')
    for host in lab.current().databases:
        lab.execute(host.name, f"printf '{LINES}' >/etc/mysql/mariadb.conf.d/zzz-dump.cnf; mariadb -e \"{SETTING}\"")
    for rest in ("rm -f /var/lib/mysql/grastate.dat; ", ""):
        with tapped("db3", f"tcp port 3306 and not host {address('lb1')}") as file:
            lab.execute("db3", "systemctl stop mariadb")
            lab.execute("db1", f"mariadb -e \"INSERT INTO app.said VALUES ('{MARKER}')\"")
            lab.execute("db3", f"{rest}timeout 160 systemctl start mariadb", limit=170)
            wait(synced)
        assert seen_on("db3", file, 3306) is Outcome.ENCRYPTED
        assert holds_the_marker("db3")
    found = {f["check"] for f in operator.json("audit", *TIP, code=(0, 4))["findings"] if f["verdict"] == "fail"}
    assert {"sst_tls.method", "sst_tls.encrypted"} <= found  # a joiner that takes clear text as well
    assert "mysqldump" in operator.json("plan", *TIP, code=(0, 4))["refused"]["sst_tls"]
