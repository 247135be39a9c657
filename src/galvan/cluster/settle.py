"""All settings and provider options of all tips, merged into Galvan's one option file per host, and into its restarts.

A file is computed from what lies on the host now plus what is needed, stage by stage; so equal needs merge, a half-done
climb goes on where it stands, and a line that an earlier run wrote stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from galvan.cluster import optionfile, precedence, provider
from galvan.cluster.facts import CONFIG, INSTALL, OWN_CONFIG, VARIABLES
from galvan.cluster.health import expected_members, text
from galvan.cluster.optionfile import Entry, Key
from galvan.cluster.ownfile import READ_BY, Written, shown_by
from galvan.cluster.precedence import READING
from galvan.cluster.quote import sql
from galvan.cluster.settle_arbitrator import arbitrate
from galvan.cluster.transfer import QUIET
from galvan.model import (
    BadInput,
    Blind,
    Disruption,
    HostFacts,
    How,
    ProviderOption,
    Restart,
    Role,
    Setting,
    Snapshot,
    Sql,
    Stage,
    State,
    Step,
    Value,
)

OPTIONS: Key = ("mysqld", "wsrep_provider_options")
_SHOWN = {"true": "YES", "yes": "YES"}
LOADED = "plugin_load_add"
"""The one option of which every line counts: what several tips load is one line of Galvan's."""
_UNSHOWN = {LOADED, "file_key_management_filekey"}


def settle(needs: Iterable[Setting | ProviderOption], snapshot: Snapshot) -> Iterator[Step]:
    """Steps for every host that needs something, from PREPARE to REFUSE. Raises BadInput on contradicting needs."""
    wanted = list(dict.fromkeys(_joined(_gathered(list(needs)), snapshot)))
    for facts in snapshot.having(Role.DATABASE):
        mine = [need for need in wanted if need.host == facts.host.name]
        if mine:
            _agree(mine)
            yield from _host(facts, mine, expected_members(snapshot))
    for facts in snapshot.having(Role.ARBITRATOR):
        options = [n for n in wanted if n.host == facts.host.name and isinstance(n, ProviderOption)]
        if options:
            _agree([*options])
            yield from arbitrate(facts, options, expected_members(snapshot))


def _gathered(needs: list[Setting | ProviderOption]) -> Iterator[Setting | ProviderOption]:
    """Where an outage stops every server anyway, what waits for a first restart comes to life with that start."""
    outage = any(need.stage is Stage.STOP_CLEAR for need in needs)
    for need in needs:
        yield replace(need, stage=Stage.STOP_CLEAR) if outage and need.stage is Stage.FIRST_RESTART else need


def _joined(needs: Iterable[Setting | ProviderOption], snapshot: Snapshot) -> Iterator[Setting | ProviderOption]:
    """Plug-ins that several ask for, and those that Galvan's file loads already, in one line."""
    loads: dict[tuple[str, Stage], list[Setting]] = {}
    for need in needs:
        if isinstance(need, Setting) and need.name == LOADED and need.value:
            loads.setdefault((need.host, need.stage), []).append(need)
        else:
            yield need
    for (host, _), asked in loads.items():
        there = snapshot.of(host)[OWN_CONFIG].get(("mysqld", LOADED))
        names = [
            name
            for value in [there.value if there else "", *(str(n.value) for n in asked)]
            for name in value.split(";")
            if name
        ]
        yield replace(
            asked[0], value=";".join(dict.fromkeys(names)), reason="; ".join(dict.fromkeys(n.reason for n in asked))
        )


def _agree(needs: list[Setting | ProviderOption]) -> None:
    seen: dict[tuple[str, str, Stage], Setting | ProviderOption] = {}
    for need in needs:
        key = (need.section if isinstance(need, Setting) else "provider", need.name, need.stage)
        other = seen.setdefault(key, need)
        if other.value != need.value:
            raise BadInput(
                f"{need.tip} wants {need.name}={need.value} on {need.host} and {other.tip} wants {other.value}: "
                "leave one of the tips out (--tip)"
            )


def path_of(facts: HostFacts) -> str:
    """Galvan's file in the last include directory that the server really reads. Raises Blind where there is no place."""
    return precedence.home(facts[READING], facts.host.name)


def outdone(facts: HostFacts, names: Iterable[str]) -> list[str]:
    """Which of these server options somebody else has the last word on, and where."""
    return [*precedence.shadows(facts[READING], names)]


def may_write(needs: Iterable[object], snapshot: Snapshot) -> None:
    """Raises Blind where a line of Galvan's would not be what the server reads in the end; an arbitrator has none."""
    names: dict[str, list[str]] = {}
    for need in needs:
        if isinstance(need, ProviderOption):
            names.setdefault(need.host, []).append(OPTIONS[1])
        elif isinstance(need, Setting):
            names.setdefault(need.host, []).extend([need.name] if need.section == OPTIONS[0] else [])
    servers = [facts.host.name for facts in snapshot.having(Role.DATABASE) if facts.host.name in names]
    for host in servers:
        mine = names[host]
        path = path_of(snapshot.of(host))
        if wrong := outdone(snapshot.of(host), mine):
            raise Blind(
                f"on {host} the server reads {', '.join(wrong)} after {path}, which so would not be heeded: move it to a file that "
                "is read earlier, or take it out"
            )


def _host(facts: HostFacts, needs: list[Setting | ProviderOption], members: int) -> Iterator[Step]:
    path, entries, seen = path_of(facts), facts[OWN_CONFIG], facts[VARIABLES]
    shows: dict[str, Value] = dict(seen)
    filed = _filed(facts[CONFIG], entries)
    for stage in sorted({need.stage for need in needs} | {Stage.SECOND_RESTART}):
        now = [need for need in needs if need.stage is stage]
        before, entries = optionfile.render(entries), _overlay(entries, now, facts[CONFIG])
        file = Written(facts.host.name, stage, path, before, optionfile.render(entries))
        if file.changes:
            yield file.step(now[0].tip, first=(QUIET,) if stage is Stage.TRANSFER else ())
        pending = _running([n for n in needs if n.stage in READ_BY.get(stage, ())])
        if differs := {key: value for key, value in pending.items() if shows.get(key) != value}:
            was = {key: filed.get(key, shows.get(key)) for key in differs}
            restart = Restart(members, text(facts[INSTALL], "unit"))
            if stage is Stage.STOP_CLEAR:
                yield from _outage(file, restart, was, differs)
            else:
                yield file.restarted(_owner(needs, stage, differs), VARIABLES, was, differs, restart)
            shows |= differs
            filed = {}
        yield from (_live(facts, need) for need in now if isinstance(need, Setting) and need.live)
        yield from (_set_period(need, shows) for need in now if isinstance(need, ProviderOption) and need.live)


def _overlay(entries: Mapping[Key, Entry], needs: list[Setting | ProviderOption], config: State) -> dict[Key, Entry]:
    """The file's entries with the needs laid over; the provider's one string starts from the effective one."""
    merged = dict(entries)
    for need in needs:
        if isinstance(need, ProviderOption):
            shown = merged[OPTIONS].value if OPTIONS in merged else str(config.get("wsrep_provider_options") or "")
            options = provider.parse(shown)
            options.pop(need.name, None)
            if need.value is not None:
                options[need.name] = need.value
            reason = "one string, the last one wins: what was there is kept, these keys are Galvan's: socket.*"
            merged[OPTIONS] = Entry(provider.render(options), need.tip, reason)
        elif need.value is None:
            merged.pop((need.section, need.name), None)
        else:
            merged[(need.section, need.name)] = Entry(need.value, need.tip, need.reason)
    return merged


def _running(needs: list[Setting | ProviderOption]) -> dict[str, str]:
    """What the server shows once it has started with these needs."""
    shown: dict[str, str] = {}
    for n in needs:
        if isinstance(n, Setting) and n.section == "mysqld" and n.value and not n.live:
            own = {} if n.name in _UNSHOWN else {n.name: n.value}
            shown |= own if n.shows is None else dict(n.shows)
    if "ssl_cert" in shown:
        shown["have_ssl"] = "YES"  # a server that dislikes its certificate starts all the same, without TLS
    options = shown_by(need for need in needs if isinstance(need, ProviderOption))
    shown |= {key: _SHOWN.get(value, value) for key, value in options.items()}
    return shown


def _filed(config: State, own: Mapping[Key, Entry]) -> dict[str, Value]:
    """What a start would show of certificates that the owner's option files name. He may have named some and not
    restarted: a restart that is undone by a restart then ends there, and not where the server was. `own`: Galvan's
    file, whose lines are taken out by the undo."""
    shown: dict[str, Value] = {}
    order = list(config)
    if config.get("ssl_cert") and ("mysqld", "ssl_cert") not in own:
        shown = {name: config[name] for name in ("ssl_ca", "ssl_cert", "ssl_key") if config.get(name)}
        if "ssl" not in config or order.index("ssl") < order.index("ssl_cert"):
            shown["have_ssl"] = "YES"
    options = {} if OPTIONS in own else provider.parse(str(config.get("wsrep_provider_options") or ""))
    if options.get("socket.ssl_cert") and provider.yes(options.get("socket.ssl", "yes")):
        named = [key for key in ("socket.ssl_key", "socket.ssl_cert", "socket.ssl_ca") if key in options]
        shown |= {"provider.socket.ssl": "YES", **{f"provider.{key}": options[key] for key in named}}
        shown["listener"] = "tcp" if provider.yes(options.get("socket.dynamic")) else "ssl"
    return shown


def _owner(needs: list[Setting | ProviderOption], stage: Stage, want: State) -> str:
    """The tip in whose name a host restarts: replication's where it is its pass, else that of the first need that waits for it."""
    if any(key.startswith(("provider.", "listener")) for key in want):
        return "replication_tls"
    waiting = [n for n in needs if n.stage in READ_BY[stage] and want.keys() & _running([n]).keys()]
    return waiting[0].tip if waiting else "client_tls"


def _outage(file: Written, restart: Restart, before: State, want: State) -> Iterator[Step]:
    """The two halves. A stop wants what the start will show: it is done when the server is down, and behind us when it
    runs so. On the way back the start is undone by a stop, with the kept file put in place before it."""
    stop, start = replace(restart, how=How.STOP), replace(restart, how=How.START)
    restore = (file.restore,) if file.changes else ()
    for stage, do, undo in ((Stage.STOP_CLEAR, stop, (start,)), (Stage.START_STRICT, start, (*restore, stop))):
        yield Step(
            id=f"replication_tls.{stage.name.lower()}@{file.host}", tip="replication_tls", host=file.host, stage=stage,
            read=VARIABLES, before=before, want=want, do=(do,), undo=undo, title=f"{do.how} {restart.unit}",
            disruption=Disruption.RESTART,
        )  # fmt: skip


def _live(facts: HostFacts, need: Setting) -> Step:
    seen = facts[VARIABLES].get(need.name)
    value = str(need.value)
    return Step(
        id=f"{need.tip}.set-{need.name}@{need.host}", tip=need.tip, host=need.host, stage=need.stage, read=VARIABLES,
        before={need.name: seen}, want={need.name: value}, do=(_set(need.name, value),),
        undo=(_set(need.name, str(seen)),), title=f"SET GLOBAL {need.name} = {value}",
    )  # fmt: skip


def _set_period(need: ProviderOption, shows: Mapping[str, Value]) -> Step:
    """A period that the running provider takes; undone by what it shows by then."""
    key, live = f"provider.{need.name}", str(need.live)
    do, undo = ((provider.set_period(need.name, str(value), shows),) for value in (live, shows.get(key)))
    return Step(
        id=f"{need.tip}.set-{need.name}@{need.host}", tip=need.tip, host=need.host, stage=need.stage, read=VARIABLES,
        before={key: shows.get(key)}, want={key: live}, do=do, undo=undo, title=f"set {need.name} = {live}",
    )  # fmt: skip


def _set(name: str, value: str) -> Sql:
    """A number as it is: the server takes no text for one."""
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return sql(f"SET GLOBAL {name} = {value}")
    return sql(f"SET GLOBAL {name} = {{{{value}}}}", value=value)
