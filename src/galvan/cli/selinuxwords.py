"""The words of `galvan selinux`."""

from __future__ import annotations

import argparse


def confinement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("status", "learn", "review", "build", "enforce", "forget"))
    trying = parser.add_argument_group("learn, enforce")
    trying.add_argument(
        "--event", action="append", default=[], metavar="EVENT", help="only this event (repeatable): slow-log, binlog, tls-reload, check-9200, backup-mysqldump, backup-mariabackup, ist, sst"
    )  # fmt: skip
    trying.add_argument("--auto-approve", action="store_true", help="do not ask; rehearsal restarts are part of it")
    trying.add_argument("--accept-impact", action="append", default=[], metavar="NAME", help="enforce though this would be refused (repeatable)")  # fmt: skip
    making = parser.add_argument_group("build")
    making.add_argument("--accept", action="append", default=[], metavar="RULE", help="take this rule into the module, though it was held back (repeatable)")  # fmt: skip
