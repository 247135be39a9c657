"""How lines get into haproxy.cfg and out again: on the host, checked by HAProxy itself, loaded without a lost connection."""

from __future__ import annotations

from collections.abc import Sequence

from galvan.cluster.balancer import FILE, SAY
from galvan.cluster.quote import sh
from galvan.model import Shell
from galvan.tips.load_balancer.haproxy.conf import ASIDE, PLAIN

LIMIT = 20
"""Seconds in which the new worker must have found a member that serves."""
_LAY = f"""
set -eu
f={FILE}; dir=/var/lib/galvan/haproxy
new=$(mktemp "$f.galvan-XXXXXX"); trap 'rm -f "$new"' EXIT
{PLAIN} "$f" >"$new"
[ "$(sha256sum <"$new" | cut -d ' ' -f 1)" = {{{{plain}}}} ] ||
  {{ echo "somebody changed $f since it was looked at: plan again" >&2; exit 1; }}
{PLAIN} "$f" | awk -v aside={{{{aside}}}} 'BEGIN {{n = split(aside, a, " "); for (i = 1; i <= n; i++) out[a[i]]}} {{print (NR in out ? "{ASIDE}" : "") $0}}' >"$new"
printf %s {{{{block}}}} >>"$new"
cmp -s "$f" "$new" && exit 0
said=$(haproxy -c -f "$new" 2>&1) || {{ echo "HAProxy does not accept it: $(echo "$said" | grep -v '^ *$' | head -n 3)" >&2; exit 1; }}
chown --reference="$f" "$new"; chmod --reference="$f" "$new"
mkdir -p -m 700 "$dir"; cp -a "$f" "$dir/before"
mv -f "$new" "$f"; sync "$f"
"""
_RELOAD = f"""
{SAY}systemctl is-active -q haproxy || exit 0
systemctl reload haproxy
tries=0
for proxy in {{{{proxies}}}}; do
  until say 'show stat' 2>/dev/null | grep -q "^$proxy,[^,]*,.*,L7OK,"; do
    tries=$((tries + 1))
    [ $tries -lt {LIMIT * 5} ] || {{
      said=$(say 'show stat' 2>/dev/null | grep "^$proxy," | cut -d , -f 2,18,37,57 | tr '\\n' ' ')
      cp -a "$dir/before" "$f"; systemctl reload haproxy
      echo "no member was found behind $proxy within {LIMIT} seconds ($said); the file is as it was" >&2; exit 1; }}
    sleep 0.2
  done
done
"""


def lay(plain: str, aside: str, block: Sequence[str], proxies: Sequence[str] = ()) -> Shell:
    """`plain`: the digest of what its owner wrote; `aside`: the lines of it that are out of use now; `proxies`: each has to have
    found a member before this is done, or the file is put back."""
    text = "".join(f"{line}\n" for line in block)
    return sh(_LAY + _RELOAD, plain=plain, aside=aside, block=text, proxies=tuple(proxies))
