"""The words of the command line. argparse, because starting must cost nothing: an audit has to feel instant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from galvan.cli.auditwords import FORMATS, SEVERITIES, auditing, format_of
from galvan.cli.labwords import practice
from galvan.cli.lbwords import statements
from galvan.cli.selinuxwords import confinement

USAGE = 64


class Parser(argparse.ArgumentParser):
    """Usage errors exit with 64; argparse's own 2 means `there are changes` here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage()
        self.exit(USAGE, f"galvan: {message}\n")


def _common(command: str) -> Parser:
    common = Parser(add_help=False)
    env = os.environ.get
    common.add_argument(
        "--cluster",
        type=Path,
        default=Path(env("GALVAN_CLUSTER", "galvan.yaml")),
        metavar="FILE",
        help="the cluster's file (galvan.yaml)",
    )
    common.add_argument(
        "--inventory",
        type=Path,
        default=Path(env("GALVAN_INVENTORY", "")) if env("GALVAN_INVENTORY") else None,
        metavar="FILE|DIR",
        help="an Ansible inventory to take the hosts from (or GALVAN_INVENTORY, or inventory: in the cluster's file)",
    )
    common.add_argument("--tip", action="append", default=[], metavar="TIP", help="only this tip (repeatable)")
    formats = "|".join(FORMATS.get(command, ("text", "json")))
    common.add_argument("--format", type=format_of(command), default=env("GALVAN_FORMAT", "text"), metavar=formats)
    common.add_argument("--output", type=Path, metavar="FILE", help="write the report there")
    common.add_argument("--no-input", action="store_true", help="never ask; fail instead")
    common.add_argument("--no-color", action="store_true")
    return common


def _outage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-outage",
        action="store_true",
        help="stop every member at once, where a tip cannot do without (providers without socket.dynamic)",
    )


def _limited(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="HOSTS",
        help="only these hosts: names, patterns, roles, groups (db*,!db3)",
    )


def _signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="passphrase of the authorities' keys (or GALVAN_PASSPHRASE_FILE)",
    )


def _running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long nobody may be seen on the old way before it is refused (60)",
    )
    parser.add_argument(
        "--accept-impact",
        action="append",
        default=[],
        metavar="NAME",
        help="refuse the old way though this client still uses it (repeatable)",
    )
    _remembering(parser)
    _signing(parser)


def _pacing(parser: argparse.ArgumentParser) -> None:
    """Where a run stops by itself between two waves."""
    parser.add_argument(
        "--pause-after", metavar="PLACE", help="stop after this stage or wave, or after each; galvan resume goes on"
    )
    parser.add_argument(
        "--soak", type=float, metavar="SECONDS", help="how long the canary is watched before the others follow (60)"
    )
    parser.add_argument("--outside-window", action="store_true", help="the policy's maintenance window does not hold")


def _remembering(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        default=os.environ.get("GALVAN_DATABASE"),
        metavar="URL",
        help="where runs are remembered (default: SQLite in the state directory)",
    )


def _apply(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="PLAN", help="a saved plan: it is the approval")
    parser.add_argument("--to", choices=("ready", "enforced"), default="enforced", help="how high to climb")
    parser.add_argument("--auto-approve", action="store_true", help="do not ask")
    _outage(parser)
    parser.add_argument(
        "--check", action="store_true", help="ask every gate now, say what would be done, change nothing"
    )
    parser.add_argument("--detailed-exitcode", action="store_true", help="with --check: 2 when there are changes")
    _limited(parser)
    parser.add_argument("--canary", default="", metavar="HOST", help="restart this host first, and watch how it goes")
    parser.add_argument(
        "--attest-backup", default="", metavar="'WHO, DAY'", help="who restored the backup of which day (YYYY-MM-DD)"
    )
    _running(parser)
    _pacing(parser)
    parser.set_defaults(pause_after="", soak=60.0)


def build(only: str = "") -> argparse.ArgumentParser:
    """`only`: the command whose words are wanted; the others are then named and no more, which halves the price."""
    parser = Parser(prog="galvan", description="Secures Galera clusters while they serve.")
    parser.add_argument("--version", action="store_true")
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (help, words) in VERBS.items():
        if only not in VERBS or only == name:
            parents = [] if name == "lab" else [_common(name)]
            words(verbs.add_parser(name, help=help, description=help, parents=parents))
        else:
            verbs.add_parser(name, help=help)
    return parser


def _nothing(parser: argparse.ArgumentParser) -> None:
    """No words of its own."""


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("check")


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", help="a database host, as ssh knows it")
    parser.add_argument("--name", help="the cluster's name (default: wsrep_cluster_name)")
    parser.add_argument("--ssh-config", action="append", default=[], metavar="FILE")
    for role in ("arbitrator", "load-balancer", "application", "outsider"):
        parser.add_argument(f"--{role}", action="append", default=[], metavar="HOST", help=f"a further host: {role}")
    parser.add_argument("--probe-user", metavar="USER", help="an account to try logins with (a proof needs one)")
    parser.add_argument("--probe-password-file", type=Path, metavar="FILE")
    parser.add_argument("--force", action="store_true", help="write over an existing file")


def _audit(parser: argparse.ArgumentParser) -> None:
    _limited(parser)
    auditing(parser)


def _plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", dest="save", type=Path, metavar="FILE", help="save the plan for `galvan apply FILE`")
    parser.add_argument("--to", choices=("ready", "enforced"), default="enforced")
    _outage(parser)
    parser.add_argument("--detailed-exitcode", action="store_true", help="2 when there are changes")
    parser.add_argument("--commands", action="store_true", help="print what a DBA would type on each host instead")
    _limited(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    _limited(parser)
    parser.add_argument(
        "--write-marker", action="store_true", help="also write a marker (schema galvan_probe) and tap the wire for it"
    )
    parser.add_argument(
        "--force-sst",
        default="",
        metavar="HOST",
        help="also stop this host, and let it get all its data anew (through the gates)",
    )
    parser.add_argument("--data", action="store_true", help="also compare all tables on all members (reads everything)")
    parser.add_argument(
        "--data-limit", type=int, default=1000, metavar="MB", help="leave larger tables out of --data (1000)"
    )
    parser.add_argument("--detailed-exitcode", action="store_true", help="2 when a proof fails")


def _resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="")
    _running(parser)
    _pacing(parser)
    parser.set_defaults(watch=None)


def _rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="")
    parser.add_argument("--auto-approve", action="store_true")
    _outage(parser)
    _running(parser)


def _node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("drain", "undrain", "restart", "heal"))
    parser.add_argument("host")


def _pki(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("status", "renew", "timer"))
    _limited(parser)
    _signing(parser)
    parser.add_argument("--all", action="store_true", help="renew also what is not due")
    timer = parser.add_argument_group("timer", "without one of the first two the units are printed")
    timer.add_argument("--install", action="store_true", help="put them into place on this machine and start the timer")
    timer.add_argument("--remove", action="store_true", help="take them away again")
    timer.add_argument(
        "--on-failure", default="", metavar="UNIT", help="the unit that tells somebody (systemd's OnFailure=)"
    )


def _firewall(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("export", "compare"))
    parser.add_argument(
        "--to",
        required=True,
        metavar="CLOUD",
        help="export: terraform-aws, terraform-gcp, terraform-azure or terraform-openstack; compare: aws",
    )
    _limited(parser)
    live = parser.add_argument_group("compare")
    live.add_argument("--region", metavar="REGION", help="of AWS (default: as for its own tools)")
    live.add_argument("--endpoint-url", metavar="URL", help="ask this instead of AWS (or AWS_ENDPOINT_URL)")
    live.add_argument("--vpc", metavar="VPC", help="where the same address is in several")
    live.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY")
    live.add_argument("--all", action="store_true", help="show passes too")


def _lb(parser: argparse.ArgumentParser) -> None:
    statements(parser)
    _limited(parser)


def _selinux(parser: argparse.ArgumentParser) -> None:
    confinement(parser)
    _limited(parser)
    _remembering(parser)
    _signing(parser)


def _rotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("at-rest-key", "sst-secret"), help="of which kind the new secret is")
    parser.add_argument(
        "--secret",
        metavar="REF",
        help="sst-secret: this password (file:/PATH, env:NAME) instead of one that is made on a host",
    )
    parser.add_argument("--auto-approve", action="store_true", help="do not ask")
    _running(parser)


VERBS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "init": ("write galvan.yaml by asking one member", _init),
    "audit": ("look, and say what is open", _audit),
    "plan": ("say what would be changed, in which order, and whom it could hurt", _plan),
    "apply": ("carry a plan out, wave by wave, while the cluster serves", _apply),
    "verify": ("prove the result from where an attacker would stand", _verify),
    "resume": ("go on with a run that was killed or stopped", _resume),
    "rollback": ("undo all that a run did, in reverse", _rollback),
    "runs": ("list the runs", _remembering),
    "unlock": ("take the lock of a dead run off the hosts", _nothing),
    "checks": ("list the checks", _nothing),
    "explain": ("explain a check", _explain),
    "pki": ("certificates: what is there, what ends when, and renewal while the cluster serves", _pki),
    "rotate": ("a new key of encryption at rest, or a new password for state transfers", _rotate),
    "firewall": ("the firewall policy as security groups of a cloud, and what a cloud has against it", _firewall),
    "node": (
        "drain, undrain or restart one host, through the safety gates; heal one whose full transfers differ from the others'",
        _node,
    ),
    "lb": ("the balancers: what may be said through them is learnt, watched, and then held to", _lb),
    "selinux": ("SELinux: what the servers need is learnt from events, reviewed, and held to", _selinux),
    "lab": ("a practice cluster of real hosts on this machine", practice),
}
