"""A real ProxySQL before a running cluster: taken as its first manual leaves it, made safe under load, rested behind, overrun, lost a
member, taught what may be said, and taken back. In order. GALVAN_PROXYSQL names the program."""

from __future__ import annotations

import os
import re
import time

import pytest

from galvan import lab

from .operator import Operator, a_writer_dies, all_rest, restarts, wait

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not os.environ.get("GALVAN_PROXYSQL"), reason="ProxySQL is in no registry: GALVAN_PROXYSQL names none"
    ),
]
GROUND = {"balancer": "proxysql"}
TIPS = ("client_tls", "load_balancer")
KEPT = r"""
python3 - <<'@py'
import sqlite3
disk = sqlite3.connect('file:/var/lib/proxysql/proxysql.db?mode=ro', uri=True)
for table in ('global_variables', 'mysql_servers', 'mysql_galera_hostgroups', 'mysql_users', 'mysql_servers_ssl_params', 'mysql_query_rules',
              'mysql_firewall_whitelist_users', 'mysql_firewall_whitelist_rules'):
    for row in sorted(map(repr, disk.execute('SELECT * FROM ' + table))):
        print(table, row)
@py
find /etc/proxysql.cnf /etc/galvan /var/lib/proxysql/*.pem -printf '%p %m %u:%g\n' 2>/dev/null | sort
sha256sum /var/lib/proxysql/*.pem /etc/proxysql.cnf
"""
"""What lasts over a restart of ProxySQL: its tables on disk, and its files."""
CAP, CLIENTS, WAIT = 8, 160, 5


@pytest.fixture(scope="module")
def balanced(operator: Operator) -> Operator:
    return Operator(operator.home, TIPS)


@pytest.fixture(scope="module")
def before(balanced: Operator) -> str:
    return lab.execute("lb1", KEPT)


def admin(statement: str, who: str = "own", host: str = "127.0.0.1", at: str = "lb1") -> str:
    """Asked of the administration; `who`: the account of Galvan's that lies on lb1, or USER:PASSWORD."""
    if who == "own":
        words = "--defaults-file=/etc/galvan/proxysql/admin.cnf"
    else:
        user, _, password = who.partition(":")
        words = f"-h {host} -P 6032 -u {user} -p{password}"
    return lab.execute(at, f'mariadb {words} --protocol=tcp -N -B -e "{statement}" 2>&1 || true').strip()


def through(statement: str, words: str = "") -> str:
    """What an application's client gets at the door."""
    password = lab.current().password_file.read_text().strip()
    said = statement.replace('"', '\\"')
    return lab.execute(
        "app1",
        f'MYSQL_PWD={password} timeout 30 mariadb {words} -h lb1 -P 3307 -u app -N -B -e "{said}" app 2>&1 || true',
    ).strip()


TLS = "--defaults-file=/etc/galvan/client/client.cnf"


def writer() -> str:
    """By name, who takes the writes now."""
    address = admin("SELECT hostname FROM runtime_mysql_servers WHERE hostgroup_id = 10 AND status = 'ONLINE'")
    return next((h.name for h in lab.current().databases if h.address == address), "")


def serving() -> bool:
    """Every member is known, and none is out."""
    rows = admin(
        "SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers WHERE hostgroup_id IN (10, 20)"
    ).splitlines()
    return len({row.split("\t")[1] for row in rows if len(row.split("\t")) == 3}) == 3


def test_it_stands_as_its_manual_begins(balanced: Operator, before: str) -> None:
    """The control of what is refused later."""
    door = lab.current().balancers[0].address
    assert admin("SELECT 1", "admin:admin") == "1"
    for known in ("admin:admin", "stats:stats"):  # ProxySQL's own rule for these two names
        assert "can only connect locally" in admin("SELECT 1", known, door, at="mallory")
    found = balanced.json("audit")
    assert found["rungs"]["load_balancer"] == "open"
    failing = {f["check"] for f in found["findings"] if f["verdict"] == "fail" and f["host"] == "lb1"}
    assert {
        "load_balancer.default-credentials", "load_balancer.commands-closed", "load_balancer.backend-tls", "load_balancer.front-tls",
    } <= failing  # fmt: skip
    assert [f for f in found["findings"] if f["verdict"] == "unknown" and f["host"] == "lb1"] == []
    assert lab.execute("lb1", KEPT) == before, "an audit only looks"


def test_it_is_made_safe_while_applications_write(balanced: Operator, before: str) -> None:
    """The same command, said again: members offer TLS and the door shows a certificate; ProxySQL goes on over TLS; applications go over, once
    no session from before is left. Then whom ProxySQL cannot tell of is taken by name."""
    began = time.time()
    ended: list[str] = []
    lab.start_load(writers=8)
    try:
        while len(ended) < 6 and balanced.json("audit")["rungs"]["client_tls"] != "enforced":
            ended.append(balanced.json("apply", "--auto-approve", "--watch", "5", code=(0, 5))["status"])
        accepted = balanced.json("apply", "--auto-approve", "--watch", "5", "--accept-impact", "app")
    finally:
        report = lab.stop_load()
    assert (set(ended), accepted["status"]) == ({"watching"}, "done")
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert report.logins_tls > 0, "the writers came over TLS at last"
    assert restarts(began) == {"db1": 1, "db2": 1, "db3": 1}
    found = balanced.json("audit")
    failing = {f["check"] for f in found["findings"] if f["verdict"] in ("fail", "unknown")}
    assert failing <= {"load_balancer.one-way-in", "load_balancer.redundant", "load_balancer.statements"}, failing
    assert balanced.json("plan")["waves"] == []


def test_the_passwords_that_everybody_knows_let_nobody_in(balanced: Operator) -> None:
    address = lab.current().balancers[0].address
    assert "denied" in admin("SELECT 1", "admin:admin")
    assert "denied" in admin("SELECT 1", "stats:stats")
    assert admin("SELECT 1", "stats:stats", address, at="mallory").startswith("ERROR 2002"), "nobody answers"
    assert admin("SELECT 1") == "1"
    kept = lab.execute("lb1", KEPT)
    password = lab.current().password_file.read_text().strip()
    assert password not in kept, "a user's password lay there in clear"
    assert "'monitor'" not in kept


def test_the_door_is_tls_on_both_sides(balanced: Operator) -> None:
    assert "TLSv1." in through("SHOW SESSION STATUS LIKE 'Ssl_version'", TLS)
    assert through("SELECT 1", "--skip-ssl").startswith("ERROR")
    rows = lab.execute(
        "db1", 'mariadb -N -B -e "SELECT USER, TLS_VERSION FROM information_schema.PROCESSLIST" 2>/dev/null || true'
    )
    assert rows is not None
    assert admin("SELECT COUNT(*) FROM runtime_mysql_servers WHERE use_ssl = 0") == "0"
    failed = admin(
        "SELECT COUNT(*) FROM monitor.mysql_server_galera_log WHERE error IS NOT NULL AND time_start_us > (strftime('%s','now') - 20) * 1000000"
    )
    assert failed == "0", "the monitor's own account comes over TLS"


def test_it_lasts_over_a_restart_of_the_balancer(balanced: Operator) -> None:
    lab.execute("lb1", "systemctl restart proxysql")
    wait(lambda: through("SELECT 1", TLS) == "1", 30)
    assert balanced.json("plan")["waves"] == []
    assert "denied" in admin("SELECT 1", "admin:admin")


def test_each_member_rests_and_no_transaction_fails(balanced: Operator) -> None:
    all_rest(balanced)
    wait(serving, 30)


def test_a_crowd_waits_at_the_door_or_is_turned_away(balanced: Operator) -> None:
    """Twenty times as many clients at once as a member takes."""
    balanced.govern(f"{{load_balancer: {{connections: {CAP}, queue_wait: {WAIT}}}}}")
    assert balanced.json("apply", "--tip", "load_balancer", "--auto-approve", "--watch", "1")["status"] == "done"
    at, password = writer(), lab.current().password_file.read_text().strip()
    most = "n=0; while [ ! -e /tmp/over ]; do t=$(mariadb -N -B -e \"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'\"); [ $t -le $n ] || n=$t; sleep 0.1; done; echo $n"
    lab.execute(
        at, f"rm -f /tmp/over\ncat >/tmp/most.sh <<'@sh'\n{most}\n@sh\nsetsid sh /tmp/most.sh >/tmp/most 2>&1 &"
    )
    crowd = (
        f"export MYSQL_PWD={password}; rm -f /tmp/ended; for n in $(seq {CLIENTS}); do (timeout 60 mariadb {TLS} -h lb1 -P 3307 -u app -N -B "
        "-e 'SELECT SLEEP(1)' >/dev/null 2>&1; echo $? >>/tmp/ended) & done; wait; sort /tmp/ended | uniq -c"
    )
    ended = {code: int(times) for times, code in (row.split() for row in lab.execute("app1", crowd).splitlines())}
    lab.execute(at, "touch /tmp/over; sleep 1")
    peak = int(lab.execute(at, "cat /tmp/most").split()[-1])
    assert sum(ended.values()) == CLIENTS
    assert set(ended) <= {"0", "1"}, f"124 is one who waited for ever: {ended}"
    assert ended["0"] >= CAP
    assert ended.get("1", 0) > 0, ended
    assert peak <= CAP
    balanced.govern("{}")
    assert balanced.json("apply", "--tip", "load_balancer", "--auto-approve", "--watch", "1")["status"] == "done"


def test_a_member_that_dies_is_left_and_nothing_acknowledged_is_lost(balanced: Operator) -> None:
    a_writer_dies(writer)
    wait(serving, 30)


INJECTIONS = (
    "SELECT payload FROM ledger WHERE writer = 1 OR 1=1",
    "SELECT payload FROM ledger WHERE writer = 1 UNION SELECT User FROM mysql.user",
    "SELECT payload FROM ledger WHERE writer = 1 AND SLEEP(1)",
    "SELECT LOAD_FILE('/etc/passwd')",
    "SELECT payload FROM ledger WHERE writer = 1; DROP TABLE ledger",
    "SELECT payload FROM ledger INTO OUTFILE '/tmp/loot'",
    "SELECT payload FROM ledger WHERE writer = 1 AND extractvalue(1, concat(0x7e, version()))",
)


def test_what_may_be_said_is_learnt_watched_and_held_to(balanced: Operator) -> None:
    lab.start_load(writers=4)
    try:
        learnt = balanced.run("lb", "firewall", "learn", "--window", "12", "--all")
        assert learnt.returncode == 0, learnt.stdout + learnt.stderr
        detect = balanced.run("lb", "firewall", "detect", "--auto-approve")
        assert detect.returncode == 0, detect.stdout + detect.stderr
        odd = "SELECT COUNT(*) FROM ledger WHERE payload LIKE 'x%'"
        assert through(odd, TLS).isdigit(), "while it detects, everything is let through"
        seen = balanced.run("lb", "firewall", "status")
        assert "payload" in seen.stdout, seen.stdout + seen.stderr
        waits = balanced.run("lb", "firewall", "protect", "--auto-approve")
        assert waits.returncode == 5, waits.stdout + waits.stderr
        unknown = set(re.findall(r"app/\w+/0x[0-9A-F]{16}", waits.stdout))
        assert unknown, "what was said since is named"
        names = [word for name in unknown for word in ("--accept-impact", name)]
        protect = balanced.run("lb", "firewall", "protect", "--auto-approve", *names)
        assert protect.returncode == 0, protect.stdout + protect.stderr
        answers = {statement: through(statement, TLS) for statement in (odd, *INJECTIONS)}
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert all("ERROR" in answer for answer in answers.values()), answers
    assert int(lab.execute("db1", "mariadb -N -B -e 'SELECT COUNT(*) FROM app.ledger'")) > 0


def test_the_way_back_leaves_everything_as_it_was(balanced: Operator, before: str) -> None:
    lab.start_load(writers=8)
    try:
        off = balanced.run("lb", "firewall", "off", "--auto-approve")
        assert off.returncode == 0, off.stdout + off.stderr
        assert through("SELECT COUNT(*) FROM ledger WHERE payload LIKE 'y%'", TLS).isdigit()
        for _ in range(8):
            done = balanced.json("rollback", "--auto-approve", code=(0, 1))
            if done.get("status") != "done":
                break
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert lab.execute("lb1", KEPT) == before
    assert "galvan" not in lab.execute("db1", "mariadb -N -B -e 'SELECT User FROM mysql.user'")
