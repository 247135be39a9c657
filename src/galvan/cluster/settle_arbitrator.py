"""The provider options that tips ask for on an arbitrator: Galvan's drop-in of its unit, and its restarts.

The stages are those of a database host: what is written in one is read by the restart that follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster import provider
from galvan.cluster.arbitrator import OWN, RUNNING, SETUP, UNIT, drop_in
from galvan.cluster.ownfile import READ_BY, Written, shown_by
from galvan.model import HostFacts, ProviderOption, Restart, Shell, Stage, Step, Value

_RELOAD = Shell("systemctl daemon-reload")
_LEAVE = Shell(f"rmdir {OWN.rpartition('/')[0]} 2>/dev/null || true\nsystemctl daemon-reload")
"""Where the drop-in was the only one its directory goes as well: nothing of Galvan's is left behind."""


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
        pending = shown_by([need for need in needs if need.stage in READ_BY.get(stage, ())])
        if differs := {key: value for key, value in pending.items() if shows.get(key) != value}:
            was, restart = {key: shows.get(key) for key in differs}, Restart(members, UNIT)
            yield file.restarted("replication_tls", RUNNING, was, differs, restart, (_RELOAD,), (_LEAVE,))
            shows |= differs
