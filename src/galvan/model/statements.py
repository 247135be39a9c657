"""What may be said to the database: a book of statements that a person reviews, and rules by hand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a statement does. UNPARSED says that nobody knows, and is never a guess."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    DCL = "dcl"
    ADMIN = "admin"
    UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """What the balancer tells statements apart by. The same words in another schema are another statement."""

    account: str
    schema: str
    digest: str

    def __str__(self) -> str:
        return f"{self.account}/{self.schema}/{self.digest}"


@dataclass(frozen=True, slots=True)
class Learnt:
    """A statement that was seen. `text` holds no literal: the balancer took them out. Times are days and minutes in UTC."""

    name: Name
    text: str
    kind: Kind
    tables: tuple[str, ...] = ()
    seen: int = 0
    first: str = ""
    last: str = ""
    allow: bool = False
    attention: tuple[str, ...] = ()


class Act(StrEnum):
    BLOCK = "block"
    REWRITE = "rewrite"
    REDIRECT = "redirect"


class On(StrEnum):
    """What a pattern is held against: the statement without its literals and comments, or the text as it was sent."""

    DIGEST = "digest"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Rule:
    """By hand, with a reason. `to`: the replacement of a rewrite, or `reader` and `writer` of a redirect."""

    act: Act
    pattern: str
    reason: str
    to: str = ""
    account: str = ""  # empty: whoever says it
    schema: str = ""
    on: On = On.DIGEST


@dataclass(frozen=True, slots=True)
class Book:
    """Statements by their name, and the rules in the order in which they are tried. `learnt_with`: what the balancer makes
    digests with, since another version or setting gives other ones."""

    statements: Mapping[Name, Learnt]
    rules: tuple[Rule, ...] = ()
    learnt_with: tuple[str, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(sorted({name.account for name in self.statements}))

    def allowed(self, account: str) -> tuple[Name, ...]:
        return tuple(sorted(n for n, one in self.statements.items() if one.allow and n.account == account))
