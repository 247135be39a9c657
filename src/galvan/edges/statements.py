"""statements.yaml: read strictly, since it decides who is refused; written so that a difference is one line for one decision.

learnt_with: [proxysql 2.7]
accounts:
  shop:
  - digest: '0x37B5362567EE37EF'
    schema: shop
    text: SELECT name FROM customers WHERE id = ?
    kind: read
    tables: [customers]
    seen: 120
    first: 2026-11-20 10:02
    last: 2026-11-24 19:40
    allow: true
rules:
- block: ^DROP
  reason: nothing is dropped through the door
- rewrite: SELECT \\* FROM stock
  to: SELECT id, amount FROM stock
  reason: the old client asks for more than it shows
  account: shop
- redirect: ^SELECT .* FOR UPDATE
  to: writer
  reason: it locks
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from galvan.edges.fields import Field, opened
from galvan.model import BadInput
from galvan.model.statements import Act, Book, Kind, Learnt, Name, On, Rule

_STATEMENT = ("digest", "schema", "text", "kind", "tables", "seen", "first", "last", "allow", "attention")
_NEEDED = ("digest", "schema", "text", "kind", "allow")
_DIGEST = re.compile(r"0x[0-9A-F]{16}")
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_FOREIGN = re.compile(r"\(\?P[<=>]|\(\?#|\(\?\(|\\[ZA]")
_ODD = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff]")
_HEAD = """\
# What may be said to the database through its balancers. Learnt by `galvan lb firewall learn`, decided by a person:
# `allow: false` refuses a statement once the firewall protects. Learning again adds, and overturns no decision.
"""


def read(path: Path) -> Book:
    """Raises BadInput with file, line and field; also where there is no such file."""
    root = opened(path, "galvan lb firewall learn")
    return Book({}) if root is None else _book(root)


def read_if_there(path: Path) -> Book:
    """An empty book where there is none yet."""
    return read(path) if path.exists() else Book({})


def _book(root: Field) -> Book:
    top = root.mapping("learnt_with", "accounts", "rules")
    found: dict[Name, Learnt] = {}
    for account, field in _accounts(top).items():
        for item in field.items():
            one = _learnt(item, account)
            if one.name in found:
                raise item.wrong(f"the digest {one.name.digest} stands twice for {account} in {one.name.schema!r}")
            found[one.name] = one
    rules: list[Rule] = []
    for item in top["rules"].items() if "rules" in top else []:
        rule = _rule(item)
        if any(
            (r.act, r.pattern, r.account, r.schema, r.on)
            == (rule.act, rule.pattern, rule.account, rule.schema, rule.on)
            for r in rules
        ):
            raise item.wrong(f"the same {rule.act} stands here twice")
        rules.append(rule)
    return Book(found, tuple(rules), _list(top, "learnt_with"))


def _accounts(top: Mapping[str, Field]) -> Mapping[str, Field]:
    return top["accounts"].mapping() if "accounts" in top else {}


def _learnt(field: Field, account: str) -> Learnt:
    said = field.mapping(*_STATEMENT)
    if missing := [name for name in _NEEDED if name not in said]:
        raise field.wrong(f"a statement needs {', '.join(missing)}")
    if not account:
        raise field.wrong("an account needs a name")
    digest = said["digest"].text(_DIGEST, "'0x37B5362567EE37EF'")
    day = {name: said[name].text(_MINUTE, "2026-11-24 19:40") for name in ("first", "last") if name in said}
    return Learnt(
        Name(account, said["schema"].text(), digest), said["text"].text(), Kind(said["kind"].one_of(*Kind)),
        _list(said, "tables"), int(str(said["seen"].typed("int"))) if "seen" in said else 0,
        day.get("first", ""), day.get("last", ""), bool(said["allow"].typed("bool")), _list(said, "attention"),
    )  # fmt: skip


def _list(said: Mapping[str, Field], name: str) -> tuple[str, ...]:
    return tuple(item.text() for item in said[name].items()) if name in said else ()


def _rule(field: Field) -> Rule:
    said = field.mapping(*Act, "to", "reason", "account", "schema", "on")
    acts = [act for act in Act if act in said]
    if len(acts) != 1:
        raise field.wrong(f"a rule is one of {', '.join(Act)}, with its pattern")
    act = acts[0]
    if "reason" not in said or not said["reason"].text().strip():
        raise field.wrong("a rule needs its reason: whoever is refused will ask for it")
    if ("to" in said) == (act is Act.BLOCK):
        raise field.wrong(f"a {act} " + ("goes nowhere: leave `to` out" if act is Act.BLOCK else "needs `to`"))
    to = ""
    if act is Act.REDIRECT:
        to = said["to"].one_of("reader", "writer")
    elif act is Act.REWRITE:
        to = said["to"].text()
    on = On(said["on"].one_of(*On)) if "on" in said else On.TEXT if act is Act.REWRITE else On.DIGEST
    if act is Act.REWRITE and on is On.DIGEST:
        raise said["on"].wrong("a rewrite changes the text as it was sent: on: text")
    words = {name: said[name].text() for name in ("account", "schema") if name in said}
    return Rule(act, _pattern(said[act], to if act is Act.REWRITE else ""), said["reason"].text(), to, on=on, **words)


def _pattern(field: Field, replacement: str) -> str:
    """A regular expression that Python's, PCRE and RE2 read alike, as far as Python can tell."""
    text = field.text()
    if not text:
        raise field.wrong("an empty pattern would hold for every statement")
    if odd := _FOREIGN.search(text):
        raise field.wrong(f"{odd.group()} is read differently by a balancer: write the pattern without it")
    try:
        pattern = re.compile(text)
        groups = [int(n) for n in re.findall(r"\\(\d)", replacement)]
    except re.error as why:
        raise field.wrong(f"{text!r} is no regular expression: {why}") from None
    if pattern.search(""):
        raise field.wrong(f"{text!r} holds for an empty text, and so for every statement")
    if groups and max(groups) > pattern.groups:
        raise field.wrong(f"the replacement names group {max(groups)}, and the pattern has {pattern.groups}")
    return text


class _Dumper(yaml.SafeDumper):
    """Text with an odd end of line in it stands in double quotes: elsewhere YAML would read it back as a space."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _ODD.search(text) else None)


_Dumper.add_representer(str, _text)


def render(book: Book) -> str:
    """Sorted, one field a line: what was learnt again changes `seen` and `last` and nothing else."""
    accounts: dict[str, list[dict[str, object]]] = {}
    for name in sorted(book.statements):
        accounts.setdefault(name.account, []).append(_plain(book.statements[name]))
    content: dict[str, object] = {"learnt_with": list(book.learnt_with)} if book.learnt_with else {}
    content |= {"accounts": accounts} if accounts else {}
    if book.rules:
        content["rules"] = [_plain_rule(rule) for rule in book.rules]
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9) if content else ""
    return _HEAD + body


def _plain(one: Learnt) -> dict[str, object]:
    said: dict[str, object] = {
        "digest": one.name.digest, "schema": one.name.schema, "text": one.text, "kind": str(one.kind),
        "tables": list(one.tables), "seen": one.seen, "first": one.first, "last": one.last, "allow": one.allow,
        "attention": list(one.attention),
    }  # fmt: skip
    return {key: value for key, value in said.items() if value not in ([], "") or key in _NEEDED}


def _plain_rule(rule: Rule) -> dict[str, object]:
    usual = On.TEXT if rule.act is Act.REWRITE else On.DIGEST
    said = {
        str(rule.act): rule.pattern,
        "to": rule.to,
        "reason": rule.reason,
        "account": rule.account,
        "schema": rule.schema,
    }
    said = {key: value for key, value in said.items() if value}
    return {**said, **({"on": str(rule.on)} if rule.on is not usual else {})}


def write(path: Path, book: Book) -> None:
    """Whole or not at all: somebody's decisions stand in the file."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w") as out:
            out.write(render(book))
            out.flush()
            os.fsync(out.fileno())
        new.replace(path)
    except OSError as why:
        raise BadInput(f"{path} cannot be written: {why.strerror}") from None
