"""The words of `galvan lb`."""

from __future__ import annotations

import argparse


def statements(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", choices=("firewall",), help="what may be said to the database")
    parser.add_argument("what", choices=("learn", "detect", "protect", "off", "status"))
    learning = parser.add_argument_group("learn")
    learning.add_argument(
        "--window", type=float, default=600.0, metavar="SECONDS", help="how long statements are collected (600)"
    )
    learning.add_argument("--all", action="store_true", help="also what the balancers counted before")
    holding = parser.add_argument_group("detect, protect, off")
    holding.add_argument("--auto-approve", action="store_true", help="do not ask")
    holding.add_argument(
        "--accept-impact",
        action="append",
        default=[],
        metavar="NAME",
        help="refuse this statement though it is said (repeatable)",
    )
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="status: 2 when a balancer is not as the book says"
    )
