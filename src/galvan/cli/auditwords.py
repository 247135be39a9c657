"""The words of `galvan audit`, and which command has which formats."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

SEVERITIES = ("info", "low", "medium", "high", "critical")
FORMATS: Mapping[str, tuple[str, ...]] = {
    "audit": ("text", "json", "sarif", "junit", "html", "ocsf", "csv", "markdown"),
    "checks": ("text", "json", "markdown"),
}
"""Of the commands that have more than text and JSON."""


def format_of(command: str) -> Callable[[str], str]:
    known = FORMATS.get(command, ("text", "json"))

    def chosen(said: str) -> str:
        if said not in known:
            others = [f"galvan {name}" for name, formats in FORMATS.items() if said in formats]
            hint = f"; {said} is a format of {' and '.join(others)}" if others else ""
            raise argparse.ArgumentTypeError(f"galvan {command} knows {', '.join(known)}, and not {said}{hint}")
        return said

    return chosen


def auditing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY")
    parser.add_argument("--all", action="store_true", help="show passes too, and what a person has to judge")
    parser.add_argument("--accepted", action="store_true", help="show what the policy takes out of the count")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="what got better or worse since that audit")
    parser.add_argument("--save-baseline", type=Path, metavar="FILE", help="keep this audit for a later --baseline")
    parser.add_argument("--timings", action="store_true", help="how long each fact took on each host")
    live = parser.add_argument_group("a cloud's security groups, beside the hosts' own walls")
    live.add_argument(
        "--cloud", choices=("aws",), metavar="CLOUD", help="aws: its groups against the policy (extra [aws])"
    )
    live.add_argument("--region", metavar="REGION", help="of AWS (default: as for its own tools)")
    live.add_argument("--endpoint-url", metavar="URL", help="ask this instead of AWS (or AWS_ENDPOINT_URL)")
    live.add_argument("--vpc", metavar="VPC", help="where the same address is in several")
