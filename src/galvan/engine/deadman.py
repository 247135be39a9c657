"""A step that could cut somebody off, under a dead-man: the host itself undoes it, unless it is told in time that all is well.

The undo lies on the host before the change is made, in a transient timer of systemd's (with an accuracy of 0.1 s; the default is a
minute), and on a file system that a reboot empties. It is called off piece by piece: each limit once its new connections were seen, the
last one over a new connection of the operator's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from galvan.cluster.facts import GATE
from galvan.cluster.health import complaints
from galvan.cluster.quote import sh
from galvan.engine.gates import Crew
from galvan.engine.gather import gather
from galvan.model import Deadman, GalvanError, Host, NotHealed, Reach, Shell, Step, Unsafe

HOME = "/run/galvan/deadman"
_ARM = """
umask 077; mkdir -p {{home}}
cat >{{home}}/undo.sh <<'@undo'
PATH=$PATH:/usr/sbin:/sbin; LC_ALL=C; export LC_ALL
logger -t galvan -- 'nobody said in time that all is well: the change is undone'
: >{{home}}/fired
@galvan-undo@
@undo
rm -f {{home}}/fired
for n in {{limits}}; do
  systemctl stop galvan-deadman-$n.timer galvan-deadman-$n.service 2>/dev/null || true
  systemctl reset-failed galvan-deadman-$n.timer galvan-deadman-$n.service 2>/dev/null || true
  systemd-run -q --unit=galvan-deadman-$n --on-active=${n}s --timer-property=AccuracySec=100ms /bin/sh -e {{home}}/undo.sh
done
"""
_SETTLE = """
armed=$(systemctl list-units --plain --no-legend --state=active 'galvan-deadman-*.timer' | cut -d ' ' -f 1)
[ -z "$armed" ] || { systemctl stop $armed; /bin/sh -e {{home}}/undo.sh; }
"""
_RELEASE = """
systemctl is-active -q galvan-deadman-{{n}}.timer || { echo 'the host has already undone it by itself' >&2; exit 1; }
systemctl stop galvan-deadman-{{n}}.timer
[ ! -e {{home}}/fired ] || { echo 'the host has already undone it by itself' >&2; exit 1; }
"""
_DIAL = """
reached() {
  if command -v bash >/dev/null; then timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
  elif command -v socat >/dev/null; then case $1 in *:*) a="[$1]" ;; *) a=$1 ;; esac; timeout 3 socat -u /dev/null "TCP:$a:$2,connect-timeout=2" 2>/dev/null
  else echo 'neither bash nor socat is here to dial with' >&2; exit 1; fi
}
for to in {{targets}}; do
  port=${to##*@}; at=${to%@*}
  reached "$at" "$port" || { echo "$at port $port does not answer" >&2; exit 1; }
done
"""
_LISTEN = """
for p in {{ports}}; do
  ss -Hltn "sport = :$p" | grep -q . && continue
  if command -v socat >/dev/null; then set -- socat "TCP6-LISTEN:$p,fork,reuseaddr,ipv6only=0" /dev/null
    [ -e /proc/net/if_inet6 ] || set -- socat "TCP4-LISTEN:$p,fork,reuseaddr" /dev/null
  else set -- openssl s_server -quiet -nocert -accept "$p"; fi
  systemd-run -q --unit=galvan-listen-$p --collect --property=RuntimeMaxSec=45 "$@"
done
tries=0
for p in {{ports}}; do
  until ss -Hltn "sport = :$p" | grep -q .; do tries=$((tries + 1)); [ $tries -lt 20 ] || { echo "nothing could listen on $p" >&2; exit 1; }; sleep 0.1; done
done
"""
_QUIET = "for p in {{ports}}; do systemctl stop galvan-listen-$p.service 2>/dev/null || true; done"


async def settled(host: Host, crew: Crew, wave: str) -> None:
    """What a killed run left armed is undone now. Whoever goes on would see it in place, and the host would take it away later."""
    await crew.remote.act(host, sh(_SETTLE, home=HOME), wave)


async def may_guard(host: Host, crew: Crew) -> None:
    """Raises Unsafe while a member is not well."""
    if told := [*complaints(await gather(crew.cluster, GATE, crew.remote))]:
        raise Unsafe(f"{host.name} was not touched: " + "; ".join(told))


async def guarded(step: Step, guard: Deadman, host: Host, crew: Crew, wave: str) -> None:
    """Raises NotHealed where a connection was not seen in time: the host undoes it, with or without us."""
    undo = "\n".join(action.text for action in step.undo if isinstance(action, Shell))
    limits = sorted({reach.within for reach in guard.reaches} | {guard.seconds})
    ports = _ports(guard.reaches, host)
    if ports:
        await crew.remote.act(host, sh(_LISTEN, ports=ports), wave)
    try:
        for action in step.do[:-1]:  # only the last one can cut somebody off
            await crew.remote.act(host, action, wave)
        await crew.remote.act(host, _arm(undo, limits), wave)
        await crew.remote.act(host, step.do[-1], wave)
        await _all_well(guard, limits, host, crew, wave)
    finally:
        with suppress(GalvanError):  # they end by themselves, and why this one failed is not what there is to say
            if ports:
                await crew.remote.act(host, sh(_QUIET, ports=ports), wave)


def _arm(undo: str, limits: Sequence[float]) -> Shell:
    script = sh(_ARM, home=HOME, limits=[f"{limit:g}" for limit in limits])
    return replace(script, text=script.text.replace("@galvan-undo@", undo))


def _ports(reaches: Sequence[Reach], host: Host) -> list[str]:
    return [str(port) for port in sorted({reach.port for reach in reaches if reach.target == host.name})]


async def _all_well(guard: Deadman, limits: Sequence[float], host: Host, crew: Crew, wave: str) -> None:
    """Limit by limit, the shortest first."""
    for limit in limits:
        due = [reach for reach in guard.reaches if reach.within == limit]
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(
                    *(_dial(source, due, crew, wave) for source in sorted({reach.source for reach in due}))
                )
                act = crew.remote.act_anew if limit == limits[-1] else crew.remote.act
                await act(host, sh(_RELEASE, n=f"{limit:g}", home=HOME), wave)
        except TimeoutError:
            raise NotHealed(
                f"not every new connection to {host.name} was seen within {limit:g} s: it undoes this by itself"
            ) from None
        except GalvanError as why:
            raise NotHealed(f"{why}; {host.name} undoes this by itself within {limit:g} s") from why


async def _dial(source: str, due: Sequence[Reach], crew: Crew, wave: str) -> None:
    host = next(h for h in crew.cluster.hosts if h.name == source)
    targets = sorted({f"{reach.address}@{reach.port}" for reach in due if reach.source == source})
    try:
        await crew.remote.act(host, sh(_DIAL, targets=targets), wave)
    except NotHealed as why:
        raise NotHealed(f"a new connection from {source} was not let in: {why}") from why
