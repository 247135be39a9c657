"""MaxScale as the choreography needs it: who is behind its doors, and how to take a host out and back.

Asked through maxctrl, MaxScale's own tool. A password is never an argument: maxctrl reads it from a file that only root can read.
"""

from __future__ import annotations

from galvan.cluster.balancer import Server
from galvan.cluster.quote import sh
from galvan.model import Fact, Role, Shell, Unreadable

MAIN = "/etc/maxscale.cnf"
LOGIN = "/etc/galvan/maxscale/maxctrl.cnf"
"""Galvan's own administrator, in maxctrl's own form ([maxctrl], u, p); without it root's ~/.maxctrl.cnf, else maxctrl's default."""
REST = f"""\
rest() {{ sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" {MAIN} 2>/dev/null | tail -n 1; }}
at=$(rest admin_host); case $at in ''|0.0.0.0|::|localhost) at=127.0.0.1 ;; *:*) at="[$at]" ;; esac
port=$(rest admin_port); at=$at:${{port:-8989}}
tls=; [ -z "$(rest admin_ssl_key)" ] || tls='-s -n=false'
login=; [ ! -r {LOGIN} ] || login='-c {LOGIN}'
mx() {{ maxctrl $login $tls -h "$at" -t 5s "$@"; }}
"""
"""Where the REST interface answers. The words are loopback's own certificate: there is nobody between, and the name may be another."""
LISTED = "printf 'list servers\\nlist monitors\\nlist services\\nlist listeners\\nlist filters\\n' | NODE_TLS_REJECT_UNAUTHORIZED=0 mx --tsv 2>/dev/null | cut -f1 | tr -d ' '"
"""The names of all objects: one maxctrl for five lists. It takes lines from its standard input, and then forgets that it need not know loopback's name."""
_THERE = "command -v maxctrl >/dev/null && [ -r " + MAIN + " ] || exit 0\n"
_WRITES, _READS = {"Master", "Write"}, {"Slave", "Read", "Synced"}


ASKERS = Shell(
    _THERE + f"find {MAIN} {MAIN}.d /var/lib/maxscale/maxscale.cnf.d -name '*.cnf' -type f 2>/dev/null | "
    "xargs -r sed -n 's/^[[:space:]]*user[[:space:]]*=[[:space:]]*//p' | sort -u"
)
"""Of its monitors and services: clients come with accounts of their own."""


def status_of(state: str) -> str:
    """The words of HAProxy's, so that one choreography knows both. `Running` alone is a host that MaxScale sends nobody to.

    >>> status_of("Slave, Synced, Running"), status_of("Draining, Slave, Synced, Running"), status_of("Running")
    ('UP', 'DRAIN', 'DOWN')
    """
    words = {word.strip() for word in state.split(",")}
    if "Maintenance" in words:
        return "MAINT"
    if words & {"Draining", "Drained"}:
        return "DRAIN"
    return "UP" if "Running" in words and words & (_WRITES | _READS) else "DOWN"


def servers(output: str) -> tuple[Server, ...]:
    """`maxctrl list servers --tsv`: name, address, port, connections, state; newer versions add GTID and monitor. No header.
    `active` is the one that takes the writes. Nothing at all where no MaxScale is."""
    found = []
    for line in output.splitlines():
        if not line.strip():
            continue
        row = [cell.strip() for cell in line.split("\t")]
        if len(row) < 5 or not row[3].isdigit():
            raise Unreadable(f"maxctrl did not list its servers: {line[:120]!r}")
        name, address, _, sessions, state = row[:5]
        active = bool(_WRITES & {word.strip() for word in state.split(",")})
        found.append(Server("maxscale", name, address, status_of(state), int(sessions), active))
    return tuple(found)


MAXSCALE: Fact[tuple[Server, ...]] = Fact(
    "balancer.maxscale",
    Shell(_THERE + REST + "mx list servers --tsv"),
    servers,
    stable=False,
    roles=frozenset({Role.LOAD_BALANCER}),
)


_REPLAY = "/var/lib/galvan/maxscale-replay"
_TURNED = ("transaction_replay", "delayed_retry", "master_reconnection", "master_failure_mode")
"""The last three are switched by the first, and stay so when it is switched off again (seen, 23.08.6)."""
_DRAIN = r"""said() { mx api get "$1" "data.attributes.parameters.$2" 2>/dev/null | tr -d '"'; }
kept=$(rest persistdir); kept=${kept:-/var/lib/maxscale/maxscale.cnf.d}
mkdir -p -m 700 {{home}}
for m in $(mx list monitors --tsv | cut -f1); do
  [ "$(said "monitors/$m" disable_master_failback)" = false ] || continue
  { [ -e "$kept/$m.cnf" ] && echo kept || echo new; echo 'disable_master_failback false'; } >"{{home}}/$m.monitor"
  mx alter monitor "$m" disable_master_failback true
done
case $(mx list servers --tsv | awk -F '\t' -v s={{server}} '$1 == s {print $5}') in
  *Master*|*Write*) ;;
  *) mx set server {{server}} maintenance; exit 0 ;;
esac
for s in $(mx list services --tsv | awk -F '\t' '$2 == "readwritesplit" {print $1}'); do
  [ ! -e "{{home}}/$s.service" ] && [ "$(said "services/$s" transaction_replay)" = false ] || continue
  { [ -e "$kept/$s.cnf" ] && echo kept || echo new; for p in {{turned}}; do echo "$p $(said "services/$s" $p)"; done; } >"{{home}}/$s.part"
  mv "{{home}}/$s.part" "{{home}}/$s.service"
  mx alter service "$s" transaction_replay true
done
last=$(mx list sessions --tsv | cut -f1 | sort -n | tail -n 1)
end=$(($(date +%s) + 45))
while [ "$(mx list sessions --tsv | awk -F '\t' -v last="${last:-0}" '$1 + 0 > 0 && $1 + 0 <= last + 0' | wc -l)" -gt 0 ] && [ $(date +%s) -lt $end ]; do
  sleep 1
done
mx set server {{server}} maintenance
"""
_UNDRAIN = r"""mx clear server {{server}} drain && mx clear server {{server}} maintenance || exit 1
ls {{home}}/*.service >/dev/null 2>&1 || exit 0
! mx list servers --tsv | cut -f5 | grep -q 'Maintenance' || exit 0
kept=$(rest persistdir); kept=${kept:-/var/lib/maxscale/maxscale.cnf.d}
back() { # $1: monitor or service
  for f in {{home}}/*.$1; do
    [ -e "$f" ] || continue
    s=${f##*/}; s=${s%.$1}
    mx alter $1 "$s" $(sed 1d "$f" | tr '\n' ' ')
    [ "$(head -n 1 "$f")" = kept ] || rm -f "$kept/$s.cnf"
    rm -f "$f"
  done
}
back monitor
master() { mx list servers --tsv | awk -F '\t' '$5 ~ /Master|Write/ {print $1}'; }
n=0; seen=; while [ $n -lt 20 ]; do n=$((n + 1)); now=$(master); [ -z "$now" ] || [ "$now" != "$seen" ] || break; seen=$now; sleep 2.5; done
back service
"""


def drain(server: str) -> Shell:
    """Maintenance: new sessions go elsewhere, open transactions end. What MaxScale calls draining it refuses for the one that takes the
    writes, and a member that comes back drained may be made the writer while nobody may use it (seen, 23.08.6): nobody writes then.

    Two things beside it. The monitor is told to keep the writer that it has: by itself it takes the member with the lowest
    number, and whoever writes at that moment is cut. And where the writer itself rests, `transaction_replay` is switched on first
    and those that came before have 45 s to come anew: a session keeps the settings that it began with, and without this one it is cut.
    """
    return sh(REST + _DRAIN, server=server, home=_REPLAY, turned=_TURNED)


def undrain(server: str) -> Shell:
    """Also puts back what `drain` switched on, once nobody else rests: the monitor's own choice first, while sessions survive it. Where only
    others than the writer rested no session would, and the monitor goes on keeping the writer until one does."""
    return sh(REST + _UNDRAIN, server=server, home=_REPLAY)


def set_state(backend: str, server: str, state: str) -> Shell:
    """As `cluster.balancer.set_state`; a server of MaxScale's has one name whatever service it stands behind."""
    return drain(server) if state == "drain" else undrain(server)
