"""Walls around a running cluster, over IPv4 and over IPv6: nftables on db1, iptables on db2, firewalld on db3. The tests build on
each other, in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from galvan import lab
from galvan.lab.podman import container

from .operator import Json, Operator, restarts, sit_down, synced, wait

pytestmark = [pytest.mark.lab, pytest.mark.campaign]  # it passed whole; its eight minutes are not those of every run
HOSTS = ("db1", "db2", "db3", "lb1")
RULES = """
nft -s list ruleset 2>/dev/null | grep -v '^#'
for t in iptables ip6tables; do command -v $t-save >/dev/null && $t-save 2>/dev/null | grep -v '^#' | sed 's/ \\[[0-9:]*\\]//'; done
systemctl is-active -q firewalld 2>/dev/null && { firewall-cmd --list-all-policies; firewall-cmd --list-all-zones; firewall-cmd --permanent --list-all-policies; }
find /etc/galvan /etc/nftables.conf /etc/iptables /etc/firewalld /etc/systemd/system -type f 2>/dev/null | sort | xargs -r sha256sum
find /etc/galvan /etc/firewalld /etc/systemd/system -printf '%p %m %u:%g %l\\n' 2>/dev/null | sort
systemctl list-timers --all --no-legend 'galvan*' | wc -l
"""
"""Of each host: its rules without time stamps and counters, and every file in which rules or units could lie."""
TABLES = Path(__file__).parents[2] / "docs" / "campaigns"


ELSEWHERE = {"ipv4": "192.0.2.3/32", "ipv6": "2001:db8::3/128"}


@pytest.fixture(scope="module", params=ELSEWHERE)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def walled(family: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    lab.down()
    lab.up(firewall="nftables,iptables,firewalld", ipv6=family == "ipv6")
    plain = sit_down(tmp_path_factory.mktemp("operator"))
    yield Operator(plain.home, ("firewall",))
    lab.down()


@pytest.fixture(scope="module")
def before(walled: Operator) -> dict[str, str]:
    return rules()


def rules() -> dict[str, str]:
    """What iptables-nft leaves of empty tables says nothing."""
    return {host: lab.execute(host, RULES) for host in HOSTS}


def conf_ids() -> set[str]:
    """The number of the group's view, as each member counts it: it changes when anyone is expelled."""
    said = (
        "mariadb -N -B -e \"SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_conf_id', 'wsrep_cluster_size')\""
    )
    return {lab.execute(host.name, said) for host in lab.current().databases}


def table(seen: Json) -> dict[str, str]:
    """What each vantage saw of each host, by the proofs."""
    return {p["id"].removeprefix("firewall."): re.sub(r"^\S+ from \S+ ", "", p["seen"]) for p in seen["proofs"]}


SEEN: dict[tuple[str, str], dict[str, str]] = {}
OPERATOR = r"(?m)^    - (\S+/(?:32|128))$"


def elsewhere() -> str:
    return ELSEWHERE["ipv6" if lab.current().options.ipv6 else "ipv4"]


def alone(host: str) -> str:
    address = lab.current().host(host).address
    return f"{address}/{128 if ':' in address else 32}"


def test_the_open_cluster_fails_every_proof(walled: Operator, family: str, before: dict[str, str]) -> None:
    audit = walled.json("audit")
    failing = {f["check"] for f in audit["findings"] if f["verdict"] == "fail"}
    assert failing == {"firewall.members-only", "firewall.default-drop", "firewall.ssh", "firewall.join-list"}
    assert not [f for f in audit["findings"] if f["verdict"] == "unknown"]
    assert audit["rungs"] == {"firewall": "open"}
    seen = walled.json("verify", code=3)
    assert {p["verdict"] for p in seen["proofs"]} == {"fail"}, seen
    SEEN[family, "before"] = table(seen)
    assert rules() == before


def test_an_operator_who_would_lock_himself_out_is_refused_before_anything_is_sent(
    walled: Operator, before: dict[str, str]
) -> None:
    text = walled.file.read_text()
    walled.file.write_text(re.sub(OPERATOR, f"    - {elsewhere()}", text))
    done = walled.run("plan")
    walled.file.write_text(text)
    assert done.returncode == 4
    assert "you would be locked out of db1" in done.stdout
    assert rules() == before


def sabotaged(walled: Operator, host: str, old: str, new: str, stage: str) -> Path:
    """A saved plan whose rules for one host are wrong, as a mistake in the policy would make them; its first wave that matters."""
    path = walled.home / "wrong.json"
    assert walled.run("plan", "-o", str(path)).returncode == 0
    document = json.loads(path.read_text())
    kept = []
    for wave in document["waves"]:
        if wave["stage"] == "count":
            kept.append(wave)
        if wave["host"] == host and wave["stage"] in ("wall", stage):
            kept.append(wave)
            if wave["stage"] == stage:
                text = json.dumps(wave["steps"])
                assert old in text, text
                wave["steps"] = json.loads(text.replace(old, new))
    document["waves"] = kept
    path.write_text(json.dumps(document))
    return path


def test_a_wall_that_forgets_a_member_is_found_before_the_group_expels_it(walled: Operator) -> None:
    members = conf_ids()
    wrong = sabotaged(walled, "db1", alone("db3"), elsewhere(), "wall")
    began = time.time()
    ended = walled.json("apply", str(wrong), code=1)
    assert ended["status"] == "stopped"
    assert "db3 was not let in" in ended["why"]
    assert conf_ids() == members
    assert "galvan members" not in lab.execute("db1", "nft list ruleset")
    log = lab.execute("db1", f"journalctl -t galvan -o short-unix --no-pager --since @{int(began)}")
    assert "ran a command" in log  # undone by the run itself, or by the host's timer, whichever came first
    assert walled.run("rollback", "--auto-approve").returncode == 0


def shut_out(walled: Operator) -> None:
    """db1 drops the operator's next connection, under a dead-man, and Galvan is dead."""
    me = re.search(OPERATOR, walled.file.read_text())
    assert me
    wrong = sabotaged(walled, "db1", me[1], elsewhere(), "shut")
    running = walled.start("apply", str(wrong), "--watch", "2")
    assert running.stdout
    for line in running.stdout:
        if "shut@db1" in line and "drop what" in line:
            break
    wait(lambda: "galvan shut" in lab.execute("db1", "nft list ruleset"), 20)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not lets_in("db1"), "the wall is meant to be wrong"


def test_a_wall_that_shuts_the_operator_out_is_undone_by_the_host_with_galvan_killed(walled: Operator) -> None:
    shut_out(walled)
    wait(lambda: "galvan shut" not in lab.execute("db1", "nft list ruleset"), 31)
    assert "galvan members" in lab.execute("db1", "nft list ruleset")  # the wall before it
    assert lets_in("db1")
    assert walled.run("rollback", "--auto-approve").returncode == 0


def lets_in(host: str) -> bool:
    """A new connection of the operator's."""
    command = [*lab.ssh_argv(host)[:-1], "-o", "ConnectTimeout=3", "-o", "ControlPath=none", host, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def rebooted(host: str, patience: int) -> None:
    """It has another card then, which is the lab's doing; over IPv6 its neighbours would hold on to the old one for most of a minute."""
    subprocess.run(["podman", "restart", "-t", str(patience), container(host)], capture_output=True, check=True)
    for other in lab.current().hosts:
        lab.execute(other.name, "ip neigh flush all")
    subprocess.run(["ip", "neigh", "flush", "to", lab.current().host(host).address], check=True)
    wait(synced, 180)


def test_a_reboot_inside_the_window_brings_the_old_rules_back(walled: Operator, before: dict[str, str]) -> None:
    shut_out(walled)
    rebooted("db1", 0)
    seen = lab.execute("db1", "nft list ruleset")
    assert "galvan members" in seen
    assert "galvan shut" not in seen
    assert lets_in("db1")
    assert walled.run("rollback", "--auto-approve").returncode == 0
    assert rules() == before


def test_walls_go_up_while_the_applications_write(walled: Operator) -> None:
    began = time.time()
    lab.start_load(writers=8)
    try:
        ended = walled.json("apply", "--auto-approve", "--watch", "6")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert set(restarts(began).values()) == {0}
    again = walled.json("apply", "--auto-approve")
    assert again["waves_done"] == 0


def test_every_vantage_sees_exactly_what_the_table_says(walled: Operator, family: str) -> None:
    seen = walled.json("verify")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}, [p for p in seen["proofs"] if p["verdict"] != "pass"]
    assert walled.json("audit", "--fail-on", "low")["rungs"] == {"firewall": "proven"}
    SEEN[family, "after"] = table(seen)
    if os.environ.get("GALVAN_TABLES"):
        write_table()


def write_table() -> None:
    names = {"db1": "db1 (nftables)", "db2": "db2 (iptables)", "db3": "db3 (firewalld)", "lb1": "lb1 (nftables)"}
    lines = [
        "# What each vantage sees, before and after the walls",
        "",
        f"Made by `GALVAN_TABLES=1 make test SUITE=tests/lab/test_firewall.py` on {time.strftime('%Y-%m-%d')}.",
        "",
    ]
    lines += ["| over | host | from | before | after |", "|---|---|---|---|---|"]
    for family in (family for family in ELSEWHERE if (family, "after") in SEEN):
        before, after = SEEN[family, "before"], SEEN[family, "after"]
        for key in sorted(after):
            kind, _, rest = key.partition("@")
            host, _, source = rest.partition("<")
            word = f"{source}{', udp' if kind == 'udp' else ''}"
            lines.append(f"| {family} | {names[host]} | {word} | {before.get(key, '')} | {after[key]} |")
    (TABLES / "walls.md").write_text("\n".join(lines) + "\n")


def test_a_member_comes_back_by_ist_and_by_sst_behind_the_walls(walled: Operator) -> None:
    for host, wipe, word in (("db2", False, "Receiving IST"), ("db3", True, "state transfer")):
        at = int(time.time())
        gone = "rm -rf /var/lib/mysql/*" if wipe else "sleep 2"
        lab.execute(
            "db1",
            "mariadb -e 'CREATE DATABASE IF NOT EXISTS walls; CREATE TABLE IF NOT EXISTS walls.t (a INT PRIMARY KEY AUTO_INCREMENT)'",
        )
        lab.execute(host, f"systemctl stop mariadb; {gone}")
        lab.execute("db1", "for n in 1 2 3; do mariadb -e 'INSERT INTO walls.t VALUES ()'; done")
        lab.execute(host, "systemctl start mariadb")
        wait(synced, 180)
        assert word in lab.execute(host, f"journalctl -u mariadb -o cat --no-pager --since @{at}")
        assert lab.execute(host, "mariadb -N -B -e 'SELECT COUNT(*) FROM walls.t'").strip() in ("3", "6")


def test_a_stranger_in_the_list_of_members_is_still_kept_out_of_it(walled: Operator) -> None:
    listed = lab.execute("db2", "mariadb -N -B -e 'SELECT ip FROM mysql.wsrep_allowlist'").split()
    assert {lab.current().host(f"db{n}").address for n in (1, 2, 3)} <= set(listed)
    assert lab.current().host("mallory").address not in listed


RELOADS = {
    "db1": "systemctl reload nftables",
    "db2": "systemctl restart netfilter-persistent",
    "db3": "firewall-cmd -q --reload",
}


def test_walls_survive_a_reload_of_the_firewall_and_a_reboot(walled: Operator) -> None:
    for host, command in RELOADS.items():
        lab.execute(host, command)
    wait(lambda: not failing(walled), 30)
    for host in RELOADS:
        rebooted(host, 20)
    assert not failing(walled)


def failing(walled: Operator) -> list[Any]:
    return [f for f in walled.json("audit")["findings"] if f["verdict"] in ("fail", "unknown")]


def test_somebodys_own_change_of_the_rules_is_seen(walled: Operator) -> None:
    lab.execute("db1", "nft insert rule inet galvan input tcp dport 4567 accept")
    seen = {f["check"] for f in failing(walled) if f["host"] == "db1"}
    assert "firewall.members-only" in seen
    assert "firewall.as-wanted" in seen
    assert walled.json("apply", "--auto-approve", "--watch", "2")["status"] == "done"
    assert not failing(walled)


def test_a_new_neighbour_is_in_the_next_plan(walled: Operator) -> None:
    text = walled.file.read_text()
    walled.file.write_text(
        text.replace("policy:\n  firewall:\n", "policy:\n  firewall:\n    monitors: [10.99.0.0/24]\n")
    )
    planned = walled.json("plan")
    walled.file.write_text(text)
    assert {wave["host"] for wave in planned["waves"]} == {"db1", "db2", "db3"}
    assert "10.99.0.0/24" in json.dumps(planned)


def test_rollback_leaves_every_rule_and_file_as_it_was(walled: Operator, before: dict[str, str]) -> None:
    lab.start_load(writers=4)
    try:
        for _ in range(9):  # one run after another, until there is none left
            done = walled.run("rollback", "--auto-approve")
            if done.returncode:
                break
    finally:
        report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report
    assert "they remember none" in done.stderr, done.stdout + done.stderr
    assert rules() == before
    assert lab.execute("db1", "mariadb -N -B -e 'SELECT COUNT(*) FROM mysql.wsrep_allowlist'").strip() == "0"
