"""Why a person should look at a statement before it may pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.expressions import Expr


@dataclass(frozen=True, slots=True)
class Flag:
    id: str
    says: str


UNPARSED = Flag("unparsed", "sqlglot cannot read it: read it yourself")
STACKED = Flag("stacked", "several statements in one, as an injected one would be")
EVERY_ROW = Flag("every-row", "no WHERE: every row is changed or deleted")
CONSTANTS = Flag("union-constants", "a UNION with a SELECT of constants, as in an injection that looks for columns")
CATALOGUE = Flag("catalogue", "reads the server's own catalogue: an application seldom does, an intruder does first")
HIDDEN = Flag("hidden", "words that were in a comment which the server carries out")
LATE = Flag("comment", "the rest of a comment, or of a quote that was left open")
RIGHTS = Flag("rights", "changes who may do what: an application seldom has to")
_WORDS = (
    (Flag("file-out", "writes a file on the database host"), r"\binto\s+(out|dump)file\b"),
    (Flag("file-in", "reads a file on the database host"), r"\bload_file\s*\(|\bload\s+(data|xml)\b"),
    (Flag("waits", "waits or burns time, as an injection that guesses bit by bit does"),
     r"\b(sleep|benchmark|get_lock)\s*\("),
    (Flag("error-speaks", "a function whose error messages carry data out"), r"\b(extractvalue|updatexml)\s*\("),
    (Flag("code", "loads or runs code on the database host"), r"\b(install\s+(plugin|soname)|soname\b|sys_(eval|exec)\s*\()"),
    (Flag("always", "OR with a literal, or with two literals compared: it holds for every row"),
     r"(\bx?or\b|\|\|)[\s(]*\?"),
    (CATALOGUE, r"\b(information_schema|performance_schema|mysql)`?\s*\.|\bprocedure\s+analyse\b"),
    (HIDDEN, r"/\*"),
    (LATE, r"--|#|'|\""),
)  # fmt: skip
_WORD_RULES = tuple((flag, re.compile(pattern, re.IGNORECASE)) for flag, pattern in _WORDS)


def of_words(text: str) -> tuple[Flag, ...]:
    """By the words alone: this holds where the statement cannot be read, too."""
    return tuple(flag for flag, pattern in _WORD_RULES if pattern.search(text))


def of_tree(tree: Expr) -> Iterator[Flag]:
    from sqlglot import exp

    changes = [found for found in tree.find_all(exp.Update, exp.Delete) if not found.args.get("where")]
    if any(not found.args.get("limit") for found in changes):
        yield EVERY_ROW
    if isinstance(tree, exp.TruncateTable):
        yield EVERY_ROW
    for union in tree.find_all(exp.SetOperation):
        if any(_constants(side) for side in (union.left, union.right)):
            yield CONSTANTS
            return


def _constants(side: Expr | None) -> bool:
    """A SELECT without FROM: all that it gives was written into the statement."""
    from sqlglot import exp

    if isinstance(side, exp.Subquery):
        return _constants(side.unnest())
    return isinstance(side, exp.Select) and side.find(exp.From) is None
