"""The lab's door."""

from __future__ import annotations

import argparse
import os

from galvan import lab as practice
from galvan.cli import ERROR, OK


def lab(words: argparse.Namespace) -> int:
    match words.what:
        case "up":
            practice.up(
                words.nodes,
                words.release,
                words.sst,
                words.multi_writer,
                ipv6=words.ipv6,
                odd=words.odd,
                arbitrator=words.arbitrator,
                balancers=words.balancers,
                firewall=words.firewall,
                guests=words.guests,
                balancer=words.balancer,
            )
        case "down":
            practice.down(purge=words.purge)
        case "reset":
            practice.reset()
        case "status":
            return _status()
        case "ssh":
            argv = practice.ssh_argv(words.host)
            os.execvp(argv[0], argv)  # noqa: S606 - the user's own shell on the lab's host
        case "load":
            return _load(words.writers, words.seconds)
    return OK


def _status() -> int:
    if not practice.running():
        print("no lab is up (galvan lab up)")
        return OK
    for host in practice.status():
        member = f"{host.state}, {host.cluster_size} members" if host.role == "database" else ""
        print(
            f"{host.name:<8} {host.role:<14} {host.address:<18} {'running' if host.running else 'STOPPED':<8} {member}"
        )
    return OK


def _load(writers: int, seconds: float) -> int:
    report = practice.load(seconds=seconds, writers=writers)
    print(f"{report.transactions} transactions: {report.acknowledged} acknowledged, {report.failed} failed, "
          f"{report.conflicts} conflicts, {report.ambiguous} ambiguous; {report.lost} lost; longest gap {report.longest_gap:.2f} s; "
          f"nodes {'equal' if report.equal else 'DIFFER'}")  # fmt: skip
    return OK if not report.failed and not report.lost and report.equal else ERROR
