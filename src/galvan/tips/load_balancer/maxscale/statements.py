"""Which statements may pass, with what each version has: a list that is learnt (25.10), patterns (22.08 to 25.01), rules (before).

The shape of the learnt list is not documented ("JSON, sufficiently self-explanatory"), and that filter's source is not public. So nothing
is guessed: statements are found in it wherever they stand, and the only edit is to take some out of the shape that MaxScale itself wrote.
New ones are added by being said while it learns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from galvan.cluster.maxscale import MAIN, REST
from galvan.cluster.quote import sh
from galvan.model import BadInput, Fact, PutFile, Shell, Unreadable
from galvan.tips.load_balancer.maxscale.facts import HERE, KEEP
from galvan.tips.load_balancer.maxscale.render import FILTER, Object, name, value

MODES = ("idle", "learn-clear", "learn-append", "supervise", "enforce")
_VERBS = (
    "select insert update delete replace with set show call begin start commit rollback use load create alter drop truncate grant revoke "
    "lock unlock prepare execute deallocate explain describe desc analyze optimize handler savepoint release do flush kill xa table values"
)
_STATEMENT = re.compile(rf"[\s(]*(?:/\*.*?\*/\s*)*(?:{'|'.join(_VERBS.split())})\b", re.I | re.S)


def path(called: str = FILTER, datadir: str = "/var/lib/maxscale") -> str:
    return f"{datadir}/firewall/{name(called)}-allowed_statements.json"


def module(mode: str = "idle", called: str = FILTER, users: Sequence[str] = ()) -> Object:
    """The filter of 25.10. It is made idle: its mode is changed while it runs (`set_mode`), and MaxScale remembers that. `users`: of
    whom nothing is asked (administrators, backups)."""
    if mode not in MODES:
        raise BadInput(f"{mode!r} is no mode of MaxScale's firewall: {', '.join(MODES)}")
    values = [("module", "firewall"), ("mode", mode), ("action", "return-error"), ("user_scope", "individual")]
    if users:
        values.append(("exclude_users", ",".join(_account(user) for user in users)))
    return Object(name(called), "filter", tuple((key, value(said)) for key, said in values))


def _account(user: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+(@[A-Za-z0-9_.:%-]+)?", user):
        raise BadInput(f"{user!r} is no account that can be left out: user or user@host, plain characters only")
    return user


def set_mode(mode: str, called: str = FILTER) -> Shell:
    """Leaving a learning mode for anything but idle saves what was learnt; the list that lay there is kept first. Enforcing without a list
    refuses everything, so that is refused here, on the host."""
    if mode not in MODES:
        raise BadInput(f"{mode!r} is no mode of MaxScale's firewall: {', '.join(MODES)}")
    guard = (
        "[ -s {{list}} ] || { echo 'there is no list of allowed statements yet: learn first, then supervise' >&2; exit 1; }\n"
        if mode == "enforce"
        else ""
    )
    keep = "umask 077; mkdir -p {{keep}}; [ ! -e {{list}} ] || cp -p {{list}} {{keep}}/{{called}}.before\n"
    return sh(
        REST + keep + guard + "mx alter filter {{called}} {{mode}}",
        list=path(called), keep=KEEP, called=name(called), mode=f"mode={mode}",
    )  # fmt: skip


def read(text: str) -> frozenset[str]:
    """The statements of a learnt list, whatever stands around them. Raises Unreadable for what is no JSON, or holds none although it is
    not empty: then its shape is one that nobody has seen."""
    found = frozenset(_found(_parsed(text)))
    if not found and _strings(_parsed(text)):
        raise Unreadable("the list of allowed statements holds none that can be recognised: its form is not known")
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as wrong:
        raise Unreadable(f"the list of allowed statements is no JSON: {wrong}") from None


def _strings(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    if isinstance(tree, dict):
        return [*tree, *(said for below in tree.values() for said in _strings(below))]
    return [said for below in tree for said in _strings(below)] if isinstance(tree, list) else []


def _found(tree: Any) -> Iterable[str]:
    return (said for said in _strings(tree) if " " in said.strip() and _STATEMENT.match(said))


def without(text: str, refused: Iterable[str]) -> str:
    """The same list without some statements: an element that is one, or an object that names one, or a key that is one. Raises
    Unreadable where one of them cannot be taken out without taking others along."""
    gone = frozenset(refused)
    tree = _parsed(text)
    rest = _pruned(tree, gone)
    missing = frozenset(_found(tree)) - frozenset(_found(rest)) - gone
    if missing or gone & frozenset(_strings(rest)):
        raise Unreadable("statements cannot be taken out of this list one by one: edit it by hand, MaxScale stopped")
    return json.dumps(rest, indent=4, ensure_ascii=False) + "\n"


def _pruned(tree: Any, gone: frozenset[str]) -> Any:
    if isinstance(tree, dict):
        return {key: _pruned(below, gone) for key, below in tree.items() if key not in gone}
    if isinstance(tree, list):
        return [_pruned(below, gone) for below in tree if not _is(below, gone)]
    return tree


def _is(below: Any, gone: frozenset[str]) -> bool:
    if isinstance(below, dict):
        return any(isinstance(said, str) and said in gone for said in below.values())
    return isinstance(below, str) and below in gone


ALLOWED: Fact[frozenset[str]] = Fact(
    "load_balancer.maxscale_allowed",
    Shell(f"[ ! -s {path()} ] || cat {path()}"),
    lambda output: read(output) if output.strip() else frozenset(),
    roles=HERE,
)
"""Their literals are gone: MaxScale writes down the canonical form."""


def put(text: str, called: str = FILTER) -> PutFile:
    """A list that was made shorter (`without`). MaxScale reads it when it starts, and does not start where it is no JSON."""
    read(text)
    return PutFile(path(called), text, 0o640, "maxscale:maxscale")


@dataclass(frozen=True, slots=True)
class Miss:
    """A statement that the list does not hold, as the log shows it, without its literals."""

    user: str
    address: str
    statement: str
    times: int


def misses(output: str) -> tuple[Miss, ...]:
    """Lines: how often, user@address, statement."""
    found = []
    for line in output.splitlines():
        said = re.fullmatch(r"\s*(\d+) (\S*)@(\S+)\t(.*)", line)
        if not said:
            raise Unreadable(f"MaxScale's log holds an incident that cannot be read: {line[:80]!r}")
        found.append(Miss(said[2], said[3], said[4], int(said[1])))
    return tuple(found)


_BARE = r"""
NF > 1 { s = substr($0, length($1) + 2); out = ""
  gsub(/\047([^\047\\]|\\.)*\047/, "?", s); gsub(/"([^"\\]|\\.)*"/, "?", s); sub(/[\047"].*$/, "?", s); gsub(/0[xX][0-9A-Fa-f]+/, "?", s)
  while (match(s, /[0-9]+(\.[0-9]+)?/)) {
    named = RSTART > 1 && substr(s, RSTART - 1, 1) ~ /[A-Za-z0-9_$.]/
    out = out substr(s, 1, RSTART - 1) (named ? substr(s, RSTART, RLENGTH) : "?"); s = substr(s, RSTART + RLENGTH) }
  print $1 "\t" out s }
"""
"""Literals go, and so does what follows a quote that ends on another line of the log."""
MISSES: Fact[tuple[Miss, ...]] = Fact(
    "load_balancer.maxscale_misses",
    Shell(
        "command -v maxscale >/dev/null || exit 0\n"
        f"d=$(sed -n 's/^[[:space:]]*logdir[[:space:]]*[=:][[:space:]]*//p' {MAIN} | tail -n 1)\n"
        'f="${d:-/var/log/maxscale}/maxscale.log"; [ -r "$f" ] || exit 0\n'
        "t=$(printf '\\t'); tail -n 200000 \"$f\" | grep 'Firewall incident (' | "
        'sed -E "s/^.*Firewall incident \\(([^()]*)\\): /\\1$t/" | '
        f"awk -F '\t' '{_BARE}' | sort | uniq -c"
    ),
    misses,
    stable=False,
    roles=HERE,
)
"""What supervising (and enforcing) wrote into MaxScale's log (its documentation of the firewall filter, Logging)."""


# versions without it ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Pattern:
    """A hand-written rule. `match`: PCRE2. `replace`: what takes the place of what matched; None: the statement is refused."""

    called: str
    match: str
    reason: str
    replace: str | None = None


def literal(statement: str) -> str:
    """A canonical statement (literals as `?`) as PCRE2: any blanks, any literal, nothing else.

    >>> literal("SELECT a FROM t WHERE b = ?")
    'SELECT\\\\s+a\\\\s+FROM\\\\s+t\\\\s+WHERE\\\\s+b\\\\s+\\\\=\\\\s+(?:\\\\?|[+-]?[0-9][0-9A-Fa-fxX.eE+-]*|\\\\x27(?:[^\\\\x27\\\\\\\\]|\\\\\\\\.|\\\\x27\\\\x27)*\\\\x27|\\\\x22(?:[^\\\\x22\\\\\\\\]|\\\\\\\\.|\\\\x22\\\\x22)*\\\\x22|NULL)'
    """
    parts = re.split(r"(\s+|\?)", statement.strip())
    return "".join(_LITERAL if part == "?" else r"\s+" if part.isspace() else _escaped(part) for part in parts if part)


_LITERAL = (
    r"(?:\?|[+-]?[0-9][0-9A-Fa-fxX.eE+-]*|\x27(?:[^\x27\\]|\\.|\x27\x27)*\x27|\x22(?:[^\x22\\]|\\.|\x22\x22)*\x22|NULL)"
)


def _escaped(text: str) -> str:
    """Quotes by number, because rule files end at them; other letters than ASCII's by number too."""
    return "".join(
        c
        if c.isascii() and (c.isalnum() or c == "_")
        else f"\\x{ord(c):02x}"
        if c in "'\"/"
        else f"\\{c}"
        if " " < c < "\x7f"
        else f"\\x{{{ord(c):x}}}"
        for c in text
    )


def _line(pattern: Pattern) -> str:
    """PCRE2 that can stand on a line of its own. What it means is the operator's; that it stays on its line is ours."""
    if not pattern.match or re.search(r"[\x00-\x1f\x7f]", pattern.match):
        raise BadInput(
            f"the pattern of {pattern.called!r} is empty, or holds a control character: write it as \\n, \\t"
        )
    try:
        re.compile(pattern.match)
    except re.error as wrong:
        raise BadInput(f"the pattern of {pattern.called!r} is not right: {wrong}") from None
    return pattern.match


def regex_filter(pattern: Pattern) -> Object:
    """22.08 to 25.01. A refused statement becomes one that the server answers with an error: nothing of the client's is left in it."""
    called = name(f"galvan-{pattern.called}")
    if pattern.replace is None:
        match, replace = (
            rf"/(?s)\A.*(?:{_line(pattern)}).*\z/",
            f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused: {name(pattern.called)}'",
        )
    else:
        match, replace = f"/{_line(pattern)}/", pattern.replace
    found = (("module", "regexfilter"), ("match", value(match)), ("replace", value(replace)), ("options", "ignorecase"))
    return Object(called, "filter", found)


def dbfw_rules(patterns: Sequence[Pattern], accounts: Sequence[str] = ("%@%",)) -> str:
    """The rule file of dbfwfilter (MaxScale 6 and older), the reason of each above it. Its quotes know no escape, so a pattern with both kinds
    has them by number. It knows no rewriting."""
    lines, names = [], []
    for pattern in patterns:
        if pattern.replace is not None:
            raise BadInput(f"dbfwfilter cannot rewrite ({pattern.called})")
        text = _line(pattern)
        quote = "'" if "'" not in text else '"'
        if quote in text:
            text = text.replace('"', r"\x22")
        reason = re.sub(r"[^ -~]", " ", pattern.reason)
        names.append(_rule_name(pattern.called))
        lines += [f"# {reason}", f"rule {names[-1]} match regex {quote}(?is){text}{quote}"]
    if names:
        lines.append(f"users {' '.join(_whom(account) for account in accounts)} match any rules {' '.join(names)}")
    return "".join(f"{line}\n" for line in lines)


def _rule_name(called: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", called):
        raise BadInput(f"{called!r} is no name for a rule: a letter, then letters, digits, _ and -")
    return f"galvan-{called}"


def _whom(account: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.%-]+@(%|[0-9a-fA-F.:]+)", account):
        raise BadInput(f"{account!r} is no account for a rule: user@address or user@%")
    return account
