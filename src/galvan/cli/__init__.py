"""The command line. It decides nothing: it reads words, calls the use cases, shows what they say, picks the exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

OK, ERROR, CHANGES, FINDINGS, INCOMPLETE, GATE, USAGE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 64, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Leaves by os._exit once everything is flushed: tearing down a finished process would cost as long as a host's answer."""
    gc.disable()  # a short process is over before its garbage matters; a long one begins with `gc.enable` below
    try:
        code = run(sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:  # whoever read along (`| head`) has seen enough
        os._exit(ERROR)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)


def run(argv: Sequence[str]) -> int:
    from galvan.cli.parser import build
    from galvan.model import BadInput, GalvanError, Unsafe, WrongUsage

    parser = build(argv[0] if argv else "")
    try:
        words = parser.parse_args(argv)
    except SystemExit as done:
        return int(done.code or 0)
    if words.version:
        from galvan import __version__

        print(f"galvan {__version__}")
        return OK
    if not words.command:
        parser.print_help()
        return USAGE
    try:
        if words.command == "audit":
            from galvan.cli.audit import audit

            return audit(words)
        gc.enable()
        from galvan.cli.commands import COMMANDS

        return COMMANDS[words.command](words)
    except WrongUsage as why:
        print(f"galvan: {why}", file=sys.stderr)
        return USAGE
    except BadInput as why:
        print(f"galvan: {why}", file=sys.stderr)
        return ERROR
    except Unsafe as why:
        print(f"galvan: {why}", file=sys.stderr)
        return GATE
    except GalvanError as why:
        print(f"galvan: {why}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("galvan: interrupted; nothing was being changed", file=sys.stderr)
        return INTERRUPTED
