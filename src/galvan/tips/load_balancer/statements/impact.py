"""Who would be refused once the firewall protects: what the balancer counted and noted, against the book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from galvan.model import Impact
from galvan.model.statements import Act, Book, On
from galvan.tips.load_balancer.statements.book import Seen, strangers, together
from galvan.tips.load_balancer.statements.explain import explain
from galvan.tips.load_balancer.statements.proxysql import Missed
from galvan.tips.load_balancer.statements.steps import TIP


def misses(host: str, book: Book, rows: Iterable[Seen], logged: Iterable[Missed] = ()) -> Iterator[Impact]:
    """One for each statement that was said and may not be said, or that a rule will block. `who` is ACCOUNT/SCHEMA/DIGEST, or ACCOUNT/DIGEST where only the
    error log tells of it, which knows no schema.

    Of a line of the log that the book allows by now nothing is said: it may be older than the decision.
    """
    rows, noted = tuple(rows), tuple(logged)
    counted = strangers(book, rows)
    yield from _blocked(host, book, rows)
    for name, row in counted.items():
        known = book.statements.get(name)
        addresses = sorted({m.address for m in noted if (m.account, m.digest) == (name.account, name.digest)})
        evidence = f"said {row.times} times" + (f" from {', '.join(addresses)}" if addresses else "")
        decided = "is not allowed in the book" if known else "is not in the book"
        what = (
            f"{name.account} in {name.schema or 'no schema'}: {_shown(row.text)} {decided}; it {explain(row.text).says}"
        )
        yield Impact(TIP, host, str(name), what, evidence)
    told = {(name.account, name.digest) for name in (*counted, *(n for n, one in book.statements.items() if one.allow))}
    for account, digest in sorted({(m.account, m.digest) for m in noted} - told):
        if account in book.accounts:
            mine = [m for m in noted if (m.account, m.digest) == (account, digest)]
            where = ", ".join(sorted({m.address for m in mine}))
            refused = any(m.refused for m in mine)
            yield Impact(
                TIP, host, f"{account}/{digest or 'unknown'}",
                f"{account}: a statement that ProxySQL's log alone tells of {'was refused' if refused else 'is unknown'}",
                f"{sum(m.times for m in mine)} lines of its log, from {where}",
            )  # fmt: skip


def _blocked(host: str, book: Book, rows: tuple[Seen, ...]) -> Iterator[Impact]:
    """As far as the words without their literals tell, and Python reads the pattern as the balancer does. What a pattern for the text as it
    was sent would block, nobody has counted."""
    for rule in (rule for rule in book.rules if rule.act is Act.BLOCK and rule.on is On.DIGEST):
        for name, row in sorted(together(rows).items()):
            mine = rule.account in ("", name.account) and rule.schema in ("", name.schema)
            if mine and re.search(rule.pattern, row.text, re.IGNORECASE):
                what = f"{name.account} in {name.schema or 'no schema'}: {_shown(row.text)} would be blocked: {rule.reason}"
                yield Impact(TIP, host, str(name), what, f"said {row.times} times")


def _shown(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "…"
