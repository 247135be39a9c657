"""Records the outputs of walls anew: `python tests/tips/firewall/record.py`, as root. Needed after a change in how rules are written,
since a wall's mark is a digest of them.

Rules are loaded into a network namespace of their own, and the facts' own scripts print them. What only a whole host could print is
written here by hand: who listens and is connected, which firewalls there are, and how the wall is kept.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from practice_cases import HERE, snapshot_of

from galvan.model import Fact, Shell
from galvan.tips.firewall import nft
from galvan.tips.firewall.backends import mark_of, watch_of
from galvan.tips.firewall.facts import BYPASS, COUNTED, RULESET, SAVED
from galvan.tips.firewall.judge import carrier_of
from galvan.tips.firewall.wall import Height, wall_of

ADDRESS = {"db1": "10.89.77.11", "db2": "10.89.77.12", "lb1": "10.89.77.21"}
DATABASE = "tcp 0.0.0.0:3306 mariadbd\ntcp 0.0.0.0:4567 mariadbd\n"
LISTENERS = {
    "db1": DATABASE,
    "db2": DATABASE,
    "lb1": "tcp 0.0.0.0:3306 haproxy\ntcp 0.0.0.0:8404 haproxy\nstats 8404\n",
}
GUESTS = {
    "db1": "4567 10.89.77.12 mariadbd 1\n3306 10.89.77.21 mariadbd 5\n", "db2": "4567 10.89.77.11 mariadbd 1\n",
    "lb1": "3306 10.89.77.31 haproxy 4\n",
}  # fmt: skip
TOOLS = (
    "nft",
    "iptables",
    "ip6tables",
    "iptables-restore",
    "ip6tables-restore",
    "firewall-cmd",
    "ufw",
    "unshare",
    "socat",
    "systemd-run",
)
UNITS = ("firewalld", "ufw", "nftables", "netfilter-persistent", "iptables")
CONTROL = (
    "".join(f"{unit}=inactive\n{unit}-enabled={'disabled' if unit == 'nftables' else ''}\n" for unit in UNITS) + "ufw-on=no\n"
    + "".join(f"has-{tool}={'no' if tool in ('firewall-cmd', 'ufw') else 'yes'}\n" for tool in TOOLS)
    + "iptables-kind=nf_tables\niptables-rules=0\nlegacy-rules=0\nnft-chains=0\n"
)  # fmt: skip
NO_WALL = "by=\nenabled=no\nwatch=\nwall=\nsaved=\nintact=yes\nlasting=yes\n"
MEMBERS = "10.89.77.11\n10.89.77.12\n::ffff:10.89.77.11\n::ffff:10.89.77.12\n"


def printed(fact: Fact[object], rules: str) -> str:
    assert isinstance(fact.query, Shell)
    script = (f"nft -f -; {fact.query.text}") if rules else fact.query.text
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", script], input=rules, capture_output=True, text=True, check=True
    ).stdout


def write(place: str, host: str, rules: str, wall: str, listed: str) -> None:
    said = {
        "firewall.listeners": f"ss\ntcp 0.0.0.0:22 sshd\ntcp [::]:22 sshd\n{LISTENERS[host]}", "host.wall": wall,
        "firewall.guests": f"22 10.89.77.1 sshd 1\n{GUESTS[host]}", "firewall.control": CONTROL,
        "firewall.caller": f"10.89.77.1 50122 {ADDRESS[host]} 22\n", "firewall.object": "object=no\nunsaved=no\n",
    } | {fact.id: printed(fact, rules) for fact in (RULESET, SAVED, COUNTED, BYPASS)}  # fmt: skip
    if host != "lb1":
        said["firewall.allowlist"] = f"(table)\n{listed}"
    folder = HERE / "outputs" / place / host
    folder.mkdir(parents=True, exist_ok=True)
    for fact, text in said.items():
        (folder / f"{fact}.txt").write_text(text)


def main() -> None:
    for host in ADDRESS:
        write("wall-none", host, "", NO_WALL, "")
    seen = snapshot_of({"from": "open", "over": "wall-none", "firewall": {"operators": ["10.89.77.1/32"]}})
    for host in ADDRESS:
        facts = seen.of(host)
        carrier, whole = carrier_of(facts, seen), wall_of(facts, seen, Height.SHUT)
        for height in Height if host != "lb1" else (Height.SHUT,):
            wall = wall_of(facts, seen, height)
            mark, watch = mark_of(carrier, wall), watch_of(carrier, whole)
            told = f"by=nft\nenabled=yes\nwatch={watch}\nwall={mark}\nsaved={mark}\nintact=yes\nlasting=yes\n"
            write(f"wall-{height}", host, nft.wall(wall) + nft.watch(whole), told, MEMBERS)


if __name__ == "__main__":
    main()
