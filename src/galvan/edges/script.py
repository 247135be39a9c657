"""The one script that carries every fact of a host through one exec, and the reading of what it printed. Pure.

The whole travels over stdin to `sh`, wrapped in braces so that the shell has read all of it before a child could
swallow the rest; every command reads /dev/null. Each shell fact runs under a limit of its own. All SQL facts go
through one client: a failing statement makes its own fact unreadable and no other (`--force`, and the client names
the line of each error). The server answers while the shell facts run: what it says is kept in the shell's memory until
those are done, and each line of the client's errors carries the mark, so that none is taken for a shell fact's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from galvan.model import Fact, Shell, Sql, Unreadable

LIMIT = 10
"""Seconds that one statement may take on a host; a shell fact on a busy host may take three times as long."""

FIND_SOCKET = r"""IFS='
'; set -f; s=
for o in $(my_print_defaults --mysqld 2>/dev/null); do
  case $o in --socket=*|--loose[-_]socket=*) s=${o#*=};; esac
done
set +f; unset IFS"""
"""The server's own word on its socket; what a [client] section says may be another server's, or nothing at all."""
CLIENT = (
    '$(command -v mariadb || command -v mysql || echo mariadb) ${s:+--socket="$s"} '
    "--host=localhost --protocol=socket --default-character-set=utf8mb4 --no-auto-rehash -N -B --connect-timeout=5 --loose-disable-ssl-verify-server-cert"
)
"""Runs after FIND_SOCKET. A host and a protocol of some [client] section would lead away from this host. The local
socket needs no proof of who the server is; MariaDB's client since 11.4 asks for one all the same, and then
cannot log in without TLS (2026), or where the server does not send its authority along. Older clients and MySQL's: no change."""
_SESSION = (
    "SET SESSION sql_mode='', wsrep_sync_wait=0 "
    f"/*M! , max_statement_time={LIMIT} */ /*!50706 , max_execution_time={1000 * LIMIT} */;"
)


def render(facts: Sequence[Fact[Any]], mark: str, timed: bool = False) -> str:
    """`mark` is a random word that no output holds by chance. `timed`: each fact between two looks at the clock."""
    shells = [fact for fact in facts if isinstance(fact.query, Shell)]
    statements = [fact for fact in facts if isinstance(fact.query, Sql)]
    parts: list[str] = []
    for fact in shells:
        clock = [f'echo "@{mark} at {fact.id} $(date +%s.%N)"'] if timed else []
        parts += [*clock, f"echo '@{mark} begin {fact.id}'; echo '@{mark} begin {fact.id}' >&2"]
        parts += [f"timeout {3 * LIMIT} sh <<'@{mark}'", "{", fact.query.text, "} </dev/null", f"@{mark}"]
        parts += [f'printf "\\n@%s end %s %s\\n" {mark} {fact.id} $?', *clock]
    if statements:
        parts = _beside(statements, parts, mark, timed)
    return "\n".join(["{", "LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin", *parts, "}", ""])


def _beside(statements: Sequence[Fact[Any]], shells: Sequence[str], mark: str, timed: bool) -> list[str]:
    """The client at one end of a pipe; at the other stand the shell facts, which do not read it, and `cat`."""
    return [
        FIND_SOCKET,
        "ask() {",
        f"timeout {2 * LIMIT} {CLIENT} --force <<'@{mark}'",
        *_lines(statements, mark, timed),
        f"@{mark}",
        "}",
        f"tell() {{ while IFS= read -r line; do printf '@%s sql %s\\n' {mark} \"$line\" >&2; done; }}",
        "{ said=$({ ask 2>&1 >&3 3>&- | tell; } 3>&1); printf '%s\\n' \"$said\"; } | {",
        *shells,
        "cat; }",
    ]


def _lines(statements: Sequence[Fact[Any]], mark: str, timed: bool) -> list[str]:
    """One statement a line, so that the client's `at line N` names the fact: fact i stands on line 3 + 3 i."""
    lines = [_SESSION]
    for fact in statements:
        clock = f"SELECT CONCAT('@{mark} at {fact.id} ', UNIX_TIMESTAMP(SYSDATE(6)));" if timed else ""
        begin, end = f"SELECT '@{mark} begin {fact.id}';", f"SELECT '@{mark} end {fact.id} 0';"
        lines += [clock + begin, fact.query.text + ";", end + clock]
    return lines


def seconds(mark: str, out: str) -> Mapping[str, float]:
    """Of each fact that was seen to begin and to end, where the host's clock shows parts of a second."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    for id, at in re.findall(rf"^@{mark} at (\S+) (\d+\.\d+)$", out, re.M):
        if id in began:
            took[id] = max(0.0, float(at) - began.pop(id))
        else:
            began[id] = float(at)
    return took


def read(facts: Sequence[Fact[Any]], mark: str, out: str, err: str) -> Mapping[str, str | Unreadable]:
    """What each fact printed, or why it could not be read. Facts that the script never reached are left out."""
    shells = [fact.id for fact in facts if isinstance(fact.query, Shell)]
    statements = [fact.id for fact in facts if isinstance(fact.query, Sql)]
    said, wrong = _said(err, mark), _wrong(err, mark, statements)
    found: dict[str, str | Unreadable] = {}
    for match in re.finditer(rf"^@{mark} begin (\S+)\n(.*?)^@{mark} end \1 (\d+)$", out, re.M | re.S):
        id, body, code = match.group(1), match.group(2), int(match.group(3))
        if id in shells and code:
            why = "took longer than its limit" if code == 124 else said.get(id, "").strip() or f"exit status {code}"
            found[id] = Unreadable(f"{id}: {why}")
        else:
            found[id] = wrong.get(id) or (body.removesuffix("\n") if id in shells else body)
    if lost := wrong.get(""):
        found |= {id: lost for id in statements if id not in found}
    return found


def _said(err: str, mark: str) -> dict[str, str]:
    parts = re.split(rf"^@{mark} begin (\S+)\n", re.sub(rf"@{mark} sql .*\n?", "", err), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _wrong(err: str, mark: str, statements: Sequence[str]) -> dict[str, Unreadable]:
    """Errors of the client by fact; under the empty name what kept it from connecting at all."""
    wrong: dict[str, Unreadable] = {}
    for line in re.findall(rf"@{mark} sql (.*)", err):
        if match := re.match(r"ERROR (\d+) \(\w+\) at line (\d+): (.*)", line):
            place = (int(match.group(2)) - 2) // 3
            if 0 <= place < len(statements):
                wrong[statements[place]] = Unreadable(f"{statements[place]}: error {match.group(1)}: {match.group(3)}")
        elif line.startswith("ERROR") or "not found" in line or "failed to run command" in line:
            wrong[""] = Unreadable(f"the server's client could not ask: {line}")
    return wrong
