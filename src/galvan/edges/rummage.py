"""What somebody without rights finds of the secret of transfers, and what it means. Pure; `edges.prober` carries it there and back.

The pattern goes to his grep on its standard input; he is looked at, and learns nothing that lasts.
"""

from __future__ import annotations

from galvan.cluster.transferauth import FILES, KNOWN
from galvan.model import Outcome, Rummage, Trial

_NOBODY = 'as() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }\nas true || exit 3\n'
_LIVING = "as grep -l . $files 2>/dev/null\ntrue\n"
_SEARCH = r"""[ -n "$s" ] || { echo nothing; exit 0; }
set +f
d=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1); d=${d:-/var/lib/mysql}
log=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--log[-_]error=//p' | tail -n 1)
printf '%s\n' "$s" | as grep -lF -f - $files /proc/[0-9]*/cmdline /proc/[0-9]*/environ "$d"/*.cnf /var/log/mysql/* $log 2>/dev/null
true
"""


def script(asked: Rummage) -> str:
    return FILES + KNOWN + _NOBODY + (_LIVING if asked.living else _SEARCH)


def answer(asked: Rummage, out: str, err: str, code: int) -> Trial:
    """
    >>> answer(Rummage("db1"), "/etc/my.cnf\\n", "", 0).seen
    'nobody on db1 finds it in /etc/my.cnf'
    """
    if code:
        return Trial(Outcome.DEAD, f"nobody could be become on {asked.host}: {err.strip()}")
    found = out.split("\n")[:-1]
    if asked.living:
        said = f"nobody on {asked.host} reads {len(found)} option files"
        return Trial(Outcome.ACCEPTED if found else Outcome.DEAD, said)
    if found == ["nothing"]:
        return Trial(Outcome.REFUSED, f"there is no secret on {asked.host}")
    if found:
        return Trial(Outcome.ACCEPTED, f"nobody on {asked.host} finds it in {', '.join(found)}")
    return Trial(Outcome.REFUSED, f"nobody on {asked.host} finds it")
