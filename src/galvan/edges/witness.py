"""Who looks on while a state transfer runs: at the processes of both ends, at their logs, at the wire; and what it means. Pure.

The secret is looked for where it is known, on its own host; what comes back says only where it was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.edges.wire.clear import verdict
from galvan.model import Outcome, Transfer, Trial, Unreadable

PORTS = (4444, 4568)
LIMIT = 6 * 3600
LARGEST = 64 * 2**20
"""Bytes of the wire that are brought here: the beginning of a transfer says how all of it travels."""
_FLAG = "/run/galvan/transfer"

_LOOK = r"""
umask 077; mkdir -p -m 700 /run/galvan; : >{{flag}}
trap 'rm -f {{flag}} {{flag}}.tap' EXIT; trap 'exit 1' HUP PIPE
began=$(date +%s) end=$(($(date +%s) + {{limit}})) times=0 all=
s=$(my_print_defaults --mysqld sst 2>/dev/null | sed -n 's/^--\(loose[-_]\)*wsrep[-_]sst[-_]auth=[^:]*://Ip' | grep -v '^$' | sort -u)
note() { case $all in *"$1"*) ;; *) all="$all$1
" ;; esac; }
found() { for f; do
  n=${f#/proc/}; n=${n%%/*}; note "shown ${f##*/} of $(cat /proc/$n/comm 2>/dev/null || echo 'a process that ended')"
done; }
while [ -e {{flag}} ] && [ "$(date +%s)" -lt $end ]; do
  p=$(pgrep -f 'wsrep_ss[t]_[a-z]|mari[a](db-)?backup|xtrabacku[p]|mysqldum[p]|mariadb-dum[p]' | sed 's|.*|/proc/&/cmdline|')
  [ -z "$p" ] || { times=$((times + 1)); found $(grep -lzE '^(--password|--wsrep[-_]sst[-_]auth)=[^*x]' $p 2>/dev/null); }
  [ -z "$s" ] || found $(printf '%s\n' "$s" | grep -lF -f - /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null)
  echo || exit 1
  sleep 0.2
done
log=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--log[-_]error=//p' | tail -n 1)
if [ -n "$s" ]; then
  { journalctl --since "@$began" -o cat --no-pager; [ ! -f "$log" ] || tail -c 4194304 "$log"; } 2>/dev/null |
    grep -qF -f /dev/fd/3 3<<@known && note 'shown log'
$s
@known
fi
printf '%s' "$all"; [ -z "$s" ] || echo secret; echo "times $times"
"""
_TAP = r"""
command -v tcpdump >/dev/null || { echo 'tcpdump is not installed' >&2; exit 3; }
umask 077; mkdir -p -m 700 /run/galvan; : >{{flag}}
{ tcpdump -i any -n -U -B 8192 -w - {{ports}} </dev/null 2>/dev/null & p=$!
  while [ -e {{flag}} ] && kill -0 $p 2>/dev/null; do sleep 0.2; done; kill -INT $p 2>/dev/null; wait $p; } | head -c {{largest}}
"""
LOOK = sh(_LOOK, flag=_FLAG, limit=LIMIT).text
TAP = sh(_TAP, flag=f"{_FLAG}.tap", ports=" or ".join(f"tcp port {port}" for port in PORTS), largest=LARGEST).text
ENOUGH = sh("rm -f {{look}} {{tap}}", look=_FLAG, tap=f"{_FLAG}.tap").text
"""The onlookers end by themselves when their flags are gone; one that nobody listens to any more cannot say so, and ends them."""
BY_WHOM = r"""d=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1); d=${d:-/var/lib/mysql}
for f in "$d/mariadb_backup_info" "$d/xtrabackup_info"; do
  [ -f "$f" ] && sed -n 's/^tool_command = .*--user=\([^ ]*\).*/\1/p' "$f" && break
done </dev/null; true"""
"""The account that read what lies in the data directory now, as the backup noted it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`failed`: why there was no transfer. `looks`: what the onlooker of each host printed. `user`: as BY_WHOM says."""

    failed: str
    wire: bytes | Unreadable
    looks: Mapping[str, str]
    user: str


def judged(asked: Transfer, recorded: Recorded) -> Trial:
    """Raises Unreadable where the tap had not worked."""
    if recorded.failed:
        return Trial(Outcome.DEAD, recorded.failed)
    match asked.ask:
        case "ran":
            return Trial(Outcome.ACCEPTED, f"{asked.host} got all its data anew, and is Synced")
        case "wire":
            if isinstance(recorded.wire, Unreadable):
                raise recorded.wire
            return verdict(recorded.wire, PORTS[:1], asked.marker)
        case "account":
            said = f"the data were read by {recorded.user or 'nobody that the backup names'}"
            return Trial(Outcome.MATCHES if recorded.user == asked.user else Outcome.DIFFERS, said)
    return _processes(recorded.looks)


def _processes(looks: Mapping[str, str]) -> Trial:
    """
    >>> _processes({"db1": "shown environ of bash\\nshown environ of socat\\nsecret\\ntimes 9\\n", "db2": "times 8\\n"}).seen
    'the secret stands in the environ of bash, socat on db1'
    """
    lines = {host: said.splitlines() for host, said in looks.items()}
    if shown := [said for host, mine in lines.items() for said in _found(host, mine)]:
        return Trial(Outcome.CLEAR, f"the secret stands in {'; '.join(shown)}")
    times = {host: int(line.split()[1]) for host, said in lines.items() for line in said if line.startswith("times ")}
    at_work = {host: count for host, count in times.items() if count}
    if len(at_work) < 2:
        return Trial(Outcome.DEAD, f"the transfer's processes were seen on {', '.join(at_work) or 'no host'} only")
    what = "the secret was looked for" if any("secret" in said for said in lines.values()) else "there is no secret"
    return Trial(Outcome.MATCHES, f"{what}: {', '.join(f'{count} looks on {host}' for host, count in at_work.items())}")


def _found(host: str, lines: Sequence[str]) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("shown "):
            kind, _, whose = line.removeprefix("shown ").partition(" of ")
            kinds.setdefault(kind, []).append(whose)
    for kind, names in kinds.items():
        of = (
            f" of {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}" if any(names) else ""
        )
        yield f"the {kind}{of} on {host}"
