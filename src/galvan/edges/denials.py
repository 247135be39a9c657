"""selinux.yaml: what was learnt and what a person decided about it. Read strictly, since it decides what a database may do.

version: 2
events: {ist@db1: 3, sst-mariabackup@db1: 12}
rules:
- rule: mysqld_t/kerberos_port_t/tcp_socket
  permissions: [name_bind]
  answer: allow
  says: socat listens on tcp port 4444
  events: [sst-mariabackup]
  processes: [socat]
  hosts: [db1, db2]
  objects: ['4444']
  seen: 12
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from galvan.edges.fields import Field, opened
from galvan.model import BadInput
from galvan.model.denials import Answer, Book, Rule

NAME = "selinux.yaml"
_RULE = re.compile(r"\w+/(\w+|\S*[/-]\S*)/\w+")
_WORD = re.compile(r"\w+")
_FIELDS = (
    "rule",
    "permissions",
    "answer",
    "says",
    "by",
    "events",
    "processes",
    "hosts",
    "objects",
    "seen",
    "attention",
)
_HEAD = """\
# What the servers were seen to need and their policy does not give. Learnt by `galvan selinux learn`, decided by a person:
# `answer: allow` puts a rule into the module, `hold` and `leave` do not; `label` and `boolean` need no rule. Learning again
# adds, and overturns no decision.
"""


def read(path: Path) -> Book:
    """Raises BadInput with file, line and field; also where there is no such file."""
    root = opened(path, "galvan selinux learn")
    return Book({}, {}) if root is None else _book(root)


def read_if_there(path: Path) -> Book:
    return read(path) if path.exists() else Book({}, {})


def _book(root: Field) -> Book:
    top = root.mapping("version", "digest", "events", "rules")
    rules: dict[str, Rule] = {}
    for item in top["rules"].items() if "rules" in top else []:
        rule = _rule(item)
        if rule.name in rules:
            raise item.wrong(f"the rule {rule.name} stands twice")
        rules[rule.name] = rule
    events = {name: _number(field) for name, field in (top["events"].mapping() if "events" in top else {}).items()}
    version = _number(top["version"]) if "version" in top else 0
    return Book(rules, events, version, top["digest"].text() if "digest" in top else "")


def _rule(field: Field) -> Rule:
    said = field.mapping(*_FIELDS)
    if missing := [name for name in ("rule", "permissions", "answer") if name not in said]:
        raise field.wrong(f"a rule needs {', '.join(missing)}")
    words = {name: frozenset(_words(said, name)) for name in ("events", "processes", "hosts", "objects")}
    permissions = frozenset(item.text(_WORD, "name_bind") for item in said["permissions"].items())
    if not permissions:
        raise said["permissions"].wrong("a rule without a permission says nothing: leave it out")
    text = {name: said[name].text() if name in said else "" for name in ("says", "by")}
    return Rule(
        said["rule"].text(_RULE, "mysqld_t/etc_t/file"), permissions, Answer(said["answer"].one_of(*Answer)), text["says"], text["by"],
        seen=_number(said["seen"]) if "seen" in said else 0, attention=tuple(_words(said, "attention")), **words,
    )  # fmt: skip


def _words(said: dict[str, Field], name: str) -> list[str]:
    return [item.text() for item in said[name].items()] if name in said else []


def _number(field: Field) -> int:
    return int(str(field.typed("int")))


def render(book: Book) -> str:
    """Sorted, so that a difference is one line for one decision."""
    content: dict[str, object] = {"version": book.version, "digest": book.digest} if book.version else {}
    content |= {"events": dict(sorted(book.events.items()))} if book.events else {}
    content |= {"rules": [plain(rule) for _, rule in sorted(book.rules.items())]} if book.rules else {}
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**9) if content else ""
    return _HEAD + body


def plain(rule: Rule) -> dict[str, object]:
    said: dict[str, object] = {
        "rule": rule.name, "permissions": sorted(rule.permissions), "answer": str(rule.answer), "says": rule.says, "by": rule.by,
        "events": sorted(rule.events), "processes": sorted(rule.processes), "hosts": sorted(rule.hosts),
        "objects": sorted(rule.objects), "seen": rule.seen, "attention": list(rule.attention),
    }  # fmt: skip
    return {key: value for key, value in said.items() if value or key == "seen"}


def write(texts: Iterable[tuple[Path, str]]) -> None:
    """All or none: a module without its book would be one that nobody can explain."""
    news = [(path.with_name(path.name + ".new"), path, text) for path, text in texts]
    try:
        for new, _, text in news:
            with new.open("w") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
        for new, path, _ in news:
            new.replace(path)
    except OSError as why:
        for new, _, _ in news:
            new.unlink(missing_ok=True)
        raise BadInput(f"{why.filename or 'the file'} cannot be written: {why.strerror}") from None
