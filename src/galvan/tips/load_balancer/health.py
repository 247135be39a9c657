"""The answer on port 9200: does this member serve? A balancer asks it of each member, again and again.

One process asks the server twice a second over one connection that stays open and writes down what it said; each question
from outside is answered at once from that, whatever was asked and however slowly. So a question costs a fork and no login,
nobody can keep an answer waiting, and a server that hangs is found out by the age of what it said last. An asker may say at
once that he will say no more: without `ignoreeof` socat hangs up on him a tenth of a second later, on a busy host before the
answer is there. It is a service of its own that listens by socat: the lab's own answer, a socket unit with a service for each
question that logs in, costs a twentieth of a core at one question a second, and one flood too many puts such a unit in
`failed`. A member that feeds another one for a moment (each IST makes its donor do so) goes on serving for `PATIENCE` looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from galvan.cluster.answer import HOME, PORT, SCRIPT, UNIT, USER

PATIENCE = 3
AT_ONCE = 64
"""Answers that are given at the same time; whoever comes later waits in the listener's queue for a few milliseconds."""

_SCRIPT = r"""#!/bin/sh
# Written by Galvan: says on port @port@ whether this member serves (galvan explain load_balancer.health-honest).
# Without a word it asks the server twice a second; with `answer` it answers one question from what the server said last.
set -u
PATH=/usr/bin:/bin LC_ALL=C
home=@home@
moment() { read -r up rest </proc/uptime; now=${up%.*}${up#*.}; }

if [ "${1-}" = answer ]; then
  moment
  read -r at code reason 2>/dev/null <$home/state || { at=0; code=503; reason='nobody asks the server'; }
  [ $((now - at)) -le 200 ] || { code=503; reason="the server has said nothing for $(((now - at) / 100)) seconds"; }
  [ ! -e $home/drained ] || { code=503; reason='drained by its operator'; }
  [ "$code" = 200 ] && phrase=OK || phrase='Service Unavailable'
  printf 'HTTP/1.1 %s %s\r\nContent-Type: text/plain\r\nConnection: close\r\nX-Galera: %s\r\nContent-Length: 0\r\n\r\n' \
    "$code" "$phrase" "$reason"
  exit 0
fi

say() { moment; echo "$now $*" >$home/state.new && mv $home/state.new $home/state; }
judge() {
  fed=0 state= primary= ready= rejects= only= maintained=
  while read -r name value; do
    case $name in
      begin) state= primary= ready= rejects= only= maintained= ;;
      wsrep_local_state) state=$value ;;
      wsrep_cluster_status) primary=$value ;;
      wsrep_ready) ready=$value ;;
      wsrep_reject_queries) rejects=$value ;;
      read_only) only=$value ;;
      pxc_maint_mode) maintained=$value ;;
      end) verdict ;;
    esac
  done
}
verdict() {
  [ "$state" = 2 ] && fed=$((fed + 1)) || fed=0
  if [ "$primary" != Primary ]; then say "503 it is not in the primary component (${primary:-no Galera})"
  elif [ "$ready" != ON ]; then say '503 it is not ready for statements (wsrep_ready)'
  elif [ "${rejects:-NONE}" != NONE ]; then say '503 it rejects statements (wsrep_reject_queries)'
  elif [ "${maintained:-DISABLED}" != DISABLED ]; then say '503 it is under maintenance (pxc_maint_mode)'
  elif [ "$only" = ON ] || [ "$only" = 1 ]; then say '503 it is read only'
  elif [ "$state" = 4 ]; then say '200 Synced'
  elif [ "$state" = 2 ] && [ $fed -le @patience@ ]; then say '200 Donor'
  elif [ "$state" = 2 ]; then say '503 Donor/Desynced'
  else say "503 it is not Synced (wsrep_local_state $state)"; fi
}
ask() {
  while kill -0 $listener 2>/dev/null; do
    echo "SELECT 'begin', '';
SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state', 'wsrep_cluster_status', 'wsrep_ready');
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_reject_queries', 'read_only', 'pxc_maint_mode');
SELECT 'end', '';" || return
    sleep 0.5
  done
}
client=$(command -v mariadb || command -v mysql)

say '503 the server was not asked yet'
[ -e /proc/net/if_inet6 ] && listen=TCP6-LISTEN:@port@,ipv6only=0 || listen=TCP4-LISTEN:@port@
socat -t 0.1 -T 2 "$listen,ignoreeof,reuseaddr,fork,backlog=1024,max-children=@at_once@" "EXEC:$0 answer!!OPEN:/dev/null,wronly" &
listener=$!
while kill -0 $listener 2>/dev/null; do
  ask | "$client" --no-defaults --user=@user@ --socket=@socket@ --skip-reconnect --connect-timeout=2 -N -B -n 2>/dev/null | judge
  say '503 the server does not answer'
  sleep 0.5
done
"""

_SERVICE = """\
[Unit]
Description=Says whether this member serves (Galvan)
StartLimitIntervalSec=0

[Service]
User=@user@
ExecStart=@script@
Restart=always
RestartSec=1
RuntimeDirectory=galvan-health
RuntimeDirectoryPreserve=yes
IPAddressDeny=any
IPAddressAllow=localhost @askers@
TasksMax=400
MemoryMax=96M
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is laid on one member. `askers`: the balancers' addresses; `socket`: the server's own, where it is asked."""

    askers: tuple[str, ...]
    socket: str
    donor: bool = False

    @property
    def files(self) -> tuple[tuple[str, str, int, str], ...]:
        """Path, content, mode, owner. The program is no secret and no business of others': its user may only run it."""
        return (
            (SCRIPT, self._filled(_SCRIPT), 0o550, f"root:{USER}"),
            (UNIT, self._filled(_SERVICE), 0o644, "root:root"),
        )

    def _filled(self, text: str) -> str:
        patience = 10**9 if self.donor else PATIENCE
        values: dict[str, object] = {
            "port": PORT, "home": HOME, "user": USER, "script": SCRIPT, "socket": self.socket, "patience": patience,
            "at_once": AT_ONCE, "askers": " ".join(self.askers),
        }  # fmt: skip
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        return text
