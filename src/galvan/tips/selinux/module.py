"""The one module `galvan_galera`: rules out of the book, in the policy's own language, the same text on every host. Pure.

It is CIL, which every `semodule` since 2.4 takes as it is: nothing has to be compiled, and what a host has installed can be compared
with what was built, byte by byte. Each rule is optional, since not every host's policy knows every name; beside it lies the same as a
`.te` for people and for `checkmodule`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from galvan.model import BadInput
from galvan.model.denials import Answer, Book, Denial, Rule
from galvan.tips.selinux import apparmor
from galvan.tips.selinux.facts import MODULE

_ALLOW = re.compile(r"\(allow (\w+) (\w+) \((\w+) \(([\w ]+)\)\)\)")
_WORD = re.compile(r"\w+")


def granted(book: Book) -> tuple[Rule, ...]:
    return tuple(
        rule
        for _, rule in sorted(book.rules.items())
        if rule.answer is Answer.ALLOW and not rule.name.startswith(f"{apparmor.PROFILE}/")
    )


def booleans(book: Book) -> tuple[str, ...]:
    return tuple(
        sorted({rule.by for rule in book.rules.values() if rule.answer is Answer.BOOLEAN and _WORD.fullmatch(rule.by)})
    )


def digest(book: Book) -> str:
    """Of what the module does, whatever its version."""
    return hashlib.sha256("\n".join([*_allows(book), *booleans(book), *apparmor.granted(book)]).encode()).hexdigest()[
        :16
    ]


def _allows(book: Book) -> Iterator[str]:
    """Raises BadInput where a name in the book is none of a policy's."""
    for rule in granted(book):
        source, target, kind = rule.parts
        words = (source, target, kind, *rule.permissions)
        if bad := [word for word in words if not _WORD.fullmatch(word)]:
            raise BadInput(f"{bad[0]!r} in the rule {rule.name} is no name of a policy's")
        yield f"(allow {source} {'self' if source == target else target} ({kind} ({' '.join(sorted(rule.permissions))})))"


def cil(book: Book, version: int) -> str:
    """`version`: counted up with each build that changes a rule."""
    head = [f"; {MODULE} {version}", f"; learnt from {len(book.events)} events; do not edit: galvan selinux build"]
    head += [f"; boolean {name} on" for name in booleans(book)]
    names = {rule.name: rule for rule in granted(book)}
    body = []
    for number, (allow, rule) in enumerate(zip(_allows(book), names.values(), strict=True), 1):
        body += [f"; {rule.says}", f"(optional {MODULE}_{number} {allow})"]
    return "\n".join([*head, *body, ""])


def te(book: Book, version: int) -> str:
    rules = granted(book)
    kinds: dict[str, set[str]] = {}
    for rule in rules:
        kinds.setdefault(rule.parts[2], set()).update(rule.permissions)
    types = sorted({part for rule in rules for part in rule.parts[:2]})
    lines = [
        f"module {MODULE} {version}.0;",
        "",
        "require {",
        *(f"    {'attribute' if name == 'domain' else 'type'} {name};" for name in types),
    ]
    lines += [f"    class {kind} {{ {' '.join(sorted(given))} }};" for kind, given in sorted(kinds.items())]
    lines += ["}", ""]
    for rule in rules:
        source, target, kind = rule.parts
        given = " ".join(sorted(rule.permissions))
        lines += [f"# {rule.says}", f"allow {source} {'self' if source == target else target}:{kind} {{ {given} }};"]
    return "\n".join([*lines, ""])


def version_of(text: str) -> str:
    """
    >>> version_of("; galvan_galera 3\\n")
    '3'
    """
    match = re.match(rf"; {MODULE} (\d+)$", text.partition("\n")[0])
    return match.group(1) if match else ""


def switched_on(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^; boolean (\w+) on$", text, re.MULTILINE))


def allowed_by(text: str) -> Mapping[str, frozenset[str]]:
    """By a rule's name what the module lets through."""
    found = {}
    for source, target, kind, given in _ALLOW.findall(text):
        found[f"{source}/{source if target == 'self' else target}/{kind}"] = frozenset(given.split())
    return found


def covers(text: str, denial: Denial) -> bool:
    return denial.permissions <= allowed_by(text).get(denial.rule, frozenset())
