"""A statement without its literals, nearly as ProxySQL (2.4 and later, as it is installed) writes it.

An approximation, for tests and for explaining. What a ProxySQL does with a statement is decided by the digest that it made
itself, and by nothing here: odd spacing around signs, and quotes that are left open, it may write in another way.
"""

from __future__ import annotations

import re

LITERALS = 3
"""Of a list in brackets so many literals stay, and three dots for the others, if there are two or more (mysql-query_digests_grouping_limit)."""
GROUPS = 10
"""The same for lists side by side that were shortened (mysql-query_digests_groups_grouping_limit). A list of fewer literals is
never put together with its neighbours: an INSERT of many short rows has a digest for each number of rows."""

_TOKEN = re.compile(
    r"""
    (?P<kept>/\*!\d*(?P<words>.*?)(?:\*/|\Z))        # the server carries this out, and its words stay as they are
  | (?P<comment>/\*.*?(?:\*/|\Z) | --(?=[ \t\r\n]|\Z(?<=--\ ))[^\n]*\n? | \#[^\n]*\n?)
  | (?P<space>\s+)
  | (?P<text>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*")
  | (?P<open>['"].*)
  | (?P<name>`[^`]*`)
  | (?P<number>(?<![\w$@])(?:0x[0-9A-Fa-f]*|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w$]))
  | (?P<word>[\w$@]+)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGNS = "+-"
_OPERATORS = "+-*/%"


def approximate(statement: str) -> str:
    """
    >>> approximate("SELECT name  FROM t WHERE id = -12 AND note='it''s' /* by id */;")
    'SELECT name FROM t WHERE id = ? AND note=?'
    >>> approximate("SELECT a FROM t WHERE b IN (1, 2,3,4,5)")
    'SELECT a FROM t WHERE b IN (?,?,?,...)'
    """
    pieces: list[str] = []
    for match in _TOKEN.finditer(statement):
        kind = match.lastgroup if match.lastgroup != "words" else "kept"
        if kind in ("comment", "space"):
            _space(pieces)
        elif kind == "kept":
            pieces.append(re.sub(r"\s+", " ", match.group("words").strip()))
        elif kind in ("text", "number"):
            _literal(pieces)
        elif kind == "open":
            break
        else:
            _word(pieces, match.group())
    return _grouped("".join(pieces).strip(" ;").rstrip())


def _space(pieces: list[str]) -> None:
    if pieces and pieces[-1] != " " and pieces[-1] not in ("(", ","):
        pieces.append(" ")


def _word(pieces: list[str], word: str) -> None:
    """No space before a comma and a closing bracket, nor between a literal and what it is reckoned with."""
    if pieces and pieces[-1] == " " and (word in (",", ")") or (word in _OPERATORS and pieces[-2:-1] == ["?"])):
        pieces.pop()
    pieces.append(word)


def _literal(pieces: list[str]) -> None:
    """A sign belongs to the literal, unless something to reckon with stands right before it."""
    at = len(pieces)
    while at and pieces[at - 1] == " ":
        at -= 1
    if at and pieces[at - 1] in _SIGNS:
        ahead = pieces[at - 2] if at > 1 else " "
        if ahead == "?":
            del pieces[at:]
        elif ahead in (" ", "(", ",", "="):
            del pieces[at - 1 :]
    elif at and pieces[at - 1] in _OPERATORS and pieces[at - 2 : at - 1] == ["?"]:
        del pieces[at:]
    pieces.append("?")


def _grouped(text: str) -> str:
    """Long lists of literals, and then of such lists, are cut."""
    short = "(" + ",".join("?" * LITERALS) + ",..."
    text = re.sub(r"\(\?(?:,\?){" + str(LITERALS + 1) + r",}", short, text)
    group = re.escape(short + ")")
    most = ",".join([short + ")"] * GROUPS) + ",..."
    return re.sub(group + "(?:," + group + "){" + str(GROUPS + 1) + ",}", most, text)
