"""From clear transfers to encrypted ones, on all hosts at once; and no script is left that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from galvan.cluster import identity
from galvan.cluster.dialects import dialect
from galvan.cluster.facts import SST_CONFIG, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.ownfile import digest
from galvan.cluster.transfer import OURS, RSYNC, Spoken, by_role, falls_back, method, spoken
from galvan.model import (
    Blind,
    Certificate,
    Finding,
    HostFacts,
    Need,
    PutFile,
    RestoreFile,
    Role,
    Rung,
    Setting,
    Shell,
    Snapshot,
    Stage,
    Step,
)
from galvan.pki import judge
from galvan.pki.places import on_server
from galvan.tips.sst_tls.checks import chosen, lacking, needed, rivals, unfit, unused
from galvan.tips.sst_tls.facts import METHODS, SCRIPTS, TOOLS
from galvan.tips.sst_tls.shutting import ways
from galvan.tips.sst_tls.wanted import section

TIP = "sst_tls"
SCRIPT = f"/usr/bin/wsrep_sst_{OURS}"


def script() -> str:
    """Galvan's own transfer script, as it is put on the hosts."""
    return (Path(__file__).parent / f"wsrep_sst_{OURS}").read_text()


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    if all(finding.rung is Rung.OPEN for finding in failing):
        return
    hosts = snapshot.having(Role.DATABASE)
    for facts in hosts:
        _may(facts, snapshot)
    own = _own(snapshot)
    if not own and not judge.owners(
        snapshot, "cluster", {f.host.name: judge.unfit(f, snapshot, "cluster", "") for f in hosts}
    ):
        judge.may_issue(snapshot, "cluster")
        for facts in hosts:
            if judge.material(facts, "cluster") is None:
                yield Certificate("cluster", facts.host.name, *identity.member(facts))
    for facts in hosts:
        yield from _opened(facts, snapshot)
        yield from _section(facts, snapshot, own)
        yield from _method(facts, snapshot)
        if to >= Rung.ENFORCED:
            yield from _shut(facts, snapshot)


def _may(facts: HostFacts, snapshot: Snapshot) -> None:
    """Raises Blind where encrypted transfers would not work, or would not stay encrypted."""
    host, name = facts.host.name, chosen(facts, snapshot)
    if missing := [*lacking(facts, name)]:
        raise Blind(f"{host} cannot make encrypted transfers by {name}: {'; '.join(missing)}")
    if lines := rivals(facts):
        raise Blind(
            f"{host} sets {', '.join(lines)} in [mysqld], which the transfer scripts read before [sst]: move it to [sst] first"
        )
    if name == "mysqldump":
        raise Blind(
            f"{host} makes transfers by mysqldump, which logs in at the joiner as an ordinary client: the tip client_tls "
            "encrypts those; better have policy: {sst: {method: mariabackup}}"
        )
    version = text(facts[VARIABLES], "version") if name in RSYNC else ""
    if name in RSYNC and falls_back(version) and not snapshot.cluster.policy.sst.older_scripts:
        raise Blind(
            f"{host} runs {version.split('-', 1)[0]}, whose rsync script goes on in clear text where stunnel is missing: upgrade, "
            "or have policy: {sst: {method: secure_rsync}}; or take it by name, policy: {sst: {older_scripts: true}}"
        )


def _own(snapshot: Snapshot) -> bool:
    """Do the owner's own option files name certificates for transfers, on every host? They are used as they are."""
    named = {f.host.name: spoken(f) for f in snapshot.having(Role.DATABASE) if _names_others(f)}
    if not named:
        return False
    if without := [f.host.name for f in snapshot.having(Role.DATABASE) if f.host.name not in named]:
        raise Blind(
            f"{', '.join(named)} with certificates of your own for transfers, {', '.join(without)} without: name them there too, or "
            "take them out"
        )
    for facts in snapshot.having(Role.DATABASE):
        if wrong := [*unfit(facts)] or ([] if named[facts.host.name].ca else ["no authority is named (tca)"]):
            raise Blind(
                f"{facts.host.name}: the certificates that the option files name for transfers cannot be used: {'; '.join(wrong)}"
            )
    return True


def _names_others(facts: HostFacts) -> bool:
    """Are there certificates in `[sst]`, or for one end alone, that are not Galvan's?"""
    named = [str(facts[SST_CONFIG].get(name) or "") for name in ("tca", "tcapath", "tcert", "tkey")]
    mine = on_server("cluster").directory
    return any(path and not path.startswith(mine) for path in named) or bool(by_role(facts))


def _section(facts: HostFacts, snapshot: Snapshot, own: bool) -> Iterator[Setting]:
    at: dict[str, str] = dict(judge.paths(facts, "cluster"))
    seen: Spoken = spoken(facts)
    if own:
        at = {"ca": seen.ca, "cert": seen.ends[0].certificate, "key": seen.ends[0].key}
    variables, floor = facts[VARIABLES], facts[TOOLS].get("socat_floor") == "yes"
    wanted = section(
        dialect(variables), text(variables, "version"), at, snapshot.cluster.policy.min_tls, seen.sockopt, floor
    )
    if by_role(facts):  # the scripts take those before all others
        wanted = {name: value for name, value in wanted.items() if value not in at.values()}
    there = facts[SST_CONFIG]
    for name, value in wanted.items():
        if there.get(name.replace("-", "_")) != value:
            reason = "state transfers are encrypted, and both ends show a certificate"
            yield Setting(facts.host.name, "sst", name, value, Stage.TRANSFER, TIP, reason)


def _method(facts: HostFacts, snapshot: Snapshot) -> Iterator[Step | Need]:
    """Another method, where the policy asks for one; and the script behind it where that is Galvan's."""
    host, name = facts.host.name, chosen(facts, snapshot)
    if name == OURS:
        yield from _install(facts)
    if name != method(facts):
        reason = "how a member gets a full copy: policy.sst.method"
        yield Setting(host, "mysqld", "wsrep_sst_method", name, Stage.TRANSFER, TIP, reason, live=True)


def _install(facts: HostFacts) -> Iterator[Step]:
    host, content, there = facts.host.name, script(), facts[SCRIPTS].get(OURS)
    if there and there.digest == digest(content) and there.runs:
        return
    yield Step(
        id=f"{TIP}.script@{host}", tip=TIP, host=host, stage=Stage.PREPARE, read=METHODS,
        before={OURS: facts[METHODS].get(OURS)}, want={OURS: f"runs {digest(content)}"},
        do=(PutFile(SCRIPT, content, 0o755),), undo=(RestoreFile(SCRIPT, Stage.PREPARE.at(host)),),
        title=f"install {SCRIPT}",
    )  # fmt: skip


def _opened(facts: HostFacts, snapshot: Snapshot) -> Iterator[Step]:
    """A script that was shut while another method was in use, and is needed now."""
    for name in sorted(needed(snapshot) - {OURS}):
        if (there := facts[SCRIPTS].get(name)) and not there.runs:
            undo, do = ways(str(facts[TOOLS].get("lasting")), there.real, there.mode | 0o111)
            step = _turned(facts, there.real, f"open-{name}", ("shut", "runs"), do, undo)
            yield replace(step, stage=Stage.PREPARE, title=f"{there.real} may be run again")


def _shut(facts: HostFacts, snapshot: Snapshot) -> Iterator[Step]:
    """One step for each file; links to one file are one."""
    for real, mode in sorted({(found.real, found.mode) for found in unused(facts, snapshot)}):
        do, undo = ways(str(facts[TOOLS].get("lasting")), real, mode)
        yield _turned(facts, real, f"shut-{real.rpartition('_sst_')[2]}", ("runs", "shut"), do, undo)


def _turned(facts: HostFacts, real: str, word: str, turn: tuple[str, str], do: Shell, undo: Shell) -> Step:
    """One file from running to shut or back, under all of its names."""
    host, seen = facts.host.name, facts[METHODS]
    names = [found.method for found in facts[SCRIPTS].values() if found.real == real]
    return Step(
        id=f"{TIP}.{word}@{host}", tip=TIP, host=host, stage=Stage.METHODS, read=METHODS,
        before={name: seen.get(name) for name in names},
        want={name: str(seen.get(name)).replace(*turn) for name in names},
        do=(do,), undo=(undo,), title=f"{real} is no longer run",
    )  # fmt: skip
