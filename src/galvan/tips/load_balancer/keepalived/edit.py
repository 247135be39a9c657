"""How the shared address comes to a balancer and leaves it: on the host, checked by keepalived itself, seen to be carried by one."""

from __future__ import annotations

import ipaddress

from galvan.cluster.quote import sh
from galvan.model import Pair, Shell
from galvan.tips.load_balancer.haproxy.conf import BEGIN, END, PLAIN
from galvan.tips.load_balancer.keepalived.conf import INCLUDE, MAIN, SCRIPT

LIMIT = 20
"""Seconds in which one of the two must carry the address."""
SETTLED = 7
"""Seconds after which a balancer that does not hear the other one would have taken the address: two looks at the door, and the
silence of three and a half."""
BLOCK = f"{BEGIN} (edit galvan.yaml instead, or take this out with galvan rollback)\n{INCLUDE}\n{END}\n"
_PART = (
    """
set -eu
main={{main}}; dir=/var/lib/galvan/keepalived; address={{address}}; interface={{interface}}
held() { [ -n "$(ip -o address show dev "$interface" to "$address")" ]; }
seen() { ip neighbour show to "$address" dev "$interface" | grep -i lladdr; }
answered() {
  ip neighbour flush to "$address" dev "$interface" 2>/dev/null || true
  for n in 1 2 3 4 5; do echo | socat -u - {{target}} 2>/dev/null || true; sleep 0.2; ! seen >/dev/null || return 0; done
  return 1
}
plain() { """
    + PLAIN
    + """ "$1"; }
take_out() {
  [ -e "$main" ] || return 0
  plain "$main" >"$new"
  if [ ! -s "$new" ] && [ ! -e "$dir/before" ]; then rm -f "$main"; return 0; fi
  chown --reference="$main" "$new"; chmod --reference="$main" "$new"
  [ ! -e "$dir/before" ] || ! plain "$dir/before" | cmp -s - "$new" || cp -a "$dir/before" "$new"
  mv -f "$new" "$main"; sync "$main"
}
mkdir -p -m 700 "$dir"
new=$(mktemp "$main.galvan-XXXXXX"); trap 'rm -f "$new"' EXIT
"""
)
_FREE = """
held || ! answered || { echo "$address is answered by another host already ($(seen)): choose an address that is free" >&2; exit 1; }
"""
_LAY = """
had=no; ! held || had=yes
if [ -e "$main" ]; then
  grep -q '^# galvan: begin' "$main" || cp -a "$main" "$dir/before"
  plain "$main" >"$new"; chown --reference="$main" "$new"; chmod --reference="$main" "$new"
else rm -f "$dir/before"; chmod 644 "$new"; fi
printf %s {{block}} >>"$new"
said=$(keepalived -t -f "$new" 2>&1) || { echo "keepalived does not accept it: $(echo "$said" | head -n 3)" >&2; exit 1; }
mv -f "$new" "$main"; sync "$main"
systemctl enable -q keepalived
ran=no; ! systemctl is-active -q keepalived || ran=yes
if [ $ran = yes ]; then systemctl reload keepalived; else systemctl start keepalived; fi
gone() {
  new=$(mktemp "$main.galvan-XXXXXX"); take_out
  if [ $ran = yes ]; then systemctl reload keepalived; else systemctl stop keepalived; fi
  echo "$1" >&2; exit 1
}
if [ {{beside}} = yes ]; then
  for n in $(seq {{settled}}); do
    sleep 1
    [ $had = yes ] || ! held || gone "both balancers took $address: VRRP (protocol 112) does not get from one to the other; is there a wall between them?"
  done
fi
tries=0
until held || { [ {{beside}} = yes ] && answered; }; do
  tries=$((tries + 1))
  [ $tries -lt {{limit}} ] || {
    {{script}} serves && why= || why='; HAProxy has no member that serves behind its door'
    gone "nobody carries $address after {{limit}} seconds$why"; }
  sleep 1
done
"""
_TAKE_OUT = """
take_out
[ {{enabled}} = yes ] || systemctl disable -q keepalived
if [ {{active}} = yes ]; then systemctl reload keepalived; else systemctl stop keepalived; fi
tries=0
while held; do
  tries=$((tries + 1)); [ $tries -lt {{limit}} ] || { echo "$address is still there" >&2; exit 1; }
  sleep 0.5
done
"""


def free(pair: Pair) -> Shell:
    """Before anything is written: nobody else answers for the address."""
    return _made(_FREE, pair)


def lay(pair: Pair, beside: bool) -> Shell:
    """`beside`: the other one carries the address, or is ready to."""
    return _made(_LAY, pair, beside="yes" if beside else "no")


def take_out(pair: Pair, active: bool, enabled: bool) -> Shell:
    """`active`, `enabled`: was keepalived so before, with what its owner had in it?"""
    return _made(_TAKE_OUT, pair, active="yes" if active else "no", enabled="yes" if enabled else "no")


def _made(part: str, pair: Pair, **values: str) -> Shell:
    six = ipaddress.ip_address(pair.address).version == 6
    target = f"UDP6-DATAGRAM:[{pair.address}]:9" if six else f"UDP4-DATAGRAM:{pair.address}:9"
    return sh(
        _PART + part, main=MAIN, address=pair.address, interface=pair.interface, target=target, block=BLOCK, script=SCRIPT,
        limit=LIMIT, settled=SETTLED, **values,
    )  # fmt: skip
