"""The whole way on one ground: open, audited, climbed under load, proven, climbed down again, every file as before."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galvan import lab

from .operator import Operator, hashes, restarts, sit_down, synced

TABLE = Path(__file__).parents[2] / "docs" / "campaigns" / "grounds.md"
HEAD = """\
# The whole way on odd ground

Each line is one cluster taken from open to proven and back under four writers, made by `make campaign`; a line that
was refused says with which words. Longest gap: between two commits of one writer, up and down together.

| ground | hosts | transactions | failed | lost | longest gap | restarts | proofs | ended |
|---|---|---|---|---|---|---|---|---|
"""
VERSION = "mariadb -N -B -e \"SELECT CONCAT(SUBSTRING_INDEX(VERSION(), '-', 1), ' / ', VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'WSREP_PROVIDER_VERSION'\""


def as_it_is() -> None:
    """The lab needs no further preparing."""


def nothing_more(operator: Operator) -> None:
    """The top is not tried further."""


def unchanged(text: str) -> str:
    return text


@dataclass(frozen=True)
class Ground:
    """A kind of cluster. `lab`: words of `lab.up`; `prepare` makes the fresh lab what the ground wants, before `galvan
    init`. With `refused` (a pattern) both tips have to be refused in such words; else the way has to end proven."""

    name: str
    lab: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[], None] = as_it_is
    edit: Callable[[str], str] = unchanged  # galvan.yaml, after init
    refused: str = ""
    impact: tuple[str, ...] = ()  # names that the plan has to show
    passing: Mapping[str, str] = field(default_factory=dict)  # proofs that do not fail on the open ground, and why
    at_top: Callable[[Operator], None] = nothing_more  # tried once it is proven
    notes: str = ""  # what the table says beside the versions
    writer: str = "db1"


@dataclass(frozen=True)
class Walked:
    """One line of the table."""

    ground: Ground
    hosts: str
    transactions: int = 0
    failed: int = 0
    lost: int = 0
    gap: float = 0.0
    restarts: str = "none"
    proofs: int = 0
    ended: str = "proven, every file as before"

    def line(self) -> str:
        cells = (
            self.ground.name, self.hosts, self.transactions, self.failed, self.lost, f"{self.gap:.2f} s", self.restarts,
            self.proofs, self.ended,
        )  # fmt: skip
        return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def rolling(change: str) -> None:
    """A shell script on each database host, one after the other, each followed by a restart and a member that is Synced."""
    for host in lab.current().databases:
        lab.execute(host.name, change + "\nsystemctl restart mariadb")
        until_synced()


def until_synced(limit: float = 240.0) -> None:
    began = time.monotonic()
    while not synced():
        assert time.monotonic() - began < limit, lab.status()
        time.sleep(0.5)


def full_transfer(host: str) -> None:
    """A member loses its data and comes back by SST."""
    since = time.time()
    lab.execute(host, "systemctl stop mariadb; rm -rf /var/lib/mysql/*; systemctl start mariadb")
    until_synced()
    log = lab.execute(host, f"journalctl -u mariadb -o cat --no-pager --since @{int(since)}")
    assert "SST received" in log or "SST succeeded" in log, log[-3000:]


def stand_on(ground: Ground, home: Path) -> Operator:
    """A fresh lab of this kind, and an operator who has run `galvan init` there."""
    if lab.running():
        lab.down()
    lab.up(**ground.lab)
    ground.prepare()
    who = sit_down(home)
    who.file.write_text(ground.edit(who.file.read_text()))
    return who


def walk(operator: Operator, ground: Ground) -> Walked:
    """Asserts each step of the way, and returns what was seen."""
    before, hosts = hashes(), versions(ground)
    audit = operator.json("audit", code=(0, 4))
    assert set(audit["rungs"].values()) == {"open"}, audit["rungs"]
    _open_before(operator, ground)
    if ground.refused:
        return _refused(operator, ground, hosts, before)
    _planned(operator, ground)
    began = time.time()
    ended, up = _under_load(operator, "apply", "--auto-approve", "--watch", "16")
    assert restarts(began) == dict.fromkeys(restarts(began), 2) == ended["restarts_per_host"]
    proofs = operator.json("verify", "--write-marker")["proofs"]
    assert {p["verdict"] for p in proofs} == {"pass"}, [p for p in proofs if p["verdict"] != "pass"]
    assert set(operator.json("audit", "--fail-on", "low")["rungs"].values()) == {"proven"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0
    ground.at_top(operator)
    began = time.time()
    ended, down = _under_load(operator, "rollback", "--auto-approve")
    assert restarts(began) == dict.fromkeys(restarts(began), 2) == ended["restarts_per_host"]
    assert hashes() == before
    assert set(operator.json("audit", code=(0, 4))["rungs"].values()) == {"open"}
    assert synced()
    return Walked(
        ground, hosts, up.transactions + down.transactions, up.failed + down.failed, up.lost + down.lost,
        max(up.longest_gap, down.longest_gap), f"2 up, 2 down on each of {len(restarts(began))}", len(proofs),
    )  # fmt: skip


def versions(ground: Ground) -> str:
    """How many hosts of each version, and what the ground says of itself."""
    seen = [lab.execute(host.name, VERSION).strip() for host in lab.current().databases]
    counted = (f"{seen.count(version)} × {version}" for version in dict.fromkeys(seen))
    return ", ".join(counted) + (f"; {ground.notes}" if ground.notes else "")


def _open_before(operator: Operator, ground: Ground) -> None:
    seen = operator.json("verify", "--write-marker", code=(3, 4))["proofs"]
    other = {p["id"].split("@")[0] for p in seen if p["verdict"] != "fail"}
    assert other == set(ground.passing), [p for p in seen if p["verdict"] != "fail"]


def _planned(operator: Operator, ground: Ground) -> None:
    """Two restarts a host, the one that takes the writes last in each pass; the impact that was promised is shown."""
    plan = operator.json("plan")
    databases = [host.name for host in lab.current().databases]
    order = [wave["host"] for wave in plan["waves"] if wave["restart"]]
    assert {name: order.count(name) for name in order} == {
        host.name: 2 for host in lab.current().hosts if host.role in ("database", "arbitrator")
    }
    order = [name for name in order if name in databases]  # an arbitrator takes no writes, and goes after them
    passes = order[: len(order) // 2], order[len(order) // 2 :]
    assert [hosts[-1] for hosts in passes] == [ground.writer] * 2, order
    assert set(ground.impact) <= {entry["who"] for entry in plan["impact"]}, plan["impact"]


def _refused(operator: Operator, ground: Ground, hosts: str, before: dict[str, str]) -> Walked:
    """Planned and applied in vain: both say why, and nothing was changed."""
    began = time.time()
    for verb, words in (("plan", ()), ("apply", ("--auto-approve",))):
        done = operator.run(verb, *words)
        said = re.search(ground.refused, done.stdout)
        assert done.returncode in (4, 5), done.stdout + done.stderr
        assert said, done.stdout + done.stderr
        told = said.group(0)
    assert hashes() == before
    assert set(restarts(began).values()) == {0}
    return Walked(ground, hosts, ended=f"refused: {told}")


def _under_load(operator: Operator, verb: str, *words: str) -> tuple[dict[str, Any], lab.LoadReport]:
    lab.start_load(writers=4)
    try:
        ended = operator.json(verb, *words, code=(0, 1, 5))
    finally:
        report = lab.stop_load()
    if ended["status"] != "done" or (report.failed, report.lost, report.equal) != (0, 0, True):
        raise AssertionError((ended, report.errors, report.lost, report.unread, _logs(operator.home)))
    return ended, report


def _logs(home: Path) -> list[str]:
    """What the servers and the balancer logged, kept where the operator sits."""
    kept = []
    for host, unit in (*((host.name, "mariadb") for host in lab.current().databases), ("lb1", "haproxy")):
        path = home / f"{host}.log"
        path.write_text(lab.execute(host, f"journalctl -u {unit} -o short-precise --no-pager"))
        kept.append(str(path))
    return kept


def note(walked: Walked) -> None:
    """The ground's line in the table: a new one at the end, or in the place of its older one."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else HEAD.splitlines()
    mine = f"| {walked.ground.name} |"
    kept = [walked.line() if line.startswith(mine) else line for line in lines]
    if kept == lines and walked.line() not in lines:
        kept.append(walked.line())
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(kept) + "\n")
