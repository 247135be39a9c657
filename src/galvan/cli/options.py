"""Options that several commands take."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def limited(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="HOSTS",
        help="only these hosts: names, patterns, roles, groups (db*,!db3)",
    )


def remembering(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        default=os.environ.get("GALVAN_DATABASE"),
        metavar="URL",
        help="where runs are remembered (default: SQLite in the state directory)",
    )


def signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="passphrase of the authorities' keys (or GALVAN_PASSPHRASE_FILE)",
    )
