"""A marker is looked for in the files of a host. Pure; `edges.prober` writes the marker, and carries the script there and back.

The table's pages are made to be on the disk first: FLUSH TABLES … FOR EXPORT of the marker's own table, for as long as that takes.
"""

from __future__ import annotations

from galvan.cluster.precedence import GIVEN
from galvan.cluster.quote import sh
from galvan.edges.script import CLIENT, FIND_SOCKET
from galvan.model import OnDisk, Outcome, Trial

_FLUSH = "FLUSH TABLES {schema}.marker FOR EXPORT; UNLOCK TABLES; SELECT @@datadir, @@innodb_log_group_home_dir, COALESCE(@@log_bin_basename, '-'), '@here';"
_FILES = {
    "table": '"$d/{schema}/marker.ibd"',
    "redo": '"$r"/ib_logfile*',
    "binlog": '"$(ls -t "$b".[0-9]* 2>/dev/null | head -n 1)"',
    "cache": '"$g/galera.cache" "$g"/gcache.page.*',
}


def script(asked: OnDisk, schema: str) -> str:
    files = _FILES[asked.place].format(schema=schema)
    find = (
        f"{FIND_SOCKET}\nhere=$({CLIENT} <<'@sql'\n{_FLUSH.format(schema=schema)}\n@sql\n)\n"
        "IFS='\t'; set -- $(printf '%s\\n' \"$here\" | grep '@here'); unset IFS\n"
        'd=${1%/} r=${2%/} b=$3\n[ -n "$d" ] || exit 0\n'
        "case $r in .|'') r=$d;; /*) ;; *) r=$d/$r;; esac\n"
        f"g=$({GIVEN.format(name='wsrep[-_]provider[-_]options')} | sed -n 's/.*gcache[.]dir *= *\\([^;]*[^; ]\\).*/\\1/p'); g=${{g:-$d}}\n"
    )
    look = sh(
        "for f in " + files + '; do\n  [ -f "$f" ] || continue\n'
        "  echo \"@file $f $(wc -c <\"$f\") $(grep -a -c -F -e {{marker}} \"$f\")\"\ndone\n",
        marker=asked.marker,
    ).text  # fmt: skip
    return find + look


def answer(said: str) -> Trial:
    """
    >>> answer("@file /var/lib/mysql/ib_logfile0 16777216 0\\n").outcome.value
    'encrypted'
    >>> answer("no such thing\\n").outcome.value
    'dead'
    """
    found = [line.split(" ")[1:] for line in said.splitlines() if line.startswith("@file ")]
    if not found:
        return Trial(Outcome.DEAD, said.strip()[-200:] or "there is no such file")
    seen = ", ".join(f"{name} ({size} bytes): {count} lines with the marker" for name, size, count in found)
    clear = any(int(count) for _, _, count in found)
    return Trial(Outcome.CLEAR if clear else Outcome.ENCRYPTED, seen)
