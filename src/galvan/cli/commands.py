"""One function for each command: words in, exit code out."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping

from galvan.app import desk as desks
from galvan.cli import CHANGES, FINDINGS, INCOMPLETE, OK
from galvan.cli.output import Output
from galvan.model import BadInput, Role, Verdict, WrongUsage
from galvan.report import shapes, text

Words = argparse.Namespace


def _desk(words: Words) -> desks.Desk:
    return desks.sit_down(
        words.cluster, words.tip, getattr(words, "limit", []), getattr(words, "passphrase_file", None), not words.no_input,
        getattr(words, "database", None), inventory=words.inventory,
    )  # fmt: skip


def _output(words: Words) -> Output:
    return Output(words.format == "json", False if words.no_color else None, words.output)


def verify(words: Words) -> int:
    from galvan.app.compare import compare
    from galvan.app.verify import verify as prove
    from galvan.model import Weight

    out, desk = _output(words), _desk(words)
    weights = (Weight.LOOK, Weight.MARK) if words.write_marker else (Weight.LOOK,)
    if words.force_sst and words.force_sst not in [host.name for host in desk.cluster.having(Role.DATABASE)]:
        raise WrongUsage(f"--force-sst {words.force_sst}: {words.cluster} names no such database host")
    done = asyncio.run(prove(desk, weights, force=words.force_sst, say=out.event))
    data = asyncio.run(compare(desk, words.data_limit * 1_000_000, out.event)) if words.data else ()
    if out.json:
        document = shapes.verify(done.results, done.blind)
        out.document(document | ({"data": shapes.data(data)} if words.data else {}))
    out.table(text.proofs(done.results))
    out.table(text.data(data))
    for why in done.blind:
        out.line(f"could not be tried: {why}")
    kinds = (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)
    counts = {verdict: done.count(verdict) for verdict in kinds}
    tables = {verdict: sum(one.verdict is verdict for one in data) for verdict in kinds}
    out.line(
        f"{counts[Verdict.PASS]} proofs pass, {counts[Verdict.FAIL]} fail, {counts[Verdict.UNKNOWN]} could not be measured"
    )
    if words.data:
        out.line(
            f"{tables[Verdict.PASS]} tables are the same on all members, {tables[Verdict.FAIL]} differ, {tables[Verdict.UNKNOWN]} could not be compared"
        )
    out.close()
    if counts[Verdict.FAIL] or tables[Verdict.FAIL]:
        return CHANGES if words.detailed_exitcode else FINDINGS
    return INCOMPLETE if counts[Verdict.UNKNOWN] or tables[Verdict.UNKNOWN] or done.blind else OK


def checks(words: Words) -> int:
    from galvan.app.catalogue import CHECKS, MANUAL

    out = _output(words)
    if out.json:
        found = [{"id": c.id, "tip": c.tip} | shapes.described(c) for c in CHECKS.values()]
        out.document({"checks": found, "manual": [shapes.manual(one) for one in MANUAL.values()]})
    elif words.format == "markdown":
        from galvan.report.markdown import checks as listed

        out.line(listed(CHECKS.values(), MANUAL.values()))
    else:
        out.table(text.checks(CHECKS.values()))
        out.table(text.manual(MANUAL.values()))
    out.close()
    return OK


def explain(words: Words) -> int:
    from galvan.app.catalogue import CHECKS, MANUAL, TITLES, looks_at, unknown

    out = _output(words)
    if check := CHECKS.get(words.check):
        fact = looks_at(check)
        document = (
            {"id": check.id, "tip": check.tip} | shapes.described(check) | {"evidence": fact.query.text if fact else ""}
        )
        lines = text.explain(check, TITLES[check.tip], fact.query if fact else None)
    elif manual := MANUAL.get(words.check):
        document, lines = shapes.manual(manual), text.explain_manual(manual, TITLES[manual.tip])
    else:
        raise BadInput(f"{unknown('check', words.check, [*CHECKS, *MANUAL])} (galvan checks lists them)")
    if out.json:
        out.document(document)
    for line in lines:
        out.line(line)
    out.close()
    return OK


def init(words: Words) -> int:
    from galvan.cli.init import init as begin

    return begin(words, _output(words))


def pki(words: Words) -> int:
    from galvan.cli.pki import pki as keys

    return keys(words, _output(words), _desk(words))


def firewall(words: Words) -> int:
    from galvan.cli.firewall import firewall as walls

    return walls(words, _output(words), _desk(words))


def lb(words: Words) -> int:
    from galvan.cli.lb import lb as door

    return door(words, _output(words), _desk(words))


def selinux(words: Words) -> int:
    from galvan.cli.selinux import selinux as confine

    return confine(words, _output(words), _desk(words))


def rotate(words: Words) -> int:
    from galvan.cli.rotate import rotate as renew

    return renew(words, _output(words), _desk(words))


def node(words: Words) -> int:
    from galvan.app.node import node as move

    out, desk = _output(words), _desk(words)
    asyncio.run(move(desk, words.what, words.host, out.event))
    out.close()
    return OK


def lab(words: Words) -> int:
    from galvan.cli.lab import lab as practise

    return practise(words)


def _changing(name: str) -> Callable[[Words], int]:
    def command(words: Words) -> int:
        from galvan.cli.changes import CHANGING

        return CHANGING[name](words, _output(words), _desk(words))

    return command


COMMANDS: Mapping[str, Callable[[Words], int]] = {
    "init": init, "verify": verify, "checks": checks, "explain": explain, "pki": pki, "firewall": firewall, "node": node,
    "lb": lb, "selinux": selinux, "rotate": rotate, "lab": lab,
    **{name: _changing(name) for name in ("plan", "apply", "resume", "rollback", "runs", "unlock")},
}  # fmt: skip
