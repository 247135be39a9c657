"""What a MaxScale has instead of the book: a list of its own that it learns (`module=firewall`, 25.10), and patterns before.

Its canonical statements are not ProxySQL's digests, and the form of its list is not documented, so the book's statements
are not written into it: it learns its own. What the two share are the rules by hand, and how a miss is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from galvan.model import BadInput, Impact
from galvan.model.statements import Act, Book, On
from galvan.tips.load_balancer.statements.digest import approximate
from galvan.tips.load_balancer.statements.explain import explain
from galvan.tips.load_balancer.statements.steps import TIP

FIREWALL = (25, 10)
"""The first version that has the module; 22.08 to 25.01 have patterns alone, and older ones dbfwfilter."""
LEARNING, DETECTING, PROTECTING, IDLE = "learn-append", "supervise", "enforce", "idle"
"""Of the filter's `mode`. Leaving a learning mode for anything but idle saves what was learnt; enforcing without a list refuses all."""
_LINE = re.compile(r"\[firewall\] \([^)]*\); Firewall incident \((.*)@([^@()]*)\): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule for regexfilter. `replace` None: the statement is refused, by becoming one that the server answers with an error."""

    called: str
    match: str
    reason: str
    user: str = ""
    replace: str | None = None


def patterns(book: Book) -> tuple[Pattern, ...]:
    """Raises BadInput for what regexfilter cannot hold: a place to go, a schema, or a pattern for a digest that it does not make."""
    found = []
    for number, rule in enumerate(book.rules, 1):
        where = f"rule {number} ({rule.act} {rule.pattern!r})"
        if rule.act is Act.REDIRECT:
            raise BadInput(f"{where}: MaxScale's readwritesplit chooses where a statement goes, and no rule does")
        if rule.schema:
            raise BadInput(f"{where}: regexfilter knows no schema: leave it out, or use a ProxySQL")
        if rule.on is On.DIGEST:
            raise BadInput(f"{where}: regexfilter sees the text as it was sent: write `on: text`")
        replace = None if rule.act is Act.BLOCK else _dollars(rule.to)
        found.append(Pattern(f"rule-{number}", rule.pattern, rule.reason, rule.account, replace))
    return tuple(found)


def _dollars(replacement: str) -> str:
    r"""PCRE2 names a group by a dollar, ProxySQL and the book by a backslash.

    >>> _dollars(r"SELECT \1 FROM price")
    'SELECT ${1} FROM price'
    """
    return re.sub(r"\\(\d)", r"${\1}", replacement.replace("$", "$$"))


def misses(host: str, log: str) -> Iterator[Impact]:
    """What the filter warned of while it supervises; the log has the statement itself, so its literals are taken out."""
    counted: dict[tuple[str, str], list[str]] = {}
    for account, address, said in _LINE.findall(log):
        counted.setdefault((account, approximate(said)), []).append(address)
    for (account, text), addresses in sorted(counted.items()):
        yield Impact(
            TIP, host, f"{account}: {text}", f"{account}: {text} is not in MaxScale's list; it {explain(text).says}",
            f"{len(addresses)} lines of its log, from {', '.join(sorted(set(addresses)))}",
        )  # fmt: skip
