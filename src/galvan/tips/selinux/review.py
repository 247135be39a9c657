"""Denials become rules, and each rule an answer that a person can judge. Pure.

A label is preferred to a rule: it says what a thing is, where a rule would let the server at everything of that kind. A rule that
would give away more than a database needs is held back until somebody takes it by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from galvan.model import State
from galvan.model.denials import Answer, Book, Denial, Rule
from galvan.tips.selinux import apparmor, dangers
from galvan.tips.selinux.places import PORT_TYPE, pattern, purpose_of, wanted

_FILES = frozenset({"file", "dir", "lnk_file", "sock_file", "fifo_file"})
_BOOLEANS = {("http_port_t", "name_connect"): ("mysql_connect_http",), ("user_tty_device_t", ""): ("daemons_use_tty", "init_daemons_use_tty", "allow_daemons_use_tty")}  # fmt: skip
_VERBS = {
    "read": "reads", "open": "opens", "getattr": "looks at", "write": "writes to", "append": "writes to", "create": "makes",
    "unlink": "removes", "rename": "renames", "search": "looks into", "add_name": "makes files in", "remove_name": "removes files from",
    "execute": "runs", "execute_no_trans": "runs", "map": "maps", "lock": "locks", "ioctl": "controls", "setattr": "changes the mode of",
    "name_bind": "listens on", "name_connect": "connects to", "connectto": "talks to", "signull": "asks after", "getpgid": "asks after",
}  # fmt: skip


_MASKS = {"r": "reads", "w": "writes to", "k": "locks", "l": "links", "m": "maps", "x": "runs"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a host has that answers may use: the server's paths, its labels, the policy's names and booleans."""

    paths: State = field(default_factory=dict)
    at: Mapping[str, str] = field(default_factory=dict)
    types: frozenset[str] = frozenset()
    booleans: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset({3306, 4567, 4568, 4444})


@dataclass(frozen=True, slots=True)
class Caught:
    """A denial with the host on which, and the event during which, it came."""

    host: str
    event: str
    denial: Denial


def rules(caught: Iterable[Caught], grounds: Mapping[str, Ground]) -> Mapping[str, Rule]:
    """One rule for each source, target and kind, with all that asked for it."""
    groups: dict[str, list[Caught]] = {}
    for one in caught:
        groups.setdefault(one.denial.rule, []).append(one)
    return {name: _rule(name, mine, grounds) for name, mine in sorted(groups.items())}


def _rule(name: str, mine: list[Caught], grounds: Mapping[str, Ground]) -> Rule:
    asked = frozenset().union(*(one.denial.permissions for one in mine))
    objects = frozenset(one.denial.object for one in mine if one.denial.object)
    answers = {_better(one.denial, grounds.get(one.host, Ground())) for one in mine}
    rule = Rule(
        name, asked, Answer.ALLOW, "", "", frozenset(one.event for one in mine), frozenset(one.denial.process for one in mine),
        frozenset(one.host for one in mine), objects, len(mine),
    )  # fmt: skip
    rule = replace(rule, says=says(rule))
    if (None, "") not in answers:  # every single denial has a better answer than a rule
        kinds = {kind for kind, _ in answers}
        return replace(rule, answer=Answer.LABEL if Answer.LABEL in kinds else Answer.BOOLEAN, by="; ".join(sorted(by for _, by in answers)))  # fmt: skip
    attention = _attention(rule)
    return replace(rule, answer=Answer.HOLD if attention else Answer.ALLOW, attention=attention)


def _attention(rule: Rule) -> tuple[str, ...]:
    return tuple(apparmor.dangers(rule)) if rule.parts[0] == apparmor.PROFILE else dangers.of(rule)


def _better(denial: Denial, ground: Ground) -> tuple[Answer | None, str]:
    """The label or boolean that makes the denial go away without a rule."""
    if denial.permissions <= {"name_bind", "name_connect"} and denial.object.isdigit():
        if int(denial.object) in ground.ports and denial.target != PORT_TYPE:
            return Answer.LABEL, f"port {denial.kind.partition('_')[0]} {denial.object}: {PORT_TYPE}"
        for boolean in _booleans(denial, ground.booleans):
            return Answer.BOOLEAN, boolean
    if denial.kind in _FILES and denial.object.startswith("/"):
        good = wanted(purpose, ground.types) if (purpose := purpose_of(denial.object, ground.paths, ground.at)) else ()
        if good and denial.target not in good:
            return Answer.LABEL, f"{_root(denial.object)}: {good[0]}"
    return None, ""


def _booleans(denial: Denial, known: Collection[str]) -> list[str]:
    """Only narrow ones: `mysql_connect_any` would open every port there is."""
    asked = next(iter(denial.permissions), "")
    return [name for name in _BOOLEANS.get((denial.target, asked), ()) if name in known]


def _root(path: str) -> str:
    return pattern(path.rpartition("/")[0])


def says(rule: Rule) -> str:
    """A plain sentence, without a word of SELinux's.

    >>> says(Rule("mysqld_t/etc_t/file", frozenset({"read", "open"}), Answer.ALLOW, "", processes=frozenset({"mariadbd"}), objects=frozenset({"/etc/x"})))
    'mariadbd opens and reads /etc/x'
    """
    source, target, kind = rule.parts
    who = ", ".join(sorted(rule.processes)) or source
    if source == apparmor.PROFILE and kind == "file":
        return f"{who} {' and '.join(_MASKS.get(letter, letter) for letter in sorted(rule.permissions))} {target}"
    if kind.startswith("capability"):
        return f"{who} uses the privilege {', '.join(sorted(rule.permissions))}"
    verbs = " and ".join(sorted({_VERBS.get(p, p) for p in rule.permissions}))
    if target == "domain":
        return f"{who} looks at which programs run ({', '.join(sorted(rule.permissions))})"
    whole = [thing for thing in rule.objects if thing.startswith("/")] or rule.objects
    shown = sorted({_template(thing) for thing in whole})[:4]
    what = ", ".join(dict.fromkeys(shown)) or f"a {kind}"
    if kind.endswith("_socket") and rule.permissions & {"name_bind", "name_connect"}:
        return f"{who} {verbs} {kind.partition('_')[0]} port {what}"
    if kind in _FILES:
        return f"{who} {verbs} {what}"
    whose = "its own" if source == target else f"that of {target}"
    return f"{who}: {', '.join(sorted(rule.permissions))} on {kind.replace('_', ' ')} ({whose})"


def _template(thing: str) -> str:
    """Numbers of processes and random endings say nothing.

    >>> _template("/proc/1234/stat"), _template("/tmp/wsrep_recovery.O6CERZ")
    ('/proc/N/stat', '/tmp/wsrep_recovery.*')
    """
    return re.sub(r"\.[A-Za-z0-9]{6}$", ".*", re.sub(r"/\d+(?=/|$)", "/N", thing))


def merge(book: Book, found: Mapping[str, Rule], events: Mapping[str, int]) -> Book:
    """What a person decided stays, unless the rule asks for more now and that is dangerous: then it is held again."""
    merged = dict(book.rules)
    for name, new in found.items():
        old = merged.get(name)
        if old is None:
            merged[name] = new
            continue
        more = new.permissions - old.permissions
        both = replace(
            old, permissions=old.permissions | new.permissions, events=old.events | new.events, processes=old.processes | new.processes,
            hosts=old.hosts | new.hosts, objects=frozenset(sorted(old.objects | new.objects)[:MOST]), seen=old.seen + new.seen,
        )  # fmt: skip
        attention = _attention(both) if both.answer is not Answer.LABEL and more else old.attention
        held = set(attention) - set(old.attention)
        merged[name] = replace(both, says=says(both), attention=attention, answer=Answer.HOLD if held else both.answer)
    return replace(book, rules=merged, events={**book.events, **events})


MOST = 40
"""So many objects of a rule are written down."""
