"""The provider options that tips ask for on an arbitrator: Galvan's drop-in of its unit, and its restarts.

The stages are those of a database host: what is written in one is read by the restart that follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster import provider
from galvan.cluster.arbitrator import OWN, RUNNING, SETUP, UNIT, drop_in
from galvan.cluster.ownfile import Written
from galvan.model import Action, Disruption, HostFacts, ProviderOption, Restart, Shell, Stage, State, Step, Value

_RELOAD = Shell("systemctl daemon-reload")
_LEAVE = Shell(f"rmdir {OWN.rpartition('/')[0]} 2>/dev/null || true\nsystemctl daemon-reload")
"""Where the drop-in was the only one its directory goes as well: nothing of Galvan's is left behind."""
_READ_BY = {
    Stage.FIRST_RESTART: (Stage.PREPARE, Stage.FIRST_RESTART),
    Stage.SECOND_RESTART: (Stage.STAGE_STRICT, Stage.SECOND_RESTART),
}


def arbitrate(facts: HostFacts, needs: Sequence[ProviderOption], members: int) -> Iterator[Step]:
    """`members`: how many the group counts with this one. Raises Unreadable where the unit is not understood."""
    setup, running, host = facts[SETUP], facts[RUNNING], facts.host.name
    shows: dict[str, Value] = dict(running)
    options, text = provider.parse(setup.options), setup.own
    for stage in sorted({need.stage for need in needs} | {Stage.SECOND_RESTART}):
        now, before = [need for need in needs if need.stage is stage], text
        for need in now:
            options.pop(need.name, None)
            if need.value is not None:
                options[need.name] = need.value
        if options != provider.parse(setup.options) or text:
            text = drop_in(setup.config, options)
        file = Written(host, stage, OWN, before, text)
        if file.changes:
            yield file.step(now[0].tip, (_RELOAD,), (_LEAVE,))
        pending = _shown([need for need in needs if need.stage in _READ_BY.get(stage, ())])
        if differs := {key: value for key, value in pending.items() if shows.get(key) != value}:
            yield _restart(file, members, {key: shows.get(key) for key in differs}, differs)
            shows |= differs


def _shown(needs: Sequence[ProviderOption]) -> dict[str, str]:
    """What garbd's command line and log show once it has started with these needs."""
    shown = {f"provider.{n.name}": n.value for n in needs if n.value is not None and n.name != "socket.dynamic"}
    for need in needs:
        if need.name == "socket.dynamic":
            shown["listener"] = "tcp" if need.value else "ssl"
    return shown


def _restart(file: Written, members: int, before: State, want: State) -> Step:
    tip, restart = "replication_tls", Restart(members, UNIT)
    again: tuple[Action, ...] = (*file.again, _RELOAD) if file.again else ()
    return Step(
        id=f"{tip}.restart-{file.stage.name.lower()}@{file.host}", tip=tip, host=file.host, stage=file.stage,
        read=RUNNING, before=before, want=want, do=(*again, restart), undo=(file.restore, _LEAVE, restart),
        title=f"restart {UNIT}", disruption=Disruption.RESTART,
    )  # fmt: skip
