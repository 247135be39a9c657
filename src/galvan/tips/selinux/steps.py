"""The way up: labels and a watched domain, then the learnt module and enforcing. Each undo restores what was seen.

A policy is built anew in one transaction for all that is wanted of it: it takes seconds, and a half of it is never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from galvan.cluster.quote import sh
from galvan.model import (
    Action,
    Blind,
    Deadman,
    Finding,
    HostFacts,
    PutFile,
    RestoreFile,
    Role,
    Rung,
    Shell,
    Snapshot,
    Stage,
    State,
    Step,
    Value,
)
from galvan.tips.selinux import apparmor
from galvan.tips.selinux.checks import HOME, mislabelled
from galvan.tips.selinux.facts import CONFIG_FILE, LABELS, MODULE, PORTS, STATE, domain, kernel, labels_of
from galvan.tips.selinux.module import switched_on, version_of
from galvan.tips.selinux.places import PORT_TYPE, pattern, strange

TIP = "selinux"
FILE = f"/etc/galvan/selinux/{MODULE}.cil"
KEPT = "/var/lib/galvan/selinux"
REBUILD = 900
"""Seconds that a policy may take to be built anew; a small machine took 6, an emulated one a minute."""
NEEDED = {"semanage": "policycoreutils-python-utils", "semodule": "policycoreutils", "restorecon": "policycoreutils"}
NARROWED = ("selinux.enforcing", "selinux.permissive-domain", "selinux.hidden", "selinux.one-module")


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step]:
    for facts in snapshot.having(Role.DATABASE):
        names = {finding.check for finding in failing if finding.host == facts.host.name}
        if not names or kernel(facts[STATE]) == "off":
            yield from apparmor.mend(facts, names, to, snapshot.cluster.profile)
            continue
        may_change(facts)
        narrow = bool(names & set(NARROWED)) and to is Rung.ENFORCED
        watched = kernel(facts[STATE]) == "permissive" and not snapshot.cluster.learnt
        yield from widen(facts, watched)
        if narrow:
            yield from _confine(facts, snapshot.cluster.learnt, watched)


def may_change(facts: HostFacts) -> None:
    """Raises Blind where the host lacks a tool, or its server is bound by no domain that could be watched."""
    state, host = facts[STATE], facts.host.name
    if missing := [tool for tool in NEEDED if state.get(f"has-{tool}") != "yes"]:
        packages = ", ".join(dict.fromkeys(NEEDED[tool] for tool in missing))
        raise Blind(f"{host} has no {', '.join(missing)}: install {packages}")
    if state.get("boolean.secure_mode_policyload") == "1":
        raise Blind(f"{host} takes no new policy until it boots again (secure_mode_policyload is on)")
    if (seen := domain(state)) != HOME:
        raise Blind(
            f"the server of {host} runs as {seen}, which no module of Galvan's could hold back: give {state.get('exe')} the label "
            f"mysqld_exec_t (restorecon -v {state.get('exe')}, or install the policy mysql-selinux) and restart it"
        )


# WIDEN -----------------------------------------------------------------------------------------------------------------
_IMPORT = """
s={{store}}; l="$s/ports.local"
is() { grep -q "^portcon $1 $2 [^:]*:[^:]*:$3" "$l" 2>/dev/null; }
watched() { [ -d "$s/modules/400/permissive_$1" ]; }
{
"""


def widen(facts: HostFacts, watched: bool, shown: bool = False) -> Iterator[Step]:
    """`watched`: the server's domain refuses nothing from here on; `shown`: nor is silent about what it is refused."""
    state, host = facts[STATE], facts.host.name
    want: dict[str, Value] = {f"local.{kind}.{port}": PORT_TYPE for kind, port, _, _ in mislabelled(facts)}
    if watched and not any(key == f"permissive.{HOME}" for key in state):
        want[f"permissive.{HOME}"] = "400"
    if shown:
        want["dontaudit"] = "off"
    before = {key: state.get(key) for key in want}
    if want != before:
        said = [
            f"{key.replace('.', ' ').removeprefix('local ')} as {value}"
            for key, value in want.items()
            if key.startswith("local")
        ]
        said += [f"{HOME} refuses nothing" for key in want if key.startswith("permissive")]
        said += ["silent denials are shown" for key in want if key == "dontaudit"]
        yield Step(
            f"selinux.widen@{host}", TIP, host, Stage.LABEL, STATE, before, want, (_import(facts, before, want),),
            (_import(facts, want, before),), f"one policy transaction: {'; '.join(said)}",
        )  # fmt: skip
    yield from _labelled(facts)


def _import(facts: HostFacts, seen: State, want: State) -> Shell:
    """From what is seen to what is wanted, each line only where it is not so yet: harmless when done twice."""
    script = _IMPORT
    values: dict[str, str | int | Sequence[str]] = {"store": str(facts[STATE].get("store"))}
    for number, (key, value) in enumerate(want.items()):
        kind, _, rest = key.partition(".")
        if kind == "local":
            protocol, _, port = rest.partition(".")
            values |= {f"p{number}": protocol, f"n{number}": port, f"t{number}": str(value or seen.get(key))}
            known = seen.get(key) or f"port.{protocol}.{port}-" in facts[PORTS]
            test, verb = ("!", f"-{'m' if known else 'a'} -t {{{{t{number}}}}}") if value else ("", "-d")
            script += f"{test} is {{{{p{number}}}}} {{{{n{number}}}}} {{{{t{number}}}}} && echo port {verb} -p {{{{p{number}}}}} {{{{n{number}}}}}\n"
        elif kind == "permissive":
            values[f"t{number}"] = rest
            script += f"{'!' if value else ''} watched {{{{t{number}}}}} && echo permissive {'-a' if value else '-d'} {{{{t{number}}}}}\n"
        elif kind == "dontaudit":
            script += f'[ {"!" if value == "off" else ""} -e "$s/disable_dontaudit" ] && echo dontaudit {value}\n'
    made = sh(
        script
        + "true; } >/run/galvan-policy; [ -s /run/galvan-policy ] && semanage import </run/galvan-policy; rm -f /run/galvan-policy",
        **values,
    )
    return Shell(made.text, limit=REBUILD)


_RELABEL = r"""
set -- {{paths}}; umask 077; mkdir -p {{kept}}
restorecon -n -v -R -- "$@" | sed -n 's/^Would relabel \(.*\) from \([^ ]*\) to [^ ]*$/\2 \1/p' >{{kept}}/labels.new
[ -s {{kept}}/labels ] && [ ! -s {{kept}}/labels.new ] || mv {{kept}}/labels.new {{kept}}/labels
restorecon -R -- "$@"
"""
_UNLABEL = r"""
[ -e {{kept}}/labels ] || exit 0
while read -r context path; do [ ! -e "$path" ] || chcon -h "$context" -- "$path"; done <{{kept}}/labels
mv {{kept}}/labels {{kept}}/labels.undone
"""


def _labelled(facts: HostFacts) -> Iterator[Step]:
    """What the policy has a label for gets it; a place of the server's own gets a line in the policy first."""
    labels, host = labels_of(facts[LABELS]), facts.host.name
    own = [*strange(facts)]
    if not own and not labels.wrong:
        return
    paths = sorted({*labels.at, *(path for path, _, _ in own)})
    lines = [
        sh(
            "semanage fcontext -l -C | grep -qF -- {{p}} || semanage fcontext -a -t {{t}} {{p}}",
            p=pattern(path),
            t=good,
        ).text
        for path, _, good in own
    ]
    gone = [sh("semanage fcontext -d {{p}} 2>/dev/null || true", p=pattern(path)).text for path, _, _ in own]
    do = "\n".join(lines) + sh(_RELABEL, paths=paths, kept=KEPT).text
    undo = "\n".join(gone) + sh(_UNLABEL, kept=KEPT).text
    want: dict[str, Value] = {"wrong": 0, **{f"at.{path}": good for path, _, good in own}}
    before: dict[str, Value] = {"wrong": len(labels.wrong), **{f"at.{path}": kind for path, kind, _ in own}}
    said = [f"{path} becomes {good}" for path, _, good in (*own, *labels.wrong)]
    yield Step(
        f"selinux.labels@{host}", TIP, host, Stage.LABEL, LABELS, before, want, (Shell(do, limit=REBUILD),), (Shell(undo, limit=REBUILD),),
        "; ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else ""),
    )  # fmt: skip


# NARROW ----------------------------------------------------------------------------------------------------------------
_LOAD = r"""
s={{store}}; m="$s/modules"; umask 077; mkdir -p {{kept}}; set --
[ -n {{file}} ] && [ -e "$m/400/{{plain}}/cil" ] && ! cmp -s {{file}} {{kept}}/loaded && {
  { bzcat "$m/400/{{plain}}/cil" 2>/dev/null || python3 -c 'import bz2,sys; sys.stdout.buffer.write(bz2.open(sys.argv[1]).read())' "$m/400/{{plain}}/cil" 2>/dev/null ||
    cat "$m/400/{{plain}}/cil"; } >{{kept}}/{{plain}}.cil; }
[ -z {{file}} ] || set -- "$@" -X 400 -i {{file}}
"""
_UNWATCH = '[ ! -d "$m/{{priority}}/permissive_{{domain}}" ] || set -- "$@" -X {{priority}} -r permissive_{{domain}}\n'
_WATCH = "printf '(typepermissive %s)\\n' {{domain}} >{{kept}}/permissive_{{domain}}.cil; set -- \"$@\" -X {{priority}} -i {{kept}}/permissive_{{domain}}.cil\n"


def _confine(facts: HostFacts, learnt: str, watched: bool) -> Iterator[Step]:
    """The switch itself is the last action, under the dead-man; what a boot would bring is written after it was called off."""
    state, host = facts[STATE], facts.host.name
    left: dict[str, Value] = {key: state.get(key) or "400" for key in _left(state, watched)}
    want: dict[str, Value] = {"kernel": "enforcing", "dontaudit": "on", **dict.fromkeys(left)}
    if learnt:
        want["module"] = sha256(learnt.encode()).hexdigest()
    want |= {f"boolean.{name}": "1" for name in switched_on(learnt) if f"boolean.{name}" in state}
    before: dict[str, Value] = {key: state.get(key) for key in want} | left
    if want != before:
        soft = kernel(state) == "permissive"
        first = _load(state, want, left if soft else {}, bool(learnt))
        last = Shell("setenforce 1") if soft else _load(state, {}, left, False)
        file: tuple[Action, ...] = (PutFile(FILE, learnt, 0o600),) if learnt else ()
        back: tuple[Action, ...] = (RestoreFile(FILE, Stage.CONFINE.at(host)),) if learnt else ()
        title = f"{f'module {MODULE} {version_of(learnt)}' if learnt else 'no module'}; {HOME} is held to its policy; enforcing"
        yield Step(
            f"selinux.confine@{host}", TIP, host, Stage.CONFINE, STATE, before, want, (*file, first, last), (_unload(state, before), *back),
            title, deadman=Deadman(60 if soft else REBUILD),
        )  # fmt: skip
    yield from _for_boots(facts)


def _left(state: State, watched: bool) -> list[str]:
    return sorted(
        {key for key in state if key.startswith("permissive.") and "mysqld" in key}
        | ({f"permissive.{HOME}"} if watched else set())
    )


def _load(state: State, want: State, left: State, install: bool) -> Shell:
    script = sh(
        _LOAD.replace("{{plain}}", MODULE), store=str(state.get("store")), kept=KEPT, file=FILE if install else ""
    ).text
    for key, priority in left.items():
        script += sh(_UNWATCH.replace("{{domain}}", key.partition(".")[2]), priority=str(priority)).text
    on = [key.partition(".")[2] for key in want if key.startswith("boolean.")]
    script += '[ ! -e "$s/disable_dontaudit" ] || set -- "$@" -B\n[ $# -eq 0 ] || semodule "$@"\n'
    script += sh("cp {{file}} {{kept}}/loaded\n", file=FILE, kept=KEPT).text if install else ""
    return Shell(
        script + (sh("setsebool -P {{on}}\n", on=[f"{name}=1" for name in on]).text if on else ""), limit=REBUILD
    )


def _unload(state: State, before: State) -> Shell:
    """At once what eases the server, then the policy as it was."""
    script = sh(
        'setenforce {{mode}}\ns={{store}}; m="$s/modules"; set --\n',
        mode=int(before["kernel"] == "enforcing"),
        store=str(state.get("store")),
    ).text
    for key, priority in before.items():
        if key.startswith("permissive.") and priority:
            script += sh(_WATCH.replace("{{domain}}", key.partition(".")[2]), priority=str(priority), kept=KEPT).text
    if "module" in before and not before["module"]:
        script += f'[ ! -d "$m/400/{MODULE}" ] || set -- "$@" -X 400 -r {MODULE}\n'
    elif "module" in before:
        script += sh('set -- "$@" -X 400 -i {{file}}\n', file=f"{KEPT}/{MODULE}.cil").text
    script += 'semodule "$@" -DB\n' if before["dontaudit"] == "off" else '[ $# -eq 0 ] || semodule "$@"\n'
    off = [f"{key.partition('.')[2]}={value}" for key, value in before.items() if key.startswith("boolean.")]
    return Shell(
        script
        + (sh("setsebool -P {{off}}\n", off=off).text if off else "")
        + sh("rm -f {{kept}}/loaded\n", kept=KEPT).text,
        limit=REBUILD,
    )


def _for_boots(facts: HostFacts) -> Iterator[Step]:
    """The mode file is the system's: one line of it changes, and says what it was."""
    text, host = str(facts[CONFIG_FILE]["text"]), facts.host.name
    was = next((line for line in text.splitlines() if line.startswith("SELINUX=")), "")
    if was and was != "SELINUX=enforcing":
        new = text.replace(was, f"# galvan: it was {was}\nSELINUX=enforcing")
        yield Step(
            f"selinux.boots@{host}", TIP, host, Stage.CONFINE, CONFIG_FILE, {"text": text}, {"text": new},
            (PutFile("/etc/selinux/config", new),), (RestoreFile("/etc/selinux/config", Stage.CONFINE.at(host)),), "enforcing at each boot",
        )  # fmt: skip
