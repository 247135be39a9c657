"""One door before a running cluster, on real HAProxy: laid, rested behind, overrun, lost a member, and taken out. In order."""

from __future__ import annotations

import time
from typing import Any

import pytest

from galvan import lab

from .operator import Operator, a_writer_dies, all_rest, restarts, wait

pytestmark = pytest.mark.lab
SHOWN = """
find /etc/haproxy /usr/local/lib/galvan /etc/systemd/system -type f 2>/dev/null | sort | xargs -r sha256sum
find /etc/haproxy /usr/local/lib/galvan /etc/systemd/system -printf '%p %m %u:%g %l\\n' 2>/dev/null | sort
getent passwd galvan-health; systemctl is-active galera-health.socket galvan-health 2>/dev/null; true
"""
HOSTS = ("db1", "db2", "db3", "lb1")
CAP, CLIENTS, WAIT = 8, 160, 5
MOST = """
n=0
while [ ! -e /tmp/over ]; do
  t=$(mariadb -N -B -e "SHOW GLOBAL STATUS LIKE 'Threads_connected'" | cut -f 2)
  [ $t -le $n ] || n=$t
  sleep 0.1
done
echo $n
"""
FLOOD = """
import asyncio, collections
async def ask(data, hold):
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("@address@", 9200), 30)
        if data:
            writer.write(data)
        await asyncio.sleep(hold)
        said = await asyncio.wait_for(reader.read(300), 30)
        writer.close()
        return said.split(b"\\r\\n")[0].decode()
    except (OSError, TimeoutError) as why:
        return type(why).__name__
async def main():
    plain = b"OPTIONS / HTTP/1.0\\r\\n\\r\\n"
    for data, hold in ((plain, 0), (b"\\0\\377" * 5000, 0), (b"", 4), (b"O", 3), (b"GET /" + b"x" * 70000, 0)):
        crowd = [asyncio.create_task(ask(data, hold)) for _ in range(1000)]
        await asyncio.sleep(0.2)
        beside = await asyncio.gather(*(ask(plain, 0) for _ in range(5)))
        print(dict(collections.Counter(await asyncio.gather(*crowd))), dict(collections.Counter(beside)), sep=" | ")
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def balanced(operator: Operator) -> Operator:
    return Operator(operator.home, ("load_balancer",))


@pytest.fixture(scope="module")
def before(balanced: Operator) -> dict[str, str]:
    return shown()


def shown() -> dict[str, str]:
    return {host: lab.execute(host, SHOWN) for host in HOSTS}


def policy(who: Operator, **words: Any) -> None:
    said = ", ".join(f"{name}: {value}" for name, value in words.items())
    who.govern(f"{{load_balancer: {{{said}}}}}")


def stat(*columns: str) -> list[list[str]]:
    """Of the servers behind the door."""
    out = lab.execute("lb1", "echo 'show stat' | socat stdio unix-connect:/run/haproxy/admin.sock")
    head, *rows = [line.removeprefix("# ").split(",") for line in out.splitlines() if line.strip()]
    found = [dict(zip(head, row, strict=False)) for row in rows]
    return [[r[c] for c in columns] for r in found if r["pxname"] == "galvan_write" and r["svname"].startswith("db")]


def writes_to() -> str:
    said = lab.execute("lb1", "echo 'show table galvan_write' | socat stdio unix-connect:/run/haproxy/admin.sock")
    return said.rpartition("server_key=")[2].split()[0] if "server_key=" in said else ""


def test_it_is_laid_while_applications_write(balanced: Operator, before: dict[str, str]) -> None:
    assert balanced.json("audit")["rungs"] == {"load_balancer": "open"}
    assert {p["verdict"] for p in balanced.json("verify", code=3)["proofs"]} == {"fail"}
    assert shown() == before
    began = time.time()
    lab.start_load(writers=8)
    done = balanced.json("apply", "--auto-approve", "--watch", "3")
    report = lab.stop_load()
    assert (done["status"], done["waves_done"]) == ("done", 5), done
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert set(restarts(began).values()) == {0}
    failing = {f["check"] for f in balanced.json("audit")["findings"] if f["verdict"] in ("fail", "unknown")}
    assert failing == {"load_balancer.one-way-in", "load_balancer.redundant"}
    assert balanced.json("plan")["waves"] == []
    verdicts = {p["id"].split("@")[0]: p["verdict"] for p in balanced.json("verify", code=3)["proofs"]}
    assert verdicts == {
        "load_balancer.server": "fail",
        "load_balancer.health": "pass",
    }  # the former is a wall's business


def test_each_member_rests_and_no_transaction_fails(balanced: Operator) -> None:
    all_rest(balanced)
    assert {status for (status,) in stat("status")} == {"UP"}


def test_a_crowd_waits_at_the_door_or_is_turned_away(balanced: Operator) -> None:
    """Twenty times as many clients at once as a member takes: a cap, a queue, and an end to waiting."""
    policy(balanced, connections=CAP, queue_wait=WAIT)
    assert balanced.json("apply", "--auto-approve", "--watch", "1")["status"] == "done"
    writer = writes_to() or "db1"
    password = lab.current().password_file.read_text().strip()
    lab.execute(
        writer, f"rm -f /tmp/over\ncat >/tmp/most.sh <<'@sh'\n{MOST}@sh\nsetsid sh /tmp/most.sh >/tmp/most 2>&1 &"
    )
    crowd = (
        f"export MYSQL_PWD={password}; for n in $(seq {CLIENTS}); do (timeout 60 mariadb -h lb1 -P 3307 -u app -N -B -e 'SELECT SLEEP(1)' >/dev/null 2>&1; "
        "echo $? >>/tmp/ended) & done; wait; sort /tmp/ended | uniq -c"
    )
    ended = {
        code: int(times)
        for times, code in (row.split() for row in lab.execute("app1", "rm -f /tmp/ended; " + crowd).splitlines())
    }
    lab.execute(writer, "touch /tmp/over; sleep 1")
    peak = int(lab.execute(writer, "cat /tmp/most").split()[-1])
    assert sum(ended.values()) == CLIENTS
    assert set(ended) <= {"0", "1"}, f"124 is one who waited for ever: {ended}"
    assert ended["0"] >= CAP
    assert ended.get("1", 0) > 0, ended
    assert peak <= CAP + 4  # this look itself, the health answer, and Galera's own
    policy(balanced, queue_wait=10)
    assert balanced.json("apply", "--auto-approve", "--watch", "1")["status"] == "done"


def test_a_member_that_dies_is_left_and_nothing_acknowledged_is_lost(balanced: Operator) -> None:
    a_writer_dies(writes_to)


def test_a_flood_of_questions_gets_right_answers(balanced: Operator) -> None:
    """A thousand at once: plain, garbage, half-open, slow, and one line without an end. Beside each crowd a balancer asks."""
    address = next(h.address for h in lab.current().databases if h.name == "db2")
    said = lab.execute(
        "lb1", "ulimit -n 8000; python3 - <<'@py'\n" + FLOOD.replace("@address@", address) + "@py"
    ).splitlines()
    assert len(said) == 5
    for line in said:
        crowd, beside = line.split(" | ")
        assert beside == "{'HTTP/1.1 200 OK': 5}", line
        assert crowd == "{'HTTP/1.1 200 OK': 1000}", line
    assert lab.execute("db2", "systemctl is-active galvan-health").strip() == "active"
    wait(lambda: int(lab.execute("db2", "pgrep -u galvan-health -c").strip()) < 10, 20)
    assert {status for (status,) in stat("status")} == {"UP"}
    lab.execute("db2", "touch /run/galvan-health/drained")
    wait(lambda: ["db2", "DOWN"] in stat("svname", "status"), 30)
    lab.execute("db2", "rm /run/galvan-health/drained")
    wait(lambda: ["db2", "UP"] in stat("svname", "status"), 30)


def test_the_way_back_leaves_everything_as_it_was(balanced: Operator, before: dict[str, str]) -> None:
    lab.start_load(writers=8)
    for _ in range(3):  # three runs changed something
        done = balanced.json("rollback", "--auto-approve")
        assert done["status"] == "done", done
    report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert shown() == before
    assert "galvan" not in lab.execute("db1", "mariadb -N -B -e 'SELECT User FROM mysql.user'")
