"""What a statement does, in words. sqlglot reads it; what it cannot read is said to be unread, and never guessed.

The text is a digest: literals are gone, so a word that stands in it is a word of the statement. sqlglot is loaded when the
first statement is explained, and not before.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from galvan.model.statements import Kind
from galvan.tips.load_balancer.statements import dangers
from galvan.tips.load_balancer.statements.dangers import Flag

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

_SHORTENED = re.compile(r",\s*\.\.\.")
_REPLACE = re.compile(r"\s*REPLACE\b(?!\s*\()", re.IGNORECASE)
_FIRST = re.compile(r"\W*(\w+)(?:\s+(?:OR\s+REPLACE\s+)?(\w+))?", re.IGNORECASE)
_BY_NODE = {
    Kind.READ: ("Select", "Union", "Intersect", "Except", "Show", "Describe", "Subquery", "Values"),
    Kind.WRITE: ("Insert", "Update", "Delete", "Merge"),
    Kind.DDL: ("Create", "Drop", "Alter", "TruncateTable"),
    Kind.DCL: ("Grant", "Revoke"),
    Kind.ADMIN: ("Set", "Use", "Transaction", "Commit", "Rollback", "Kill", "Analyze", "Pragma"),
}
_KINDS = {node: kind for kind, nodes in _BY_NODE.items() for node in nodes}
_VERBS = {
    Kind.READ: "reads", Kind.WRITE: "changes", Kind.DDL: "alters the structure of", Kind.DCL: "changes who may do what",
    Kind.ADMIN: "sets up the session or the server",
}  # fmt: skip
_RANK = (Kind.READ, Kind.ADMIN, Kind.WRITE, Kind.DDL, Kind.DCL, Kind.UNPARSED)


@dataclass(frozen=True, slots=True)
class Explained:
    """`says` is a sentence; `flags` is why a person should look."""

    kind: Kind
    tables: tuple[str, ...]
    says: str
    flags: tuple[Flag, ...]


def explain(text: str) -> Explained:
    """Of several statements in one the most dangerous gives its kind."""
    trees = _parse(text)
    if trees is None:
        flags = (*dangers.of_words(text), dangers.UNPARSED)
        return Explained(Kind.UNPARSED, (), f"begins with {_first(text)}; sqlglot cannot read it", flags)
    kinds = [_kind(tree, text) for tree in trees]
    kind = max(kinds, key=_RANK.index)
    tables = tuple(sorted({name for tree in trees for name in _tables(tree)}))
    flags = tuple(dict.fromkeys((*dangers.of_words(text), *(flag for tree in trees for flag in dangers.of_tree(tree)))))
    if len(trees) > 1:
        flags = (*flags, dangers.STACKED)
    if kind is Kind.DCL:
        flags = (*flags, dangers.RIGHTS)
    if kind is Kind.UNPARSED:
        says = f"begins with {_first(text)}; sqlglot cannot read it"
        return Explained(kind, tables, says, (*flags, dangers.UNPARSED))
    return Explained(kind, tables, _sentence(kind, trees, tables), flags)


def _parse(text: str) -> list[Expr] | None:
    """None where it cannot be read. The balancer shortens long lists with three dots, which are no SQL; sqlglot knows INSERT
    and not REPLACE, which has the same parts."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    plain = (
        _REPLACE.sub("INSERT", _SHORTENED.sub("", text), count=1) if _REPLACE.match(text) else _SHORTENED.sub("", text)
    )
    log = logging.getLogger("sqlglot")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of each statement that it takes for a command
    try:
        found = [tree for tree in sqlglot.parse(plain, read="mysql") if tree is not None]
    except (SqlglotError, RecursionError):
        return None
    finally:
        log.setLevel(level)
    return found or None


def _kind(tree: Expr, text: str) -> Kind:
    """What sqlglot takes for a bare command has its kind where the first words leave no doubt."""
    name = type(tree).__name__
    if name == "Command":
        match = _FIRST.match(f"{tree.args.get('this', '')} {tree.args.get('expression') or ''}")
        first, second = (str(word or "").upper() for word in match.groups()) if match else ("", "")
        if first in ("GRANT", "REVOKE") or second in ("USER", "ROLE"):
            return Kind.DCL
        return Kind.UNPARSED
    if name == "Set" and re.match(r"\s*SET\s+(PASSWORD|DEFAULT\s+ROLE)\b", text, re.IGNORECASE):
        return Kind.DCL
    return _KINDS.get(name, Kind.UNPARSED)


def _tables(tree: Expr) -> Iterator[str]:
    """A name that the statement makes for itself (WITH) and a variable are no tables."""
    from sqlglot import exp

    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    if isinstance(tree, exp.Use):
        return
    for table in tree.find_all(exp.Table):
        if (table.name and (table.db or table.name not in own)) and not isinstance(table.this, exp.Parameter):
            yield f"{table.db}.{table.name}" if table.db else table.name


def _sentence(kind: Kind, trees: list[Expr], tables: tuple[str, ...]) -> str:
    from sqlglot import exp

    verb = _VERBS[kind]
    if len(trees) == 1 and isinstance(trees[0], exp.Insert | exp.Update | exp.Delete):
        verb = {"Insert": "adds rows to", "Update": "changes rows of", "Delete": "deletes rows of"}[
            type(trees[0]).__name__
        ]
    if kind in (Kind.DCL, Kind.ADMIN):
        return verb
    where = ", ".join(tables) or ("no table" if kind is Kind.READ else "what is no table")
    some = any(tree.find(exp.Where) for tree in trees)
    return f"{verb} {where}{', the rows that a condition names' if some else ''}"


def _first(text: str) -> str:
    match = _FIRST.match(text)
    return match.group(1).upper() if match else "no word"
