"""Two real balancers and one address, under writers who know nothing but the address: shared, moved by what may happen, and taken out."""

from __future__ import annotations

import ipaddress
import subprocess
import time
from collections.abc import Callable

import pytest

from galvan import lab
from galvan.lab.podman import container

from .operator import Operator, wait
from .test_balancer import SHOWN as DOORS

pytestmark = pytest.mark.lab
GROUND = {"balancers": 2}
BALANCERS = ("lb1", "lb2")
SHOWN = (
    DOORS
    + """
find /etc/keepalived -type f | sort | xargs -r sha256sum; find /etc/keepalived -printf '%p %m %u:%g %l\\n' | sort
systemctl is-active keepalived; systemctl is-enabled keepalived; true
"""
)
OWNERS = """
cat >/etc/keepalived/keepalived.conf <<'@conf'
vrrp_instance mine {
    interface eth0
    virtual_router_id 9
    priority 100
    virtual_ipaddress {
        192.0.2.77
    }
}
@conf
printf '# no newline at the end' >>/etc/keepalived/keepalived.conf
chmod 600 /etc/keepalived/keepalived.conf
systemctl restart keepalived
"""
ORPHANS = "mariadb -N -B -e \"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND HOST LIKE '@from@:%'\""


@pytest.fixture(scope="module")
def paired(operator: Operator) -> Operator:
    """Its owner has a configuration of his own on lb2; that has to come through all of it."""
    lab.execute("lb2", OWNERS)
    who = Operator(operator.home, ("load_balancer",))
    who.govern(f"{{load_balancer: {{pair: {{address: '{shared()}', interface: eth0}}}}}}")
    return who


@pytest.fixture(scope="module")
def before(paired: Operator) -> dict[str, str]:
    return {host: lab.execute(host, SHOWN) for host in BALANCERS}


def shared() -> str:
    network = ipaddress.ip_network(lab.current().options.subnet)
    return str(network.network_address + 20)


def holders() -> list[str]:
    look = f"ip -o address show dev eth0 to {shared()}"
    running = {status.name for status in lab.status() if status.running}
    return [host for host in BALANCERS if host in running and lab.execute(host, look).strip()]


def other(host: str) -> str:
    return next(each for each in BALANCERS if each != host)


def verdicts(who: Operator) -> dict[str, str]:
    found = who.json("audit")["findings"]
    names = ("load_balancer.shared-address", "load_balancer.redundant")
    return {f"{f['check']}@{f['host']}": f"{f['verdict']}: {f['seen']}" for f in found if f["check"] in names}


def goes_over(fail: Callable[[str], None]) -> tuple[str, lab.LoadReport]:
    """From the one that holds the address now to the other, under writers. Nothing acknowledged may be lost; who was in the middle
    of a transaction loses that one, and goes on."""
    (held,) = holders()
    lab.start_load(writers=8, door=shared())
    time.sleep(2)
    fail(held)
    wait(lambda: holders() == [other(held)], 60)
    moved = lab.load_status()["acknowledged"]
    wait(lambda: lab.load_status()["acknowledged"] > moved, 60)
    time.sleep(2)
    report = lab.stop_load()
    print(
        f"{fail.__name__}: longest gap {report.longest_gap:.2f} s, {report.failed} failed, {report.ambiguous} ambiguous of {report.transactions}"
    )
    assert (report.lost, report.unexpected, report.equal) == (0, 0, True), report
    return held, report


def test_it_is_shared_while_applications_write(paired: Operator, before: dict[str, str]) -> None:
    assert all(said.startswith("fail") for said in verdicts(paired).values()), verdicts(paired)
    assert {host: lab.execute(host, SHOWN) for host in BALANCERS} == before
    lab.start_load(writers=8)
    done = paired.json("apply", "--auto-approve", "--watch", "3")
    report = lab.stop_load()
    assert (done["status"], done["waves_done"]) == ("done", 8), done
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert holders() == ["lb1"]
    assert all(said.startswith("pass") for said in verdicts(paired).values()), verdicts(paired)
    assert f"lb1 of 2 holds {shared()}" in str(verdicts(paired))
    assert paired.json("plan")["waves"] == []
    assert "192.0.2.77" in lab.execute("lb2", "ip -o address show dev eth0"), "the owner's own address is still there"


def test_a_haproxy_that_is_killed_and_comes_back_keeps_it(paired: Operator) -> None:
    (held,) = holders()
    lab.start_load(writers=8, door=shared())
    time.sleep(2)
    lab.execute(held, "systemctl kill -s KILL haproxy")
    wait(lambda: lab.execute(held, "systemctl is-active haproxy || true").strip() == "active", 30)
    so_far = lab.load_status()["acknowledged"]
    wait(lambda: lab.load_status()["acknowledged"] > so_far, 60)
    report = lab.stop_load()
    print(f"kill -9, restarted by systemd: longest gap {report.longest_gap:.2f} s, held by {holders()}")
    assert (report.lost, report.unexpected, report.equal) == (0, 0, True), report
    assert len(holders()) == 1


def kill_haproxy(host: str) -> None:
    """For good: systemd does not bring it back."""
    stay = "mkdir -p /run/systemd/system/haproxy.service.d; printf '[Service]\\nRestart=no\\n' >/run/systemd/system/haproxy.service.d/no.conf"
    lab.execute(host, f"{stay}; systemctl daemon-reload; systemctl kill -s KILL haproxy")


def stop_keepalived(host: str) -> None:
    lab.execute(host, "systemctl stop keepalived")


def stop_host(host: str) -> None:
    """As if its power were cut: it says no farewell."""
    subprocess.run(["podman", "kill", container(host)], check=True, capture_output=True)


def test_a_haproxy_that_stays_dead_gives_it_away(paired: Operator) -> None:
    held, _ = goes_over(kill_haproxy)
    assert any(said.startswith("fail") for said in verdicts(paired).values()) or holders() == [other(held)]
    lab.execute(held, "rm -r /run/systemd/system/haproxy.service.d; systemctl daemon-reload; systemctl start haproxy")
    time.sleep(8)
    assert holders() == [other(held)], "what came back takes nothing away from who serves"


def test_a_keepalived_that_stops_gives_it_away_and_leaves_no_session_behind(paired: Operator) -> None:
    held, _ = goes_over(stop_keepalived)
    address = lab.current().host(held).address
    left = [int(lab.execute(host.name, ORPHANS.replace("@from@", address))) for host in lab.current().databases]
    assert left == [0, 0, 0], "their clients are gone"
    assert any("does not run" in said for said in verdicts(paired).values())
    lab.execute(held, "systemctl start keepalived")


def test_a_host_that_dies_gives_it_away(paired: Operator) -> None:
    time.sleep(5)
    held, _ = goes_over(stop_host)
    subprocess.run(["podman", "start", container(held)], check=True, capture_output=True)
    time.sleep(8)
    assert holders() == [other(held)]
    assert all(said.startswith("pass") for said in verdicts(paired).values()), verdicts(paired)


def test_the_way_back_leaves_everything_as_it_was(paired: Operator, before: dict[str, str]) -> None:
    lab.start_load(writers=8)
    done = paired.json("rollback", "--auto-approve")
    report = lab.stop_load()
    assert done["status"] == "done", done
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert holders() == []
    assert {host: lab.execute(host, SHOWN) for host in BALANCERS} == before


def test_an_address_that_a_stranger_answers_for_is_not_taken(paired: Operator, before: dict[str, str]) -> None:
    lab.execute("mallory", f"ip address add {shared()}/24 dev eth0")
    done = paired.json("apply", "--auto-approve", "--watch", "1", code=1)
    assert "is answered by another host already" in done["why"], done
    assert "lb1 was put back as it was" in done["why"]
    assert holders() == []
    assert keepalived_of("lb1") in before["lb1"]
    lab.execute("mallory", f"ip address del {shared()}/24 dev eth0")


def test_two_that_do_not_hear_each_other_do_not_stay_so(paired: Operator, before: dict[str, str]) -> None:
    """Both take it for a moment; the second one is put back, its owner's own address goes on."""
    deaf = "table inet deaf { chain in { type filter hook input priority 0; meta l4proto 112 drop; }; }"
    lab.execute("lb2", f"nft '{deaf}'")
    done = paired.json("apply", "--auto-approve", "--watch", "1", code=1)
    assert "both balancers took" in done["why"], done
    assert holders() == ["lb1"]
    assert keepalived_of("lb2") in before["lb2"]
    assert "192.0.2.77" in lab.execute("lb2", "ip -o address show dev eth0")


def keepalived_of(host: str) -> str:
    return lab.execute(host, SHOWN.removeprefix(DOORS))
