"""Where the secret of state transfers lies on a host (wsrep_sst_auth), as pieces of scripts that look for it there. It never travels."""

import re

from galvan.cluster.optionfile import quoted
from galvan.model import BadInput

_USER = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def named(user: str, password: str) -> str:
    """The value of wsrep_sst_auth as an option file takes it, quotes and all. Raises BadInput, without the password in it, where the
    server's scripts would make something else of it: they cut at the first colon, cut blanks off both ends and take `(null)` for nothing.

    >>> named("sst", "o#d:pass")
    '"sst:o#d:pass"'
    """
    if not _USER.fullmatch(user):
        raise BadInput(f"the user of transfers is {user!r}: letters, digits and _.- are what their scripts take")
    why = ""
    if not password:
        why = "it is empty"
    elif password != password.strip():
        why = "it begins or ends with a blank, which the scripts cut off"
    elif any(ord(c) < 32 or ord(c) == 127 for c in password):
        why = "it holds a line end, a tab or another control character"
    elif "'" in password and '"' in password:
        why = "it mixes both quotes, and an option file has no way to write that"
    elif not password.isprintable():
        why = "it holds a character that no terminal shows"
    if why:
        raise BadInput(f"the password of {user} cannot be used: {why}")
    return quoted(f"{user}:{password}")


FILES = r"""IFS='
'; set -f
n='/etc/my.cnf
/etc/mysql/my.cnf' files=
for level in 1 2 3 4; do
  flat=
  for f in $n; do
    if [ -d "$f" ]; then set +f; for g in "${f%/}"/*.cnf; do [ -f "$g" ] && flat="$flat$g
"; done; set -f; elif [ -f "$f" ]; then flat="$flat$f
"; fi
  done
  [ -n "$flat" ] || break
  files="$files$flat"
  n=$(sed -n 's/^[[:space:]]*![[:space:]]*include\(dir\)*[[:space:]][[:space:]]*\(.*[^[:space:]]\)[[:space:]]*$/\2/p' $flat 2>/dev/null)
done
"""
"""Sets $files to the option files that the server's first ones include, one a line; IFS is a line end, and `set -f` is on."""
KNOWN = r"""s=$(my_print_defaults --mysqld sst 2>/dev/null | sed -n 's/^--\(loose[-_]\)*wsrep[-_]sst[-_]auth=//Ip' | tail -n 1)
case $s in *:*) s=${s#*:} ;; esac
[ ${#s} -ge 4 ] || s=
"""
"""Sets $s to the secret, where there is one that a search could tell from ordinary words."""
